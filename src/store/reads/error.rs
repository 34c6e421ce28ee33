//! Why nothing could be read, and how often that is checked.

use std::time::Duration;

use crate::chain::chain;
use crate::store::OpenError;

/// How often a thread checks whether its connection is still to the current database, also where
/// nothing is read.
pub(super) const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Why a read failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Another database was put in place, and the service does not use it yet. The writer logs it.
    #[error("the database was replaced and is not in use yet")]
    NoDatabase,
    /// Too many reads are waiting, or this one waited for too long.
    #[error("too many reads are waiting, or this one waited for too long")]
    Overloaded,
    /// The fault and its causes in one line, for the log.
    #[error("{0}")]
    Fault(String),
}

impl ReadError {
    /// The database could not be opened.
    pub(super) fn of_opening(error: OpenError) -> Self {
        match error {
            OpenError::InDoubt(_) => Self::NoDatabase,
            other => Self::Fault(chain(&other)),
        }
    }
}
