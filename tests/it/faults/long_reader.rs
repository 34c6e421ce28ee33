//! Another process keeps a read transaction open, such as a forgotten sqlite3 shell, and the WAL
//! cannot be restarted.

use std::path::Path;
use std::time::{Duration, Instant};

use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::store::{Engine, Location, LongRead, Note, Seen, with_engine};
use rusqlite::{Connection, OpenFlags};

use crate::property::in_transaction;
use crate::support::{NOON, eventually, rows, temp_dir};

/// The WAL is small: a checkpoint is due after this number of pages.
const PAGES: i32 = 40;
const FRAME_BYTES: u64 = 4096 + 24;
const SECOND: Duration = Duration::from_secs(1);

fn reader(database: &Path) -> Connection {
    let reader = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM member_auth").unwrap();
    reader
}

/// Commits about eight pages, and lets the engine do its maintenance.
fn commit(engine: &mut dyn Engine, now: Instant) -> Option<LongRead> {
    in_transaction(engine, |engine| engine.probe(NOON)).unwrap();
    engine.maintain(now).unwrap()
}

#[test]
fn a_forgotten_reader_is_told_with_its_age_and_the_wal_shrinks_when_it_is_gone() {
    let dir = temp_dir();
    let location = Location::sqlite(dir.path().join("userman.db")).with_checkpoint_every(PAGES);
    let wal = || std::fs::metadata(dir.path().join("userman.db-wal")).unwrap().len();
    let usual = FRAME_BYTES * u64::try_from(PAGES).unwrap() * 2;
    with_engine(&location, true, |engine| {
        let start = Instant::now();
        // Without a reader, the WAL is restarted each time.
        for _ in 0..100 {
            assert_eq!(commit(engine, start), None);
        }
        assert!(wal() < usual, "{} bytes", wal());

        let forgotten = reader(location.file().unwrap());
        let mut now = start;
        let held = loop {
            now += SECOND;
            if let Some(held) = commit(engine, now) {
                break held;
            }
        };
        assert!(
            held.since > start && held.since < now && held.bytes >= usual,
            "{held:?}, now {now:?}"
        );
        while wal() < 10 * usual {
            now += SECOND;
            let later = commit(engine, now).expect("it is still there");
            assert_eq!(later.since, held.since, "the age is that of the reader");
        }
        drop(forgotten);
        // The writer checks at intervals, also without requests.
        eventually("the pages are copied", || {
            now += SECOND;
            engine.maintain(now).unwrap().is_none()
        });
        // It is shortened in steps, because a commit waits for each.
        let mut lengths = vec![wal()];
        for _ in 0..100 {
            assert_eq!(commit(engine, now), None);
            engine.maintain_early(now).unwrap();
            lengths.push(wal());
        }
        lengths.dedup();
        assert!(wal() < usual && lengths.len() > 10, "{lengths:?}");
        assert!(lengths.is_sorted_by(|before, after| before >= after), "{lengths:?}");
    })
    .unwrap();
    let conn = Connection::open(location.file().unwrap()).unwrap();
    assert_eq!(rows(&conn, "PRAGMA integrity_check"), ["ok"]);
}

/// After a backup the WAL has more than the usual pages. Postbacks do not wait while they are
/// copied.
#[test]
fn after_a_long_reader_the_pages_are_copied_while_commits_go_on() {
    let dir = temp_dir();
    let location = Location::sqlite(dir.path().join("userman.db")).with_checkpoint_every(PAGES);
    let wal = || std::fs::metadata(dir.path().join("userman.db-wal")).unwrap().len();
    let key = Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() };
    let large = FRAME_BYTES * u64::try_from(PAGES).unwrap() * 20;
    with_engine(&location, true, |engine| {
        let mut now = Instant::now();
        let mut last = NOON;
        for _ in 0..5 {
            let long = reader(location.file().unwrap());
            while wal() < large {
                now += SECOND;
                commit(engine, now);
            }
            // The thread beside the writer has ended what the reader interrupts.
            let _ = engine.take_times();
            eventually("an attempt has ended", || {
                now += 11 * SECOND;
                engine.maintain(now).unwrap();
                engine.take_times().checkpoint.is_some()
            });
            drop(long);
            now += 11 * SECOND;
            engine.maintain(now).unwrap();
            let waited = engine.take_times().checkpoint;
            assert!(waited.is_none(), "the writer has waited {waited:?} for a checkpoint");
            eventually("the pages are copied beside commits", || {
                (now, last) = (now + SECOND, last + 1);
                let seen = Note::Seen(Seen { key, id: [7; 16], at: last });
                in_transaction(engine, |engine| engine.note(&seen, NOON)).unwrap();
                engine.maintain(now).unwrap();
                wal() < large
            });
            let conn = Connection::open(location.file().unwrap()).unwrap();
            assert_eq!(rows(&conn, "SELECT at FROM login_seen"), [last.to_string()]);
        }
    })
    .unwrap();
    let conn = Connection::open(location.file().unwrap()).unwrap();
    assert_eq!(rows(&conn, "PRAGMA integrity_check"), ["ok"]);
}

