//! What can go wrong with a database, by kinds that every engine has. An engine decides the kind by
//! the codes of its driver, never by the text of an error.

use std::error::Error;
use std::fmt;

/// The driver's error behind a fault. For the log alone: no decision depends on it.
pub struct Cause {
    error: Box<dyn Error + Send + Sync>,
    code: Option<String>,
    may_pass: bool,
}

impl Cause {
    /// An error of a driver, and its code as the log shows it.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>, code: Option<String>) -> Self {
        Self { error: error.into(), code, may_pass: false }
    }

    /// The driver's error, if it is of this type.
    pub fn of_driver<E: Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }

    /// Marks an error that may not recur when the work is tried again.
    #[must_use]
    pub fn may_pass(self) -> Self {
        Self { may_pass: true, ..self }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// A fault of this program or of the machine. It is never shown to a caller, and it is logged once,
/// where it is handled.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Another process holds the lock for longer than the engine waits. Nothing was changed.
    #[error("the database is locked by another process")]
    Busy(#[source] Cause),
    /// No space left. Nothing was changed once the transaction is rolled back.
    #[error("the disk is full")]
    Full(#[source] Cause),
    /// The schema refused a row that the program's rules allow: one of the two is wrong.
    #[error("the schema refused a row")]
    Constraint(#[source] Cause),
    /// The database rolled the whole transaction back, for a reason that may be temporary. Nothing
    /// was changed, so the transaction may be run again from its beginning.
    #[error("the transaction was lost")]
    TransactionLost(#[source] Cause),
    /// Another transaction has locked a row for longer than the engine waits. Nothing was changed
    /// once the transaction is rolled back.
    #[error("another transaction holds the lock of a row")]
    RowLocked(#[source] Cause),
    /// A commit failed in a way that leaves open whether it happened.
    #[error("the outcome of a commit is unknown")]
    OutcomeUnknown(#[source] Cause),
    /// The database is damaged, or is no database of this engine.
    #[error("the database cannot be used")]
    Damaged(#[source] Cause),
    /// A reader cannot open the database and a writer can: a transaction that was interrupted has
    /// to be rolled back first.
    #[error("the database cannot be used")]
    NeedsWriter(#[source] Cause),
    /// Anything else: input/output, a read-only file, a closed connection.
    #[error("the database cannot be used")]
    Unusable(#[source] Cause),
    /// The database is not the one that was opened. Nothing may be acknowledged, because a restart
    /// would not find it.
    #[error("{0}")]
    Replaced(Replacement),
    /// A row that this program cannot have written.
    #[error("the database holds a row that cannot be read: {0}")]
    BadRow(String),
}

impl Fault {
    /// Returns this fault as one inside a transaction that was rolled back. A lasting reason, such
    /// as a full disk, stays as it is.
    #[must_use]
    pub fn with_transaction_lost(self) -> Self {
        match self {
            Fault::Busy(cause) | Fault::Unusable(cause) if cause.may_pass => {
                Fault::TransactionLost(cause)
            }
            other => other,
        }
    }

    /// Adds where the row is that cannot be read. Other faults stay as they are.
    #[must_use]
    pub fn in_row(self, place: &str) -> Self {
        match self {
            Fault::BadRow(what) => Fault::BadRow(format!("{place}: {what}")),
            other => other,
        }
    }

    /// Whether the same transaction may be run again from its beginning: nothing of it was applied,
    /// and the reason may be temporary. The caller limits the number of attempts.
    pub fn runs_again(&self) -> bool {
        matches!(self, Fault::TransactionLost(_))
    }

    /// Whether one row caused it: then the other postbacks of a batch can be applied without it.
    pub fn is_of_one_row(&self) -> bool {
        matches!(self, Fault::Constraint(_) | Fault::BadRow(_))
    }

    /// Whether the other postbacks of a batch may succeed without the one that met it, each in a
    /// transaction of its own.
    pub fn is_of_one_postback(&self) -> bool {
        self.is_of_one_row() || matches!(self, Fault::RowLocked(_))
    }

    /// Whether the engine must be opened again, because its state or its database may differ from
    /// what it assumes.
    pub fn wants_reopening(&self) -> bool {
        match self {
            Fault::OutcomeUnknown(_)
            | Fault::TransactionLost(_)
            | Fault::Damaged(_)
            | Fault::NeedsWriter(_)
            | Fault::Unusable(_)
            | Fault::Replaced(_) => true,
            Fault::Busy(_)
            | Fault::Full(_)
            | Fault::Constraint(_)
            | Fault::RowLocked(_)
            | Fault::BadRow(_) => false,
        }
    }

    /// The code of the driver's error for the log, such as `SQLite code 13`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Fault::Busy(cause)
            | Fault::Full(cause)
            | Fault::Constraint(cause)
            | Fault::TransactionLost(cause)
            | Fault::RowLocked(cause)
            | Fault::OutcomeUnknown(cause)
            | Fault::Damaged(cause)
            | Fault::NeedsWriter(cause)
            | Fault::Unusable(cause) => cause.code.as_deref(),
            Fault::BadRow(_) | Fault::Replaced(_) => None,
        }
    }
}

/// Turns a row that cannot be read into a result of its own, for a caller that can continue without
/// that row.
///
/// # Errors
///
/// Any other fault.
pub fn if_readable<T>(found: Result<T, Fault>) -> Result<Result<T, Fault>, Fault> {
    match found {
        Err(fault @ Fault::BadRow(_)) => Ok(Err(fault)),
        found => found.map(Ok),
    }
}

/// What happened to a database under the processes that have it open, as the engine describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// For the log.
    pub what: &'static str,
    /// A program other than the engine has written to the database. Its content must be checked in
    /// full before it is used again.
    pub is_overwritten: bool,
}

impl Replacement {
    /// There is another database at the location.
    pub const ANOTHER: Self =
        Self { what: "another file was put in the place of the database", is_overwritten: false };
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}
