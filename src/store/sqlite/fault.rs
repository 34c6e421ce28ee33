//! Turns SQLite's errors into faults, by its extended codes.

use std::path::Path;

use rusqlite::Error;
use rusqlite::ffi::{self, ErrorCode};

use crate::file_system;
use crate::store::fault::{Cause, Fault};

/// What SQLite takes at once for the index of the WAL, bytes. A write of a page takes less.
const INDEX_BYTES: u64 = 32 * 1024;

/// An error as the cause of a fault, with its extended code.
pub(super) fn cause(error: Error) -> Cause {
    let code = error.sqlite_error().map(|error| format!("SQLite code {}", error.extended_code));
    let may_pass = may_pass(&error);
    let cause = Cause::new(error, code);
    if may_pass { cause.may_pass() } else { cause }
}

/// Whether a transaction that SQLite rolled back by itself because of this error may succeed when
/// it is run again: memory ran out, the statement was interrupted, another process interfered, or
/// the transaction had been rolled back before (then SQLite has no savepoint, and nothing to
/// commit). A failed write is not among them, because the file must be opened again first.
/// <https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>
fn may_pass(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::Unknown
        )
    )
}

/// Damage that this program detected, in the form of SQLite's own error.
pub(super) fn damage(what: String) -> Fault {
    Fault::Damaged(cause(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(what))))
}

/// A lock that is held although nothing can hold it.
pub(super) fn busy() -> Fault {
    Fault::Busy(cause(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)))
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if error.sqlite_error().map(|error| error.extended_code)
            == Some(ffi::SQLITE_READONLY_ROLLBACK)
        {
            return Fault::NeedsWriter(cause(error));
        }
        // Not an error of SQLite, but a value that another program has written.
        if let Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) = error
        {
            return Fault::BadRow(error.to_string());
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Busy(cause(error)),
            Some(ErrorCode::DiskFull) => Fault::Full(cause(error)),
            Some(ErrorCode::ConstraintViolation) => Fault::Constraint(cause(error)),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Fault::Damaged(cause(error))
            }
            _ => Fault::Unusable(cause(error)),
        }
    }
}

/// The fault of an opening in this directory. Where the file system is full, SQLite reports that it
/// cannot create or enlarge one of its files as an input/output error.
pub(super) fn of_opening(fault: Fault, dir: &Path) -> Fault {
    match fault {
        Fault::Unusable(cause)
            if is_for_want_of_room(&cause) && file_system::is_full(dir, INDEX_BYTES) =>
        {
            Fault::Full(cause)
        }
        other => other,
    }
}

/// Whether a full disk is one of the reasons for this error.
fn is_for_want_of_room(cause: &Cause) -> bool {
    let code = cause.of_driver::<Error>().and_then(Error::sqlite_error);
    code.is_some_and(|error| {
        error.code == ErrorCode::CannotOpen
            || [ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_WRITE].contains(&error.extended_code)
    })
}

/// The fault of a COMMIT. Busy: it did not begin. Full: a frame of the WAL could not be written,
/// hence not the last one, which makes the commit valid. Anything else, above all a failed sync,
/// may or may not be on the disk.
pub(super) fn of_commit(error: Error) -> Fault {
    match Fault::from(error) {
        known @ (Fault::Busy(_) | Fault::Full(_) | Fault::Constraint(_)) => known,
        Fault::Damaged(cause) | Fault::NeedsWriter(cause) | Fault::Unusable(cause) => {
            Fault::OutcomeUnknown(cause)
        }
        other @ (Fault::BadRow(_)
        | Fault::Replaced(_)
        | Fault::TransactionLost(_)
        | Fault::RowLocked(_)
        | Fault::OutcomeUnknown(_)) => other,
    }
}
