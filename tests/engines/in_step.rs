//! Staying in step with other programs: exports that they read, and the comparison with NATS's list
//! of active members.

pub mod export;
pub mod from_nats;
pub mod reconcile;
pub mod watch;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::ran::{Ran, run_on};
use crate::support::{App, EngineKind, TestDatabase, temp_dir};

/// 2020-09-13 12:26:40 UTC: before the clock of any machine.
pub const LONG_AGO: i64 = 1_600_000_000;

/// A service whose members joined long ago, so that no list is older than their records.
pub struct Scene {
    pub app: App,
    /// The flag of a database that is not in the data directory.
    pub flags: Vec<String>,
    _database: Option<TestDatabase>,
}

impl Scene {
    /// `None`, with a loud line, where the engine's server is not installed.
    pub fn on(engine: EngineKind, flags: &[&str]) -> Option<Self> {
        let database = match engine {
            EngineKind::Sqlite => None,
            EngineKind::MariaDb => Some(TestDatabase::new(engine)?),
        };
        let own: Vec<String> = database.iter().flat_map(TestDatabase::flags).collect();
        let all: Vec<&str> = own.iter().map(String::as_str).chain(flags.iter().copied()).collect();
        let app = App::start_at(temp_dir(), &all, LONG_AGO);
        Some(Self { app, flags: own, _database: database })
    }

    pub fn new() -> Self {
        Self::on(EngineKind::Sqlite, &[]).unwrap()
    }

    pub fn data(&self) -> PathBuf {
        self.app.dir.path().join("data")
    }

    /// A file beside the data directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.app.dir.path().join(name)
    }

    /// Writes such a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.file(name), text).unwrap();
        self.file(name).to_str().unwrap().to_owned()
    }

    pub fn post(&self, bodies: &[&str]) {
        for body in bodies {
            let reply = self.app.post(body);
            assert!(reply.starts_with("OK|"), "{reply}");
        }
    }

    /// Runs a command beside the service, without the warning that a password is in a URL.
    pub fn run(&self, args: &[&str]) -> Ran {
        let mut all = args.to_vec();
        all.extend(self.flags.iter().map(String::as_str));
        run_on(&self.data(), &all).without_password_warning()
    }

    /// Runs an export to this file.
    pub fn export(&self, format: &str, file: &Path, more: &[&str]) -> Ran {
        let file = file.to_str().unwrap();
        self.run(&[&["export", "--format", format, "--output", file], more].concat())
    }
}
