//! Modes of existing files: a restored backup or a directory that was created by hand often gives
//! access to other users.

use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{DIR_MODE, DataDir};
use crate::denied::is_of_system;
use crate::owner::open_unlinked;

/// Keys and tokens: access for the owner only.
const SECRET_MODE: u32 = 0o600;
/// The database with its WAL and index, and files that settings name: the group may read.
const DATABASE_MODE: u32 = 0o640;
const ALL_BITS: u32 = 0o7777;
const GROUP_AND_OTHERS: u32 = 0o077;
const OTHERS: u32 = 0o007;
const OTHERS_WRITE: u32 = 0o002;

/// A file or directory with a mode that permits too much.
#[derive(Debug)]
pub(crate) struct Loose {
    path: PathBuf,
    found: u32,
    expected: u32,
}

impl fmt::Display for Loose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected mode {:04o}, found {:04o}",
            self.path.display(),
            self.expected,
            self.found
        )
    }
}

impl Loose {
    fn find(path: PathBuf, expected: u32, forbidden: u32) -> Option<Self> {
        let found = fs::metadata(&path).ok()?.permissions().mode() & ALL_BITS;
        (found & forbidden != 0).then_some(Self { path, found, expected })
    }

    /// The file or directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether others than owner and group can change it.
    pub(crate) fn is_open_to_writes(&self) -> bool {
        self.found & OTHERS_WRITE != 0
    }

    /// The line for a file whose mode the program does not change, with the remedy.
    pub(crate) fn open_to_others(&self) -> String {
        format!("{self}: other users can access it; {}", self.remedy())
    }

    /// What to do. Other programs need the modes of a directory of the system.
    pub(crate) fn remedy(&self) -> String {
        match is_of_system(&self.path) {
            true => "use a directory of its own".to_owned(),
            false => format!("run `chmod o= {}`", self.path.display()),
        }
    }

    /// Removes the bits that permit too much and adds none: a key that its owner may only read
    /// stays so.
    fn tighten(&self) -> io::Result<()> {
        let file = open_unlinked(&self.path, OpenOptions::new().read(true))?;
        file.set_permissions(Permissions::from_mode(self.found & self.expected))
    }
}

/// Keys and tokens that others than their owner can access.
pub(crate) fn loose_secrets(data_dir: &DataDir) -> Vec<Loose> {
    let files = data_dir.key_files().into_iter().chain([data_dir.token_file()]);
    let files = files.filter(|path| path.is_file());
    files.filter_map(|path| Loose::find(path, SECRET_MODE, GROUP_AND_OTHERS)).collect()
}

/// Files of secrets named by settings that others than owner and group can access. They belong to
/// the operator, and the program does not change them.
pub(crate) fn loose_named(files: &[PathBuf]) -> Vec<Loose> {
    files.iter().filter_map(|path| Loose::find(path.clone(), DATABASE_MODE, OTHERS)).collect()
}

/// The directory and the files of the database that others than owner and group can access.
pub(crate) fn loose_rest(data_dir: &DataDir, database: &[PathBuf]) -> Vec<Loose> {
    let dir = loose_dir(data_dir.path());
    let files = database.iter().filter_map(|file| Loose::find(file.clone(), DATABASE_MODE, OTHERS));
    dir.into_iter().chain(files).collect()
}

/// This directory, if others than owner and group can access it.
pub(crate) fn loose_dir(dir: &Path) -> Option<Loose> {
    Loose::find(dir.to_owned(), DIR_MODE, OTHERS)
}

/// Restricts the modes of keys and tokens, and logs that. For the other files, which other users
/// may have a reason to read, it only warns.
pub(crate) fn tighten(data_dir: &DataDir, database: &[PathBuf], named: &[PathBuf]) {
    for loose in loose_secrets(data_dir) {
        match loose.tighten() {
            Ok(()) => log::warn!("{loose}; fixed, but other users may have read it before"),
            Err(error) => log::warn!("{loose}; cannot fix it: {error}"),
        }
    }
    for loose in loose_rest(data_dir, database).into_iter().chain(loose_named(named)) {
        log::warn!("{}", loose.open_to_others());
    }
}
