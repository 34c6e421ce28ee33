//! Directories in which a backup cannot be made, and the files that an interrupted backup leaves.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::{Home, mode, names};
use crate::commands::{Ran, run_on};
use crate::shim::{EIO, ENOSPC, KILLED, Shim};
use crate::support::{Mounted, program, real_program, stride};

fn back_up_to(home: &Home, dir: &Path) -> Ran {
    run_on(&home.data(), &["backup", dir.to_str().unwrap()])
}

#[test]
fn a_directory_that_cannot_be_used_is_named_with_what_to_do() {
    let home = Home::with_members(1..=1);
    let at = home.path();
    let file = at.join("file");
    fs::write(&file, "").unwrap();
    let broken = at.join("broken");
    symlink("nowhere", &broken).unwrap();
    let no_directory = "is not a directory: name the directory for backups";
    let missing = "create it, or mount the disk that has it";
    let cases = [
        (at.join("none"), format!("there is no directory {}/none: {missing}", at.display())),
        (broken.clone(), format!("there is no directory {}: {missing}", broken.display())),
        (file.clone(), format!("{} {no_directory}", file.display())),
        (file.join("below"), format!("{}/below {no_directory}", file.display())),
        (home.database(), format!("{} {no_directory}", home.database().display())),
    ];
    for (dir, said) in cases {
        back_up_to(&home, &dir).ended(1, &format!("nats-userman: {said}\n"));
    }
    assert_eq!(names(&at), ["backups", "broken", "data", "file"]);
}

#[test]
fn the_data_directory_and_a_link_to_a_directory_can_take_backups() {
    let home = Home::with_members(1..=1);
    let link = home.path().join("link");
    symlink(home.backups(), &link).unwrap();
    back_up_to(&home, &link).printed();
    assert_eq!(names(&home.backups()).len(), 1);
    back_up_to(&home, &home.data()).printed();
    home.serving(|service| assert!(service.post(&super::body(2)).is_ok()));
}

#[test]
fn a_directory_of_another_user_is_named_with_its_owner() {
    let Some(runuser) = real_program("runuser") else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("\n*** NOT ROOT: this test proves nothing here ***\n");
        return;
    }
    let home = Home::with_members(1..=1);
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(home.backups(), Permissions::from_mode(0o755)).unwrap();
    let chowned = Command::new("chown").args(["-R", "nobody"]).arg(home.data()).status();
    assert!(chowned.unwrap().success());
    let ran = Command::new(runuser)
        .args(["-u", "nobody", "--"])
        .arg(program().get_program())
        .arg("backup")
        .arg(home.backups())
        .arg("--data-dir")
        .arg(home.data())
        .output()
        .unwrap();
    let dir = home.backups();
    let said = String::from_utf8(ran.stderr).unwrap();
    let expected = format!(
        "nats-userman: cannot use {dir} for backups: Permission denied (os error 13): {dir} \
         belongs to root with mode 0755, and this runs as nobody; run it as root, as in `sudo \
         nats-userman`\n",
        dir = dir.display()
    );
    assert_eq!((ran.status.code(), said), (Some(1), expected));

    // A backup that root makes belongs to the owner of the data directory.
    let file = home.backed_up(&["--with-keys"]);
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&path.metadata().unwrap());
    for path in [&file, &file.with_extension("keys")] {
        assert_eq!(owner(path), owner(&home.data()), "{}", path.display());
    }
    assert_eq!((mode(&file), mode(&file.with_extension("keys"))), (0o640, 0o600));
}

/// A mounted file system that is too small. Only root can mount one.
#[test]
fn a_file_system_without_room_is_refused_before_anything_is_written() {
    let home = Home::with_members(1..=1);
    let small = home.path().join("small");
    fs::create_dir(&small).unwrap();
    let Some(_mounted) = Mounted::tmpfs(&small, "64k") else { return };
    back_up_to(&home, &small).ended(
        1,
        &format!(
            "nats-userman: the backup needs 1 MiB, and the file system of {} has 0 MiB free: free \
             some, or use another directory\n",
            small.display()
        ),
    );
    assert_eq!(names(&small).len(), 0);
}

