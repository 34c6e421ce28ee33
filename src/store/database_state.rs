//! The state of the database that a command finds.

/// What `migrate-store` finds where it would copy to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationTarget {
    /// Nothing, or tables without rows.
    Empty,
    /// A copy that is not complete.
    Begun,
    /// A database that is or was in use. Of an engine that keeps it in a file: any file.
    Filled,
}

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
