//! The files of the database are removed, replaced or overwritten while the service runs. Within a
//! second, nothing is answered from the old file any more. If a start would accept the new file,
//! the service continues with it on all threads. Otherwise the log names the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{
    NOTHING_CHANGED, add, added, assert_log_is_clean, assert_unavailable, health, is_healthy,
    members,
};
use crate::continuity::kept;
use crate::support::{PATIENCE, Program, Request, Response, eventually, rows, send_raw, temp_dir};

/// The promised limit.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);
/// Between two rounds of many requests.
const PAUSE: Duration = Duration::from_millis(20);
/// More requests than there are serving threads, so that each thread gets one.
const ASKED: usize = 8;
const CHECK: &str = "action=CHECK&siteid=1&username=name-1";
const FILES: [&str; 3] = ["userman.db", "userman.db-wal", "userman.db-shm"];

/// A service with members 1 to 3, and a backup with the first member alone.
struct Place {
    dir: TempDir,
    service: Program,
    /// Bytes of the log that a story is done with.
    read: usize,
}

impl Place {
    fn new() -> Self {
        let dir = temp_dir();
        let data = dir.path().join("data");
        let mut before = Program::serve(&data, &[]);
        assert_eq!(before.post(&add(1)).unwrap().body, added(1));
        eventually("the password is hashed", || {
            let conn = rusqlite::Connection::open(data.join("userman.db")).unwrap();
            rows(&conn, "SELECT count(*) FROM journal WHERE sealed IS NOT NULL") == ["0"]
        });
        assert!(before.terminate().success());
        fs::copy(data.join("userman.db"), dir.path().join("backup.db")).unwrap();
        // Another start, so that the WAL of the service begins on another state of the file than
        // the backup.
        let mut later = Program::serve(&data, &[]);
        assert_eq!(later.post(&add(3)).unwrap().body, added(3));
        assert!(later.terminate().success());
        let place = Self { service: Program::serve(&data, &[]), dir, read: 0 };
        assert_eq!(place.enters(1), 200);
        assert_eq!(place.post(2).body, added(2));
        place
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn database(&self) -> PathBuf {
        self.data().join("userman.db")
    }

    fn backup(&self) -> PathBuf {
        self.dir.path().join("backup.db")
    }

    fn post(&self, member: usize) -> Response {
        self.service.post(&add(member)).unwrap()
    }

    /// The status of `/auth` for this member.
    fn enters(&self, member: usize) -> u16 {
        let name = format!("name-{member}");
        let request = Request::get("/auth?site=1").basic(&name, super::PASSWORD);
        send_raw(self.service.address, request).unwrap().status
    }

    /// Moves the files away, as `mv userman.db* elsewhere/` does.
    fn move_away(&self) -> PathBuf {
        let away = self.dir.path().join("away");
        fs::create_dir_all(&away).unwrap();
        for file in FILES {
            let _ = fs::rename(self.data().join(file), away.join(file));
        }
        away
    }

    /// Waits until nothing is answered from a file, which must be within a second.
    fn refuses(&self) {
        let began = Instant::now();
        let is_quiet = || {
            let entered = (0..ASKED).map(|_| self.enters(1)).find(|status| *status != 503);
            let check = self.service.post(CHECK).unwrap();
            entered.is_none()
                && check.status == 503
                && check.body == NOTHING_CHANGED
                && !is_healthy(self.service.address)
        };
        while !is_quiet() {
            assert!(
                began.elapsed() < NOTICED_WITHIN + SLACK,
                "not noticed: {}",
                self.service.stderr()
            );
            std::thread::park_timeout(PAUSE);
        }
        assert_unavailable(&self.post(100), NOTHING_CHANGED);
        assert_eq!(health(self.service.address), (503, "unavailable".into()));
    }

    /// Waits for this line in the log, which must be there once.
    fn says(&self, line: &str) {
        let log = || self.service.stderr().split_off(self.read);
        eventually(line, || log().contains(line));
        assert_eq!(log().matches(line).count(), 1, "{}", log());
    }

    /// From now on, [`Place::says`] reads the rest of the log alone.
    fn begin_again(&mut self) {
        self.read = self.service.stderr().len();
    }

    /// The service continues with these members, and all readers see them.
    fn goes_on_with(&self, ids: &[usize]) {
        let began = Instant::now();
        while !is_healthy(self.service.address) {
            assert!(began.elapsed() < PATIENCE, "it does not go on: {}", self.service.stderr());
            std::thread::park_timeout(PAUSE);
        }
        for id in 1..=4 {
            let expected = if ids.contains(&id) { 200 } else { 401 };
            (0..ASKED).for_each(|_| {
                assert_eq!(self.enters(id), expected, "member {id}: {}", self.service.stderr())
            });
        }
        assert_eq!(self.post(50).body, added(50));
        assert_eq!(self.enters(50), 200);
        assert_eq!(
            self.service.post("action=DELETE&siteid=1&memberid=50").unwrap().body,
            "OK|member 50 \"name-50\" removed from site 1"
        );
        (0..ASKED).for_each(|_| assert_eq!(self.enters(50), 401));
        self.says("the service continues with the database that is at ");
    }

    fn ends(mut self, ids: &[usize]) {
        assert!(self.service.terminate().success());
        assert_log_is_clean(&self.service);
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        let found = rows(&conn, "SELECT memberid FROM member_auth ORDER BY memberid");
        assert_eq!(found, ids.iter().map(usize::to_string).collect::<Vec<_>>());
        assert_eq!(rows(&conn, "PRAGMA integrity_check"), ["ok"]);
    }
}

/// Runs a story once for each of these cases, all at once, each with a service of its own: half a
/// second passes between two checks of the files.
fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, story: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        let story = &story;
        for case in cases {
            scope.spawn(move || story(case));
        }
    });
}

