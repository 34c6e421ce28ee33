//! What a clean stop leaves: all data in `userman.db`, an empty WAL, and both files of the WAL for
//! readers.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use super::replay::write;
use super::run_on;
use crate::support::{Caller, Program, rows, temp_dir};

const MEMBERS: usize = 400;

fn add(member: usize) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username=name-{member}&password=secret-{member}")
}

/// The bytes in the WAL. Checks that -shm exists.
fn wal_bytes(data: &Path) -> u64 {
    assert!(data.join("userman.db-shm").exists());
    fs::metadata(data.join("userman.db-wal")).unwrap().len()
}

fn count(database: &Path) -> Vec<String> {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    rows(&conn, "SELECT count(*) FROM member_auth")
}

#[test]
fn after_a_clean_stop_the_database_file_alone_has_everything() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = temp_dir();
        let data = dir.path().join("data");
        let mut program = Program::serve(&data, &[]);
        let mut caller = Caller::connect(program.address).unwrap();
        for member in 1..=MEMBERS {
            assert_eq!(caller.post(&add(member)).unwrap().status, 200);
        }
        assert!(wal_bytes(&data) > 0);
        kill_process(Pid::from_child(&program.child), signal).unwrap();
        assert_eq!(program.child.wait().unwrap().code(), Some(0), "{}", program.stderr());
        assert_eq!(wal_bytes(&data), 0, "{}", program.stderr());

        let copy = dir.path().join("copy");
        fs::create_dir(&copy).unwrap();
        for file in ["userman.db", "seal.key"] {
            fs::copy(data.join(file), copy.join(file)).unwrap();
        }
        let program = Program::serve(&copy, &[]);
        assert_eq!(count(&copy.join("userman.db")), [MEMBERS.to_string()]);
        let again = program.post(&add(1)).unwrap().body;
        assert!(again.starts_with("OK|member 1 \"name-1\" "), "{again}");
    }
}

#[test]
fn a_reader_that_prevents_it_is_named_and_nothing_is_lost() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut program = Program::serve(&data, &[]);
    program.post(&add(1)).unwrap();
    let reader =
        Connection::open_with_flags(data.join("userman.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM member_auth").unwrap();
    program.post(&add(2)).unwrap();
    assert!(program.terminate().success());
    let log = program.stderr();
    assert!(
        log.contains(
            "WARN  the WAL could not be emptied, because another process reads the database"
        ),
        "{log}"
    );
    assert!(wal_bytes(&data) > 0);
    reader.execute_batch("COMMIT").unwrap();
    let mut program = Program::serve(&data, &[]);
    assert_eq!(count(&data.join("userman.db")), ["2"]);
    assert!(program.terminate().success());
    assert_eq!(wal_bytes(&data), 0);
}

#[test]
fn commands_that_write_without_a_service_leave_the_same() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let adds = write(dir.path(), "adds", format!("{}\n{}\n", add(1), add(2)));
    run_on(&data, &["replay", &adds]).printed();
    assert_eq!(wal_bytes(&data), 0, "replay");
    let journal = write(dir.path(), "journal", run_on(&data, &["journal", "--json"]).printed());
    run_on(&data, &["member", "remove", "1", "2"]).printed();
    assert_eq!(wal_bytes(&data), 0, "member remove");
    run_on(&data, &["block", "lift", "--all"]).printed();
    assert_eq!(wal_bytes(&data), 0, "block lift");

    let copy = dir.path().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(data.join("seal.key"), copy.join("seal.key")).unwrap();
    run_on(&copy, &["replay", "--journal", &journal]).printed();
    assert_eq!(wal_bytes(&copy), 0, "replay --journal");
    assert_eq!(count(&copy.join("userman.db")), ["2"]);
}

/// A checkpoint would delay postbacks. The service makes it at a suitable time.
#[test]
fn a_command_beside_the_service_leaves_the_wal_to_it() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut program = Program::serve(&data, &[]);
    program.post(&add(1)).unwrap();
    run_on(&data, &["member", "remove", "1", "1"]).printed();
    assert!(wal_bytes(&data) > 0);
    assert!(program.terminate().success());
    assert_eq!(wal_bytes(&data), 0);
}
