//! Why there is no backup.

use std::io;
use std::path::PathBuf;

use crate::counted::counted;
use crate::key_file::KeyFileError;
use crate::store::{CopyError, Fault, OpenError};
use crate::token_file::TokenError;

const MIB: u64 = 1 << 20;

/// Why no backup was made. No backup that was there has changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing at the path of the directory.
    #[error("there is no directory {}: create it, or mount the disk that has it", .0.display())]
    Missing(PathBuf),
    /// There is something else.
    #[error("{} is not a directory: name the directory for backups", .0.display())]
    NoDirectory(PathBuf),
    /// It cannot be read or written.
    #[error("cannot use {} for backups", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// It is too small.
    #[error(
        "the backup needs {} MiB, and the file system of {} has {} MiB free: free some, or use \
         another directory", .bytes.div_ceil(MIB), .dir.display(), .free / MIB
    )]
    NoRoom {
        /// The directory.
        dir: PathBuf,
        /// Its free bytes.
        free: u64,
        /// The bytes of the backup.
        bytes: u64,
    },
    /// Another process makes one.
    #[error("another backup into {} is running", .0.display())]
    Running(PathBuf),
    /// A file has the name that this one would have.
    #[error("{} is in the way: move it elsewhere", .0.display())]
    InTheWay(PathBuf),
    /// The database cannot be copied, or the copy cannot be used.
    #[error("cannot copy the database to {}", .0.display())]
    Copy(PathBuf, #[source] CopyError),
    /// The copy is complete and cannot get its name.
    #[error("cannot finish the backup {}", .0.display())]
    Finish(PathBuf, #[source] io::Error),
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The tokens cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be read.
    #[error("cannot read the database")]
    Read(#[source] Fault),
    /// The keys here are not those of the database.
    #[error(
        "the database has {} sealed under another key than {path}: the backup would lack the right \
         one", counted(*.0, "password"), path = .1.display()
    )]
    KeyForeign(u64, PathBuf),
    /// The service uses another database since.
    #[error("the database was replaced during the backup")]
    Replaced,
}

impl BackupError {
    /// Whether it ended because the caller cancelled it.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Copy(_, CopyError::Stopped))
    }
}
