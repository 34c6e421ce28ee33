//! The directory of backups: what is in it, and the file that becomes the next one.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use rustix::fs::Access;

use super::aside::{remove_aside, remove_in_steps, take_away};
use super::error::BackupError;
use super::name::{NUMBER_MAX, Name};
use crate::denied::{self, explain};
use crate::file_system::free_bytes;
use crate::owner::{give_to_owner_of, open_unlinked};
use crate::whole_file::{draft_of, remove, rename_to_new};

/// Until it is complete, only the owner may read it.
const DRAFT_MODE: u32 = 0o600;
/// As the data directory has it.
const DIRECTORY_MODE: u32 = 0o750;

/// The complete backups in this directory.
pub(super) fn backups(dir: &Path) -> io::Result<Vec<Name>> {
    files(dir, Name::parse)
}

/// The newest of the complete backups in this directory whose date is not later than `until`, unix
/// seconds.
pub(super) fn newest_until(dir: &Path, until: i64) -> io::Result<Option<Name>> {
    Ok(backups(dir)?.into_iter().filter(|name| name.at <= until).max())
}

/// The regular files in this directory whose name is read by `parse`.
fn files(dir: &Path, parse: fn(&str) -> Option<Name>) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(name) = name.to_str().and_then(parse)
            && entry.file_type()?.is_file()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Creates the directory for the owner of the data directory if it is not there.
pub(super) fn make_directory(dir: &Path, data_dir: &Path) -> Result<(), BackupError> {
    let made = match DirBuilder::new().mode(DIRECTORY_MODE).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made,
    };
    made.and_then(|()| open_unlinked(dir, OpenOptions::new().read(true)))
        .and_then(|made| give_to_owner_of(data_dir, &made))
        .map_err(|error| unusable(dir, error))
}

/// Returns an error that says what to do if this is no directory that can be read.
pub(super) fn check(dir: &Path) -> Result<(), BackupError> {
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(BackupError::NoDirectory(dir.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(BackupError::NoDirectory(dir.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(BackupError::Missing(dir.to_owned()))
        }
        Err(error) => Err(unusable(dir, error)),
    }
}

/// Returns an error if no file can be created in this directory.
pub(super) fn check_writable(dir: &Path) -> Result<(), BackupError> {
    denied::check(dir, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| BackupError::Directory(dir.to_owned(), error))
}

/// Returns an error if the file system has no space for this many bytes.
pub(super) fn check_room(dir: &Path, bytes: u64) -> Result<(), BackupError> {
    match free_bytes(dir).map_err(|error| unusable(dir, error))? {
        Some(free) if free < bytes => Err(BackupError::NoRoom { dir: dir.to_owned(), free, bytes }),
        _ => Ok(()),
    }
}

pub(super) fn unusable(dir: &Path, error: io::Error) -> BackupError {
    BackupError::Directory(dir.to_owned(), explain(dir, error))
}

/// A file that becomes a backup. It is removed on drop.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    /// Locked, so that another backup into this directory recognises it as one that is running.
    file: File,
    is_finished: bool,
}

impl Draft {
    /// Begins a backup of this date. Removes what an interrupted one has left, and what earlier
    /// ones have put aside, until `stop` is set.
    pub(super) fn begin(
        dir: &Path,
        at: i64,
        stop: &AtomicBool,
    ) -> Result<(Self, Name), BackupError> {
        let left = files(dir, Name::parse_draft).map_err(|error| unusable(dir, error))?;
        for name in left {
            remove_left(dir, name, stop)?;
        }
        let name = free_name(dir, at)?;
        let path = dir.join(name.draft());
        let file = create(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::InTheWay(path.clone()),
            _ => unusable(dir, error),
        })?;
        let draft = Self { path, file, is_finished: false };
        if let Err(TryLockError::WouldBlock) = draft.file.try_lock() {
            // Another one has found this file before it was locked, and is about to remove it.
            return Err(BackupError::Running(dir.to_owned()));
        }
        // After the lock: only one backup may do it.
        for name in files(dir, Name::parse_aside).map_err(|error| unusable(dir, error))? {
            remove_aside(dir, name, at, stop).map_err(|error| unusable(dir, error))?;
        }
        Ok((draft, name))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its name, which a crash may still undo. Never overwrites a file.
    pub(super) fn finish(mut self, place: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        let is_ours = |path: &Path| {
            let (own, there) = (self.file.metadata()?, path.symlink_metadata()?);
            Ok::<_, io::Error>((own.dev(), own.ino()) == (there.dev(), there.ino()))
        };
        if !is_ours(&self.path)? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "another process has replaced the file that was being written",
            ));
        }
        rename_to_new(&self.path, place)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_finished {
            // What failed is reported. The rest of the copy would only use space.
            let _ = remove(&self.path);
        }
    }
}

/// Creates a file that only its owner can access. Fails if there is one of this name.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(DRAFT_MODE).open(path)
}

/// Removes the draft of an interrupted backup, and the keys that belong to no database then.
fn remove_left(dir: &Path, name: Name, stop: &AtomicBool) -> Result<(), BackupError> {
    let path = dir.join(name.draft());
    let failed = |error| BackupError::Directory(path.clone(), explain(&path, error));
    let file = match OpenOptions::new().read(true).open(&path) {
        // It has ended meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(failed)?,
    };
    // On a file system without locks this is unknown; then the draft counts as left behind.
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(BackupError::Running(dir.to_owned()));
    }
    let keys = dir.join(name.keys());
    for left in [draft_of(&keys), keys] {
        remove(&left).map_err(failed)?;
    }
    remove_in_steps(&path, stop).map_err(failed)?;
    log::info!("removed {}, which an interrupted backup had left", path.display());
    Ok(())
}

/// A name of this second that no file has.
fn free_name(dir: &Path, at: i64) -> Result<Name, BackupError> {
    let is_free = |name: &Name| name.files().all(|file| dir.join(file).symlink_metadata().is_err());
    (1..=NUMBER_MAX)
        .map(|number| Name::new(at, number))
        .find(is_free)
        .ok_or_else(|| BackupError::InTheWay(dir.join(Name::new(at, 1).database())))
}

/// Removes the oldest backups until `keep` remain of those that are no newer than `newest`, which
/// stays in any case. `now` is in unix seconds. Returns the files that were removed.
///
/// Backups of a later date are neither counted nor removed. The clock is wrong now or was wrong
/// when they were made, and nobody knows which: if they counted, each would take the place of a
/// good backup until its date, and if they were removed, a clock that is behind would remove good
/// ones.
pub(super) fn remove_old(
    dir: &Path,
    keep: u32,
    newest: Name,
    now: i64,
) -> Result<Vec<PathBuf>, BackupError> {
    let mut others = backups(dir).map_err(|error| unusable(dir, error))?;
    others.retain(|&name| name != newest && name.at <= newest.at);
    others.sort_unstable_by(|one, other| other.cmp(one));
    let kept = usize::try_from(keep.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut removed = Vec::new();
    for name in others.into_iter().skip(kept) {
        let (keys, path) = (dir.join(name.keys()), dir.join(name.database()));
        let failed =
            |file: &Path, error| BackupError::Directory(file.to_owned(), explain(file, error));
        // The keys first: those of no database would stay for ever.
        remove(&keys).map_err(|error| failed(&keys, error))?;
        take_away(dir, name, now).map_err(|error| failed(&path, error))?;
        removed.push(path);
    }
    Ok(removed)
}
