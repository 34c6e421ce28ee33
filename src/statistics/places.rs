//! The sizes of what the database has on this machine.

use std::path::{Path, PathBuf};

use super::snapshot::Sizes;
use crate::file_system::free_bytes;
use crate::store::Location;
use crate::whole_file::parent;

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
        Sizes {
            database: bytes(database),
            log: bytes(log),
            free: free_bytes(parent(database)).ok().flatten(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: the directory of `userman.db` alone is an empty path, which is no directory.
    #[test]
    fn a_database_without_a_directory_in_its_path_is_on_the_disk_of_the_working_directory() {
        let places = Places::of(&Location::parse("sqlite:nothing-is-here.db").unwrap());
        let sizes = places.sizes();
        assert_eq!((sizes.database, sizes.log), (None, None));
        assert!(sizes.free.is_some_and(|free| free > 0), "{sizes:?}");
    }
}
