//! Why a database cannot be opened. Each variant has the place of the database as messages show it.
//! See [`super::Location`].

use std::error::Error;
use std::io;

use super::fault::Fault;

/// Why a database cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none, and the caller did not ask to create it.
    #[error("there is no database at {0}: `nats-userman serve` creates it")]
    Missing(String),
    /// There is none any more.
    #[error(
        "there is no database at {0}, and the service has run here: restore the last backup before \
         you start the service, which would make an empty database; or correct --data-dir or \
         --database"
    )]
    Lost(String),
    /// It cannot be created.
    #[error("cannot make the database {0}")]
    Create(String, #[source] io::Error),
    /// The engine cannot open it.
    #[error("cannot use the database {0}")]
    Fault(String, #[source] Fault),
    /// The engine reports that it is damaged. The sentence names the place and the engine.
    #[error("{0}")]
    Damaged(String, #[source] Fault),
    /// It can be opened, and parts of it are damaged: how many, and the first of them.
    #[error("the database {0} is damaged; restore a backup: broken places: {1}")]
    BrokenPages(String, String),
    /// A part of its schema is missing, which no command of this program removes.
    #[error("the database {0} is not whole; restore a backup: {1} is missing")]
    NotWhole(String, String),
    /// It belongs to another user of the system, in most cases.
    #[error("cannot use the database {0}")]
    Unreadable(String, #[source] io::Error),
    /// Its parts do not belong together, or one is missing. The sentence says what to do.
    #[error("{0}")]
    Inconsistent(String),
    /// It has lost all that it held.
    #[error("the database {0} is empty: restore a backup, or remove the file to begin anew")]
    Empty(String),
    /// A first start was interrupted there, and the caller did not ask to create it.
    #[error(
        "the database {0} is empty, as a first start leaves it that was cut short: `nats-userman \
         serve` creates it"
    )]
    Begun(String),
    /// Another database was put in place, and the service does not use it yet.
    #[error("the database {0} was replaced and is not in use yet")]
    InDoubt(String),
    /// It is of another program, or of another release.
    #[error("cannot use the database {0}")]
    Upgrade(String, #[source] UpgradeError),
}

impl OpenError {
    /// Whether a reader cannot continue and a writer can: an upgrade is due, or a transaction that
    /// was interrupted must be rolled back.
    pub fn wants_a_writer(&self) -> bool {
        matches!(
            self,
            OpenError::Upgrade(_, UpgradeError::Older { .. })
                | OpenError::Fault(_, Fault::NeedsWriter(_))
        )
    }
}

/// The version of SQLite's schema that this release reads and writes.
pub const SCHEMA_VERSION: i64 = 8;

/// Why a database is not upgraded.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// It is of a later release.
    #[error(
        "it has version {found}, and this release supports versions up to {SCHEMA_VERSION}; \
         install the newer release again"
    )]
    Newer {
        /// The version of its schema.
        found: i64,
    },
    /// It is of an earlier release, and the caller may not write.
    #[error(
        "it has version {found}, older than this release's {current}; `nats-userman serve` \
         upgrades it"
    )]
    Older {
        /// The version of its schema.
        found: i64,
        /// The version that this release reads and writes, of the same engine.
        current: i64,
    },
    /// It is another program's.
    #[error("it is a database of another program")]
    Foreign,
    /// The engine cannot keep a copy of the old database.
    #[error(transparent)]
    Copy(Box<dyn Error + Send + Sync>),
    /// The engine fails.
    #[error(transparent)]
    Fault(#[from] Fault),
}
