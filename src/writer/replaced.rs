//! Another file in the place of the database, or the same with another content. The service goes on
//! with it if a start would, and looks as closely: after all of its threads have let go of the old
//! one, so that SQLite begins anew with what lies there.

use std::time::{Duration, Instant};

use crate::apply::in_transaction;
use crate::clock::format_utc;
use crate::seals::foreign_seals;
use crate::store::{
    CurrentReader, DatabaseState, Engine, Fault, Fingerprint, OpenError, check_content,
    open_for_check, state_of,
};

use super::setup::Setup;

/// How soon a file is looked at again that was found to be of no use, where nobody has changed it:
/// a look may read all of it.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// While no file counts.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// What lay there at the last look: it may be a copy that somebody is writing.
    seen: Option<Fingerprint>,
    /// When what lies there was last found to be of no use.
    refused: Option<Instant>,
    /// It is not written down there that seals are under our key.
    lacks_key: bool,
}

/// Why the service cannot go on with what lies there.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotGoOn {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot use the database that lies there now")]
    Fault(#[from] Fault),
    #[error(
        "the database that lies there now is of an earlier release (version {0}): restart the service, and its start upgrades it"
    )]
    Older(i64),
    #[error(
        "the database that lies there now has {0} passwords sealed under another key than seal.key: put the right one of both there, \
         and restart the service"
    )]
    OtherKey(u64),
}

impl Replaced {
    /// Whether a file lies there with which the service can go on. Each call looks once.
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
        let checked = self.check(setup);
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
            // A checkpoint may have come between.
            check_content(location)?;
        }
        let reader = open_for_check(location)?;
        self.lacks_key = reader.seal_key()? != Some(setup.vault.key_id());
        match foreign_seals(&setup.vault, &*reader)? {
            0 => Ok(true),
            count => Err(CannotGoOn::OtherKey(count)),
        }
    }

    /// Lets everybody know of the file that was opened. What was read until now is of no use any
    /// more.
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
            "the service goes on with the database that lies at {place} now; its newest journal record is {newest}"
        );
        Ok(first)
    }
}
