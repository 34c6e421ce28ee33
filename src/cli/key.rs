//! `key list`, `key prepare`, `key rotate`, `key forget`: the rotation of `seal.key` and
//! `cookie.key`. A running service reads the changed files at a reload.

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};

use super::failure::Failure;
use crate::chain::chain;
use crate::config::Config;
use crate::counted::counted;
use crate::data_dir::served::Served;
use crate::database;
use crate::key_file::ring::{Ring, former_of, next_of};
use crate::key_file::rotation::Rotation;
use crate::login::cookie::Signer;
use crate::password::{KeyId, UnsealError, Vault};

/// The most sealed passwords of which each is tried with the former key.
const SEALS_TRIED_MAX: u32 = 65_536;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Show the keys by their ids, and which of them write and read
    List,
    /// Draw the next key, which only reads until `rotate`
    Prepare {
        /// `seal`, under which passwords are sealed, or `cookie`, under which logins are signed
        key: Which,
    },
    /// Make the next key the current one, which writes; the one before it still reads
    Rotate {
        /// `seal`, under which passwords are sealed, or `cookie`, under which logins are signed
        key: Which,
    },
    /// Remove the key of before the rotation
    Forget {
        /// `seal`, under which passwords are sealed, or `cookie`, under which logins are signed
        key: Which,
    },
}

/// A key of the data directory.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Which {
    /// `seal.key`, under which passwords are sealed until they are hashed
    Seal,
    /// `cookie.key`, under which login cookies are signed
    Cookie,
}

impl Which {
    fn word(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Cookie => "cookie",
        }
    }

    fn path(self, config: &Config) -> PathBuf {
        match self {
            Self::Seal => config.data_dir.seal_key(),
            Self::Cookie => config.data_dir.cookie_key(),
        }
    }

    fn ids(self, config: &Config) -> Result<Ring<KeyId>, Failure> {
        let path = self.path(config);
        let ids = match self {
            Self::Seal => Vault::load(&path).map(|vault| vault.key_ids()),
            Self::Cookie => Signer::load(&path).map(|signer| signer.key_ids()),
        };
        ids.map_err(|error| Failure::of(&error))
    }

    /// The id of the key that the running service writes with, as it has recorded it.
    fn in_use(self, config: &Config) -> Option<String> {
        let keys = Served::load(&config.data_dir)?.keys?;
        Some(match self {
            Self::Seal => keys.seal,
            Self::Cookie => keys.cookie,
        })
    }
}

impl KeyCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        if let Self::List = self {
            return list(config);
        }
        // Also refuses while a restore runs.
        database::check(config)?;
        match *self {
            Self::List => Ok(()),
            Self::Prepare { key } => prepare(config, key),
            Self::Rotate { key } => rotate(config, key),
            Self::Forget { key } => forget(config, key),
        }
    }
}

fn list(config: &Config) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for which in [Which::Seal, Which::Cookie] {
        let (path, ids) = (which.path(config), which.ids(config)?);
        let mut row = |path: &Path, id: Option<KeyId>, does: &str| match id {
            Some(id) => writeln!(out, "{:<18} {id}  {does}", name(path)),
            None => Ok(()),
        };
        row(&path, Some(ids.current), "writes and reads")?;
        row(&next_of(&path), ids.next, "reads")?;
        row(&former_of(&path), ids.former, "reads")?;
    }
    out.flush()?;
    for which in [Which::Seal, Which::Cookie] {
        let current = which.ids(config)?.current;
        if let Some(sentence) = still_writes(config, which, current) {
            writeln!(out, "{sentence}")?;
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().display().to_string()
}

/// What to say if the running service writes with another key than the current one.
fn still_writes(config: &Config, which: Which, current: KeyId) -> Option<String> {
    if !config.data_dir.is_in_use() {
        return None;
    }
    let key = name(&which.path(config));
    match which.in_use(config) {
        Some(id) if id == current.to_string() => None,
        Some(id) => Some(format!(
            "the running service writes with {id} and not with {key}: reload it (SIGHUP)"
        )),
        None => {
            Some(format!("it is unknown whether the running service writes with {key}: reload it"))
        }
    }
}

fn begin(path: &Path) -> Result<Rotation<'_>, Failure> {
    Rotation::begin(path).map_err(|error| Failure::of(&error))
}

