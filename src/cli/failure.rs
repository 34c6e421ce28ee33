//! How a command fails, and the parser that several of its arguments share.

use std::io;

use crate::config::BadSetting;
use crate::identity::{ID_EXPECTED, SiteId};
use crate::store::{Fault, OpenError};

/// Between two lines of one failure, each of which begins like the first one.
pub(super) const NEXT_LINE: &str = "\nnats-userman: ";

/// Why a command failed. Each reason is printed as one line.
#[derive(Debug)]
pub enum Failure {
    /// Settings that cannot be used: exit code 2.
    Usage(Vec<String>),
    /// Something failed: exit code 1.
    Failed(String),
    /// The reader of the output has closed it, as `| head` does: no failure.
    OutputClosed,
}

impl Failure {
    /// The error with all its causes.
    pub(super) fn of(error: &dyn std::error::Error) -> Self {
        Self::Failed(crate::chain::chain(error))
    }

    /// Adds the place in the input where it happened. If the command must run to its end, a closed
    /// output is a failure.
    pub(super) fn at(self, place: &str) -> Self {
        match self {
            Self::Failed(line) => Self::Failed(format!("{place}: {line}")),
            Self::OutputClosed => Self::Failed(format!("{place}: the output was closed")),
            usage @ Self::Usage(_) => usage,
        }
    }

    /// This failure with exit code 1. Docker reserves 2 in a health check, so that `health`
    /// ends with 0 or 1 only.
    pub(super) fn without_code_2(self) -> Self {
        match self {
            Self::Usage(lines) => Self::Failed(lines.join(NEXT_LINE)),
            other @ (Self::Failed(_) | Self::OutputClosed) => other,
        }
    }

    /// A wrong use of the command, as one line.
    pub(super) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(vec![sentence.into()])
    }
}

/// How a command ends that has printed its result, and whose verdict decides the exit code: also
/// where the output was closed before its end.
pub(super) fn judged(
    printed: Result<(), Failure>,
    verdict: Result<(), Failure>,
) -> Result<(), Failure> {
    match printed {
        Ok(()) => verdict,
        Err(Failure::OutputClosed) if verdict.is_err() => verdict,
        failed => failed,
    }
}

impl From<io::Error> for Failure {
    /// Turns a failed write to stdout into a failure. Other I/O errors are handled where they
    /// occur.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::of(&error),
        }
    }
}

impl From<Vec<BadSetting>> for Failure {
    fn from(bad: Vec<BadSetting>) -> Self {
        Self::Usage(bad.iter().map(BadSetting::to_string).collect())
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::of(&fault)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::of(&error)
    }
}

/// Parses a siteid or memberid for clap.
pub(super) fn id(text: &str) -> Result<i64, &'static str> {
    SiteId::parse(text).map(SiteId::get).ok_or(ID_EXPECTED)
}