/// The additional time for a busy machine.
const SLACK: Duration = Duration::from_secs(4);

const REFUSES: &str =
    "; requests that need the database get 503 until there is one that the service can use";

#[test]
fn a_backup_in_the_place_of_files_that_were_moved_away_is_what_every_thread_reads_then() {
    let place = Place::new();
    place.move_away();
    fs::copy(place.backup(), place.database()).unwrap();
    // After the first OK, no thread answers from the old file.
    eventually("it is removed", || {
        place
            .service
            .post("action=DELETE&siteid=1&memberid=1")
            .unwrap()
            .body
            .starts_with("OK|member 1 ")
    });
    (0..2 * ASKED).for_each(|_| assert_eq!(place.enters(1), 401, "from the old file"));
    place.goes_on_with(&[]);
    assert!(place.service.stderr().contains(REFUSES), "{}", place.service.stderr());
    place.ends(&[]);
}

#[test]
fn a_service_without_its_database_answers_503_until_it_is_there_again() {
    let place = Place::new();
    let away = place.move_away();
    place.refuses();
    place.says(
        "the database file was removed or cannot be reached any more; requests that need the \
         database get 503",
    );
    assert!(!place.database().exists(), "somebody began a new database");
    for file in FILES {
        fs::rename(away.join(file), place.data().join(file)).unwrap();
    }
    place.goes_on_with(&[1, 2, 3]);
    place.ends(&[1, 2, 3]);
}

#[test]
fn a_database_that_was_removed_is_followed_by_the_backup_that_comes_later() {
    let place = Place::new();
    FILES.iter().for_each(|file| fs::remove_file(place.data().join(file)).unwrap());
    place.refuses();
    fs::copy(place.backup(), place.database()).unwrap();
    place.goes_on_with(&[1]);
    place.ends(&[1]);
}

#[test]
fn a_directory_that_was_renamed_is_not_served_from_any_more() {
    let place = Place::new();
    let away = place.dir.path().join("away");
    fs::rename(place.data(), &away).unwrap();
    place.refuses();
    fs::rename(&away, place.data()).unwrap();
    place.goes_on_with(&[1, 2, 3]);
    place.ends(&[1, 2, 3]);
}

/// `cp backup userman.db` keeps the inode, and the WAL belongs to the earlier content.
#[test]
fn a_backup_that_is_copied_over_the_running_database_is_never_mixed_with_its_wal() {
    let place = Place::new();
    fs::write(place.database(), fs::read(place.backup()).unwrap()).unwrap();
    place.refuses();
    place.says("the database file was written over, and not by SQLite; requests that need");
    place.says("does not belong to the database");
    assert!(
        fs::read(place.database()).unwrap() == fs::read(place.backup()).unwrap(),
        "the backup was changed"
    );
    // Without the WAL, the file is a valid database again.
    FILES[1..].iter().for_each(|file| fs::remove_file(place.data().join(file)).unwrap());
    place.goes_on_with(&[1]);
    place.ends(&[1]);
}

/// All data was in the database file, so the WAL is empty.
#[test]
fn a_backup_that_is_copied_over_a_database_with_an_empty_wal_is_what_every_thread_reads_then() {
    let place = Place::new();
    let vacuumed = place.dir.path().join("vacuumed.db");
    rusqlite::Connection::open(place.backup())
        .unwrap()
        .execute("VACUUM INTO ?1", [vacuumed.to_str()])
        .unwrap();
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    assert!(rows(&conn, "PRAGMA wal_checkpoint(TRUNCATE)")[0].starts_with("0|"));
    fs::write(place.database(), fs::read(vacuumed).unwrap()).unwrap();
    place.says("the database file was written over, and not by SQLite; requests that need");
    drop(conn);
    place.goes_on_with(&[1]);
    place.ends(&[1]);
}

