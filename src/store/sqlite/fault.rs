//! Turns SQLite's errors into faults, by its extended codes.

use rusqlite::Error;
use rusqlite::ffi::{self, ErrorCode};

use crate::store::fault::{Cause, Fault};

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
