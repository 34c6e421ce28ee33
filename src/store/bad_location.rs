//! Why the text of a setting is no place of a database.

/// Why a text names no database, or no host of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected}, found {found}")]
pub struct BadLocation {
    /// What was expected.
    pub expected: &'static str,
    /// What was found. It shows nothing that may be a password.
    pub found: String,
}

impl BadLocation {
    pub(super) fn new(expected: &'static str, found: impl Into<String>) -> Self {
        Self { expected, found: found.into() }
    }

    /// With a text that is no secret.
    pub(super) fn quoting(expected: &'static str, found: &str) -> Self {
        Self::new(expected, format!("\"{}\"", found.escape_debug()))
    }
}
