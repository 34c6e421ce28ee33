//! The database file was replaced by another one, or its content was overwritten. The service
//! continues with it if a start would accept it, after the same checks. Before that, all threads
//! close the old file, so that SQLite opens the new one without old state.

use std::time::{Duration, Instant};

use crate::apply::in_transaction;
use crate::clock::format_utc;
use crate::counted::counted;
use crate::seals::{foreign_seals, is_outdated};
use crate::store::{
    CurrentReader, DatabaseState, Engine, Fault, Fingerprint, OpenError, check_content,
    open_for_check, state_of,
};

use super::setup::Setup;

/// How soon a file that was refused is checked again if it has not changed: a check may read all of
/// it.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// The longest check, which may read all of a large file.
const CHECK_TIME_MAX: Duration = Duration::from_secs(600);

/// The state while the service has no database that it can use.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// The files at the last check: a copy may still be written.
    seen: Option<Fingerprint>,
    /// When the files were last refused.
    refused: Option<Instant>,
    /// The database does not record that its seals are under our key.
    lacks_key: bool,
}

/// Why the service cannot continue with the database at the location.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotGoOn {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot use the database at its path")]
    Fault(#[from] Fault),
    #[error(
        "the database at its path is of an earlier release (version {0}): restart the \
         service, which upgrades it"
    )]
    Older(i64),
    #[error(
        "the database at its path has {} sealed under another key than seal.key: put the \
         matching key or database there, and restart the service", counted(*.0, "password")
    )]
    OtherKey(u64),
}

impl Replaced {
    /// Whether there is a database that the service can use. Each call checks once.
    pub(super) fn is_ready(&mut self, setup: &Setup) -> Result<bool, CannotGoOn> {
        let seen = Fingerprint::of(setup.file.location());
        if std::mem::replace(&mut self.seen, seen) != seen {
            self.refused = None;
            return Ok(false);
        }
        let is_refused = self.refused.is_some_and(|refused| refused.elapsed() < TRY_AGAIN_AFTER);
        if seen.is_none() || is_refused || !setup.file.is_released() {
            return Ok(false);
        }
        let checked = setup.heartbeat.during(CHECK_TIME_MAX, || self.check(setup));
        self.refused = checked.is_err().then(Instant::now);
        checked
    }

    fn check(&mut self, setup: &Setup) -> Result<bool, CannotGoOn> {
        let location = setup.file.location();
        match state_of(location, true)? {
            DatabaseState::Missing | DatabaseState::Begun => return Ok(false),
            DatabaseState::Older(version) => return Err(CannotGoOn::Older(version)),
            DatabaseState::Current => {}
        }
        if setup.file.replacement().is_some_and(|change| change.is_overwritten) {
            // A checkpoint may have run between both.
            check_content(location)?;
        }
        let reader = open_for_check(location)?;
        self.lacks_key = is_outdated(reader.seal_key()?, &setup.vault.key_ids());
        match foreign_seals(&setup.vault, &*reader)? {
            0 => Ok(true),
            count => Err(CannotGoOn::OtherKey(count)),
        }
    }

    /// Makes the opened file the current one for all threads. Data that they read before is no
    /// longer valid.
    pub(super) fn take(
        &self,
        setup: &Setup,
        engine: &mut dyn Engine,
    ) -> Result<CurrentReader, CannotGoOn> {
        if self.lacks_key {
            in_transaction(engine, |engine| engine.set_seal_key(setup.vault.key_id()))?;
        }
        setup.file.resume();
        let first = setup.file.open()?;
        let newest = first
            .newest_record()?
            .map_or("none".into(), |(id, at)| format!("{id} of {}", format_utc(at)));
        let place = setup.file.location();
        log::warn!(
            "the service continues with the database that is at {place} now; its newest journal \
             record is {newest}"
        );
        Ok(first)
    }
}
