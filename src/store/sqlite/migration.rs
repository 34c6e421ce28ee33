//! The file that `migrate-store` copies into. It gets the name of the database when it is whole.

use std::io;
use std::path::{Path, PathBuf};

use super::database_file::DatabaseFile;
use super::files::beside;
use super::open::{is_there, shown};
use crate::denied::explain;
use crate::store::{MigrationTarget, OpenError};
use crate::whole_file::{remove, rename_to_new, sync_name};

/// Where the rows are copied to.
pub(in crate::store) fn draft_of(database: &Path) -> PathBuf {
    beside(database, ".migrating")
}

/// See [`crate::store::migration_target`].
pub(in crate::store) fn target(file: &DatabaseFile) -> Result<MigrationTarget, OpenError> {
    if is_there(file.path())? {
        return Ok(MigrationTarget::Filled);
    }
    Ok(match is_there(&draft_of(file.path()))? {
        true => MigrationTarget::Begun,
        false => MigrationTarget::Empty,
    })
}

/// Gives the copy, which no process has open and whose WAL is empty, the name of the database.
pub(in crate::store) fn complete(file: &DatabaseFile) -> Result<(), OpenError> {
    let (database, draft) = (file.path(), draft_of(file.path()));
    let put = || {
        let wal = beside(&draft, "-wal");
        if wal.metadata().is_ok_and(|wal| wal.len() > 0) {
            return Err(io::Error::other("another process has the copy open"));
        }
        rename_to_new(&draft, database)?;
        [wal, beside(&draft, "-shm")].iter().try_for_each(|file| remove(file))?;
        sync_name(database)
    };
    put().map_err(|error| OpenError::Create(shown(database), explain(database, error)))
}
