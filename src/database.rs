//! Opens the database of the settings, and the key that belongs to it. Commands and the service
//! first check the state of the database.

mod shared_keys;

use std::path::PathBuf;

use crate::apply::in_transaction;
use crate::config::Config;
use crate::counted::counted;
use crate::file_system::{self, NetworkFileSystem};
use crate::key_file::ring::Ring;
use crate::key_file::{self, KeyFileError};
use crate::password::{KeyId, Vault};
use crate::seals::{foreign_seals, is_outdated};
use crate::store::{
    DatabaseState, Engine, Fault, OpenError, Read, SharedKey, UpgradeError, exists,
    open_for_command, open_reader, state_of, with_engine,
};

pub use shared_keys::{OtherKey, other_keys};

/// Why the database, or the key that belongs to it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The data directory or the database is on a network file system.
    #[error(transparent)]
    Network(#[from] NetworkFileSystem),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be read.
    #[error("cannot read the database")]
    Read(#[source] Fault),
    /// The database cannot be written.
    #[error("cannot write the database")]
    Write(#[source] Fault),
    /// The seal key cannot be read or created.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The key is missing, and the database has passwords that only this key opens.
    #[error(
        "the database has {} sealed under a key that is missing: put {path} back from the backup",
        counted(*.0, "password"), path = .1.display()
    )]
    KeyMissing(u64, PathBuf),
    /// The key of another receiver is needed.
    #[error(transparent)]
    OtherKey(#[from] OtherKey),
    /// The key is not the one under which the passwords of the database are sealed.
    #[error(
        "the database has {} sealed under another key than {path}: put the right key back from the \
         backup", counted(*.0, "password"), path = .1.display()
    )]
    KeyForeign(u64, PathBuf),
}

/// The state of the database at the location, or why it cannot be used. The key is created after
/// the database: an empty database beside a key is one that was lost, and not an interrupted first
/// start.
///
/// Only for a process that has no connection to the database, as all that calls it:
/// [`crate::store::check_whole`] says why. A running service has
/// [`crate::store::CurrentDatabase::open`].
///
/// # Errors
///
/// See [`state_of`].
pub fn state(config: &Config) -> Result<DatabaseState, OpenError> {
    refuse_within_a_restore(config)?;
    state_of(&config.location, config.data_dir.seal_key().exists())
}

/// Refuses to use the database while a restore runs or waits to be completed.
///
/// # Errors
///
/// Then; the sentence says which, and what to do.
pub fn refuse_within_a_restore(config: &Config) -> Result<(), OpenError> {
    if config.data_dir.is_being_restored(config.location.file()) {
        return Err(OpenError::Inconsistent(format!(
            "a restore of the database {} is running: wait until it is done",
            config.location
        )));
    }
    if config.data_dir.restore_plan().exists() {
        return Err(OpenError::Inconsistent(format!(
            "the restore of the database {} was interrupted: `nats-userman serve` or another \
             `nats-userman restore` completes it",
            config.location
        )));
    }
    Ok(())
}

/// The error for a command that needs a database where there is none.
pub fn missing(config: &Config) -> OpenError {
    let place = config.location.to_string();
    match is_lost(config) {
        true => OpenError::Lost(place),
        false => OpenError::Missing(place),
    }
}

/// Whether a database that is not there was there before: the keys that are created after it are
/// there, or the record of a service that ran. It may also have been forgotten in the restore of a
/// backup. A database on a server that has lost its tables is reported when it is opened, as is one
/// that cannot be accessed.
pub fn is_lost(config: &Config) -> bool {
    config.location.file().is_some()
        && config.data_dir.was_in_use()
        && matches!(exists(&config.location), Ok(false))
}

/// Checks the database for a command that neither creates nor upgrades one.
///
/// # Errors
///
/// If there is no database of this release.
pub fn check(config: &Config) -> Result<(), OpenError> {
    let place = || config.location.to_string();
    match state(config)? {
        DatabaseState::Missing => Err(missing(config)),
        DatabaseState::Begun => Err(OpenError::Begun(place())),
        DatabaseState::Older(found) => {
            let current = config.location.schema_version();
            Err(OpenError::Upgrade(place(), UpgradeError::Older { found, current }))
        }
        DatabaseState::Current => Ok(()),
    }
}

/// Opens the database for a command that reads. Not for a running service: see [`state`].
///
/// # Errors
///
/// See [`check`].
pub fn open(config: &Config) -> Result<Box<dyn Read>, OpenError> {
    check(config)?;
    open_for_command(&config.location)
}

/// Opens the database for a command that writes, beside a running service or without one. Without
/// one, the command leaves what a clean stop leaves: everything in the database file, and an empty
/// WAL.
///
/// # Errors
///
/// If the database cannot be opened.
pub fn with_writer<T>(
    config: &Config,
    work: impl FnOnce(&mut dyn Engine) -> T,
) -> Result<T, OpenError> {
    with_engine(&config.location, false, |engine| {
        let done = work(engine);
        if !config.data_dir.is_served(config.location.file()) {
            engine.finish();
        }
        done
    })
}

/// Refuses a data directory or a database on a network file system, before anything is created
/// there.
///
/// # Errors
///
/// [`NetworkFileSystem`].
pub fn refuse_network(config: &Config) -> Result<(), NetworkFileSystem> {
    file_system::refuse_network(config.data_dir.path())?;
    config.location.file().map_or(Ok(()), file_system::refuse_network)
}

