//! `nats-userman doctor`: every check of a healthy service is ok, and each fault that a test causes
//! is found and has its remedy.

mod backups;
mod callers;
mod content;
mod disk;
mod fastcgi;
mod logins;
mod machine;
mod operations;
mod passwords;
mod permissions;
mod running;
mod tokens;
mod wal;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser as _;
use nats_userman::clock::Clock;
use nats_userman::config::{Config, Settings};
use nats_userman::doctor::{Context, Depth, Finding, Level, Machine, examine};
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::support::{Program, temp_dir};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// A data directory as a service leaves it after a clean stop, and the machine of the service.
struct Patient {
    dir: TempDir,
    flags: Vec<String>,
    /// The answer of `/health`; `None` asks the real service.
    health: Result<String, String>,
    exposed: Vec<String>,
    depth: Depth,
    now: i64,
}

/// 2026-11-26, which is later than every record that the real program writes before that day.
fn after_now() -> i64 {
    Clock::System.now() + 5
}

impl Patient {
    /// After a first start of the real program and a clean stop.
    fn new() -> Self {
        Self::after(&[])
    }

    /// After a first start in which the service got these postbacks.
    fn after(postbacks: &[&str]) -> Self {
        let dir = temp_dir();
        let mut program = Program::serve(&dir.path().join("data"), &[]);
        for body in postbacks {
            assert_eq!(program.post(body).unwrap().status, 200);
        }
        assert!(program.terminate().success());
        // The service ran with the token of the tests.
        Self::in_dir(dir)
    }

    fn in_dir(dir: TempDir) -> Self {
        Self {
            dir,
            flags: Vec::new(),
            health: Ok("ok".into()),
            exposed: Vec::new(),
            depth: Depth::Full,
            now: after_now(),
        }
    }

    fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn database(&self) -> PathBuf {
        self.data().join("userman.db")
    }

    /// The root directory of the machine.
    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Puts a file into the root directory of the machine.
    fn put(&self, path: &str, text: &str) -> PathBuf {
        let file = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    fn config(&self) -> Config {
        let data = self.data();
        let line = ["test", "--data-dir", data.to_str().unwrap()].map(str::to_owned);
        let line: Vec<String> = line.into_iter().chain(self.flags.clone()).collect();
        Config::read(&Line::parse_from(line).settings).unwrap()
    }

    fn examine(&self) -> Vec<Finding> {
        self.examine_on(&Machine::at(self.root()))
    }

    fn examine_on(&self, machine: &Machine) -> Vec<Finding> {
        let (config, health) = (self.config(), self.health.clone());
        let topics = Mutex::new(Vec::new());
        let findings = examine(&Context {
            config: &config,
            exposed: &self.exposed,
            machine,
            clock: &Clock::Fixed(std::sync::Arc::new(self.now.into())),
            depth: self.depth,
            patience: Duration::from_millis(20),
            health: &|| health.clone(),
            progress: &|topic| topics.lock().push(topic),
        });
        for finding in &findings {
            assert!(topics.lock().contains(&finding.topic), "{finding:?}");
            assert_eq!(finding.remedy.is_none(), finding.level == Level::Ok, "{finding:?}");
        }
        findings
    }

    /// Checks that the examination changes no file. Returns the finding with this name.
    #[track_caller]
    fn finding(&self, name: &str) -> Finding {
        let mut found = self.findings(name);
        assert_eq!(found.len(), 1, "{name}: {found:#?}");
        found.remove(0)
    }

    fn findings(&self, name: &str) -> Vec<Finding> {
        let mut found = self.examine();
        found.retain(|finding| finding.name == name);
        found
    }

    /// Expects exactly one finding with this name.
    #[track_caller]
    fn expect(&self, name: &str, level: Level, found: &str, remedy: &str) {
        assert_is(&self.finding(name), level, found, remedy);
    }

    /// Expects exactly one finding with this name, at level ok.
    #[track_caller]
    fn expect_ok(&self, name: &str, found: &str) {
        let finding = self.finding(name);
        assert_eq!((finding.level, finding.found.as_str()), (Level::Ok, found));
    }
}

#[track_caller]
fn assert_is(finding: &Finding, level: Level, found: &str, remedy: &str) {
    assert_eq!(
        (finding.level, finding.found.as_str(), finding.remedy.as_deref()),
        (level, found, Some(remedy))
    );
}

/// Every file below a directory with its bytes and its mode.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>, u32)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let mode = entry.metadata().unwrap().permissions().mode();
        all.push((entry.path(), fs::read(entry.path()).unwrap_or_default(), mode));
    }
    all.sort_unstable();
    all
}

/// The findings that depend on the machine of the test.
const OF_THE_MACHINE: [&str; 4] = ["file_system", "disk_free", "disk_copy", "disk_growth"];

#[test]
fn a_healthy_service_that_was_stopped_has_nothing_but_the_news_that_it_does_not_run() {
    let patient = Patient::new().with(&["--public-url", "https://members.example.com"]);
    backups::put(&patient, patient.now);
    let before = contents(&patient.data());
    let findings = patient.examine();
    assert!(contents(&patient.data()) == before, "a file was changed");
    let worse: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.level != Level::Ok && !OF_THE_MACHINE.contains(&finding.name))
        .collect();
    assert_eq!(worse.len(), 1, "{worse:#?}");
    assert_is(
        worse[0],
        Level::Warning,
        &format!("no service uses {}", patient.data().display()),
        "start it: `systemctl start nats-userman`, or `nats-userman serve`",
    );
    let names: Vec<&str> = findings.iter().map(|finding| finding.name).collect();
    assert_eq!(
        names,
        [
            "running",
            "operations",
            "unit",
            "clock",
            "clock_synchronised",
            "time_zone",
            "access",
            "modes",
            "owners",
            "directories_above",
            "file_system",
            "disk_free",
            "database",
            "database_settings",
            "schema",
            "pages",
            "wal",
            "wal_reader",
            "backlog",
            "credentials",
            "cryptpass",
            "hash_kind",
            "backup",
            "token",
            "login_record",
            "sharing",
            "public_url",
            "proxies",
        ]
    );
}
