//! A small distribution with systemd in a directory. That of Debian 12 is made once in a run and
//! removed at the end, because most stories boot it. A story that needs another one makes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;

static TREE: Mutex<Option<TempDir>> = Mutex::new(None);

/// A release of a distribution.
#[derive(Debug)]
pub struct Release<'a> {
    /// Its name.
    pub suite: &'a str,
    /// Where it is, as a line of apt's list of sources, if not at Debian's mirror.
    pub source: Option<&'a str>,
    /// Whether mmdebstrap has to make `/bin` a link to `/usr/bin`, as the installers of all these
    /// releases do. Of the newer ones, the packages do it.
    pub merges_usr: bool,
}

const DEBIAN_12: Release<'_> = Release { suite: "bookworm", source: None, merges_usr: false };

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

/// The root of Debian 12.
pub fn root() -> PathBuf {
    let mut tree = TREE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    tree.get_or_insert_with(|| make(&DEBIAN_12).unwrap()).path().join("root")
}

/// Removes the tree of Debian 12.
pub fn remove() {
    drop(TREE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take());
}

/// Makes a tree whose root is the directory `root` in the result. An error is what mmdebstrap said.
pub fn make(release: &Release<'_>) -> Result<TempDir, String> {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = dir.path().join("root");
    let merge = "--setup-hook=/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh";
    let made = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=apt", "--include=systemd-sysv"])
        .args(release.merges_usr.then_some(merge))
        .arg(release.suite)
        .arg(&root)
        .args(release.source)
        .output()
        .unwrap();
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let units = root.join("etc/systemd/system");
    fs::write(units.join("story.service"), STORY_SERVICE).unwrap();
    let wants = units.join("multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    std::os::unix::fs::symlink("../story.service", wants.join("story.service")).unwrap();
    fs::create_dir_all(root.join("story")).unwrap();
    quiet(&root);
    Ok(dir)
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