/// The writer learns later that the copy has ended, on a quiet site much later.
#[test]
fn a_file_that_is_written_over_after_the_copy_is_noticed_before_the_next_transaction() {
    let dir = temp_dir();
    let location = Location::sqlite(dir.path().join("userman.db")).with_checkpoint_every(PAGES);
    let file = location.file().unwrap();
    with_engine(&location, true, |engine| {
        let mut now = Instant::now();
        for _ in 0..20 {
            commit(engine, now);
        }
        let backup = std::fs::read(file).unwrap();
        // The WAL is restarted, so that it does not continue the backup.
        for _ in 0..20 {
            commit(engine, now);
        }
        let long = reader(file);
        for _ in 0..20 {
            now += SECOND;
            commit(engine, now);
        }
        drop(long);
        let key = Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() };
        let seen = Note::Seen(Seen { key, id: [7; 16], at: NOON });
        in_transaction(engine, |engine| engine.note(&seen, NOON)).unwrap();
        let alone = format!("file:{}?immutable=1", file.display());
        eventually("the pages are copied", || {
            now += SECOND;
            engine.maintain(now).unwrap();
            let alone = Connection::open(&alone).unwrap();
            let found =
                alone.query_row("SELECT at FROM login_seen", [], |row| row.get::<_, i64>(0));
            found.is_ok()
        });
        std::fs::write(file, backup).unwrap();
        let mut fault = None;
        eventually("it is noticed", || {
            fault = engine.begin().err();
            if fault.is_none() {
                engine.rollback();
            }
            fault.is_some()
        });
        assert_eq!(
            fault.unwrap().to_string(),
            "the database file was written over, and not by SQLite"
        );
    })
    .unwrap();
}

/// The service's own readers are short. A WAL that grows for seconds takes long to copy, and
/// postbacks wait for that.
#[test]
fn after_a_short_reader_the_checkpoint_is_made_within_milliseconds() {
    let dir = temp_dir();
    let location = Location::sqlite(dir.path().join("userman.db")).with_checkpoint_every(PAGES);
    let wal = || std::fs::metadata(dir.path().join("userman.db-wal")).unwrap().len();
    let usual = FRAME_BYTES * u64::try_from(PAGES).unwrap() * 2;
    with_engine(&location, true, |engine| {
        let mut now = Instant::now();
        for _ in 0..20 {
            let short = reader(location.file().unwrap());
            for _ in 0..6 {
                assert_eq!(commit(engine, now), None);
            }
            drop(short);
            let _ = engine.take_times();
            now += Duration::from_millis(20);
            assert_eq!(commit(engine, now), None);
            eventually("a checkpoint has ended", || {
                assert_eq!(engine.maintain(now).unwrap(), None);
                engine.take_times().checkpoint.is_some()
            });
        }
        assert!(wal() < 2 * usual, "{} bytes", wal());
    })
    .unwrap();
}

/// Otherwise each pause of the postbacks would read through the index of a WAL of any size.
#[test]
fn a_pause_makes_an_early_checkpoint_but_not_while_a_reader_prevents_one() {
    let dir = temp_dir();
    let location =
        Location::sqlite(dir.path().join("userman.db")).with_checkpoint_every(20 * PAGES);
    let wal = || std::fs::metadata(dir.path().join("userman.db-wal")).unwrap().len();
    let database = || std::fs::metadata(location.file().unwrap()).unwrap().modified().unwrap();
    with_engine(&location, true, |engine| {
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(commit(engine, now), None);
            engine.maintain_early(now).unwrap();
        }
        assert!(wal() < FRAME_BYTES * 4 * u64::from(PAGES.unsigned_abs()), "{} bytes", wal());

        let forgotten = reader(location.file().unwrap());
        while wal() < FRAME_BYTES * 5 * u64::from(PAGES.unsigned_abs()) {
            assert_eq!(commit(engine, now), None);
            engine.maintain_early(now).unwrap();
        }
        let before = (database(), wal());
        engine.maintain_early(now + 9 * SECOND).unwrap();
        assert_eq!((database(), wal()), before);
        drop(forgotten);
        // Tried again at an interval, and then early again.
        let _ = engine.take_times();
        eventually("a checkpoint has ended", || {
            assert_eq!(engine.maintain(now + 11 * SECOND).unwrap(), None);
            engine.take_times().checkpoint.is_some()
        });
        for _ in 0..100 {
            assert_eq!(commit(engine, now), None);
            engine.maintain_early(now).unwrap();
        }
        assert!(wal() < FRAME_BYTES * 6 * u64::from(PAGES.unsigned_abs()), "{} bytes", wal());
    })
    .unwrap();
}

