//! The sizes of what the database has on this machine.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use super::snapshot::Sizes;
use crate::store::Location;

/// The files of the database, if it is on this machine.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The database file, and its log.
    files: Option<(PathBuf, PathBuf)>,
}

impl Places {
    /// Those of this database.
    pub fn of(location: &Location) -> Self {
        let of_file = |file: &Path| {
            let mut log = file.as_os_str().to_owned();
            log.push("-wal");
            (file.to_owned(), PathBuf::from(log))
        };
        Self { files: location.file().map(of_file) }
    }

    /// The current sizes. What cannot be read is absent.
    pub fn sizes(&self) -> Sizes {
        let Some((database, log)) = &self.files else { return Sizes::default() };
        let bytes = |path: &Path| path.metadata().ok().map(|found| found.len());
        let free = database.parent().and_then(|dir| statvfs(dir).ok());
        Sizes {
            database: bytes(database),
            log: bytes(log),
            free: free.map(|found| found.f_bavail.saturating_mul(found.f_frsize)),
        }
    }
}
