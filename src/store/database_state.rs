//! The state of the database that a command finds.

/// A state in which a command can work.
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
