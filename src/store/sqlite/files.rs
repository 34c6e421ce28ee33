//! The files of a database, identified by `stat` alone: opening and closing a file beside SQLite
//! would release SQLite's locks on it (POSIX).

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::store::Replacement;

/// A change to the files of a database while processes have it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum FileChange {
    /// The database file is missing.
    Gone,
    /// Another file has its path.
    Replaced,
    /// The WAL was removed or replaced. Commits into the WAL that is still open would be lost.
    Wal,
    /// The index of the WAL was removed or replaced. The processes that have the database open
    /// coordinate through it.
    Index,
    /// The database file has content that SQLite did not write.
    Overwritten,
    /// The WAL has content that SQLite did not write.
    WalOverwritten,
}

impl From<FileChange> for Replacement {
    fn from(change: FileChange) -> Self {
        let what = match change {
            FileChange::Gone => "the database file was removed or cannot be reached any more",
            FileChange::Replaced => return Self::ANOTHER,
            FileChange::Wal => "the -wal file of the database was removed or replaced",
            FileChange::Index => "the -shm file of the database was removed or replaced",
            FileChange::Overwritten => "the database file was written over, and not by SQLite",
            FileChange::WalOverwritten => {
                "the -wal file of the database was truncated or written over, and not by SQLite"
            }
        };
        let is_overwritten = matches!(change, FileChange::Overwritten | FileChange::WalOverwritten);
        Self { what, is_overwritten }
    }
}

/// The suffixes of the files of a database.
pub(super) const FILE_SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// The file beside a database with this suffix.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Device and inode.
type Inode = (u64, u64);

fn inode(file: &Metadata) -> Inode {
    (file.dev(), file.ino())
}

/// Changes with every write to the file, and sometimes without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        let modified = (file.mtime(), file.mtime_nsec());
        Self { bytes: file.size(), modified, changed: (file.ctime(), file.ctime_nsec()) }
    }
}

/// The files as they were at one moment.
#[derive(Clone, Debug)]
pub struct Files {
    path: PathBuf,
    wal: PathBuf,
    index: PathBuf,
    database: Inode,
    /// `None`: the file did not exist yet, and any file is accepted.
    wal_inode: Option<Inode>,
    index_inode: Option<Inode>,
}

impl Files {
    /// The files as they are now.
    pub fn of_database(path: &Path) -> Result<Self, Replacement> {
        Self::read(path).map_err(|_| FileChange::Gone.into())
    }

    fn read(path: &Path) -> io::Result<Self> {
        // If the path is a symbolic link, SQLite keeps the other files beside its target.
        let database = path.canonicalize()?;
        let (wal, index) = (beside(&database, "-wal"), beside(&database, "-shm"));
        let there = |path: &Path| path.metadata().ok().as_ref().map(inode);
        Ok(Self {
            path: path.to_owned(),
            database: inode(&database.metadata()?),
            wal_inode: there(&wal),
            index_inode: there(&index),
            wal,
            index,
        })
    }

    /// Whether the database file is the same; the other files are ignored.
    pub(super) fn has_database_of(&self, other: &Self) -> bool {
        self.database == other.database
    }

    /// The WAL.
    pub(super) fn wal(&self) -> &Path {
        &self.wal
    }

    /// Checks that the files are still the same; returns the stamp of the database file.
    pub(in crate::store) fn check(&self) -> Result<Stamp, FileChange> {
        let file = self.path.metadata().map_err(|_| FileChange::Gone)?;
        let is_same = |path: &Path, was: Option<Inode>| {
            was.is_none_or(|was| path.metadata().is_ok_and(|file| inode(&file) == was))
        };
        if inode(&file) != self.database {
            return Err(FileChange::Replaced);
        }
        if !is_same(&self.wal, self.wal_inode) {
            return Err(FileChange::Wal);
        }
        if !is_same(&self.index, self.index_inode) {
            return Err(FileChange::Index);
        }
        Ok(Stamp::of(&file))
    }

    /// The stamp of the file that is now at the database's path.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.path.metadata().ok().as_ref().map(Stamp::of)
    }
}

/// The identity of the files at a place, to be compared with a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilesSeen {
    database: (Inode, Stamp),
    wal: Option<(Inode, Stamp)>,
}

impl FilesSeen {
    /// The identity of the files at the location; `None` if there is no database.
    pub fn at(path: &Path) -> Option<Self> {
        let database = path.canonicalize().ok()?;
        let seen = |path: &Path| path.metadata().ok().map(|file| (inode(&file), Stamp::of(&file)));
        Some(Self { database: seen(&database)?, wal: seen(&beside(&database, "-wal")) })
    }
}
