//! A copy that ends early goes on where it ended.

use std::process::Stdio;

use nats_userman::migration::{Migrated, MigrationError, migrate};
use nats_userman::store::{
    Location, Logout, MigrationTarget, TableRow, migration_target, open_reader, state_of,
    with_engine,
};
use rusqlite::Connection;

use super::{Used, copy, dump, everything, sqlite_in, used};
use crate::ENGINES;
use crate::support::{
    EngineKind, NOON, TestDatabase, check_database, eventually, program, temp_dir,
};

/// A database with more rows than two pages have.
pub fn large() -> Used {
    let used = used();
    let logout = |number: u16| {
        let mut id = [0xee; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        TableRow::Logout(Logout { id, until: NOON, of: None })
    };
    with_engine(&used.location, false, |engine| {
        engine.begin().unwrap();
        engine.insert_rows(&(0..2_500).map(logout).collect::<Vec<_>>()).unwrap();
        engine.commit().unwrap();
        engine.finish();
    })
    .unwrap();
    used
}

/// A copy that is ended when it has reported its progress so many times.
pub fn copy_until(from: &Location, to: &Location, most: u32) -> Result<Migrated, MigrationError> {
    let mut left = most;
    migrate(from, to, &mut |_| {
        left = left.saturating_sub(1);
        left > 0
    })
}

#[test]
fn a_copy_that_is_ended_after_any_page_goes_on_until_it_is_whole() {
    let (used, dir) = (large(), temp_dir());
    for engine in ENGINES {
        let Some(database) = TestDatabase::new(engine) else { continue };
        let to = match database.location() {
            Location::Sqlite(_) => sqlite_in(&dir, "copy"),
            location @ Location::Mysql(_) => location,
        };
        let mut ended = 0;
        let migrated = loop {
            ended += 1;
            match copy_until(&used.location, &to, ended) {
                Err(MigrationError::Interrupted) => {
                    assert_eq!(migration_target(&to).unwrap(), MigrationTarget::Begun);
                    let state = state_of(&to, false).map_err(|error| error.to_string());
                    let is_refused = state.is_err_and(|said| said.contains("only a part of what"));
                    assert!(is_refused, "no receiver may use it");
                    assert!(!to.file().is_some_and(std::path::Path::exists));
                }
                done => break done.unwrap(),
            }
        };
        let rows: u64 = migrated.tables.iter().map(|table| table.rows).sum();
        assert_eq!((rows, migrated.found), (2_531, 2_531));
        assert!(ended > 20, "{ended}");
        let (here, there) = (open_reader(&used.location).unwrap(), open_reader(&to).unwrap());
        assert!(everything(&*here) == everything(&*there));
        check_database(&to);
    }
}

#[test]
fn a_command_that_is_killed_again_and_again_is_continued_by_the_next_one() {
    let (used, dir) = (large(), temp_dir());
    for engine in ENGINES {
        let Some(database) = TestDatabase::new(engine) else { continue };
        let (to, setting) = match &database {
            TestDatabase::Sqlite { .. } => {
                let location = sqlite_in(&dir, "killed");
                (location.clone(), location.setting())
            }
            TestDatabase::MariaDb(maria) => (maria.location(), maria.setting_with_password()),
        };
        for _ in 0..6 {
            let mut command = program();
            command.args(["migrate-store", "--from", &used.location.setting(), "--to", &setting]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            eventually("the copy begins", || {
                let state = migration_target(&to).unwrap();
                state != MigrationTarget::Empty || child.try_wait().unwrap().is_some()
            });
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // The last one may have been done before it was killed.
        if migration_target(&to).unwrap() != MigrationTarget::Filled {
            copy(&used.location, &to).unwrap();
        }
        let there = open_reader(&to).unwrap();
        assert!(everything(&*open_reader(&used.location).unwrap()) == everything(&*there));
        check_database(&to);
    }
}

#[test]
fn a_copy_does_not_go_on_from_another_source() {
    let (used, dir) = (used(), temp_dir());
    for engine in ENGINES {
        let Some(database) = TestDatabase::new(engine) else { continue };
        let to = match database.location() {
            Location::Sqlite(_) => sqlite_in(&dir, "copy"),
            location @ Location::Mysql(_) => location,
        };
        // All members, the former ones and the records.
        let ended = copy_until(&used.location, &to, 3);
        assert!(matches!(ended, Err(MigrationError::Interrupted)), "{ended:?}");
        let said = |from: &Location| copy(from, &to).unwrap_err().to_string();
        let other = super::used();
        assert_eq!(
            said(&other.location),
            "the target has a part of another copy, or the source has changed since: member 71 of \
             site 1 differs; make the target anew and run this again"
        );
        // Nor from the same one, in which a record was hashed since.
        let changed = sqlite_in(&dir, &format!("{engine:?}"));
        std::fs::copy(used.location.file().unwrap(), changed.file().unwrap()).unwrap();
        let conn = Connection::open(changed.file().unwrap()).unwrap();
        conn.execute("UPDATE journal SET reply = 'OK|other' WHERE id = 5", []).unwrap();
        drop(conn);
        assert_eq!(
            said(&changed),
            "the target has a part of another copy, or the source has changed since: journal \
             record 5 differs; make the target anew and run this again"
        );
        let migrated = copy(&used.location, &to).unwrap();
        assert_eq!(migrated.found, 21, "the right one goes on");
        let there = open_reader(&to).unwrap();
        assert!(everything(&*open_reader(&used.location).unwrap()) == everything(&*there));
        if engine == EngineKind::Sqlite {
            assert_eq!(dump(&to), dump(&used.location));
        }
    }
}
