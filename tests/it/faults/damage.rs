//! A damaged database: a start is refused and changes no file, and a damage under the running
//! program causes no panic.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tempfile::TempDir;

use super::{NOTHING_CHANGED, OUTCOME_UNKNOWN, add, assert_log_is_clean, is_healthy};
pub(super) use crate::support::faults::start;
use crate::support::{App, Program, eventually, program, rows, temp_dir};

const FILES: [&str; 3] = ["userman.db", "userman.db-wal", "seal.key"];

fn post_members(app: &App, ids: std::ops::Range<usize>) {
    ids.for_each(|id| assert!(app.post(&add(id)).starts_with("OK|")));
}

/// Copies the WAL into the database, which otherwise happens at 96 MiB.
fn checkpoint(database: &Path) {
    let conn = Connection::open(database).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    assert!(rows(&conn, "PRAGMA wal_checkpoint(TRUNCATE)")[0].starts_with("0|"));
}

/// A data directory as a kill leaves it: most members are in the database file, and some only in
/// the WAL.
fn data_with_members() -> (TempDir, PathBuf) {
    let app = App::start();
    let data = app.config.data_dir.path().to_owned();
    post_members(&app, 1..80);
    checkpoint(&data.join("userman.db"));
    post_members(&app, 80..83);
    let killed = contents(&data);
    let dir = app.stop();
    for (file, content) in FILES.iter().zip(killed) {
        fs::write(data.join(file), content.unwrap()).unwrap();
    }
    (dir, data)
}