/// A copy of a database and its WAL is consistent, but it is not what the service has open.
#[test]
fn a_backup_of_database_and_wal_that_is_copied_over_both_is_noticed() {
    let place = Place::new();
    let copies: Vec<_> =
        FILES[..2].iter().map(|file| (file, fs::read(place.data().join(file)).unwrap())).collect();
    assert_eq!(place.post(4).body, added(4));
    copies.iter().for_each(|(file, content)| fs::write(place.data().join(file), content).unwrap());
    place.says("the database file was written over, and not by SQLite; requests that need");
    place.goes_on_with(&[1, 2, 3]);
    place.ends(&[1, 2, 3]);
}

#[test]
fn checkpoints_of_other_programs_and_a_touch_are_no_reason_to_refuse() {
    let place = Place::new();
    for member in 10..20 {
        let conn = rusqlite::Connection::open(place.database()).unwrap();
        let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][member % 4];
        rows(&conn, &format!("PRAGMA wal_checkpoint({mode})"));
        assert_eq!(place.post(member).body, added(member));
        fs::File::options()
            .write(true)
            .open(place.database())
            .unwrap()
            .set_modified(std::time::SystemTime::now())
            .unwrap();
        assert_eq!(place.enters(1), 200);
        assert_eq!(place.service.post(CHECK).unwrap().status, 200);
    }
    // Checkpoints that enlarge the file considerably. During one, the file is too short to be read
    // without the WAL.
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    for round in 0..4 {
        let many =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             INSERT INTO journal (at, source, fields, reply) SELECT i, 'nats', \
             hex(randomblob(500)), 'OK|' FROM n";
        conn.busy_timeout(PATIENCE).unwrap();
        conn.execute(many, []).unwrap();
        assert_eq!(place.enters(1), 200, "round {round}");
        conn.execute("DELETE FROM journal WHERE length(fields) = 1000", []).unwrap();
    }
    eventually("it was looked at again", || is_healthy(place.service.address));
    assert!(!place.service.stderr().contains(REFUSES), "{}", place.service.stderr());
    place.ends(&[&[1, 2, 3], (10..20).collect::<Vec<_>>().as_slice()].concat());
}

/// A commit into a deleted WAL would be lost at the end of the process.
#[test]
fn a_wal_that_is_removed_under_the_service_loses_nothing_that_was_acknowledged() {
    at_once([&FILES[1..2], &FILES[2..], &FILES[1..]], |gone| {
        let place = Place::new();
        gone.iter().for_each(|file| fs::remove_file(place.data().join(file)).unwrap());
        let file = gone[0].strip_prefix("userman.db").unwrap();
        place.says(&format!(
            "the {file} file of the database was removed or replaced; requests that need"
        ));
        place.goes_on_with(&[1, 2, 3]);
        place.ends(&[1, 2, 3]);
    });
}

/// `: > userman.db-wal` to free a full disk, or an older WAL that is copied over it. SQLite would
/// continue to write after a gap.
#[test]
fn a_wal_that_is_written_over_in_place_is_noticed_before_anything_more_is_acknowledged() {
    at_once([true, false], |is_truncated| {
        let place = Place::new();
        let wal = place.data().join(FILES[1]);
        let older = if is_truncated { Vec::new() } else { fs::read(&wal).unwrap() };
        assert_eq!(place.post(4).body, added(4));
        fs::write(&wal, older).unwrap();
        assert_unavailable(&place.post(100), NOTHING_CHANGED);
        place.says(
            "the -wal file of the database was truncated or written over, and not by \
            SQLite; requests that need",
        );
        let left: &[usize] = if is_truncated { &[1, 3] } else { &[1, 2, 3] };
        place.goes_on_with(left);
        place.ends(left);
    });
}

/// Also directly after a check of a checkpoint, and if one check finds both changes.
#[test]
fn a_backup_copied_over_just_after_a_checkpoint_is_noticed_before_more_is_acknowledged() {
    at_once([true, false], |is_looked_at| {
        let place = Place::new();
        let conn = rusqlite::Connection::open(place.database()).unwrap();
        assert!(rows(&conn, "PRAGMA wal_checkpoint(TRUNCATE)")[0].starts_with("0|"));
        if is_looked_at {
            assert_eq!(place.post(4).body, added(4));
        }
        fs::write(place.database(), fs::read(place.backup()).unwrap()).unwrap();
        assert_unavailable(&place.post(100), NOTHING_CHANGED);
        place.says("the database file was written over, and not by SQLite; requests that need");
    });
}

