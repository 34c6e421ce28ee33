//! A small file system, which a test can fill.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{program, real_program};

/// A mounted file system for one test, unmounted at its end.
pub struct Mounted(pub PathBuf);

impl Mounted {
    /// `None`, with a loud line, if this user may not mount.
    pub fn tmpfs(at: &Path, size: &str) -> Option<Self> {
        let mount = real_program("mount")?;
        let options = format!("size={size}");
        let done = Command::new(mount)
            .args(["-t", "tmpfs", "-o", &options, "userman-test"])
            .arg(at)
            .output()
            .unwrap();
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr);
            assert!(std::env::var("REQUIRE_REAL").as_deref() != Ok("1"), "cannot mount: {why}");
            eprintln!("\n*** NO MOUNT: {why}*** a full disk is shown by the shim alone ***\n");
            return None;
        }
        Some(Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Runs a script in its own mount namespace. `$1` is a directory for the mount, `$2` the program.
/// `None`, with a loud line, if the system does not permit that.
pub fn in_own_namespace(script: &str, dir: &Path) -> Option<Output> {
    let unshare = real_program("unshare")?;
    let run = |script: &str| {
        Command::new(&unshare)
            .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"])
            .arg(dir)
            .arg(program().get_program())
            .output()
            .unwrap()
    };
    let may = run("mount -t tmpfs tmpfs \"$1\"");
    if !may.status.success() {
        assert!(std::env::var("REQUIRE_REAL").as_deref() != Ok("1"), "cannot mount: {may:?}");
        eprintln!("\n*** MOUNTING IS NOT PERMITTED: this test proves nothing here ***\n");
        return None;
    }
    Some(run(script))
}