/// If little is written, the WAL stays small, and its size shows no problem.
#[test]
fn a_reader_of_many_minutes_is_told_although_the_wal_is_small() {
    let dir = temp_dir();
    let location = Location::sqlite(dir.path().join("userman.db")).with_checkpoint_every(PAGES);
    with_engine(&location, true, |engine| {
        let start = Instant::now();
        let _forgotten = reader(location.file().unwrap());
        while std::fs::metadata(dir.path().join("userman.db-wal")).unwrap().len() < FRAME_BYTES * 45
        {
            assert_eq!(commit(engine, start), None);
        }
        assert_eq!(engine.maintain(start + 299 * SECOND).unwrap(), None);
        let held = engine.maintain(start + 300 * SECOND).unwrap().expect("five minutes");
        assert_eq!(held.since, start);
    })
    .unwrap();
}

/// The WAL is restarted while a reader reads only the database file. The WAL is then truncated to
/// its usual size.
#[test]
fn a_wal_that_a_reader_made_large_is_cut_when_it_begins_anew() {
    let dir = temp_dir();
    let location = Location::sqlite(dir.path().join("userman.db")).with_checkpoint_every(PAGES);
    let wal = || std::fs::metadata(dir.path().join("userman.db-wal")).unwrap().len();
    with_engine(&location, true, |engine| {
        let now = Instant::now();
        let forgotten = reader(location.file().unwrap());
        for _ in 0..60 {
            commit(engine, now);
        }
        let large = wal();
        drop(forgotten);
        // A checkpoint by another program, such as sqlite3 or an application.
        let other = Connection::open(location.file().unwrap()).unwrap();
        assert!(rows(&other, "PRAGMA wal_checkpoint")[0].starts_with("0|"));
        commit(engine, now);
        assert!(wal() < large / 4, "{large} bytes became {}", wal());
    })
    .unwrap();
}

/// A checkpoint leaves out each page that was written again after the reader's snapshot, and the
/// last page may be one of them. Then the file is shorter than its header says.
#[test]
fn a_checkpoint_that_a_reader_cuts_short_is_no_other_file_however_long_the_reader_stays() {
    let dir = temp_dir();
    let location = Location::sqlite(dir.path().join("userman.db"));
    // A change that needs no further page.
    let key = Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() };
    let seen = Note::Seen(Seen { key, id: [7; 16], at: NOON });
    let change = |engine: &mut dyn Engine| {
        in_transaction(engine, |engine| engine.note(&seen, NOON)).unwrap();
    };
    with_engine(&location, true, |engine| {
        let file = location.file().unwrap();
        let other = Connection::open(file).unwrap();
        let pages = || rows(&other, "PRAGMA page_count")[0].parse::<u64>().unwrap();
        other.execute_batch("CREATE TABLE last_page (text); PRAGMA wal_checkpoint").unwrap();
        let (before, insert) = (pages(), "INSERT INTO last_page VALUES (zeroblob(1000))");
        while pages() < before + 2 {
            other.execute(insert, []).unwrap();
        }
        let _forgotten = reader(file);
        other.execute(insert, []).unwrap();
        change(engine);
        assert!(rows(&other, "PRAGMA wal_checkpoint")[0].starts_with("0|"));
        let alone = format!("file:{}?immutable=1", file.display());
        let alone = Connection::open(alone).unwrap();
        let found = alone.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0));
        assert!(found.is_err(), "the file alone can be read");
        // The second check is of a file that has not changed since the first.
        for _ in 0..3 {
            engine.check_current().unwrap();
            change(engine);
        }
    })
    .unwrap();
    let conn = Connection::open(location.file().unwrap()).unwrap();
    assert_eq!(rows(&conn, "PRAGMA integrity_check"), ["ok"]);
}
