//! `export --watch`: the file follows the members, through restarts, a replaced database and a full
//! disk.

use std::fs;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::engines::in_step::watch::{Watching, add, post};
use crate::support::faults::members;
use crate::support::{Mounted, Program, temp_dir};

#[test]
fn an_expiry_that_is_reached_takes_the_member_out_also_without_a_service() {
    let dir = temp_dir();
    let mut service = Program::serve(dir.path(), &[]);
    post(&service, &add(1, "bob"));
    post(&service, &add(2, "ann"));
    post(&service, "action=EXPIRE&siteid=1&memberid=2&expire=2099-01-01");
    assert!(service.terminate().success());
    // Only now, so that it is reached without a service.
    let conn = rusqlite::Connection::open(dir.path().join("userman.db")).unwrap();
    let soon = "UPDATE member_auth SET expire_at = unixepoch() + 2 WHERE memberid = 2";
    assert_eq!(conn.execute(soon, []).unwrap(), 1);
    drop(conn);
    let file = dir.path().join("members.csv");
    let watching = Watching::start(dir.path(), "csv", &file, &[]);
    watching.wait(",bob,", true);
    watching.wait(",ann,", false);
    // The row is still there: no service has moved it.
    assert_eq!(members(&dir.path().join("userman.db")), [1, 2]);
}

#[test]
fn a_restart_of_the_service_and_a_replaced_database_are_followed() {
    let dir = temp_dir();
    let (data, other) = (dir.path().join("data"), dir.path().join("other"));
    let mut elsewhere = Program::serve(&other, &[]);
    post(&elsewhere, &add(9, "eve"));
    assert!(elsewhere.terminate().success());
    let mut service = Program::serve(&data, &[]);
    post(&service, &add(1, "bob"));
    let file = dir.path().join("members.jsonl");
    let watching = Watching::start(&data, "jsonl", &file, &[]);
    watching.wait("\"bob\"", true);

    assert!(service.terminate().success());
    let mut service = Program::serve(&data, &[]);
    post(&service, &add(2, "ann"));
    watching.wait("\"ann\"", true);
    service.kill();
    let mut service = Program::serve(&data, &[]);
    post(&service, &add(3, "cleo"));
    watching.wait("\"cleo\"", true);

    assert!(service.terminate().success());
    for name in ["userman.db", "userman.db-wal", "userman.db-shm"] {
        fs::rename(data.join(name), data.join(format!("{name}.aside"))).unwrap();
    }
    watching.says("the file is not current, and will be tried again: ");
    assert!(fs::read_to_string(&file).unwrap().contains("\"bob\""), "the file stays");
    for name in ["userman.db-wal", "userman.db-shm", "userman.db"] {
        fs::rename(other.join(name), data.join(name)).unwrap();
    }
    watching.wait("\"eve\"", true);
    watching.wait("\"bob\"", false);
    watching.says("the database was replaced");
    watching.says("the file is current again");
    assert_eq!(watching.signal(Signal::TERM).code(), Some(0));
}

#[test]
fn a_file_that_another_program_removes_or_replaces_is_written_again() {
    let dir: TempDir = temp_dir();
    let service = Program::serve(dir.path(), &[]);
    post(&service, &add(1, "bob"));
    let file = dir.path().join("members.csv");
    let watching = Watching::start(dir.path(), "csv", &file, &[]);
    watching.wait(",bob,", true);
    fs::remove_file(&file).unwrap();
    watching.wait(",bob,", true);
    let other = dir.path().join("other");
    fs::write(&other, "other").unwrap();
    fs::rename(&other, &file).unwrap();
    watching.wait(",bob,", true);
    watching.says(&format!(
        "{} was removed or replaced by another program: it is written again",
        file.display()
    ));
}

#[test]
fn a_full_disk_is_said_and_tried_again() {
    let dir = temp_dir();
    let service = Program::serve(&dir.path().join("data"), &[]);
    post(&service, &add(1, "bob"));
    let small = dir.path().join("small");
    fs::create_dir(&small).unwrap();
    let Some(_mounted) = Mounted::tmpfs(&small, "64k") else { return };
    let file = small.join("members.csv");
    let watching = Watching::start(&dir.path().join("data"), "csv", &file, &[]);
    watching.wait(",bob,", true);
    // The file has one block. A new one beside it finds none.
    let filler = small.join("filler");
    let mut size: usize = 64 << 10;
    while fs::write(&filler, vec![1; size]).is_err() {
        size -= 4 << 10;
    }
    post(&service, &add(2, "ann"));
    watching.says(&format!(
        "the file is not current, and will be tried again: cannot write {}: No space left on \
         device (os error 28)",
        file.display()
    ));
    assert!(fs::read_to_string(&file).unwrap().contains(",bob,"), "the file stays");
    fs::remove_file(&filler).unwrap();
    watching.wait(",ann,", true);
    watching.says("the file is current again");
}

#[test]
fn a_watch_that_cannot_begin_ends_with_code_1() {
    let dir = temp_dir();
    let mut watching =
        Watching::start(&dir.path().join("none"), "csv", &dir.path().join("members.csv"), &[]);
    assert_eq!(watching.child.wait().unwrap().code(), Some(1));
    watching.says("nats-userman: there is no database at ");
}
