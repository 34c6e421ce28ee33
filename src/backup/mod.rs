//! Backups of the database while it is in use, their schedule, and the way back.
//!
//! A backup is one file, `userman-YYYYMMDDThhmmssZ.db`, dated in UTC by the moment of the snapshot.
//! With the keys there is a second one of the same name that ends in `.keys`. Both are written
//! under a name that ends in `.new`, checked, synced and then renamed, the database last: a file
//! that ends in `.db` is complete.

mod aside;
mod error;
mod keys;
mod make;
mod name;
mod place;
pub mod restore;
pub mod schedule;

use std::io;
use std::path::{Path, PathBuf};

pub use error::BackupError;
pub use make::{Made, Unchecked, Wishes, copy};

use crate::data_dir::DataDir;

/// The settings of backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupConfig {
    /// The seconds between two backups that the service makes; `None` if it makes none.
    pub every: Option<i64>,
    /// What is wanted of each.
    pub wishes: Wishes,
    /// Whether the directory is that of the data directory, which the service creates.
    pub creates_dir: bool,
}

/// Why no backups can be made in the directory of the settings. The service creates the one in the
/// data directory.
pub(crate) fn problem(config: &BackupConfig) -> Option<BackupError> {
    let dir = &config.wishes.dir;
    if config.creates_dir && dir.symlink_metadata().is_err() {
        return None;
    }
    place::check(dir).and_then(|()| place::check_writable(dir)).err()
}

impl BackupConfig {
    /// Creates the directory if it is the default one and not there.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub fn make_directory(&self, data_dir: &DataDir) -> Result<(), BackupError> {
        match self.creates_dir {
            true => place::make_directory(&self.wishes.dir, data_dir.path()),
            false => Ok(()),
        }
    }
}

/// The newest backup in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The file.
    pub path: PathBuf,
    /// The moment of its snapshot by its name, unix seconds.
    pub at: i64,
}

/// The newest backup in this directory, by the date in its name. `None` if there is none, or no
/// directory. Symbolic links do not count.
///
/// # Errors
///
/// If the directory cannot be read.
pub fn newest(dir: &Path) -> io::Result<Option<Newest>> {
    newest_until(dir, i64::MAX)
}

/// The newest backup whose date is not later than this, unix seconds.
pub(crate) fn newest_until(dir: &Path, until: i64) -> io::Result<Option<Newest>> {
    match place::newest_until(dir, until) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(found?.map(|name| Newest { path: dir.join(name.database()), at: name.at })),
    }
}
