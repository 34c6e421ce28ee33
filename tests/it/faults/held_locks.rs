//! The service holds its lock on the database file. Any `close` of the file in the process releases
//! it (POSIX). Another program that closes the file would then take itself for the last one, and
//! remove the WAL with what was committed meanwhile.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::engines::console::pages::PAGES;
use crate::engines::operators::typed;
use crate::support::{Console, OPERATOR_PASSWORD, Program, eventually, temp_dir};

/// The bytes that SQLite locks for each program that has the file open.
const SHARED: std::ops::RangeInclusive<u64> = 0x4000_0002..=0x4000_01ff;

/// Whether this process holds the lock.
fn holds(program: &Program, database: &Path) -> bool {
    let (pid, inode) = (program.child.id(), fs::metadata(database).unwrap().ino());
    // A line: `1: POSIX  ADVISORY  READ 1095 fe:00:5309042 1073741826 1073742335`. The list is no
    // snapshot, so one reading may lack a line.
    (0..3).any(|_| {
        fs::read_to_string("/proc/locks").unwrap().lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, "POSIX", _, "READ", process, file, from, _] = fields[..] else { return false };
            process == pid.to_string()
                && file.rsplit(':').next() == Some(inode.to_string().as_str())
                && from.parse().is_ok_and(|from| SHARED.contains(&from))
        })
    })
}

/// Reloads the files of the settings, which happens after all that a start does.
fn reload(program: &Program) {
    kill_process(Pid::from_child(&program.child), Signal::HUP).unwrap();
    eventually("the files are reloaded", || program.stderr().contains("SIGHUP: reload"));
}

#[test]
fn nothing_that_a_service_does_releases_its_lock_on_the_database() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let database = data.join("userman.db");
    let listeners = ["--ops-listen", "127.0.0.1:0", "--fastcgi-listen", "127.0.0.1:0"];
    // Without an operator, the start says how to add one.
    let first = Program::serve(&data, &listeners);
    reload(&first);
    assert!(holds(&first, &database), "after a start without an operator");
    drop(first);

    let arguments = ["operator", "add", "anna", "--role", "admin", "--data-dir"];
    let arguments = [&arguments[..], &[data.to_str().unwrap()]].concat();
    assert_eq!(typed(&arguments, &format!("{OPERATOR_PASSWORD}\n")).code, Some(0));
    let program = Program::serve(&data, &listeners);
    assert!(program.post("action=ADD&siteid=1&memberid=71&username=bob&password=x").is_ok());
    let console = Console::log_in(program.operations(), "anna");
    for page in PAGES {
        assert_eq!(console.get(page).status, 200, "{page}");
        assert!(holds(&program, &database), "after the page {page}");
    }
    reload(&program);
    assert!(holds(&program, &database), "after a reload");

    // What another program does then leaves the WAL in its place.
    let wal = data.join("userman.db-wal");
    let inode = fs::metadata(&wal).unwrap().ino();
    let other = Connection::open(&database).unwrap();
    other.query_row("SELECT count(*) FROM member_auth", [], |_| Ok(())).unwrap();
    other.close().unwrap();
    assert_eq!(fs::metadata(&wal).unwrap().ino(), inode, "another program closed the file");
}
