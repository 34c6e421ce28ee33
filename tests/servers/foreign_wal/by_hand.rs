//! What operators do by hand around a restore: `.restore` of SQLite, and a backup that is moved
//! over the database of a running service.

use std::fs;

use super::{back_up, run};
use crate::support::faults::{
    NOTHING_CHANGED, add, added, assert_refused, assert_unavailable, checkpoint, members, other,
    serve_and_add,
};
use crate::support::{check_invariants, eventually, real_program, rows, temp_dir};

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
