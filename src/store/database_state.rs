//! In which state a command finds the database.

/// What a command may find and go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// No database.
    Missing,
    /// A first start that was interrupted: nothing is in it yet.
    Begun,
    /// The database of an earlier release, with the version of its schema.
    Older(i64),
    /// The database of this release.
    Current,
}
