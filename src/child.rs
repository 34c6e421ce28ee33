//! Waits for a program that this one has started, within a limit of time and output.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

/// How often the program is checked for its end.
const CHECK_EVERY: Duration = Duration::from_millis(10);

/// The most bytes that are read between two of these checks. A pipe holds no more by default, so
/// that all of it is read after the end of the program.
const BYTES_EACH_TIME_MAX: usize = 64 * 1024;

/// How much of a program is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest time until its end.
    pub time: Duration,
    /// The most bytes of its output that are kept. The rest is read and dropped.
    pub bytes: usize,
}

/// Waits for the end of the program, which leads a process group of its own. After the time, or
/// once `is_over` is true, kills the group. Returns its status, or `None` if it was killed, and the
/// beginning of what it wrote into `output`.
///
/// # Errors
///
/// If the system refuses to wait or to kill.
pub fn wait(
    child: &mut Child,
    output: Option<OwnedFd>,
    limits: Limits,
    is_over: &AtomicBool,
) -> io::Result<(Option<ExitStatus>, Vec<u8>)> {
    let until = Instant::now() + limits.time;
    let mut output = output.map(File::from);
    if let Some(pipe) = &output {
        // A child of the program may keep the pipe open for ever.
        fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    }
    let (mut kept, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let status = child.try_wait()?;
        let mut seen = 0;
        while let Some(pipe) = &mut output
            && seen < BYTES_EACH_TIME_MAX
            && let Ok(read @ 1..) = pipe.read(&mut buffer)
        {
            let room = limits.bytes.saturating_sub(kept.len());
            kept.extend_from_slice(&buffer[..read.min(room)]);
            seen += read;
        }
        if status.is_some() {
            return Ok((status, kept));
        }
        if Instant::now() >= until || is_over.load(Ordering::Relaxed) {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.kill()?;
            child.wait()?;
            return Ok((None, kept));
        }
        std::thread::sleep(CHECK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Waits for this shell command, whose output never ends. Returns its status, how much of the
    /// output was kept, and whether that took less than the limit of time.
    fn wait_for(command: &str, time: Duration, is_over: bool) -> (Option<ExitStatus>, usize, bool) {
        let mut child =
            Command::new("/bin/sh").args(["-c", command]).process_group(0).spawn().unwrap();
        let limits = Limits { time, bytes: 50_000 };
        let endless = File::open("/dev/zero").unwrap().into();
        let began = Instant::now();
        let is_over = AtomicBool::new(is_over);
        let (status, kept) = wait(&mut child, Some(endless), limits, &is_over).unwrap();
        (status, kept.len(), began.elapsed() < time)
    }

    /// Regression: while there was output, neither the end of the program nor a stop was noticed.
    #[test]
    fn a_program_that_prints_without_end_is_killed_at_a_stop_and_its_own_end_is_noticed() {
        assert_eq!(wait_for("exec sleep 600", LONG, true), (None, 50_000, true));
        let (status, _, is_early) = wait_for("exit 3", LONG, false);
        assert_eq!((status.and_then(|status| status.code()), is_early), (Some(3), true));
    }

    #[test]
    fn no_more_is_kept_than_the_limit_and_a_program_is_killed_after_its_time() {
        let time = Duration::from_millis(300);
        assert_eq!(wait_for("exec sleep 600", time, false), (None, 50_000, false));
    }
}
