//! Keeps a verified copy of the old database beside it before an upgrade, `userman.db.vN`. The
//! release before can use that copy.
//!
//! The caller holds the write lock, so that the copy has everything that the upgrade begins with.
//! The copy is made from a read transaction of its own, which does not include the upgrade, on a
//! thread of its own: the two take as long as the longer one. A start that was interrupted after
//! the copy makes the same copy again, byte for byte, and reuses the existing one: restarts do not
//! accumulate copies.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::connection::{first_problem, open, open_immutable};
use super::fault;
use super::files::beside;
use super::header::leave_wal_mode;
use super::upgrade_progress::Progress;
use super::upgrade_space::{Space, mib};
use crate::owner::{open_unlinked, own_like};
use crate::store::{Fault, UpgradeError};
use crate::whole_file::{parent, sync_name};

/// The maximum number of copies of one version. Each has other content, so only switching back and
/// forth between releases makes more.
const COPIES_MAX: u32 = 100;
const COMPARED_BYTES: usize = 64 * 1024;
/// Pages that are copied at once, between two checks whether to stop.
const COPIED_PAGES: i32 = 4096;
/// The maximum permissions of a copy, whatever the mode of the database.
const COPY_MODE_MAX: u32 = 0o640;

/// The upgrade was not begun, because the current database cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum NoCopy {
    /// The disk is too small.
    #[error(
        "it has version {version}, and there is no room for the copy of it that is kept before \
         the upgrade: {} MiB are free in {}, and copy and upgrade need {} MiB; nothing was \
         changed: free {} MiB there, or upgrade without a copy by --no-upgrade-copy",
        mib_rounded_down(.free), .dir.display(), mib(*.needed), mib(.needed.saturating_sub(*.free))
    )]
    Short {
        /// The version of the database.
        version: i64,
        /// The intended directory of the copy.
        dir: PathBuf,
        /// Bytes that are free there.
        free: u64,
        /// Bytes that copy and upgrade need.
        needed: u64,
    },
    /// Another cause.
    #[error(
        "it has version {version}, and no copy of it can be kept in {} before the upgrade; \
         nothing was changed: remove the cause, or upgrade without a copy by --no-upgrade-copy",
        .dir.display()
    )]
    Failed {
        /// The version of the database.
        version: i64,
        /// The intended directory of the copy.
        dir: PathBuf,
        /// What failed.
        #[source]
        cause: CopyError,
    },
}

fn mib_rounded_down(bytes: &u64) -> u64 {
    bytes / super::upgrade_space::MIB
}

/// Why no copy could be kept.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The file system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// SQLite.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The copy is damaged.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    /// The copy is not what was copied.
    #[error("the copy differs from the database: {0}")]
    Differs(String),
    /// The upgrade has failed.
    #[error("it was stopped")]
    Stopped,
    /// All names are in use.
    #[error("there are {COPIES_MAX} copies already: move the oldest ones away")]
    TooMany,
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// A copy that is kept.
pub(super) struct Kept {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// A copy that is being made while the upgrade runs. The upgrade must not be committed before
/// [`Copying::finish`].
pub(super) struct Copying {
    database: PathBuf,
    version: i64,
    bytes: u64,
    /// The name of the copy until it is complete.
    begun: PathBuf,
    /// Copies, checks, and writes it to the disk.
    thread: Option<JoinHandle<Result<(), CopyError>>>,
    stop: Arc<AtomicBool>,
    is_complete: bool,
}

/// Begins the copy. The content is that of this moment.
pub(super) fn begin(
    database: &Path,
    version: i64,
    progress: &Progress,
) -> Result<Copying, UpgradeError> {
    let source =
        open(database, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let space = Space::of(&source, database, version)?;
    if let (Some(free), 1..) = (space.free, space.missing()) {
        let dir = parent(database).to_owned();
        let short = NoCopy::Short { version, dir, free, needed: space.needed };
        return Err(UpgradeError::Copy(Box::new(short)));
    }
    let mut copying = Copying {
        database: database.to_owned(),
        version,
        bytes: space.copy,
        begun: beside(database, &format!(".v{version}.tmp")),
        thread: None,
        stop: Arc::default(),
        is_complete: false,
    };
    let begun = copying.start(source, progress);
    begun.map_err(|cause| copying.failed(cause))?;
    Ok(copying)
}

impl Copying {
    fn start(&mut self, source: Connection, progress: &Progress) -> Result<(), CopyError> {
        // The first read fixes the moment.
        source.execute_batch("BEGIN; SELECT 1 FROM sqlite_schema")?;
        remove(&self.begun)?;
        // No file of this name exists. Only the owner may read the copy until it is complete.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.begun)?;
        let (begun, version, progress) = (self.begun.clone(), self.version, progress.clone());
        let stop = Arc::clone(&self.stop);
        let make = move || {
            let pages = copy_pages(&source, &begun, &stop, &progress)?;
            drop(source);
            leave_wal_mode(&file)?;
            thread::scope(|scope| {
                let written = scope.spawn(|| file.sync_all());
                check(&begun, version, pages, &stop, &progress)?;
                Ok(written.join().unwrap_or_else(|_| Err(io::Error::other("it has panicked")))?)
            })
        };
        self.thread = Some(thread::Builder::new().name("upgrade-copy".into()).spawn(make)?);
        Ok(())
    }

    /// Waits until the copy is complete, and gives it its name.
    pub(super) fn finish(mut self) -> Result<Kept, UpgradeError> {
        let path = self.complete().map_err(|cause| self.failed(cause))?;
        self.is_complete = true;
        Ok(Kept { path, bytes: self.bytes })
    }

    fn complete(&mut self) -> Result<PathBuf, CopyError> {
        if let Some(thread) = self.thread.take() {
            let panicked = |_| Err(CopyError::Differs("its thread has panicked".into()));
            thread.join().unwrap_or_else(panicked)?;
        }
        like(&self.begun, &self.database)?;
        name(&self.begun, &self.database, self.version)
    }

    fn failed(&self, cause: CopyError) -> UpgradeError {
        let cause = match cause {
            // Each page is that of the database, so the damage is in both; or in the copy alone,
            // by a fault of the disk.
            CopyError::Damaged(found) => match self.damage_of_database() {
                Ok(Some(found)) => return fault::damage(found).into(),
                Ok(None) => CopyError::Damaged(found),
                Err(fault) => return fault.into(),
            },
            CopyError::Fault(damaged @ Fault::Damaged(_)) => return damaged.into(),
            other => other,
        };
        let dir = parent(&self.database).to_owned();
        UpgradeError::Copy(Box::new(NoCopy::Failed { version: self.version, dir, cause }))
    }

    fn damage_of_database(&self) -> Result<Option<String>, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        damage(&open(&self.database, flags)?)
    }
}

/// The upgrade has failed, or the copy: what there is of it would only use space.
impl Drop for Copying {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The result does not matter any more.
        self.thread.take().map(JoinHandle::join);
        if !self.is_complete {
            let _ = remove(&self.begun);
        }
    }
}