/// The disk fills up at each step in turn.
#[test]
fn a_disk_that_fills_up_leaves_no_file_and_the_backups_that_were_there() {
    let Some(shim) = Shim::new() else { return };
    let home = Home::with_members(1..=1);
    let kept = home.backed_up(&[]);
    let mut failed = 0;
    let every = stride(3);
    for step in (every - 1..).step_by(every) {
        assert!(step < 500, "it never succeeds");
        shim.fail("write", ENOSPC, step);
        let mut command = shim.program(&home.backups(), false);
        command.args(["backup", "--with-keys", "--keep", "1"]).arg(home.backups());
        let ran = command.arg("--data-dir").arg(home.data()).output().unwrap();
        shim.heal("write");
        if ran.status.success() {
            break;
        }
        failed += 1;
        let said = String::from_utf8(ran.stderr).unwrap();
        let is_one_line = said.lines().count() == 1;
        assert!(is_one_line && said.contains("No space left") || said.contains("full"), "{said}");
        assert_eq!(names(&home.backups()), [kept.file_name().unwrap().to_str().unwrap()]);
    }
    // A backup writes tens of pages and a file of keys.
    assert!(failed > 20 / every, "{failed} steps");
    let left = names(&home.backups());
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(!left.contains(&kept.file_name().unwrap().to_str().unwrap().to_owned()));
}

/// Regression: when the directory could not be synced after the last rename, the backup stayed and
/// its keys were removed. After the rename before it, the keys stayed without a database.
#[test]
fn a_sync_that_fails_leaves_no_keys_without_a_database_and_no_database_without_keys() {
    let Some(shim) = Shim::new() else { return };
    let home = Home::with_members(1..=2);
    let mut left = 0;
    for step in 0.. {
        assert!(step < 100, "it never succeeds");
        shim.fail_once("sync", EIO, step);
        let mut command = shim.program(&home.backups(), false);
        command.args(["backup", "--with-keys"]).arg(home.backups());
        let ran = command.arg("--data-dir").arg(home.data()).output().unwrap();
        shim.heal("sync");
        if ran.status.success() {
            assert!(step >= 4, "only {step} syncs");
            break;
        }
        let found = names(&home.backups());
        let of = |ending| found.iter().filter_map(move |name| name.strip_suffix(ending));
        assert!(of(".db").eq(of(".keys")), "{step}: {found:?}");
        assert_eq!(found.len(), 2 * of(".db").count(), "{step}: {found:?}");
        left = of(".db").count();
    }
    assert_eq!(left, 1, "after the last sync alone the backup is there");
}

/// The backup is killed at each step in turn. A file with the name of a backup is complete, and the
/// next backup removes the other files.
#[test]
fn a_killed_backup_leaves_no_half_one_and_the_next_one_tidies_up() {
    let Some(shim) = Shim::new() else { return };
    let home = Home::with_members(1..=2);
    let theirs = home.backups().join("mine.db.new");
    fs::write(&theirs, "theirs").unwrap();
    for call in ["write", "sync", "open"] {
        let mut killed = 0;
        for step in (0..).step_by(stride(3)) {
            assert!(step < 500, "it is always killed");
            shim.fail(call, KILLED, step);
            let mut command = shim.program(&home.backups(), false);
            command.args(["backup", "--with-keys"]).arg(home.backups());
            let ran = command.arg("--data-dir").arg(home.data()).output().unwrap();
            shim.heal(call);
            if ran.status.success() {
                break;
            }
            killed += 1;
            for name in names(&home.backups()).iter().filter(|name| name.ends_with(".db")) {
                assert_eq!(super::members(&home.backups().join(name)), ["1", "2"], "{call} {step}");
            }
        }
        assert!(killed > 0, "no {call}");
        let ran = home.back_up(&["--with-keys", "--keep", "1"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let left = names(&home.backups());
        assert_eq!(left.len(), 3, "{call}: {left:?}");
    }
    assert_eq!(fs::read_to_string(theirs).unwrap(), "theirs");
}

#[test]
fn two_backups_into_one_directory_do_not_run_at_once() {
    let home = Home::with_members(1..=1);
    // The file of a running backup: a draft with a lock.
    let draft = home.backups().join("userman-20260615T120000Z.db.new");
    let running = File::create(&draft).unwrap();
    running.lock().unwrap();
    back_up_to(&home, &home.backups()).ended(
        1,
        &format!("nats-userman: another backup into {} is running\n", home.backups().display()),
    );
    assert!(draft.exists());
    // The backup was killed, so its lock is released.
    drop(running);
    let ran = home.back_up(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = format!("removed {}, which an interrupted backup had left\n", draft.display());
    assert!(ran.err.ends_with(&said), "{ran:?}");
    assert_eq!(names(&home.backups()).len(), 1);
}
