//! Boots a machine from the tree, and runs the script of a story in it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::tree;

/// The maximum time of a story. A machine that hangs is switched off.
const STORY_TIME_MAX: Duration = Duration::from_secs(300);

/// A machine that is not booted yet. It has the files of the tree and those that a test adds. What
/// it writes is lost at its end, except in `/story`.
pub struct Machine {
    root: PathBuf,
    /// The directory `/story` of the machine.
    dir: TempDir,
    binds: Vec<String>,
}

/// The result of a story.
pub struct Story {
    dir: TempDir,
    /// The output of its script.
    pub output: String,
}

impl Machine {
    /// With Debian 12.
    pub fn new() -> Self {
        Self::of(tree::root())
    }

    /// With the tree whose root this is.
    pub fn of(root: PathBuf) -> Self {
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let machine = Self { root, dir, binds: Vec::new() };
        // This program has the commands of `inside`.
        machine.with("/usr/bin/inside", &std::env::current_exe().unwrap())
    }

    /// Puts a file or a directory into the machine, read-only.
    pub fn with(mut self, inside: &str, file: &Path) -> Self {
        let file = file.canonicalize().unwrap();
        self.binds.push(format!("--bind-ro={}:{inside}", file.display()));
        self
    }

    /// Puts a text into the machine, read-only.
    pub fn with_text(self, inside: &str, text: &str) -> Self {
        let file = self.dir.path().join(inside.replace('/', "_"));
        fs::write(&file, text).unwrap();
        self.with(inside, &file)
    }

    /// Boots the machine, runs this bash script as root, and switches the machine off. A command
    /// that fails ends the script, and the story fails.
    pub fn run(self, script: &str) -> Story {
        let path = self.dir.path().join("script");
        let keep_log = "trap 'journalctl --no-pager -o cat -n 60 >/story/journal' EXIT";
        let script = format!("{keep_log}\n{script}\necho 'the story is over'\n");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let console = self.dir.path().join("console");
        let mut booted = Command::new("systemd-nspawn")
            .args(["--quiet", "--register=no", "--keep-unit", "--console=pipe"])
            .args(["--private-network", "--volatile=overlay", "-b", "-D"])
            .arg(&self.root)
            .arg(format!("--bind={}:/story", self.dir.path().display()))
            .args(&self.binds)
            .stdin(Stdio::null())
            .stdout(File::create(&console).unwrap())
            .stderr(File::options().append(true).open(&console).unwrap())
            .spawn()
            .unwrap();
        let is_off = wait(&mut booted);
        let read = |name: &str| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        let output = read("output");
        let Some(output) = output.strip_suffix("the story is over\n").filter(|_| is_off) else {
            let (console, journal) = (read("console"), read("journal"));
            panic!("the machine said:\n{console}\nits log:\n{journal}\nthe story:\n{output}");
        };
        Story { output: output.to_owned(), dir: self.dir }
    }
}

impl Story {
    /// A file that the script has put into `/story`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Whether the machine was switched off in time.
fn wait(booted: &mut Child) -> bool {
    let until = Instant::now() + STORY_TIME_MAX;
    while Instant::now() < until {
        if booted.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    booted.kill().unwrap();
    booted.wait().unwrap();
    false
}
