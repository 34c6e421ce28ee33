//! Why a backup is not restored.

use std::io;
use std::path::{Path, PathBuf};

use crate::backup::keys::BadKeys;
use crate::chain::chain;
use crate::counted::counted;
use crate::key_file::KeyFileError;
use crate::store::{CopyError, Fault, OpenError};

const MIB: u64 = 1 << 20;

/// Why a backup is not restored. Nothing has changed then, except where it says so.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is nothing at its path.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// It is the database that it is to replace.
    #[error("{} is the database itself: name a backup", .0.display())]
    Same(PathBuf),
    /// It is no database that this release can use.
    #[error("cannot restore {}", .0.display())]
    Unusable(PathBuf, #[source] OpenError),
    /// A log of another database is beside it.
    #[error(
        "cannot restore {}: {}, beside it, belongs to another database: move that file elsewhere \
         and restore again", .0.display(), .1.display()
    )]
    ForeignLog(PathBuf, PathBuf),
    /// It is damaged.
    #[error("cannot restore {}: this backup is damaged: use another one: {found}", .file.display())]
    Damaged {
        /// The backup.
        file: PathBuf,
        /// What was found.
        found: String,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] BadKeys),
    /// The key here cannot be read.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// There is no key for its passwords.
    #[error(
        "the backup has {} sealed under a key that is missing: name the file of its keys by \
         --keys, or put {path} in its place first", counted(*.0, "password"), path = .1.display()
    )]
    KeyMissing(u64, PathBuf),
    /// The key here is another one.
    #[error(
        "the backup has {} sealed under another key than {path}: name the file of its keys by \
         --keys, or put the right key back at {path} first", counted(*.0, "password"),
        path = .1.display()
    )]
    KeyForeign(u64, PathBuf),
    /// There is no space.
    #[error(
        "the restored database needs {} MiB, and the file system of {} has {} MiB free",
        .bytes.div_ceil(MIB), .dir.display(), .free / MIB
    )]
    NoRoom {
        /// The directory of the database.
        dir: PathBuf,
        /// Its free bytes.
        free: u64,
        /// The bytes of the backup.
        bytes: u64,
    },
    /// It cannot be copied.
    #[error("cannot copy the backup")]
    Copy(#[from] CopyError),
    /// A copy cannot be opened.
    #[error(transparent)]
    Open(OpenError),
    /// A copy cannot be read.
    #[error("cannot read the copy of the backup")]
    Read(#[source] Fault),
    /// A copy cannot be written.
    #[error("cannot write the copy of the backup")]
    Write(#[source] Fault),
    /// Another process has opened the copy.
    #[error("the copy of the backup is in use by another process")]
    Unfinished,
    /// A file cannot be written.
    #[error("cannot write {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// A former file has the name that this one would get.
    #[error("{} is in the way: move it elsewhere", .0.display())]
    InTheWay(PathBuf),
    /// The renames have begun.
    #[error(
        "the restore is not complete, and the next start of the service completes it by {}",
        .0.display()
    )]
    Plan(PathBuf, #[source] io::Error),
    /// The plan of an interrupted restore cannot be read.
    #[error(
        "cannot read the plan of an interrupted restore, {path}: {1}; move it elsewhere, then \
         restore again", path = .0.display()
    )]
    BadPlan(PathBuf, io::Error),
    /// It is not one that a restore of this database has written.
    #[error(
        "{} names files that no restore of this database renames: find out who wrote it, and move \
         it elsewhere", .0.display()
    )]
    ForeignPlan(PathBuf),
    /// Root is led to a directory of another user.
    #[error(
        "{}: a symbolic link of another user leads to another directory: replace the link by the \
         database", .0.display()
    )]
    ForeignLink(PathBuf),
    /// The database is no file.
    #[error(
        "the database is no file: restore it with the tools of its server, as docs/cluster.md shows"
    )]
    NoFile,
}

impl RestoreError {
    /// Where a database is damaged, messages say to restore a backup. This one is the backup.
    pub(super) fn of_backup(self, file: &Path) -> Self {
        let found = match &self {
            Self::Unusable(_, error) | Self::Open(error) => match error {
                OpenError::Damaged(_, fault) => chain(fault),
                OpenError::BrokenPages(_, places) => places.clone(),
                OpenError::NotWhole(_, part) => format!("{part} is missing"),
                OpenError::Empty(_) => "it is empty".into(),
                _ => return self,
            },
            Self::Copy(CopyError::Damaged(found)) => found.clone(),
            Self::Copy(CopyError::Fault(fault @ Fault::Damaged(_))) => chain(fault),
            _ => return self,
        };
        Self::Damaged { file: file.to_owned(), found }
    }
}
