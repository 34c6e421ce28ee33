//! Which file an export replaces, its owner and mode, and what is left when it fails.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use super::Scene;
use crate::support::Mounted;

const BOB: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

fn scene() -> Scene {
    let scene = Scene::on(crate::support::EngineKind::Sqlite, &["--password-hash", "bcrypt"]);
    let scene = scene.unwrap();
    scene.post(&[BOB]);
    scene.app.harden();
    scene
}

#[test]
fn a_link_a_directory_a_pipe_and_the_programs_own_files_are_refused_and_stay_as_they_are() {
    let scene = scene();
    let (target, link) = (scene.file("target"), scene.file("link"));
    fs::write(&target, "kept").unwrap();
    symlink(&target, &link).unwrap();
    let pipe = scene.file("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    let said = |path: &Path, what: &str| format!("nats-userman: {} {what}\n", path.display());
    let refused = |path: &Path, what: &str| {
        scene.export("csv", path, &[]).ended(1, &said(path, what));
        scene.export("htpasswd", path, &["--site", "1", "--watch"]).ended(1, &said(path, what));
    };
    refused(
        &link,
        "is a symbolic link, which an export would replace by a file: give the path that it leads \
         to",
    );
    refused(scene.app.dir.path(), "is a directory: give the path of a file in it");
    refused(&pipe, "is a device, a pipe or a socket: give the path of a file");
    let own = "is a file of nats-userman itself, such as its database or a key: give another path";
    for name in ["userman.db", "userman.db-wal", "seal.key", "cookie.key", "../data/userman.db"] {
        refused(&scene.data().join(name), own);
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    assert!(link.is_symlink());
    let nowhere = scene.file("none/members.csv");
    scene.export("csv", &nowhere, &[]).ended(
        1,
        &said(&nowhere, "").replace(
            &format!("{} ", nowhere.display()),
            &format!("cannot write {}: No such file or directory (os error 2)", nowhere.display()),
        ),
    );
}

#[test]
fn a_file_that_exists_keeps_its_owner_and_group_and_an_htpasswd_its_mode() {
    let scene = scene();
    for (format, mode, then) in [("htpasswd", 0o644, 0o644), ("csv", 0o644, 0o600)] {
        let file = scene.file(format);
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            chown(&file, Some(61_234), Some(61_235)).unwrap();
        }
        let before = fs::metadata(&file).unwrap();
        scene.export(format, &file, &["--site", "1"]).printed();
        let after = fs::metadata(&file).unwrap();
        assert_eq!(after.mode() & 0o7777, then, "{format}");
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()), "{format}");
        assert!(after.ino() != before.ino() && after.len() > 3, "{format}");
    }
}

#[test]
fn what_a_killed_export_left_is_written_anew_and_a_running_one_is_not_disturbed() {
    let scene = scene();
    let (file, draft) = (scene.file("members.csv"), scene.file("members.csv.new"));
    fs::write(&draft, "half").unwrap();
    scene.export("csv", &file, &[]).printed();
    assert!(!draft.exists() && fs::read_to_string(&file).unwrap().contains(",bob,"));

    fs::write(&draft, "half").unwrap();
    let running = fs::File::open(&draft).unwrap();
    running.lock().unwrap();
    scene.export("csv", &file, &[]).ended(
        1,
        &format!(
            "nats-userman: another export is writing {}: wait until it is done, or give another \
             path\n",
            file.display()
        ),
    );
    assert_eq!(fs::read_to_string(&draft).unwrap(), "half");
}

#[test]
fn a_full_disk_leaves_the_file_as_it_was_and_no_draft() {
    let scene = scene();
    let dir = scene.file("small");
    fs::create_dir(&dir).unwrap();
    let Some(_mounted) = Mounted::tmpfs(&dir, "64k") else { return };
    let file = dir.join("members.csv");
    scene.export("csv", &file, &[]).printed();
    let before = fs::read(&file).unwrap();
    fs::write(dir.join("filler"), vec![0; 48 << 10]).unwrap();
    let mut size = 16 << 10;
    while size > 0 {
        let grown = fs::OpenOptions::new()
            .append(true)
            .open(dir.join("filler"))
            .and_then(|mut filler| std::io::Write::write_all(&mut filler, &vec![0; size]));
        if grown.is_err() {
            size /= 2;
        }
    }
    let ran = scene.export("csv", &file, &[]);
    ran.ended(
        1,
        &format!(
            "nats-userman: cannot write {}: No space left on device (os error 28)\n",
            file.display()
        ),
    );
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!dir.join("members.csv.new").exists());
}
