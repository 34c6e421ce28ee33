//! The interface to tests/shim/shim.c. The shim is compiled once in a run, loaded into the program,
//! and controlled by files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::{program, real_program, temp_dir};

/// Instead of an error, the program is killed by SIGKILL before the call.
pub const KILLED: i32 = 0;
pub const EIO: i32 = 5;
pub const EACCES: i32 = 13;
pub const ENOSPC: i32 = 28;
pub const EROFS: i32 = 30;

/// The control files and the records of one program.
pub struct Shim {
    library: PathBuf,
    dir: TempDir,
}

impl Shim {
    /// `None`, with a loud line, where there is no C compiler.
    pub fn new() -> Option<Self> {
        static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
        let library = LIBRARY.get_or_init(|| real_program("cc").map(|cc| compile(&cc))).clone()?;
        Some(Self { library, dir: temp_dir() })
    }

    /// The program with the shim loaded, for files below `data`. If `traced` is set, its calls are
    /// recorded.
    pub fn program(&self, data: &Path, traced: bool) -> Command {
        let mut command = program();
        command
            .env("LD_PRELOAD", &self.library)
            .env("SHIM_DATA", data)
            .env("SHIM_CONTROL", self.dir.path());
        if traced {
            command.env("SHIM_TRACE", self.trace_file());
        }
        command
    }

    /// From now on, `write`, `sync` or `open` fails with this error, after `skip` calls that
    /// succeed.
    pub fn fail(&self, call: &str, errno: i32, skip: usize) {
        self.order(call, &format!("{errno} {skip}"));
    }

    /// Lets one call fail, after `skip` that succeed.
    pub fn fail_once(&self, call: &str, errno: i32, skip: usize) {
        self.order(call, &format!("{errno} {skip} 1"));
    }

    /// The call succeeds again.
    pub fn heal(&self, call: &str) {
        std::fs::remove_file(self.dir.path().join(call)).unwrap();
    }

    /// The next sync waits until `heal("hold")`.
    pub fn hold_syncs(&self) {
        self.order("hold", "");
    }

    /// Whether a sync is waiting.
    pub fn is_holding(&self) -> bool {
        self.dir.path().join("holding").exists()
    }

    /// What was recorded so far.
    pub fn trace(&self) -> Vec<u8> {
        std::fs::read(self.trace_file()).unwrap()
    }

    /// Replaces a control file by a rename, because the shim may read it at any moment.
    fn order(&self, call: &str, text: &str) {
        let new = self.dir.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.dir.path().join(call)).unwrap();
    }

    fn trace_file(&self) -> PathBuf {
        self.dir.path().join("trace")
    }
}

fn compile(cc: &Path) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (new, library) = (dir.join(format!("shim-{}.so", std::process::id())), dir.join("shim.so"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shim/shim.c");
    // Headers with fortification would define some of these functions themselves.
    let flags = ["-shared", "-fPIC", "-O1", "-Wall", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=0"];
    let status =
        Command::new(cc).args(flags).arg("-o").arg(&new).args([source, "-ldl"]).status().unwrap();
    assert!(status.success(), "tests/shim/shim.c does not compile");
    // By a rename, because another run of these tests may load the library at this moment.
    std::fs::rename(new, &library).unwrap();
    library
}