fn prepare(config: &Config, which: Which) -> Result<(), Failure> {
    let path = which.path(config);
    begin(&path)?.prepare().map_err(|error| Failure::of(&error))?;
    let next = next_of(&path);
    if let Some(id) = which.ids(config)?.next {
        writeln!(stdout(), "{} is the next key, {id}", next.display())?;
    }
    let rotate = format!("`nats-userman key rotate {}`", which.word());
    let then = match config.location.is_shared() {
        true => format!(
            "copy this file to the data directory of each other receiver of {}, reload all \
             receivers (SIGHUP), and then run {rotate} on each",
            config.location
        ),
        false => format!("{}; then run {rotate}", take_up(config)),
    };
    writeln!(stdout(), "{then}")?;
    Ok(())
}

/// How the service is told to read a changed key.
fn take_up(config: &Config) -> &'static str {
    match config.data_dir.is_in_use() {
        true => "reload the running service (SIGHUP)",
        false => "the next start of the service takes it up",
    }
}

fn rotate(config: &Config, which: Which) -> Result<(), Failure> {
    let path = which.path(config);
    let is_new = begin(&path)?.rotate().map_err(|error| Failure::of(&error))?;
    record(config).map_err(|error| {
        Failure::Failed(format!(
            "{} is rotated, but the database does not know that yet: {error}; run the command \
             again",
            path.display()
        ))
    })?;
    let (key, ids) = (name(&path), which.ids(config)?);
    let mut out = stdout().lock();
    match (is_new, ids.former) {
        (false, _) => writeln!(out, "{key} was rotated already: {} writes", ids.current)?,
        (true, None) => writeln!(out, "{key} is rotated: {} writes", ids.current)?,
        (true, Some(former)) => {
            writeln!(out, "{key} is rotated: {} writes, {former} reads", ids.current)?
        }
    }
    let all = match config.location.is_shared() {
        true => ", then do the same on the other receivers",
        false => "",
    };
    let forget = format!("`nats-userman key forget {}`", which.word());
    let when = match which {
        Which::Seal => format!("when its passwords are hashed, {forget} removes the former key"),
        Which::Cookie => format!(
            "in {} hours no login is left that the former key has signed: {forget} then removes it",
            config.area.lifetimes().longest() / 3_600
        ),
    };
    writeln!(out, "{}{all}; {when}", take_up(config))?;
    Ok(())
}

/// Stores the ids of the current keys in the database.
fn record(config: &Config) -> Result<(), String> {
    let vault = Vault::load(&config.data_dir.seal_key()).map_err(|error| chain(&error))?;
    let signer = Signer::load(&config.data_dir.cookie_key()).map_err(|error| chain(&error))?;
    database::agree_on_keys(config, &vault, &signer.key_ids()).map_err(|error| chain(&error))
}

fn forget(config: &Config, which: Which) -> Result<(), Failure> {
    let path = which.path(config);
    let rotation = begin(&path)?;
    let ring = rotation.check_forget().map_err(|error| Failure::of(&error))?;
    let (ids, former) = (which.ids(config)?, former_of(&path));
    if let Some(sentence) = still_writes(config, which, ids.current) {
        return Err(Failure::Failed(sentence));
    }
    // A rotation whose database could not be written.
    record(config).map_err(Failure::Failed)?;
    if let (Which::Seal, Some(key)) = (which, &ring.former) {
        refuse_with_seals(config, &former, &Vault::from_key(**key))?;
    }
    rotation.forget().map_err(|error| Failure::of(&error))?;
    let mut out = stdout().lock();
    writeln!(out, "{} is removed", former.display())?;
    if let Which::Cookie = which {
        writeln!(
            out,
            "logins that it has signed end: their members log in again, and networks from which \
             they logged in before the rotation are unknown until then"
        )?;
    }
    writeln!(out, "{}", take_up(config))?;
    Ok(())
}

/// Each seal is in the journal until it is hashed, also if a row has it as its former form.
fn refuse_with_seals(config: &Config, path: &Path, former: &Vault) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let backlog = reader.backlog()?;
    if backlog > u64::from(SEALS_TRIED_MAX) {
        return Err(Failure::Failed(format!(
            "{} are not hashed yet, and some may need {}: wait until fewer than {SEALS_TRIED_MAX} \
             are left",
            counted(backlog, "password"),
            path.display()
        )));
    }
    let seals = reader.pending(SEALS_TRIED_MAX)?;
    let is_under_it = |error| error != UnsealError::Tag;
    let count = seals
        .iter()
        .filter(|item| former.open(item.key, &item.seal).map_or_else(is_under_it, |_| true))
        .count() as u64;
    match count {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!(
            "{} still opens {} not hashed yet: run the command again when none is left",
            path.display(),
            counted(count, "password")
        ))),
    }
}