/// Creates or opens the database, and the key that belongs to it. A database with seals but without
/// its key is not changed.
///
/// # Errors
///
/// See [`DatabaseError`].
pub fn open_or_make(config: &Config) -> Result<Vault, DatabaseError> {
    refuse_network(config)?;
    let path = config.data_dir.seal_key();
    state(config)?;
    // The key is created after the database: an empty database beside a key is one that was lost,
    // not an interrupted first start.
    let mut has_key = key_file::is_there(&path)?;
    let make = !has_key || key_file::is_begun(&path) || !exists(&config.location)?;
    let reader = existing_database(config, make)?;
    let known = reader
        .as_ref()
        .map_or(Ok(None), |reader| reader.seal_key())
        .map_err(DatabaseError::Read)?;
    // Nothing was ever sealed, or there would be a record. And the database would record the key if
    // it had ever been complete.
    if known.is_none()
        && key_file::is_begun(&path)
        && reader
            .as_ref()
            .map_or(Ok(true), |reader| reader.is_unused())
            .map_err(DatabaseError::Read)?
    {
        key_file::begin_anew(&path)?;
        has_key = false;
    }
    let vault = if has_key { Some(Vault::load(&path)?) } else { None };
    let ids = vault.as_ref().map(Vault::key_ids);
    shared_keys::check(config, SharedKey::Seals, known, ids.as_ref())?;
    let backlog =
        reader.as_ref().map_or(Ok(0), |reader| reader.backlog()).map_err(DatabaseError::Read)?;
    if backlog > 0 && !has_key {
        return Err(DatabaseError::KeyMissing(backlog, path));
    }
    if let (Some(reader), Some(vault)) = (reader, &vault)
        && backlog > 0
        && foreign_seals(vault, &*reader).map_err(DatabaseError::Read)? > 0
    {
        return Err(DatabaseError::KeyForeign(backlog, path));
    }
    with_engine(&config.location, make, |_| ())?;
    let vault = vault.map_or_else(|| Vault::create(&path), Ok)?;
    agree_on_key(config, SharedKey::Seals, known, &vault.key_ids())?;
    Ok(vault)
}

/// Stores the id of the current key of this receiver, unless that of another receiver is stored:
/// one that was rotated before, or that has another key. `known` is what was stored before.
///
/// # Errors
///
/// [`OtherKey`] if another receiver has stored another key, or if the database cannot be written.
pub fn agree_on_key(
    config: &Config,
    key: SharedKey,
    known: Option<KeyId>,
    own: &Ring<KeyId>,
) -> Result<(), DatabaseError> {
    if !is_outdated(known, own) {
        return Ok(());
    }
    let agree = |engine: &mut dyn Engine| {
        let stored = engine.agree_on_key(key, own.current)?;
        if Some(stored) != own.former {
            return Ok(stored);
        }
        match key {
            SharedKey::Seals => engine.set_seal_key(own.current)?,
            SharedKey::Cookies => engine.set_cookie_key(own.current)?,
        }
        Ok(own.current)
    };
    let stored = with_writer(config, |engine| in_transaction(engine, agree))?
        .map_err(DatabaseError::Write)?;
    Ok(shared_keys::check(config, key, Some(stored), Some(own))?)
}

/// Refuses keys of this receiver that do not read what the database holds, or what other receivers
/// write; else stores the ids of the current ones.
///
/// # Errors
///
/// [`OtherKey`] or [`DatabaseError::KeyForeign`], or if the database cannot be read or written.
pub fn agree_on_keys(
    config: &Config,
    vault: &Vault,
    cookies: &Ring<KeyId>,
) -> Result<(), DatabaseError> {
    let (reader, seals) = (open(config)?, vault.key_ids());
    let stored = [reader.seal_key(), reader.cookie_key()].map(|id| id.map_err(DatabaseError::Read));
    let [seal_key, cookie_key] = stored;
    let keys = [(SharedKey::Seals, seal_key?, &seals), (SharedKey::Cookies, cookie_key?, cookies)];
    for (key, stored, own) in keys {
        shared_keys::check(config, key, stored, Some(own))?;
    }
    match foreign_seals(vault, &*reader).map_err(DatabaseError::Read)? {
        0 => {}
        count => return Err(DatabaseError::KeyForeign(count, config.data_dir.seal_key())),
    }
    drop(reader);
    for (key, stored, own) in keys {
        if key == SharedKey::Seals || config.location.is_shared() {
            agree_on_key(config, key, stored, own)?;
        }
    }
    Ok(())
}

/// Refuses a cookie key that is not that of the other receivers of the database. `own` are the keys
/// of this receiver, if it has one. Returns the id that is stored.
///
/// # Errors
///
/// [`OtherKey`], or if the database cannot be read.
pub fn check_cookie_key(
    config: &Config,
    reader: &dyn Read,
    own: Option<&Ring<KeyId>>,
) -> Result<Option<KeyId>, DatabaseError> {
    let stored = reader.cookie_key().map_err(DatabaseError::Read)?;
    shared_keys::check(config, SharedKey::Cookies, stored, own)?;
    Ok(stored)
}

/// The existing database, upgraded to this release; an empty one only if it may be created.
fn existing_database(config: &Config, make: bool) -> Result<Option<Box<dyn Read>>, DatabaseError> {
    if !exists(&config.location)? {
        return Ok(None);
    }
    match open_reader(&config.location) {
        Err(error) if error.wants_a_writer() => with_engine(&config.location, make, |_| ())?,
        reader => return Ok(Some(reader?)),
    }
    Ok(Some(open_reader(&config.location)?))
}
