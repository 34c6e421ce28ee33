//! The machine that the service runs on, as far as its files and programs tell.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::child::{Limits, wait};

/// For a program of systemd, which answers at once or waits for a bus that does not.
const ASK_LIMITS: Limits = Limits { time: Duration::from_secs(5), bytes: 64 * 1024 };

/// The machine. Tests put another root directory in the place of `/`.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
}

impl Default for Machine {
    /// This machine.
    fn default() -> Self {
        Self::at("/")
    }
}

impl Machine {
    /// The machine whose files are below this directory.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A file of the machine, given by its absolute path.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Whether there is such a file or directory.
    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The text of a file, without white space at its ends.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        Some(fs::read_to_string(self.path(path)).ok()?.trim().to_owned())
    }

    /// Whether systemd manages the machine (sd_booted(3)).
    pub(super) fn has_systemd(&self) -> bool {
        self.has("/run/systemd/system")
    }

    /// Whether this is a container, whose clock and services are the host's.
    pub(super) fn is_container(&self) -> bool {
        ["/run/.containerenv", "/.dockerenv", "/run/systemd/container"]
            .iter()
            .any(|file| self.has(file))
    }

    /// What a program of the machine prints, if it can be started and ends in time. systemctl ends
    /// with an error for a unit that is not active, and prints that as well.
    pub(super) fn ask(&self, program: &str, args: &[&str]) -> Option<String> {
        self.ask_within(program, args, ASK_LIMITS)
    }

    fn ask_within(&self, program: &str, args: &[&str], limits: Limits) -> Option<String> {
        let mut child = Command::new(self.path(program))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .ok()?;
        let output = child.stdout.take().map(OwnedFd::from);
        let (status, printed) = wait(&mut child, output, limits, &AtomicBool::new(false)).ok()?;
        status?;
        Some(String::from_utf8(printed).ok()?.trim().to_owned())
    }

    /// The name of the machine's time zone: where /etc/localtime leads to, or what /etc/timezone
    /// says.
    pub(super) fn time_zone(&self) -> Option<String> {
        let link = fs::read_link(self.path("/etc/localtime")).ok();
        let of_link = link
            .as_deref()
            .and_then(Path::to_str)
            .and_then(|link| link.split_once("zoneinfo/").map(|(_, name)| name.to_owned()));
        of_link.or_else(|| self.text("/etc/timezone")).filter(|name| !name.is_empty())
    }

    /// The running processes that this user can see: their numbers.
    pub(super) fn processes(&self) -> Vec<i32> {
        let entries = fs::read_dir(self.path("/proc")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// The name of a process.
    pub(super) fn process_name(&self, process: i32) -> Option<String> {
        self.text(&format!("/proc/{process}/comm"))
    }

    /// The arguments of a process, as every user of the machine can see them.
    pub(super) fn arguments(&self, process: i32) -> Vec<u8> {
        fs::read(self.path(&format!("/proc/{process}/cmdline"))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_given_up_and_one_that_fails_is_read() {
        let limits = Limits { time: Duration::from_millis(100), ..ASK_LIMITS };
        let ask = |script: &str| Machine::default().ask_within("/bin/sh", &["-c", script], limits);
        assert_eq!(ask("echo begun; exec sleep 600"), None);
        let asked = Machine::default().ask("/bin/sh", &["-c", "echo inactive; exit 3"]);
        assert_eq!(asked.as_deref(), Some("inactive"));
    }
}