/// Removes the rest of an unfinished copy, with the journal that release 0.4.0 and older kept.
fn remove(begun: &Path) -> io::Result<()> {
    for path in [beside(begun, "-journal"), begun.to_owned()] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Checks the copy. What is damaged in the database is damaged in it, so that one check of all
/// pages and rows serves both.
fn check(
    begun: &Path,
    version: i64,
    pages: i64,
    stop: &Arc<AtomicBool>,
    progress: &Progress,
) -> Result<(), CopyError> {
    let mut copy = open_immutable(begun)?;
    progress.follow(&mut copy, stop)?;
    if let Some(found) = damage(&copy)? {
        return Err(CopyError::Damaged(found));
    }
    let number = |pragma: &str| copy.query_row(pragma, [], |row| row.get::<_, i64>(0));
    match (number("PRAGMA user_version")?, number("PRAGMA page_count")?) {
        found if found == (version, pages) => Ok(()),
        (version, pages) => {
            Err(CopyError::Differs(format!("it has version {version} and {pages} pages")))
        }
    }
}

/// Returns the number of pages.
fn copy_pages(
    source: &Connection,
    begun: &Path,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<i64, CopyError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = open(begun, flags)?;
    // A copy that was interrupted is removed, and the caller syncs a complete one.
    copy.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(source, &mut copy)?;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(CopyError::Stopped);
        }
        // The upgrade itself may be done, and wait for the copy.
        progress.report();
        match backup.step(COPIED_PAGES)? {
            StepResult::Done => return Ok(backup.progress().pagecount.into()),
            StepResult::More => {}
            // No other process writes: the caller holds the lock, and the copy is new.
            _ => return Err(CopyError::Differs("it is locked".into())),
        }
    }
}

/// The first damage of a database, if there is any. The larger check of SQLite, integrity_check,
/// also looks up each row in each index, which takes three times as long.
fn damage(conn: &Connection) -> Result<Option<String>, Fault> {
    Ok(first_problem(conn, "quick_check")?)
}

/// Sets owner and mode to those of the database. If the owner cannot be set, the copy stays
/// readable to this user alone.
fn like(begun: &Path, database: &Path) -> io::Result<()> {
    // By its descriptor: root would change another file, if the directory's owner put a link here.
    let copy = open_unlinked(begun, OpenOptions::new().read(true))?;
    let wanted = fs::metadata(database)?;
    if own_like(&copy, &wanted).is_ok() {
        let mode = wanted.permissions().mode() & COPY_MODE_MAX;
        copy.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Gives the copy a free name, or reuses an existing copy with the same content.
fn name(begun: &Path, database: &Path, version: i64) -> Result<PathBuf, CopyError> {
    for number in 0..COPIES_MAX {
        let suffix =
            if number == 0 { format!(".v{version}") } else { format!(".v{version}.{number}") };
        let place = beside(database, &suffix);
        if place.symlink_metadata().is_err() {
            fs::rename(begun, &place)?;
            sync_name(&place)?;
            return Ok(place);
        }
        if is_same_file(begun, &place)? {
            fs::remove_file(begun)?;
            return Ok(place);
        }
    }
    Err(CopyError::TooMany)
}

fn is_same_file(a: &Path, b: &Path) -> io::Result<bool> {
    let is_file = b.symlink_metadata()?.is_file();
    if !is_file || fs::metadata(a)?.len() != fs::metadata(b)?.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut of_a, mut of_b) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
    loop {
        let read = a.read(&mut of_a)?;
        if read == 0 {
            return Ok(true);
        }
        b.read_exact(&mut of_b[..read])?;
        if of_a[..read] != of_b[..read] {
            return Ok(false);
        }
    }
}
