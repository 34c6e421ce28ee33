//! The disk is full while the journal of an older release is converted.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use nats_userman::clock::Clock;
use nats_userman::password::Vault;
use nats_userman::store::Location;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::{
    NOTHING_CHANGED, add, added, assert_log_is_clean, assert_unavailable, errors, is_healthy,
};
use crate::commands::run_on;
use crate::support::{Mounted, NOON, Program, WriterBench, eventually, rows};

/// Old records. A transaction of the conversion takes 50 of them, and writes more than 200 KiB.
const RECORDS: usize = 600;
/// A small part of the space that the whole conversion needs.
const FREE_BYTES: u64 = 300_000;

/// A data directory on a file system of its own, with a journal as version 4 left it.
struct OldJournal {
    mounted: Mounted,
    _dir: TempDir,
}

impl OldJournal {
    /// `None` where this user may not mount.
    fn new() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mounted = Mounted::tmpfs(dir.path(), "16m")?;
        let scene = Self { mounted, _dir: dir };
        assert!(Program::serve(&scene.data(), &[]).terminate().success());
        let values = "&a-name-as-long-as-those-of-nats=0".repeat(30);
        let conn = Connection::open(scene.database()).unwrap();
        conn.execute_batch(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {RECORDS})
             INSERT INTO journal (at, source, action, siteid, memberid, fields, reply)
                 SELECT {NOON} + i, 'nats', 'DELETE', 1, 10000 + i,
                     'action=DELETE&siteid=1&memberid=' || (10000 + i) || '{values}', 'OK|'
                 FROM n;
             INSERT INTO journal_conversion SELECT 1, min(id), min(id), max(id) FROM journal"
        ))
        .unwrap();
        Some(scene)
    }

    fn data(&self) -> std::path::PathBuf {
        self.mounted.0.join("data")
    }

    fn database(&self) -> std::path::PathBuf {
        self.data().join("userman.db")
    }

    /// Fills the file system, and leaves this number of bytes free.
    fn fill_up(&self, name: &str, but_for: u64) {
        let stat = rustix::fs::statvfs(&self.mounted.0).unwrap();
        let bytes = stat.f_bavail * stat.f_frsize - but_for;
        let mut file = std::fs::File::create(self.mounted.0.join(name)).unwrap();
        file.write_all(&vec![1; usize::try_from(bytes).unwrap()]).unwrap();
        // The system may free what was removed just before only now.
        while but_for == 0 && file.write_all(&[1; 512]).is_ok() {}
    }

    fn make_room(&self) {
        for name in ["ballast", "rest"] {
            let _ = std::fs::remove_file(self.mounted.0.join(name));
        }
    }

    /// How many records have the old form, and the record that is converted next, if there is one.
    fn state(&self) -> (usize, Option<usize>) {
        let conn = read(&self.database());
        let old = rows(&conn, "SELECT count(*) FROM journal WHERE fields NOT LIKE '~%'");
        let next = rows(&conn, "SELECT next_id FROM journal_conversion");
        (old[0].parse().unwrap(), next.first().map(|next| next.parse().unwrap()))
    }

    /// The journal of the old records, with their whole text.
    fn journal(&self) -> Vec<String> {
        let sql = format!("SELECT * FROM journal_text WHERE id <= {RECORDS}");
        rows(&read(&self.database()), &sql)
    }
}

fn read(database: &Path) -> Connection {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

#[test]
fn a_conversion_that_fills_the_disk_is_logged_once_and_goes_on_at_the_next_start() {
    let Some(old) = OldJournal::new() else { return };
    let (before, printed) = (old.journal(), run_on(&old.data(), &["journal"]).printed());
    assert_eq!((before.len(), old.state()), (RECORDS, (RECORDS, Some(1))));
    old.fill_up("ballast", FREE_BYTES);
    let mut program = Program::serve(&old.data(), &[]);
    eventually("the conversion meets the full disk", || !errors(&program.stderr()).is_empty());
    old.fill_up("rest", 0);
    let (left, next) = old.state();
    assert!(left > 0 && next == Some(RECORDS - left + 1), "{left} records left, next {next:?}");
    // The transaction that was rolled back leaves space in the WAL for some postbacks.
    let mut acknowledged = Vec::new();
    let refused = (1..200).find(|&member| {
        let response = program.post(&add(member)).unwrap();
        if response.status == 200 {
            acknowledged.push(member);
        } else {
            assert_unavailable(&response, NOTHING_CHANGED);
        }
        response.status != 200
    });
    let refused = refused.expect("the disk is full");
    assert!(!acknowledged.is_empty());
    // Reading needs no space.
    let check = program.post("action=CHECK&siteid=1&username=name-1").unwrap();
    assert_eq!(check.body, "OK|username \"name-1\" is taken on site 1");
    assert_eq!(old.journal(), before);
    let log = program.stderr();
    let line = " ERROR the disk is full: database or disk is full: Error code 13: database or disk \
        is full (SQLite code 13); free space in its file system: the service then continues by \
        itself";
    assert!(errors(&log).len() == 1 && errors(&log)[0].ends_with(line), "{log}");

    old.make_room();
    eventually("there is room", || program.post(&add(refused)).unwrap().body == added(refused));
    acknowledged.push(refused);
    eventually("/health is ok", || is_healthy(program.address));
    assert!(program.terminate().success());
    let log = program.stderr();
    assert_eq!(errors(&log).len(), 1, "{log}");
    assert_eq!(log.matches(" the database is writable again after ").count(), 1, "{log}");
    assert_log_is_clean(&program);

    let mut program = Program::serve(&old.data(), &[]);
    eventually("the journal is converted", || old.state() == (0, None));
    assert!(program.terminate().success());
    let log = program.stderr();
    assert!(log.contains(&format!(" the journal is converted: records 1 to {RECORDS}, in ")));
    assert_eq!(old.journal(), before);
    let ids = rows(&read(&old.database()), "SELECT memberid FROM member_auth");
    assert_eq!(ids, acknowledged.iter().map(usize::to_string).collect::<Vec<_>>());
    assert!(run_on(&old.data(), &["journal"]).printed().starts_with(&printed));
}

/// The service pauses for a minute after a fault, this writer for a moment.
#[test]
fn a_conversion_that_found_no_space_goes_on_by_itself_when_there_is_some() {
    let Some(old) = OldJournal::new() else { return };
    let before = old.journal();
    old.fill_up("ballast", 0);
    let (location, vault) = (Location::sqlite(old.database()), Vault::from_key([7; 32]));
    let pause = Duration::from_millis(20);
    let bench = WriterBench::start_with(
        &location,
        &vault,
        Clock::Fixed(std::sync::Arc::new(NOON.into())),
        pause,
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // A step of the conversion runs after each command.
    for _ in 0..3 {
        assert!(!runtime.block_on(bench.writer.probe()));
    }
    assert_eq!((old.state(), old.journal()), ((RECORDS, Some(1)), before.clone()));
    old.make_room();
    eventually("the journal is converted", || old.state() == (0, None));
    assert!(runtime.block_on(bench.writer.probe()));
    bench.stop();
    assert_eq!(old.journal(), before);
}