fn truncate(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn contents(data: &Path) -> Vec<Option<Vec<u8>>> {
    FILES.iter().map(|file| fs::read(data.join(file)).ok()).collect()
}

#[test]
fn a_truncated_database_ends_the_start_with_one_line_and_its_files_untouched() {
    let (_dir, data) = data_with_members();
    let database = data.join("userman.db");
    let (whole, log) =
        (fs::read(&database).unwrap(), fs::read(data.join("userman.db-wal")).unwrap());
    let pages = whole.len() as u64 / 4096;
    assert!(
        pages > 8 && log.len() > 4096,
        "{pages} pages and {} bytes of log show nothing",
        log.len()
    );
    // The WAL has the newest page. Only without the WAL is that page missing.
    let lengths = [
        0,
        1,
        99,
        100,
        4095,
        4096,
        pages / 2 * 4096,
        pages / 2 * 4096 + 7,
        (pages - 1) * 4096,
        pages * 4096 - 1,
    ];
    for (with_log, lengths) in [(true, &lengths[..8]), (false, &lengths[..])] {
        for &length in lengths {
            let _ = fs::remove_file(data.join("userman.db-shm"));
            fs::write(&database, &whole).unwrap();
            truncate(&database, length);
            if with_log {
                fs::write(data.join("userman.db-wal"), &log).unwrap();
            } else {
                fs::remove_file(data.join("userman.db-wal")).unwrap_or_default();
            }
            let before = contents(&data);
            let (code, said) = start(program(), &data);
            let what = format!("{length} bytes, log: {with_log}, said: {said}");
            assert_eq!((code, said.lines().count()), (1, 1), "{what}");
            assert!(
                said.starts_with(&format!("nats-userman: the database {} is ", database.display())),
                "{what}"
            );
            assert!(said.contains("restore a backup"), "{what}");
            assert!(contents(&data) == before, "files were touched: {what}");
        }
    }
}

/// As a crash in the middle of a checkpoint leaves it: no data is missing, so the start is not
/// refused.
#[test]
fn a_database_whose_missing_end_is_in_its_log_is_whole() {
    let (_dir, data) = data_with_members();
    let database = data.join("userman.db");
    let pages = fs::metadata(&database).unwrap().len() / 4096;
    truncate(&database, (pages - 1) * 4096);
    let program = Program::serve(&data, &[]);
    assert_eq!(program.post(&add(100)).unwrap().body, super::added(100));
    assert_eq!(super::members(&database), (1..83).chain([100]).collect::<Vec<_>>());
    crate::support::check_invariants(&database);
}

#[test]
fn a_file_that_is_no_database_or_another_programs_ends_the_start_and_is_left_alone() {
    let (_dir, data) = data_with_members();
    let database = data.join("userman.db");
    fs::remove_file(data.join("userman.db-wal")).unwrap();
    fs::remove_file(data.join("userman.db-shm")).unwrap();
    let theirs = {
        let path = data.join("theirs.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)")
            .unwrap();
        fs::read(path).unwrap()
    };
    for (code, content, line) in [
        (
            1,
            b"# not a database\n".repeat(1000),
            "is damaged or no SQLite database; nothing was changed, restore a backup",
        ),
        (
            1,
            vec![0; 8192],
            "is damaged or no SQLite database; nothing was changed, restore a backup",
        ),
        // The setting names a wrong file.
        (2, theirs, "it is a database of another program"),
    ] {
        fs::write(&database, content).unwrap();
        let before = contents(&data);
        let (ended, said) = start(program(), &data);
        assert_eq!((ended, said.lines().count()), (code, 1), "{said}");
        assert!(said.contains(line) && said.contains(&database.display().to_string()), "{said}");
        assert!(contents(&data) == before, "files were touched: {said}");
    }
}

/// A first start that was killed leaves an empty file and no key. No data is lost, and the next
/// start creates what is missing.
#[test]
fn an_empty_database_without_a_key_is_a_first_start_that_was_cut_short() {
    let dir = temp_dir();
    fs::write(dir.path().join("userman.db"), b"").unwrap();
    let program = Program::serve(dir.path(), &[]);
    assert_eq!(program.post(&add(1)).unwrap().body, super::added(1));
}

#[test]
fn a_database_truncated_under_the_running_program_brings_refusals_and_keeps_its_log() {
    for keep_half in [false, true] {
        let (_dir, data) = data_with_members();
        let database = data.join("userman.db");
        let mut program = Program::serve(&data, &[]);
        assert_eq!(program.post(&add(100)).unwrap().body, super::added(100));
        let length = fs::metadata(&database).unwrap().len();
        truncate(&database, if keep_half { length / 2 } else { 0 });
        let log = data.join("userman.db-wal");
        let logged = fs::metadata(&log).unwrap().len();
        for id in 1..100 {
            for body in [add(id), format!("action=CHECK&siteid=1&username=name-{id}")] {
                let response = program.post(&body).unwrap();
                let refused = response.status == 503
                    && [NOTHING_CHANGED, OUTCOME_UNKNOWN].contains(&response.body.as_str());
                assert!(refused || response.status == 200, "{response:?}");
            }
        }
        let status = super::health(program.address);
        assert!([200, 503].contains(&status.0), "{status:?}");
        assert!(
            fs::metadata(&log).unwrap().len() >= logged,
            "the log, all that is left, was thrown away"
        );
        assert!(program.terminate().success());
        assert_log_is_clean(&program);
        assert_eq!(
            fs::metadata(&database).unwrap().len() > 0,
            keep_half,
            "somebody began a new database"
        );
        // The next start reports the cause.
        let (code, said) = start(crate::support::program(), &data);
        assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    }
}

/// A backup is restored under the running program: another inode at the same path.
#[test]
fn a_database_that_is_gone_and_put_back_is_opened_anew() {
    let (_dir, data) = data_with_members();
    let database = data.join("userman.db");
    let mut program = Program::serve(&data, &[]);
    eventually("it can commit", || is_healthy(program.address));
    checkpoint(&database);
    let whole = fs::read(&database).unwrap();
    // Damage that every postback finds: every page is overwritten, including the first one.
    fs::write(&database, vec![0xaa; whole.len()]).unwrap();
    eventually("it notices", || program.post(&add(1)).unwrap().status == 503);
    fs::write(&database, &whole).unwrap();
    eventually("it works again", || program.post(&add(1)).unwrap().status == 200);
    eventually("/health is ok", || is_healthy(program.address));
    assert!(program.terminate().success());
    assert_log_is_clean(&program);
    assert_eq!(super::members(&database), (1..83).collect::<Vec<_>>());
}

/// Regression: the writer continued with the file that it had open, and acknowledged what no
/// restart would have found.
#[test]
fn a_database_that_was_removed_under_the_service_acknowledges_nothing_more() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let program = Program::serve(&data, &[]);
    for name in ["userman.db", "userman.db-wal", "userman.db-shm"] {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    let response =
        program.post("action=ADD&siteid=1&memberid=1&username=bob&password=secret").unwrap();
    assert_eq!(
        (response.status, response.body.as_str()),
        (503, "ERROR|temporarily unavailable, nothing was changed")
    );
    assert!(!data.join("userman.db").exists());
}