#[test]
fn a_restored_file_beside_the_wal_of_the_old_one_is_refused_while_serving_too() {
    let place = Place::new();
    fs::rename(place.database(), place.dir.path().join("old.db")).unwrap();
    fs::copy(place.backup(), place.database()).unwrap();
    place.refuses();
    place.says("does not belong to the database");
    assert!(
        fs::read(place.database()).unwrap() == fs::read(place.backup()).unwrap(),
        "the backup was changed"
    );
    fs::remove_file(place.data().join("userman.db-wal")).unwrap();
    place.goes_on_with(&[1]);
    place.ends(&[1]);
}

#[test]
fn a_symbolic_link_that_leads_elsewhere_is_followed() {
    let dir = temp_dir();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    [&here, &there].into_iter().for_each(|place| fs::create_dir(place).unwrap());
    let place = Place::new();
    fs::copy(place.backup(), here.join("db")).unwrap();
    fs::copy(place.backup(), there.join("db")).unwrap();
    let mut place = place;
    assert!(place.service.terminate().success());
    place.move_away();
    std::os::unix::fs::symlink(here.join("db"), place.database()).unwrap();
    place.service = Program::serve(&place.data(), &[]);
    assert_eq!(place.post(2).body, added(2));
    let link = place.dir.path().join("link");
    std::os::unix::fs::symlink(there.join("db"), &link).unwrap();
    fs::rename(link, place.database()).unwrap();
    eventually("it is noticed", || {
        place.service.stderr().contains("another file was put in the place of the database")
    });
    place.goes_on_with(&[1]);
    assert!(place.service.terminate().success());
    assert_eq!(members(&here.join("db")), [1, 2]);
    assert!(there.join("db-wal").exists());
}

/// A file that a start would refuse, or would not just open, is reported and not changed.
#[test]
fn a_database_with_which_the_service_cannot_go_on_is_named_and_left_alone() {
    let older: Make = |to| assert!(fs::copy(kept("0.2.0").database(), to).unwrap() > 0);
    let newer: Make = |to| {
        rusqlite::Connection::open(to).unwrap().pragma_update(None, "user_version", 99).unwrap()
    };
    let foreign: Make = |to| {
        fs::remove_file(to).unwrap();
        rusqlite::Connection::open(to).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    };
    let of_another_key: Make = |to| {
        let conn = rusqlite::Connection::open(to).unwrap();
        let other = "UPDATE seal_key SET id = randomblob(length(id)); UPDATE journal SET sealed = \
            x'00', password = NULL";
        conn.execute_batch(other).unwrap();
    };
    let empty: Make = |to| fs::write(to, "").unwrap();
    let no_database: Make = |to| fs::write(to, "# no database\n".repeat(1_000)).unwrap();
    let cut_off: Make =
        |to| fs::File::options().write(true).open(to).unwrap().set_len(8192).unwrap();
    let cases = [
        (older, "of an earlier release (version 3): restart the service, which upgrades it"),
        (newer, "it has version 99, and this release supports versions up to "),
        (foreign, "it is a database of another program"),
        (
            of_another_key,
            "has 1 password sealed under another key than seal.key: put the matching key or \
             database there, and restart",
        ),
        (empty, "is empty: restore a backup, or remove the file to begin anew"),
        (no_database, "is damaged or no SQLite database; nothing was changed, restore a backup"),
        (cut_off, "is damaged or no SQLite database; nothing was changed, restore a backup"),
    ];
    at_once(cases.chunks(2), left_alone);
}

/// How a story makes a file of a backup.
type Make = fn(&Path);

/// Puts each of these files in the place of the database, and then the database again.
fn left_alone(cases: &[(Make, &str)]) {
    let mut place = Place::new();
    for (make, line) in cases {
        let new = place.dir.path().join("new.db");
        fs::copy(place.backup(), &new).unwrap();
        make(&new);
        let content = fs::read(&new).unwrap();
        let away = place.move_away();
        fs::rename(&new, place.database()).unwrap();
        place.refuses();
        place.says(line);
        assert!(fs::read(place.database()).unwrap() == content, "{line}: it was changed");
        for file in FILES {
            fs::remove_file(place.data().join(file)).unwrap_or_default();
            fs::rename(away.join(file), place.data().join(file)).unwrap();
        }
        place.goes_on_with(&[1, 2, 3]);
        place.begin_again();
    }
    place.ends(&[1, 2, 3]);
}

/// Also if there is no request, and if the service is stopped meanwhile.
#[test]
fn a_service_that_waits_for_its_database_ends_when_it_is_told_to() {
    let mut place = Place::new();
    place.move_away();
    place.says("the database file was removed or cannot be reached any more");
    assert!(place.service.terminate().success());
    assert_log_is_clean(&place.service);
    assert!(!place.database().exists());
}
