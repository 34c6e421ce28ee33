//! The database that is restored, by a path without symbolic links: the files beside it are renamed
//! there.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf, absolute};

use rustix::process::geteuid;

use super::RestoreError;
use crate::data_dir::DataDir;
use crate::store::Location;
use crate::whole_file::parent;

/// The path of the database. Whoever owns the data directory can put a link there, and this link
/// must not lead root to the files of others.
///
/// # Errors
///
/// If the database is no file, or if it is such a link.
pub(super) fn target(data_dir: &DataDir, location: &Location) -> Result<PathBuf, RestoreError> {
    let database = location.file().ok_or(RestoreError::NoFile)?;
    let target = resolved(database);
    let owner = |path: &Path| fs::metadata(path).map(|file| file.uid()).ok();
    let leads_away = parent(database).canonicalize().is_ok_and(|dir| dir != parent(&target));
    let is_of_root = || fs::symlink_metadata(database).is_ok_and(|link| link.uid() == 0);
    if geteuid().is_root()
        && leads_away
        && !is_of_root()
        && owner(parent(&target)) != owner(data_dir.path())
    {
        return Err(RestoreError::ForeignLink(database.to_owned()));
    }
    Ok(target)
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
