//! What can go wrong with a database, told apart by SQLite's codes and never by its English.

use rusqlite::ffi::{self, ErrorCode};

use super::FileChange;

/// A fault of ours or of the machine: never shown to a caller, logged once where it is handled.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Another process holds the lock for longer than the writer waits. Nothing was changed.
    #[error("the database is locked by another process")]
    Locked(#[source] rusqlite::Error),
    /// No room. Nothing was changed once the transaction is rolled back.
    #[error("the disk is full")]
    Full(#[source] rusqlite::Error),
    /// A rule of the schema refused a row that the rules of the program let through, so one of both
    /// has a fault.
    #[error("the schema refused a row")]
    Constraint(#[source] rusqlite::Error),
    /// A COMMIT failed in a way that leaves open whether it happened.
    #[error("the outcome of a commit is unknown")]
    CommitUnknown(#[source] rusqlite::Error),
    /// Anything else: input/output, corruption, a read-only file.
    #[error("the database cannot be used")]
    Broken(#[source] rusqlite::Error),
    /// The files of the database are not those that were opened: nothing may be acknowledged that a
    /// restart would not find.
    #[error("{0}")]
    Moved(FileChange),
    /// A row that this program cannot have written.
    #[error("the database holds a row that cannot be read: {0}")]
    BadRow(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Locked(error),
            Some(ErrorCode::DiskFull) => Fault::Full(error),
            Some(ErrorCode::ConstraintViolation) => Fault::Constraint(error),
            _ => Fault::Broken(error),
        }
    }
}

impl Fault {
    /// The fault of a COMMIT. Locked: it did not begin. Full: a frame of the log could not be
    /// written, hence not the one that would have made the commit valid. Whatever else (a failed
    /// sync above all) may or may not be on the disk.
    pub(super) fn of_commit(error: rusqlite::Error) -> Self {
        match Fault::from(error) {
            known @ (Fault::Locked(_) | Fault::Full(_) | Fault::Constraint(_)) => known,
            Fault::Broken(error) | Fault::CommitUnknown(error) => Fault::CommitUnknown(error),
            other @ (Fault::BadRow(_) | Fault::Moved(_)) => other,
        }
    }

    /// Whether the connection is best opened anew: its state, or its file, may not be what it
    /// believes.
    pub fn wants_reopening(&self) -> bool {
        match self {
            Fault::CommitUnknown(_) | Fault::Broken(_) | Fault::Moved(_) => true,
            Fault::Locked(_) | Fault::Full(_) | Fault::Constraint(_) | Fault::BadRow(_) => false,
        }
    }

    /// Whether SQLite calls the file no database, or a damaged one.
    pub fn is_damage(&self) -> bool {
        let (Fault::Broken(error) | Fault::CommitUnknown(error)) = self else { return false };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }

    /// SQLite's extended code, for the log.
    pub fn code(&self) -> Option<i32> {
        match self {
            Fault::Locked(error)
            | Fault::Full(error)
            | Fault::Constraint(error)
            | Fault::CommitUnknown(error)
            | Fault::Broken(error) => {
                error.sqlite_error().map(|ffi::Error { extended_code, .. }| *extended_code)
            }
            Fault::BadRow(_) | Fault::Moved(_) => None,
        }
    }
}
