//! Copies of a file of SQLite, through the store alone.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nats_userman::action::Change;
use nats_userman::store::{
    CopyError, CopyWatch, DatabaseState, check_copy, open_backup, open_for_copy, state_of,
};

use crate::engines::conformance::{Database, on_engine};
use crate::support::{EngineKind, NOON, temp_dir};

const NEWEST: i64 = 60_000;

fn fill(database: &Database) {
    database.save((0..RECORDS).map(|_| Change::None).collect());
}

#[test]
fn a_copy_is_of_the_moment_when_it_began_whatever_is_committed_meanwhile() {
    on_engine(EngineKind::Sqlite, |database| {
        fill(database);
        let dir = temp_dir();
        let place = dir.path().join("copy");
        let file = File::create_new(&place).unwrap();
        let stop = Arc::<AtomicBool>::default();
        let mut commits = 0;
        let mut progress = |done: u64, all: u64| {
            assert!(done <= all);
            database.commit(|engine| engine.probe(NOON + commits));
            database.save(vec![Change::None]);
            commits += 1;
            true
        };
        let mut watch = CopyWatch { stop: &stop, is_gentle: false, progress: &mut progress };
        let reader = open_for_copy(&database.location).unwrap();
        let size = reader.copy_size().unwrap();
        let copied = reader.copy_to(&place, &file, &mut watch).unwrap();
        assert!(commits > 2, "{commits} commits beside it show nothing");
        assert_eq!(copied.bytes, size);
        assert!(copied.log_growth > 0);
        assert_eq!(copied.contents.records(), 60_000);
        assert_eq!(copied.contents.newest, Some((NEWEST, NOON)));

        let copy = database.location.copy_at(&place);
        assert_eq!(check_copy(&copy, &stop).unwrap(), copied.contents);
        assert_eq!(state_of(&copy, true).unwrap(), DatabaseState::Current);
        let read = open_backup(&copy).unwrap();
        assert_eq!(read.newest_record().unwrap(), Some((NEWEST, NOON)));
        // The copy does not block the database any more.
        assert!(database.with(|engine| engine.finish()));
    });
}

#[test]
fn a_copy_ends_when_it_is_told_to_and_so_does_its_check() {
    on_engine(EngineKind::Sqlite, |database| {
        fill(database);
        let dir = temp_dir();
        let stop = Arc::<AtomicBool>::default();
        let reader = open_for_copy(&database.location).unwrap();
        let copy = |name: &str, progress: &mut dyn FnMut(u64, u64) -> bool| {
            let place = dir.path().join(name);
            let file = File::create_new(&place).unwrap();
            let mut watch = CopyWatch { stop: &stop, is_gentle: false, progress };
            reader.copy_to(&place, &file, &mut watch).map(|_| database.location.copy_at(&place))
        };
        let ended = copy("first", &mut |_, _| false);
        assert!(matches!(ended, Err(CopyError::Stopped)), "{ended:?}");
        let whole = copy("second", &mut |_, _| true).unwrap();
        stop.store(true, Ordering::Relaxed);
        let ended = copy("third", &mut |_, _| true);
        assert!(matches!(ended, Err(CopyError::Stopped)), "{ended:?}");
        let ended = check_copy(&whole, &stop);
        assert!(matches!(ended, Err(CopyError::Stopped)), "{ended:?}");
    });
}

/// Enough records for a copy in several steps.
const RECORDS: usize = 60_000;
