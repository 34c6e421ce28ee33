//! The database that is restored, by a path without symbolic links: the files beside it are renamed
//! there.

use std::fs;
use std::path::{Path, PathBuf, absolute};

use super::RestoreError;
use crate::data_dir::DataDir;
use crate::store::Location;
use crate::whole_file::parent;

/// The path of the database.
///
/// # Errors
///
/// If the database is no file, or if it is a link that would lead root to the files of others.
pub(super) fn target(data_dir: &DataDir, location: &Location) -> Result<PathBuf, RestoreError> {
    let database = location.file().ok_or(RestoreError::NoFile)?;
    let target = resolved(database);
    match data_dir.leads_root_away(database, &target) {
        true => Err(RestoreError::ForeignLink(database.to_owned())),
        false => Ok(target),
    }
}

/// The path without links. The file itself need not be there.
fn resolved(database: &Path) -> PathBuf {
    if let Ok(file) = database.canonicalize() {
        return file;
    }
    let path = match fs::read_link(database) {
        Ok(target) => parent(database).join(target),
        Err(_) => database.to_owned(),
    };
    match (parent(&path).canonicalize(), path.file_name()) {
        (Ok(dir), Some(name)) => dir.join(name),
        // There is no such directory. The caller fails where it uses it.
        _ => absolute(&path).unwrap_or(path),
    }
}
