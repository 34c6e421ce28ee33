//! What stories about the rotation of keys share.

use std::fs;
use std::path::{Path, PathBuf};

use nats_userman::login::cookie::Signer;
use nats_userman::password::Vault;
use nats_userman::store::open_reader;

use super::ran::{Ran, end};
use super::visit::{Visit, admitted};
use super::{App, Beside, program};

pub fn add(member: u32, name: &str) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username={name}&password=secret")
}

/// Runs `nats-userman key` beside this app.
pub fn key(app: &App, words: &[&str]) -> Ran {
    let mut command = program();
    command.arg("key").args(words).arg("--data-dir").arg(app.config.data_dir.path());
    command.arg("--database").arg(app.database_setting());
    end(command)
}

/// What it printed, with its data directory as DIR.
#[track_caller]
pub fn done(app: &App, words: &[&str]) -> String {
    let ran = key(app, words);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.out.replace(app.config.data_dir.path().to_str().unwrap(), "DIR")
}

/// The line with which it was refused.
#[track_caller]
pub fn refused(app: &App, words: &[&str]) -> String {
    let ran = key(app, words);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    let line = ran.err.lines().last().unwrap_or_default();
    line.replace(app.config.data_dir.path().to_str().unwrap(), "DIR")
}

pub fn file(app: &App, name: &str) -> PathBuf {
    app.config.data_dir.path().join(name)
}

/// The id of a key, by this file alone.
pub fn seal_id(path: &Path) -> String {
    alone(path, |path| Vault::load(path).unwrap().key_id().to_string())
}

pub fn cookie_id(path: &Path) -> String {
    alone(path, |path| Signer::load(path).unwrap().key_id().to_string())
}

pub fn alone<T>(path: &Path, load: impl FnOnce(&Path) -> T) -> T {
    let dir = super::temp_dir();
    let copy = dir.path().join("a.key");
    fs::copy(path, &copy).unwrap();
    load(&copy)
}

/// The members whose seals this key alone opens, the newest first.
pub fn sealed_under(app: &App, path: &Path) -> Vec<i64> {
    let vault = alone(path, |path| Vault::load(path).unwrap());
    let pending = open_reader(&app.config.location).unwrap().pending(100).unwrap();
    let opens = pending.into_iter().filter(|item| vault.open(item.key, &item.seal).is_ok());
    opens.map(|item| item.key.member.get()).collect()
}

pub fn logs_in(app: &App, name: &str, password: &str) -> bool {
    admitted(app, Visit::with(name, password)).0 == 200
}

/// The tests' own look at the database: `hex` is the same on both engines.
pub fn recorded(app: &App, table: &str) -> String {
    Beside::open(&app.config.location).rows(&format!("SELECT hex(id) FROM {table}"))[0][..8]
        .to_lowercase()
}
