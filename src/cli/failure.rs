//! How a command ends badly, and what its arguments have in common.

use std::io;

use crate::config::BadSetting;
use crate::identity::{ID_EXPECTED, SiteId};
use crate::store::{Fault, OpenError};

/// Why a command ended badly. What it prints is one clear line each.
#[derive(Debug)]
pub enum Failure {
    /// Settings that cannot be used: exit code 2.
    Usage(Vec<String>),
    /// Something failed: exit code 1.
    Failed(String),
    /// The reader of our output went away (`| head`): no failure.
    OutputClosed,
}

impl Failure {
    /// With the error's whole cause.
    pub(super) fn of(error: &dyn std::error::Error) -> Self {
        Self::Failed(crate::chain::chain(error))
    }

    /// The same with the place of an input where it happened. Where output had to be read to the
    /// end, a closed one is a failure.
    pub(super) fn at(self, place: &str) -> Self {
        match self {
            Self::Failed(line) => Self::Failed(format!("{place}: {line}")),
            Self::OutputClosed => Self::Failed(format!("{place}: the output was closed")),
            usage @ Self::Usage(_) => usage,
        }
    }

    /// A wrong use in a sentence.
    pub(super) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(vec![sentence.into()])
    }
}

impl From<io::Error> for Failure {
    /// For what is written to stdout; other input and output has errors of its own.
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

/// A siteid or memberid, in clap's form.
pub(super) fn id(text: &str) -> Result<i64, &'static str> {
    SiteId::parse(text).map(SiteId::get).ok_or(ID_EXPECTED)
}
