//! Backups and restores, with the real program.

mod interrupted;
mod kept;
mod made;
mod places;
mod planned;
mod restored;
mod schedule;
mod seals;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::commands::{Ran, run_on};
use crate::support::{Program, rows, temp_dir};

/// A directory for backups, and a data directory that a service has used.
struct Home {
    dir: TempDir,
}

impl Home {
    /// Creates these members, each with a cryptpass, which needs no hashing.
    fn with_members(members: std::ops::RangeInclusive<usize>) -> Self {
        let home = Self { dir: temp_dir() };
        fs::create_dir(home.backups()).unwrap();
        home.serving(|service| members.for_each(|member| add(service, member)));
        home
    }

    fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn database(&self) -> PathBuf {
        self.data().join("userman.db")
    }

    fn backups(&self) -> PathBuf {
        self.path().join("backups")
    }

    /// Runs the service while `work` runs, and stops it cleanly.
    fn serving(&self, work: impl FnOnce(&Program)) {
        let mut service = Program::serve(&self.data(), &[]);
        work(&service);
        assert!(service.terminate().success(), "{}", service.stderr());
    }

    /// Runs `backup` into the directory for backups.
    fn back_up(&self, flags: &[&str]) -> Ran {
        let dir = self.backups();
        run_on(&self.data(), &[&["backup", dir.to_str().unwrap()], flags].concat())
    }

    /// Makes a backup, which must succeed, and returns its file.
    #[track_caller]
    fn backed_up(&self, flags: &[&str]) -> PathBuf {
        let printed = self.back_up(flags).printed();
        let (file, _) = printed.split_once(" (").unwrap();
        PathBuf::from(file)
    }

    fn restore(&self, file: &Path, flags: &[&str]) -> Ran {
        run_on(&self.data(), &[&["restore", file.to_str().unwrap()], flags].concat())
    }

    /// The memberids in the database.
    fn members(&self) -> Vec<String> {
        members(&self.database())
    }
}

fn body(member: usize) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username=name-{member}&cryptpass=41R19prsa7NLQ")
}

fn added(member: usize) -> String {
    format!("OK|member {member} \"name-{member}\" added to site 1")
}

fn add(service: &Program, member: usize) {
    assert_eq!(service.post(&body(member)).unwrap().body, added(member));
}

fn delete(service: &Program, member: usize) {
    let body = format!("action=DELETE&siteid=1&memberid={member}");
    let reply = service.post(&body).unwrap().body;
    assert!(reply.starts_with("OK|"), "{reply}");
}

fn read(database: &Path) -> Connection {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn members(database: &Path) -> Vec<String> {
    rows(&read(database), "SELECT memberid FROM member_auth ORDER BY memberid")
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// The text with dates, sizes and seconds replaced, because the program uses the clock of the
/// machine.
fn timeless(text: &str, home: &Home) -> String {
    let text = text.replace(home.path().to_str().unwrap(), "HOME");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(found) = rest.find("20") {
        let (before, at) = rest.split_at(found);
        out += before;
        let stamp = |bytes: usize, t: usize| {
            at.len() >= bytes && at.as_bytes()[t] == b'T' && at.as_bytes()[bytes - 1] == b'Z'
        };
        let taken = match () {
            () if stamp(16, 8) => 16,
            () if stamp(20, 10) => 20,
            () => 0,
        };
        out += if taken > 0 { "TIME" } else { "20" };
        rest = &at[taken.max(2)..];
    }
    out + rest
}
