//! Why a copy to another location ends.

use std::fmt;

use crate::data_dir::DataDirError;
use crate::file_system::NetworkFileSystem;
use crate::store::{Fault, OpenError};

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The database that is copied.
    Source,
    /// The one that the rows are copied to.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source (--from)",
            Self::Target => "target (--to)",
        })
    }
}

impl Side {
    pub(super) fn open(self) -> impl FnOnce(OpenError) -> MigrationError {
        move |error| MigrationError::OpenSide(self, error)
    }

    pub(super) fn read(self) -> impl FnOnce(Fault) -> MigrationError {
        move |fault| MigrationError::Read(self, fault)
    }
}

/// Why a copy to another location ends.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// There is nothing to copy.
    #[error("there is no database at {0}: check --from")]
    NoSource(String),
    /// An earlier release wrote it.
    #[error(
        "the database {0} is of an earlier release: start the service on it once, stop it, and \
        run this again"
    )]
    Older(String),
    /// The names were folded by other rules.
    #[error(
        "the names in the {0} were folded by another release: start the service of this release \
        on it once, stop it, and run this again"
    )]
    Folding(Side),
    /// A receiver uses it.
    #[error(
        "a receiver uses the {0} {1}: stop all receivers and run this again (one that was \
        killed counts for 10 seconds)"
    )]
    Served(Side, String),
    /// A service uses the directory of the file.
    #[error("cannot lock the directory of the {0}: stop the service and run this again")]
    Locked(Side, #[source] DataDirError),
    /// A restore of the file was interrupted.
    #[error("the restore of the {0} was interrupted: `nats-userman restore` completes it")]
    Restoring(Side),
    /// Both are the same.
    #[error("--from and --to are the same database")]
    Same,
    /// The target has rows.
    #[error("the database {0} is not empty: make a new one, or check --to")]
    NotEmpty(String),
    /// The target is a file that exists.
    #[error("{0} exists already: move it away, or check --to")]
    FileExists(String),
    /// The target is on a network file system.
    #[error(transparent)]
    Network(#[from] NetworkFileSystem),
    /// The target has a part of another copy.
    #[error(
        "the target has a part of another copy, or the source has changed since: {0} differs; \
        make the target anew and run this again"
    )]
    OtherCopy(String),
    /// One of the two cannot be opened.
    #[error("cannot open the {0}")]
    OpenSide(Side, #[source] OpenError),
    /// One of the two cannot be read.
    #[error("cannot read the {0}")]
    Read(Side, #[source] Fault),
    /// The target cannot be written.
    #[error("cannot write the target (--to); the same command continues where this one ended")]
    Write(#[source] Fault),
    /// The target does not take a row.
    #[error(
        "the target (--to) does not take {0}: shorten or correct the values in the source, and \
        run this again, which continues"
    )]
    Refused(String, #[source] Fault),
    /// The source was written to.
    #[error(
        "the source (--from) was changed meanwhile: stop all that writes to it, make the target \
        anew and run this again"
    )]
    Changed,
    /// The two are not equal in the end.
    #[error(
        "the target (--to) differs in {0}: {1} in the target; make the target anew and run this \
        again"
    )]
    Differs(&'static str, String),
    /// Another process reads the copy.
    #[error("another process has the copy open: end it, and run this again")]
    Open,
    /// The caller ended it.
    #[error("interrupted; the same command continues")]
    Interrupted,
}
