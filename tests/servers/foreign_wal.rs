//! If a WAL does not belong to the database file beside it, the start is refused, the WAL is never
//! applied, and no file is changed. What a kill or a power failure leaves is never refused.

mod by_hand;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nats_userman::action::Rules;
use nats_userman::apply::{Postback, transact};
use nats_userman::clock::{ExpiryRule, Zone};
use nats_userman::fields::Fields;
use nats_userman::journal::Origin;
use nats_userman::password::Vault;
use nats_userman::store::{Engine, Location, check_whole, with_engine};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::engines::property::{dump, in_transaction};
use crate::support::faults::{add, added, checkpoint, contents, members, other, start};
use crate::support::{
    Caller, Dice, NOON, Program, check_invariants, program, real_program, rows, temp_dir,
};

/// The number of random stories. `RUNS=1000` runs more, and `.ci/run` does that; `SEED=7` runs
/// others.
const RUNS: u64 = 6;
const STEPS: usize = 60;
/// The newest backups, which are tried repeatedly.
const BACKUPS: usize = 8;
/// The size of a small WAL, which is restarted often.
const PAGES: i32 = 60;

/// Makes a backup with the command of docs/backup-restore.md.
pub fn back_up(sqlite3: &Path, database: &Path, to: &Path) {
    let done = Command::new(sqlite3)
        .arg(database)
        .arg(".timeout 5000")
        .arg(format!(".backup {}", to.display()))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

pub fn run(data: &Path, args: &[&str]) -> (i32, String) {
    let output = program().args(args).arg("--data-dir").arg(data).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// Adds 200 members and makes a backup. After two more checkpoints, the service is killed or
/// stopped.
fn data_with_a_backup_of_before(sqlite3: &Path, kill: bool) -> (TempDir, PathBuf, PathBuf) {
    let dir = temp_dir();
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup.db"));
    let database = data.join("userman.db");
    let mut program = Program::serve(&data, &[]);
    let mut caller = Caller::connect(program.address).unwrap();
    let mut post = |members: std::ops::Range<usize>| {
        members.for_each(|id| assert_eq!(caller.post(&add(id)).unwrap().body, added(id)))
    };
    post(1..201);
    checkpoint(&database, "PASSIVE");
    back_up(sqlite3, &database, &backup);
    post(201..301);
    checkpoint(&database, "PASSIVE");
    post(301..321);
    if kill {
        program.kill()
    } else {
        assert!(program.terminate().success())
    };
    (dir, data, backup)
}

#[test]
fn a_backup_put_over_the_database_beside_its_wal_is_refused_and_one_command_sets_the_wal_aside() {
    let Some(sqlite3) = real_program("sqlite3") else { return };
    let (_dir, data, backup) = data_with_a_backup_of_before(&sqlite3, true);
    let (database, wal) = (data.join("userman.db"), data.join("userman.db-wal"));
    fs::write(&database, fs::read(&backup).unwrap()).unwrap();
    let before = contents(&data);
    let line = format!(
        "nats-userman: the WAL {} does not belong to the database {}, which was replaced without \
         it: nothing was changed; \
         if the database is the restored one, run `nats-userman set-wal-aside` and start again, \
         else put the right file back\n",
        wal.display(),
        database.display()
    );
    assert_eq!(start(program(), &data), (1, line.clone()));
    let (code, said) = run(&data, &["check-config"]);
    assert!(code == 1 && said.ends_with(&line), "{said}");
    assert!(contents(&data) == before, "files were touched");

    let old = fs::read(&wal).unwrap();
    let (code, said) = run(&data, &["set-wal-aside"]);
    let aside = said
        .lines()
        .next()
        .unwrap()
        .strip_prefix("set aside: ")
        .unwrap()
        .split(" (")
        .next()
        .unwrap();
    assert_eq!(
        (code, aside.starts_with(&format!("{}.aside-2", wal.display()))),
        (0, true),
        "{said}"
    );
    assert!(fs::read(aside).unwrap() == old, "the old WAL is kept as it was");
    assert!(!wal.exists() && !data.join("userman.db-shm").exists());
    let mut service = Program::serve(&data, &[]);
    assert_eq!(service.post(&add(400)).unwrap().body, added(400));
    assert!(run(&data, &["set-wal-aside"]).1.contains("is in use by a running nats-userman"));
    assert!(service.terminate().success());
    assert_eq!(members(&database), (1..201).chain([400]).collect::<Vec<_>>());
    check_invariants(&database);
    let (code, said) = run(&data, &["set-wal-aside"]);
    assert_eq!(
        (code, said),
        (0, format!("{} has no WAL with any content: nothing was set aside\n", database.display()))
    );
}

#[test]
fn after_a_clean_stop_a_backup_is_put_back_by_a_copy_alone() {
    let Some(sqlite3) = real_program("sqlite3") else { return };
    let (_dir, data, backup) = data_with_a_backup_of_before(&sqlite3, false);
    fs::copy(&backup, data.join("userman.db")).unwrap();
    let mut service = Program::serve(&data, &[]);
    assert_eq!(service.post(&add(400)).unwrap().body, added(400));
    assert!(service.terminate().success());
    assert_eq!(members(&data.join("userman.db")), (1..201).chain([400]).collect::<Vec<_>>());
    check_invariants(&data.join("userman.db"));
}

/// Backups from the time of the same WAL. For the pages of a copy, it cannot be found out whether
/// they are those that the WAL builds on.
#[test]
fn a_backup_of_the_same_wal_is_refused_whatever_made_it() {
    let Some(sqlite3) = real_program("sqlite3") else { return };
    let dir = temp_dir();
    let data = dir.path().join("data");
    let database = data.join("userman.db");
    let mut program = Program::serve(&data, &[]);
    (1..20).for_each(|id| assert_eq!(program.post(&add(id)).unwrap().body, added(id)));
    let (copied, vacuumed, in_wal_mode) =
        (dir.path().join("b"), dir.path().join("v"), dir.path().join("w"));
    back_up(&sqlite3, &database, &copied);
    other(&database).execute("VACUUM INTO ?1", [vacuumed.to_str()]).unwrap();
    fs::copy(&vacuumed, &in_wal_mode).unwrap();
    assert_eq!(
        rows(&Connection::open(&in_wal_mode).unwrap(), "PRAGMA journal_mode = WAL"),
        ["wal"]
    );
    (20..40).for_each(|id| assert_eq!(program.post(&add(id)).unwrap().body, added(id)));
    program.kill();
    for backup in [copied, vacuumed, in_wal_mode] {
        fs::write(&database, fs::read(&backup).unwrap()).unwrap();
        let before = contents(&data);
        let (code, said) = start(crate::support::program(), &data);
        assert!(
            code == 1 && said.contains("does not belong to the database"),
            "{}: {said}",
            backup.display()
        );
        assert!(contents(&data) == before, "files were touched");
    }
}

/// The database and the WAL as bytes.
#[derive(Clone, PartialEq)]
struct Files {
    database: Vec<u8>,
    wal: Vec<u8>,
}

impl Files {
    /// Another process reads the files: a `close` in this process would release the locks of its
    /// connections.
    fn of(database: &Path) -> Self {
        let wal = format!("{}-wal", database.display());
        let mut both = Command::new("cat").arg(database).arg(wal).output().unwrap().stdout;
        let bytes = usize::try_from(fs::metadata(database).unwrap().len()).unwrap();
        let wal = both.split_off(bytes);
        Self { database: both, wal }
    }

    /// The result of a start: refused, or everything that it reads.
    fn start(&self, dir: &Path) -> Result<Vec<String>, String> {
        let database = dir.join("copy.db");
        let _ = fs::remove_file(dir.join("copy.db-shm"));
        fs::write(&database, &self.database).unwrap();
        fs::write(dir.join("copy.db-wal"), &self.wal).unwrap();
        let location = Location::sqlite(&database);
        if check_whole(&location).is_err() {
            return Err("refused".into());
        }
        let conn = other_reader(&database);
        let whole = rows(&conn, "PRAGMA integrity_check");
        if whole != ["ok"] {
            return Err(format!("broken: {whole:?}"));
        }
        let everything = "SELECT 'm', siteid, memberid, username, email, login_version FROM \
            member_auth
            UNION ALL SELECT 'f', siteid, memberid, username, email, login_version FROM \
            former_member
            UNION ALL SELECT 'j', id, memberid, fields, reply, at FROM journal_text UNION ALL \
            SELECT 'h', probed_at, hex(room), 0, 0, 0 FROM health";
        Ok(rows(&conn, everything))
    }
}

fn other_reader(database: &Path) -> Connection {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

/// One database with its story and its backups.
struct Tale {
    dice: Dice,
    dir: TempDir,
    location: Location,
    vault: Vault,
    now: Instant,
    count: usize,
    /// A reader of another program, with an open transaction.
    reader: Option<Connection>,
    backups: Vec<Vec<u8>>,
    sqlite3: Option<PathBuf>,
    /// The number of refused starts, and of accepted ones.
    starts: [usize; 2],
}

impl Tale {
    fn new(seed: u64) -> Self {
        let dir = temp_dir();
        let location = Location::sqlite(dir.path().join("userman.db")).with_checkpoint_every(PAGES);
        let (vault, now) = (Vault::from_key([7; 32]), Instant::now());
        let sqlite3 = real_program("sqlite3");
        Self {
            dice: Dice(seed),
            dir,
            location,
            vault,
            now,
            count: 0,
            reader: None,
            backups: Vec::new(),
            sqlite3,
            starts: [0; 2],
        }
    }

    fn database(&self) -> &Path {
        self.location.file().unwrap()
    }

    fn postback(&mut self, engine: &mut dyn Engine) {
        let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 0 };
        let rules =
            Rules { vault: self.vault.clone(), keep_cryptpass: false, expiry, stale_guard: false };
        self.count += 1;
        let (member, count) = (1 + self.dice.below(30), self.count);
        let body = match self.dice.below(4) {
            0 => format!("action=DELETE&siteid=1&memberid={member}"),
            _ => format!(
                "action=ADD&siteid=1&memberid={member}&username=name-{member}&password=secret&\
                 email={}-{count}",
                "x".repeat(self.dice.below(200))
            ),
        };
        let postback =
            Postback::read(&Fields::from_urlencoded(body.as_bytes()), &rules, Origin::Nats, None).0;
        transact(engine, &self.vault, &[&postback], || NOON).unwrap();
    }

    /// One random step between two kills.
    fn step(&mut self, engine: &mut dyn Engine, with_strangers: bool) {
        match self.dice.below(if with_strangers { 18 } else { 14 }) {
            0..=5 => self.postback(engine),
            6 => in_transaction(engine, |engine| engine.probe(NOON)).unwrap(),
            7 => drop(engine.maintain(self.now).unwrap()),
            8 => checkpoint(self.database(), "PASSIVE"),
            9 if self.reader.is_none() => {
                let mode = ["RESTART", "TRUNCATE", "FULL"][self.dice.below(3)];
                checkpoint(self.database(), mode);
            }
            10 => {
                self.reader = match self.reader.take() {
                    Some(_) => None,
                    None => {
                        let reader = other(self.database());
                        reader.execute_batch("BEGIN; SELECT count(*) FROM member_auth").unwrap();
                        Some(reader)
                    }
                };
            }
            9 | 11 => self.back_up(),
            12 => self.tear_a_checkpoint(),
            13 => self.put_backups_over(),
            14 => drop(
                other(self.database()).execute("UPDATE health SET probed_at = probed_at + 1", []),
            ),
            15 => other(self.database()).execute_batch("VACUUM").unwrap(),
            16 => self.restore_by_hand(),
            _ => {
                let name = self.count;
                self.count += 1;
                other(self.database())
                    .execute_batch(&format!("CREATE INDEX i{name} ON journal (at)"))
                    .unwrap();
            }
        }
        let files = Files::of(self.database());
        self.never_refused(&files, "a kill");
    }

    fn never_refused(&mut self, files: &Files, what: &str) {
        let expected = dump(&self.location);
        let found = files.start(self.dir.path()).unwrap_or_else(|why| panic!("{what}: {why}"));
        assert!(
            !found.is_empty()
                && dump(&Location::sqlite(self.dir.path().join("copy.db"))) == expected,
            "{what}: another state"
        );
        self.starts[1] += 1;
    }

    fn back_up(&mut self) {
        let to = self.dir.path().join("backup");
        let _ = fs::remove_file(&to);
        match (self.dice.below(3), &self.sqlite3) {
            (0, Some(sqlite3)) => back_up(sqlite3, self.database(), &to),
            (1, _) => {
                other(self.database()).execute("VACUUM INTO ?1", [to.to_str()]).unwrap();
            }
            _ => {
                // A plain copy after half of a checkpoint is not a valid database, and cannot be
                // distinguished from what a kill leaves.
                let done = rows(&other(self.database()), "PRAGMA wal_checkpoint(PASSIVE)");
                let counts: Vec<_> = done[0].split('|').collect();
                if counts[1] != counts[2] {
                    return;
                }
                fs::write(&to, Files::of(self.database()).database).unwrap();
            }
        }
        self.backups.push(fs::read(&to).unwrap());
    }

    /// A restore by SQLite itself, in a transaction that writes every page. The mark in it is that
    /// of the backup.
    fn restore_by_hand(&mut self) {
        let Some(sqlite3) = self.sqlite3.clone() else { return };
        let to = self.dir.path().join("backup");
        let _ = fs::remove_file(&to);
        back_up(&sqlite3, self.database(), &to);
        let done = Command::new(sqlite3)
            .arg(self.database())
            .arg(format!(".restore {}", to.display()))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// A power failure during a checkpoint: any subset of its pages is in the file.
    fn tear_a_checkpoint(&mut self) {
        let before = Files::of(self.database());
        checkpoint(self.database(), "PASSIVE");
        let after = Files::of(self.database());
        assert!(before.wal == after.wal);
        let mut torn = after.database.clone();
        for (index, page) in torn.chunks_mut(4096).enumerate() {
            let old = before
                .database
                .get(index * 4096..(index + 1) * 4096)
                .filter(|_| self.dice.below(2) == 0);
            old.into_iter().for_each(|old| page.copy_from_slice(old));
        }
        self.never_refused(&Files { database: torn, wal: before.wal }, "a torn checkpoint");
    }

    /// Puts every backup over the database: the start is refused, or finds the current content.
    fn put_backups_over(&mut self) {
        let now = Files::of(self.database());
        if now.wal.is_empty() {
            return;
        }
        let latest = now.start(self.dir.path()).unwrap();
        let older = self.backups.len().saturating_sub(BACKUPS);
        self.backups.drain(..older);
        for backup in self.backups.clone() {
            let restored = Files { database: backup, wal: now.wal.clone() };
            match restored.start(self.dir.path()) {
                Err(why) if why == "refused" => self.starts[0] += 1,
                Err(why) => panic!("a backup was taken for the database: {why}"),
                Ok(found) => {
                    assert!(found == latest, "a backup was taken for the database: another state");
                    self.starts[1] += 1;
                }
            }
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn tell(seed: u64, with_strangers: bool) -> [usize; 2] {
    let mut tale = Tale::new(seed);
    for _ in 0..3 {
        let location = tale.location.clone();
        with_engine(&location, true, |engine| {
            for _ in 0..STEPS / 3 {
                tale.step(engine, with_strangers);
            }
            if !with_strangers {
                tale.put_backups_over();
            }
            if tale.dice.below(2) == 0 && tale.reader.is_none() {
                assert!(engine.finish());
            }
        })
        .unwrap();
    }
    tale.starts
}

#[test]
fn what_a_kill_or_power_failure_leaves_is_not_refused_nor_a_backup_mixed_with_a_later_wal() {
    let first = number("SEED").unwrap_or(1);
    let mut starts = [0; 2];
    for seed in first..first + number("RUNS").unwrap_or(RUNS) {
        eprintln!("SEED={seed}");
        let [refused, fine] = tell(seed, false);
        starts = [starts[0] + refused, starts[1] + fine];
    }
    eprintln!("{} refused, {} not", starts[0], starts[1]);
    assert!(starts.iter().all(|&count| count > 20), "{starts:?} show nothing");
}

#[test]
fn what_a_kill_leaves_is_never_refused_where_other_programs_write_too() {
    let first = number("SEED").unwrap_or(1);
    for seed in first..first + number("RUNS").unwrap_or(RUNS) {
        eprintln!("SEED={seed}");
        let mut tale = Tale::new(seed.wrapping_mul(1_000_003));
        let mut steps = 0;
        while steps < STEPS {
            let location = tale.location.clone();
            with_engine(&location, true, |engine| {
                // Some changes by other programs look like a file that was replaced. The service
                // then opens it again.
                for _ in 0..STEPS / 3 {
                    if engine.check_current().is_err() {
                        break;
                    }
                    steps += 1;
                    tale.backups.clear();
                    tale.step(engine, true);
                }
            })
            .unwrap();
        }
    }
}
