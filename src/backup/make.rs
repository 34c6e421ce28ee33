//! Makes one backup.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use super::error::BackupError;
use super::keys::Keys;
use super::name::Name;
use super::place::{self, Draft};
use crate::data_dir::DataDir;
use crate::denied::explain;
use crate::idle;
use crate::owner;
use crate::seals::foreign_seals;
use crate::store::{
    Contents, Copied, CopyError, CopyWatch, Location, Read, SCHEMA_VERSION, check_copy,
};
use crate::whole_file::{remove, sync_name};

/// The group may read a backup, as it may read the database.
const MODE: u32 = 0o640;

const MIB: u64 = 1 << 20;

/// What is wanted of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// The directory.
    pub dir: PathBuf,
    /// How many backups stay there; `None` for all.
    pub keep: Option<u32>,
    /// Whether keys and tokens are saved too.
    pub with_keys: bool,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// The file of the database.
    pub database: PathBuf,
    /// The file of the keys, if they were wanted.
    pub keys: Option<PathBuf>,
    /// The moment of the snapshot, unix seconds.
    pub at: i64,
    /// What was copied.
    pub copied: Copied,
    /// How many passwords only the seal key opens, in a database of this release.
    pub sealed: Option<u64>,
    /// How long it took.
    pub took: Duration,
    /// The older backups that were removed, or why that failed.
    pub removed: Result<Vec<PathBuf>, BackupError>,
}

impl Made {
    /// Whether postbacks came while it was made, and what that did.
    pub fn log_growth_mib(&self) -> u64 {
        self.copied.log_growth / MIB
    }
}

/// As the log and the command show it.
impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contents = &self.copied.contents;
        write!(
            f,
            "{} ({} MiB, {} s): {contents}",
            self.database.display(),
            self.copied.bytes.div_ceil(MIB),
            self.took.as_secs()
        )
    }
}

/// A backup whose copy is made and not checked yet. What it has written is removed on drop.
#[derive(Debug)]
pub struct Unchecked<'a> {
    data_dir: &'a DataDir,
    wishes: &'a Wishes,
    began: Instant,
    draft: Draft,
    /// The copy, as a database.
    copy: Location,
    name: Name,
    keys: Option<Keys>,
    copied: Copied,
    sealed: Option<u64>,
}

/// Begins a backup at `now` (unix seconds): copies the database at `location`, which `reader` has
/// open. The reader is not needed any more then.
///
/// # Errors
///
/// See [`BackupError`]. Then no backup was removed, and no file is left.
pub fn copy<'a>(
    reader: &dyn Read,
    location: &Location,
    data_dir: &'a DataDir,
    wishes: &'a Wishes,
    now: i64,
    watch: &mut CopyWatch<'_>,
) -> Result<Unchecked<'a>, BackupError> {
    let began = Instant::now();
    let dir = &wishes.dir;
    place::check(dir)?;
    let keys = wishes.with_keys.then(|| Keys::of(data_dir)).transpose()?;
    // The drafts of interrupted backups are removed before the free space is asked for.
    let (draft, name) = Draft::begin(dir, now, watch.stop)?;
    place::check_room(dir, reader.copy_size().map_err(BackupError::Read)?)?;
    let copied = reader
        .copy_to(draft.path(), draft.file(), watch)
        .map_err(|error| BackupError::Copy(draft.path().to_owned(), error))?;
    let sealed = sealed(reader, &copied, keys.as_ref(), data_dir)?;
    let copy = location.copy_at(draft.path());
    Ok(Unchecked { data_dir, wishes, began, draft, copy, name, keys, copied, sealed })
}

impl Unchecked<'_> {
    /// Checks the copy, gives it its name, and removes the backups that are too old then.
    ///
    /// # Errors
    ///
    /// See [`BackupError`]. Then no backup was removed, and no file is left. The exception is a
    /// directory that could not be synced at the end: the backup is there with its keys, and a
    /// crash of the machine may undo its name.
    pub fn finish(self, stop: &Arc<AtomicBool>) -> Result<Made, BackupError> {
        let Self { data_dir, wishes, draft, name, copied, sealed, .. } = self;
        let bad = |error| BackupError::Copy(draft.path().to_owned(), error);
        let found = check_aside(&self.copy, stop).map_err(bad)?;
        if let Some(what) = copied.contents.difference(&found) {
            return Err(bad(CopyError::Differs(what)));
        }
        let dir = &wishes.dir;
        let database = dir.join(name.database());
        let unfinished = |error| BackupError::Finish(database.clone(), explain(&database, error));
        owner::give(draft.file(), data_dir.path(), MODE).map_err(unfinished)?;
        let put_keys = |keys: Keys| {
            let place = dir.join(name.keys());
            keys.write(&place, data_dir).map(|()| place)
        };
        let keys = self.keys.map(put_keys).transpose()?;
        if let Err(error) = draft.finish(&database) {
            // Keys without their database would never be found.
            let _ = keys.as_deref().map(remove);
            return Err(unfinished(error));
        }
        sync_name(&database).map_err(unfinished)?;
        let took = self.began.elapsed();
        let now = name.at.saturating_add_unsigned(took.as_secs());
        let remove_old = |keep| place::remove_old(dir, keep, name, now);
        let removed = wishes.keep.map_or(Ok(Vec::new()), remove_old);
        Ok(Made { database, keys, at: name.at, copied, sealed, took, removed })
    }
}

/// Checks a copy at a lower priority, but not the lowest: on a machine that is always busy the
/// check would not end. The copy itself has the usual one: as long as it runs, the log of the
/// database grows.
fn check_aside(copy: &Location, stop: &Arc<AtomicBool>) -> Result<Contents, CopyError> {
    let check = || {
        idle::let_requests_pass();
        check_copy(copy, stop)
    };
    thread::scope(|scope| match scope.spawn(check).join() {
        Ok(found) => found,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// The number of sealed passwords, of a database whose rows this release can read. Fails if the
/// keys that are saved do not open them.
fn sealed(
    reader: &dyn Read,
    copied: &Copied,
    keys: Option<&Keys>,
    data_dir: &DataDir,
) -> Result<Option<u64>, BackupError> {
    if copied.contents.version != SCHEMA_VERSION {
        return Ok(None);
    }
    let sealed = reader.backlog().map_err(BackupError::Read)?;
    if let Some(keys) = keys
        && sealed > 0
    {
        let foreign = match keys.vault() {
            Some(vault) => foreign_seals(&vault, reader).map_err(BackupError::Read)?,
            None => sealed,
        };
        if foreign > 0 {
            return Err(BackupError::KeyForeign(foreign, data_dir.seal_key()));
        }
    }
    Ok(Some(sealed))
}
