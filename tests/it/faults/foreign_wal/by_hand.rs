//! What operators do by hand around a restore: VACUUM after the backup, `.restore`, an empty first
//! start, and the return to the release before and back again.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::{add, added, back_up, checkpoint, contents, members, other, run};
use crate::continuity::kept;
use crate::faults::damage::start;
use crate::faults::{NOTHING_CHANGED, assert_unavailable};
use crate::support::{
    Program, check_invariants, eventually, program, real_program, rows, temp_dir,
};

fn serve_and_add(data: &Path, ids: std::ops::Range<usize>) -> Program {
    let service = Program::serve(data, &[]);
    ids.for_each(|id| assert_eq!(service.post(&add(id)).unwrap().body, added(id)));
    service
}

/// Checks that a start and a command that only reads are refused, and that no byte is changed.
fn assert_refused(data: &Path) {
    let before = contents(data);
    let (code, said) = start(program(), data);
    assert!(code == 1 && said.contains("does not belong to the database"), "{said}");
    let (code, said) = run(data, &["member", "list"]);
    assert!(code == 1 && said.contains("does not belong to the database"), "{said}");
    assert!(contents(data) == before, "files were touched");
}

/// VACUUM writes no mark, so the backup from before it has the mark with which the WAL begins.
#[test]
fn a_backup_of_before_a_vacuum_is_refused_beside_the_wal_of_after() {
    for change in
        ["DELETE FROM journal WHERE id % 3 = 0; VACUUM", "CREATE INDEX mine ON journal (at)"]
    {
        let dir = temp_dir();
        let (data, backup) = (dir.path().join("data"), dir.path().join("backup.db"));
        let database = data.join("userman.db");
        assert!(serve_and_add(&data, 1..60).terminate().success());
        fs::copy(&database, &backup).unwrap();
        // This is the last connection to close, so its WAL is deleted.
        Connection::open(&database).unwrap().execute_batch(change).unwrap();
        serve_and_add(&data, 60..80).kill();
        let killed = fs::read(&database).unwrap();
        fs::write(&database, fs::read(&backup).unwrap()).unwrap();
        assert_refused(&data);
        fs::write(&database, killed).unwrap();
        assert!(serve_and_add(&data, 80..81).terminate().success());
        assert_eq!(rows(&other(&database), "SELECT count(*) FROM member_auth"), ["80"]);
        assert_eq!(rows(&other(&database), "PRAGMA integrity_check"), ["ok"]);
    }
}

/// The restored content is in the WAL, with the mark of the backup, as long as a reader keeps the
/// WAL from being deleted.
#[test]
fn a_restore_by_sqlite_itself_belongs_to_the_file() {
    let Some(sqlite3) = real_program("sqlite3") else { return };
    let dir = temp_dir();
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup.db"));
    let database = data.join("userman.db");
    let mut service = serve_and_add(&data, 1..20);
    back_up(&sqlite3, &database, &backup);
    (20..40).for_each(|id| assert_eq!(service.post(&add(id)).unwrap().body, added(id)));
    assert!(service.terminate().success());
    let reader = other(&database);
    rows(&reader, "SELECT count(*) FROM member_auth");
    let restored = std::process::Command::new(sqlite3)
        .arg(&database)
        .arg(format!(".restore {}", backup.display()))
        .status();
    assert!(
        restored.unwrap().success() && data.join("userman.db-wal").metadata().unwrap().len() > 0
    );
    serve_and_add(&data, 40..50).kill();
    assert!(serve_and_add(&data, 50..51).terminate().success());
    assert_eq!(members(&database), (1..20).chain(40..51).collect::<Vec<_>>());
    check_invariants(&database);
}

/// The new release was started before the data of the old one were put in place.
#[test]
fn a_database_of_the_release_before_is_refused_beside_the_wal_of_a_first_start() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    serve_and_add(&data, 1..5).kill();
    let old = kept("0.1.0");
    checkpoint(&old.database(), "TRUNCATE");
    fs::write(data.join("userman.db"), fs::read(old.database()).unwrap()).unwrap();
    assert_refused(&data);
}

/// The release before leaves all its data in the WAL, also after a clean stop.
#[test]
fn a_database_is_refused_beside_a_wal_that_the_release_before_wrote() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    assert!(serve_and_add(&data, 1..60).terminate().success());
    let old = kept("0.1.0");
    checkpoint(&old.database(), "TRUNCATE");
    let conn = other(&old.database());
    for id in 1..200 {
        let values = format!("VALUES (9, {id}, 'name-{id}', 'x', 0)");
        conn.execute(
            &format!(
                "INSERT INTO member_auth (siteid, memberid, username, password, trial) {values}"
            ),
            [],
        )
        .unwrap();
    }
    fs::copy(old.data().join("userman.db-wal"), data.join("userman.db-wal")).unwrap();
    assert_refused(&data);
}

/// A running service opens a new file that replaced the old one, as `mv` or rsync does it. That
/// counts as a start too.
#[test]
fn a_backup_that_is_moved_over_the_database_of_a_running_service_is_not_mixed_with_its_wal() {
    let Some(sqlite3) = real_program("sqlite3") else { return };
    let dir = temp_dir();
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup.db"));
    let database = data.join("userman.db");
    let mut service = serve_and_add(&data, 1..40);
    back_up(&sqlite3, &database, &backup);
    (40..60).for_each(|id| assert_eq!(service.post(&add(id)).unwrap().body, added(id)));
    checkpoint(&database, "TRUNCATE");
    (60..70).for_each(|id| assert_eq!(service.post(&add(id)).unwrap().body, added(id)));
    fs::copy(&backup, data.join("new")).unwrap();
    fs::rename(data.join("new"), &database).unwrap();
    for id in 70..73 {
        assert_unavailable(&service.post(&add(id)).unwrap(), NOTHING_CHANGED);
    }
    eventually("it says why", || service.stderr().contains("does not belong to the database"));
    assert!(service.terminate().success());
    assert!(fs::read(&database).unwrap() == fs::read(&backup).unwrap(), "the backup was changed");
    assert_refused(&data);
    assert_eq!(run(&data, &["set-wal-aside"]).0, 0);
    assert!(serve_and_add(&data, 40..41).terminate().success());
    assert_eq!(members(&database), (1..41).collect::<Vec<_>>());
    check_invariants(&database);
}
