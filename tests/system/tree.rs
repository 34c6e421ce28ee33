//! A small Debian 12 with systemd in a directory. It is made once in a run and removed at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;

static TREE: Mutex<Option<TempDir>> = Mutex::new(None);

/// Runs the script of a story, and switches the machine off.
const STORY_SERVICE: &str = "\
[Unit]
Description=The story
ConditionPathExists=/story/script
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/bash -eu /story/script
StandardOutput=append:/story/output
StandardError=inherit
";

/// The root of the tree.
pub fn root() -> PathBuf {
    let mut tree = TREE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    tree.get_or_insert_with(make).path().join("root")
}

/// Removes the tree.
pub fn remove() {
    drop(TREE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take());
}

fn make() -> TempDir {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = dir.path().join("root");
    let made = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=apt", "--include=systemd-sysv", "bookworm"])
        .arg(&root)
        .status()
        .unwrap();
    assert!(made.success(), "mmdebstrap: {made}");
    let units = root.join("etc/systemd/system");
    fs::write(units.join("story.service"), STORY_SERVICE).unwrap();
    let wants = units.join("multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    std::os::unix::fs::symlink("../story.service", wants.join("story.service")).unwrap();
    fs::create_dir_all(root.join("story")).unwrap();
    quiet(&root);
    dir
}

/// Disables what a story does not need, so that the machine starts and stops in a second.
fn quiet(root: &Path) {
    let units = root.join("etc/systemd/system");
    for unit in [
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "dpkg-db-backup.timer",
        "e2scrub_all.timer",
        "e2scrub_reap.service",
        "fstrim.timer",
        "getty.target",
        "console-getty.service",
        "systemd-update-utmp.service",
        "systemd-update-utmp-runlevel.service",
    ] {
        let _ = std::os::unix::fs::symlink("/dev/null", units.join(unit));
    }
}
