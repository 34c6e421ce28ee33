//! The database into which a `replay` writes, and what reading a postback depends on.

use crate::action::Rules;
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::data_dir::{DataDirError, Lock};
use crate::database;
use crate::password::Vault;
use crate::store::{DatabaseState, is_led, with_engine};

/// Locks the data directory, and opens the database and its key.
///
/// `else_do` is the remedy if a service runs there.
pub(super) fn take(config: &Config, else_do: &str) -> Result<(Vec<Lock>, Rules), Failure> {
    config.data_dir.make().map_err(|error| Failure::of(&error))?;
    let lock = config.data_dir.lock(config.location.file()).map_err(|error| match error {
        DataDirError::InUse(_) => Failure::Failed(format!("{error}: {else_do}")),
        DataDirError::Io(..)
        | DataDirError::Lock(..)
        | DataDirError::ForeignLink(_)
        | DataDirError::Restoring(_) => Failure::of(&error),
    })?;
    refuse_others(config)?;
    let vault = database::open_or_make(config).map_err(|error| Failure::of(&error))?;
    Ok((lock, rules(config, vault)))
}

/// Refuses a database that has members or records, and that other receivers may serve now: its lock
/// is not in this data directory. An empty database is accepted.
fn refuse_others(config: &Config) -> Result<(), Failure> {
    if !config.location.is_shared() || database::state(config)? != DatabaseState::Current {
        return Ok(());
    }
    let is_empty = with_engine(&config.location, false, |engine| engine.is_empty())??;
    let place = &config.location;
    let problem = match (is_empty, is_led(place)?) {
        (true, false) => return Ok(()),
        (true, true) => format!("a receiver serves the database {place}"),
        (false, _) => format!("the database {place} is not empty, and a receiver may serve it"),
    };
    Err(Failure::Failed(format!(
        "replay: {problem}: send the postbacks to that receiver with --to URL, or use a new \
         database"
    )))
}

pub(super) fn rules(config: &Config, vault: Vault) -> Rules {
    Rules {
        vault,
        keep_cryptpass: config.keep_cryptpass,
        expiry: config.expiry.clone(),
        stale_guard: config.stale_guard,
    }
}
