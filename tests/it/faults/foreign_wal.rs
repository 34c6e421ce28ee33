//! A WAL that does not belong to the database beside it: VACUUM after the backup, an empty first
//! start, and the return to the release before and back again. `tests/servers` has more stories.

use std::fs;

use rusqlite::Connection;

use crate::commands::run_on;
use crate::continuity::kept;
use crate::support::faults::{assert_refused, checkpoint, members, other, serve_and_add};
use crate::support::{rows, temp_dir};

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

/// Regression: postbacks that were answered before a crash were renamed away with it.
#[test]
fn a_wal_that_belongs_to_the_database_is_not_set_aside() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    serve_and_add(&data, 1..5).kill();
    let wal = data.join("userman.db-wal");
    let before = fs::read(&wal).unwrap();
    run_on(&data, &["set-wal-aside"]).ended(
        1,
        &format!(
            "nats-userman: the WAL {} belongs to the database, and the newest postbacks may be in \
             it alone: nothing was set aside; start the service, which uses both\n",
            wal.display()
        ),
    );
    assert!(fs::read(&wal).unwrap() == before);
    assert!(serve_and_add(&data, 5..6).terminate().success());
    assert_eq!(members(&data.join("userman.db")), [1, 2, 3, 4, 5]);
}

/// Regression: the remedy was one for the database in use, which it would have damaged.
#[test]
fn a_backup_beside_the_wal_of_another_database_is_not_restored() {
    let (dir, theirs) = (temp_dir(), temp_dir());
    let (data, backup) = (dir.path().join("data"), theirs.path().join("backup.db"));
    assert!(serve_and_add(&data, 1..5).terminate().success());
    fs::copy(data.join("userman.db"), &backup).unwrap();
    Connection::open(data.join("userman.db")).unwrap().execute_batch("VACUUM").unwrap();
    serve_and_add(&data, 5..9).kill();
    let wal = theirs.path().join("backup.db-wal");
    fs::copy(data.join("userman.db-wal"), &wal).unwrap();
    run_on(&data, &["restore", backup.to_str().unwrap()]).ended(
        1,
        &format!(
            "nats-userman: cannot restore {}: {}, beside it, belongs to another database: move \
             that file elsewhere and restore again\n",
            backup.display(),
            wal.display()
        ),
    );
}
