//! A small file system, which a test can fill.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::real_program;

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
            eprintln!(
                "\n*** NO MOUNT: {}*** a full disk is shown by the shim alone ***\n",
                String::from_utf8_lossy(&done.stderr)
            );
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
