//! Renames a WAL that a restored database does not need. Nothing is deleted.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::files::beside;
use super::wal_mark::{self, WAL_HEADER_BYTES};
use crate::denied;
use crate::store::SetAside;
use crate::whole_file::parent;

/// The WAL beside a database, if it belongs to another one.
pub fn foreign_wal(path: &Path) -> Option<PathBuf> {
    let database = path.canonicalize().ok()?;
    let wal = beside(&database, "-wal");
    wal_mark::is_foreign(&database, &wal).then_some(wal)
}

/// Renames the WAL and its index in -shm: `userman.db-wal` becomes `userman.db-wal.aside-STAMP`.
/// Leaves a WAL that belongs to the database: postbacks that were answered may be in it alone. For
/// a database that no process has open.
///
/// # Errors
///
/// If a file with the new name exists, or the directory cannot be written.
pub fn set_wal_aside(path: &Path, stamp: &str) -> io::Result<SetAside> {
    let database = path.canonicalize()?;
    let wal = beside(&database, "-wal");
    let bytes = match fs::metadata(&wal) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if bytes == 0 {
        return Ok(SetAside::Nothing);
    }
    // One that is no longer than its header has no page in it.
    if bytes > WAL_HEADER_BYTES as u64 && !wal_mark::is_foreign(&database, &wal) {
        return Ok(SetAside::Belongs(wal));
    }
    let aside = |file: &Path| beside(file, &format!(".aside-{stamp}"));
    let index = beside(&database, "-shm");
    // The WAL is renamed last: after an interruption between both, a start is refused as before.
    for file in [&index, &wal].into_iter().filter(|file| file.exists()) {
        if aside(file).exists() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} exists already", aside(file).display()),
            ));
        }
        fs::rename(file, aside(file)).map_err(|error| denied::explain(parent(&database), error))?;
    }
    if let Some(dir) = database.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(SetAside::Done(aside(&wal), bytes))
}
