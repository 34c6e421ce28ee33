//! The locks of the directories of both databases, as far as they are files.

use std::path::PathBuf;

use super::error::{MigrationError, Side};
use crate::data_dir::{DataDir, Lock};
use crate::store::Location;
use crate::whole_file::parent;

/// Locks the directories of both, so that no service uses them before the copy is complete.
pub(super) fn lock(from: &Location, to: &Location) -> Result<Vec<Lock>, MigrationError> {
    let mut locks = Vec::new();
    let source = match from.file() {
        // Opening it says what is wrong with a directory that is not there.
        Some(file) => {
            let file = file.canonicalize();
            Some(file.map_err(|_| MigrationError::NoSource(from.to_string()))?)
        }
        None => None,
    };
    let source_dir = source.as_deref().map(|file| parent(file).to_owned());
    if let Some(dir) = &source_dir {
        locks.extend(lock_directory(dir.clone(), Side::Source)?);
    }
    if let Some(file) = to.file() {
        if source.is_some() && file.canonicalize().ok() == source {
            return Err(MigrationError::Same);
        }
        let dir = DataDir::new(parent(file));
        dir.make().map_err(|error| MigrationError::Locked(Side::Target, error))?;
        let path = dir.path().canonicalize().unwrap_or_else(|_| dir.path().to_owned());
        if source_dir.as_ref() != Some(&path) {
            locks.extend(lock_directory(path, Side::Target)?);
        }
    } else if from.setting() == to.setting() {
        return Err(MigrationError::Same);
    }
    Ok(locks)
}

fn lock_directory(dir: PathBuf, side: Side) -> Result<Vec<Lock>, MigrationError> {
    let dir = DataDir::new(dir);
    let locks = dir.lock(None).map_err(|error| MigrationError::Locked(side, error))?;
    match dir.restore_plan().exists() {
        true => Err(MigrationError::Restoring(side)),
        false => Ok(locks),
    }
}
