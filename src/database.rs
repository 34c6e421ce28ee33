//! The database of the settings, as commands and the service find it: looked at once, and then
//! opened.

use crate::config::Config;
use crate::store::{OpenError, Reader, State, UpgradeError, look, open_reader};

/// What is there, or why nothing can be done with it. The key is made after the database: an empty
/// database beside a key is one that was lost, and no first start that was cut short.
///
/// # Errors
///
/// See [`look`].
pub fn state(config: &Config) -> Result<State, OpenError> {
    look(&config.location, config.data_dir.seal_key().exists())
}

/// For commands that neither make nor upgrade a database.
///
/// # Errors
///
/// Where there is none of this release.
pub fn check(config: &Config) -> Result<(), OpenError> {
    let path = || config.location.path().to_owned();
    match state(config)? {
        State::Missing => Err(OpenError::Missing(path())),
        State::Begun => Err(OpenError::Begun(path())),
        State::Older(found) => Err(OpenError::Upgrade(path(), UpgradeError::Older { found })),
        State::Current => Ok(()),
    }
}

/// Opens it for a command that reads.
///
/// # Errors
///
/// See [`check`].
pub fn open(config: &Config) -> Result<Reader, OpenError> {
    check(config)?;
    open_reader(&config.location)
}
