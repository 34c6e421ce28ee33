//! Copies the database to a file while it is written, by SQLite's backup API.
//!
//! The copy runs inside one read transaction, so it is of one moment and never starts again, even
//! if other transactions commit meanwhile. Until it ends, no checkpoint can restart the WAL. It
//! runs in small steps, each synced: a large write that is synced at its end would delay the syncs
//! of the postbacks. sqlite.org/backup.html.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::connection::{busy_and_quiet, first_problem, open, open_immutable};
use super::files::beside;
use super::header::leave_wal_mode;
use super::reader::Reader;
use super::{fault, open as opening, upgrade};
use crate::file_system::free_bytes;
use crate::store::{Contents, Copied, CopyError, CopyWatch, Fault, OpenError, Read};
use crate::whole_file::parent;

/// Pages that are copied and synced at once: 1 MiB.
const STEP_PAGES: i32 = 256;
/// The page cache of the copy, in KiB in SQLite's negative form: little, so that pages are written
/// in each step and not all at the end.
const COPY_CACHE: i32 = -256;
/// The shortest and the longest pause after a step of a gentle copy.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// Steps of SQLite's virtual machine between two checks whether to stop.
const OPS_A_LOOK: i32 = 100_000;

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Opens a database of any version of this program, to copy it.
///
/// # Errors
///
/// If there is none, or it cannot be read.
pub fn open_for_copy(path: &Path) -> Result<Box<dyn Read>, OpenError> {
    if !opening::is_there(path)? {
        return Err(OpenError::Missing(opening::shown(path)));
    }
    opening::check_access(path, rustix::fs::Access::READ_OK)?;
    let fault = |fault| opening::open_error(path, fault);
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(fault)?;
    upgrade::check(&conn).map_err(|error| opening::upgrade_error(path, error))?;
    Ok(Box::new(Reader::new(conn).map_err(fault)?))
}

/// Opens a database that no process changes, such as a backup, to copy it. Creates no file beside
/// it unless it has a WAL.
///
/// # Errors
///
/// If it cannot be read.
pub fn open_backup(path: &Path) -> Result<Box<dyn Read>, OpenError> {
    let fault = |fault| opening::open_error(path, fault);
    let conn = super::check::connect_unchanged(path).map_err(fault)?;
    Ok(Box::new(Reader::new(conn).map_err(fault)?))
}

/// Reads a whole copy, and says what it holds.
///
/// # Errors
///
/// If it is damaged, or cannot be read.
pub fn check_copy(path: &Path, stop: &Arc<AtomicBool>) -> Result<Contents, CopyError> {
    let look = || {
        let mut conn = open_immutable(path)?;
        busy_and_quiet(&conn)?;
        let stop = Arc::clone(stop);
        conn.progress_handler(OPS_A_LOOK, Some(move || stop.load(Ordering::Relaxed)))?;
        match first_problem(&conn, "integrity_check")? {
            None => Ok(contents(&conn)?),
            Some(found) => Err(CopyError::Damaged(found)),
        }
    };
    let done: Result<Contents, CopyError> = look();
    if stop.load(Ordering::Relaxed) { Err(CopyError::Stopped) } else { done }
}

impl Reader {
    /// See [`crate::store::Read::copy_size`].
    pub(super) fn size(&self) -> Result<u64, Fault> {
        let number = |pragma: &str| self.conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
        Ok(number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?).unsigned_abs())
    }

    /// See [`crate::store::Read::copy_to`].
    pub(super) fn copy(
        &self,
        place: &Path,
        file: &File,
        watch: &mut CopyWatch<'_>,
    ) -> Result<Copied, CopyError> {
        self.begin()?;
        let copied = self.copy_in_transaction(place, file, watch);
        // Before the rest: the WAL can be restarted from here on.
        let ended = self.end();
        let copied = copied?;
        ended?;
        leave_wal_mode(file)?;
        file.sync_all()?;
        Ok(copied)
    }

    fn copy_in_transaction(
        &self,
        place: &Path,
        file: &File,
        watch: &mut CopyWatch<'_>,
    ) -> Result<Copied, CopyError> {
        let log = Log::of(&self.conn);
        // The first read fixes the moment.
        let contents = contents(&self.conn)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        place.to_str().ok_or(CopyError::Path)?;
        // Without locks of SQLite: the file is ours, and on a network drive they would meet ours.
        let mut copy = Connection::open_with_flags_and_vfs(place, flags, c"unix-none")?;
        set_up(&copy)?;
        let bytes = pages(&self.conn, &mut copy, file, &log, watch)?;
        copy.close().map_err(|(_, error)| error)?;
        Ok(Copied { contents, bytes, log_growth: log.growth() })
    }
}

/// The copy is a draft until it is checked, so that it needs neither a journal nor SQLite's syncs.
fn set_up(copy: &Connection) -> Result<(), Fault> {
    copy.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    copy.pragma_update(None, "cache_size", COPY_CACHE)?;
    copy.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

/// Copies all pages. Returns the bytes of the copy.
fn pages(
    from: &Connection,
    to: &mut Connection,
    file: &File,
    log: &Log,
    watch: &mut CopyWatch<'_>,
) -> Result<u64, CopyError> {
    let page_bytes: i64 = from.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let bytes = |pages: i32| u64::try_from(i64::from(pages) * page_bytes).unwrap_or(0);
    let backup = Backup::new(from, to)?;
    loop {
        if watch.stop.load(Ordering::Relaxed) {
            return Err(CopyError::Stopped);
        }
        let step = backup.step(STEP_PAGES)?;
        let progress = backup.progress();
        let all = bytes(progress.pagecount);
        if !(watch.progress)(all.saturating_sub(bytes(progress.remaining)), all) {
            return Err(CopyError::Stopped);
        }
        match step {
            StepResult::Done => return Ok(all),
            StepResult::More => {}
            // The transaction has its locks, and nothing else uses the copy.
            _ => return Err(fault::busy().into()),
        }
        let began = Instant::now();
        file.sync_data()?;
        log.check()?;
        if watch.is_gentle {
            thread::sleep(began.elapsed().clamp(PAUSE_MIN, PAUSE_MAX));
        }
    }
}

/// The WAL beside the database, of which the copy keeps the beginning.
struct Log {
    path: Option<PathBuf>,
    bytes_before: u64,
}

impl Log {
    fn of(conn: &Connection) -> Self {
        let database = conn.path().and_then(|path| Path::new(path).canonicalize().ok());
        let path = database.map(|database| beside(&database, "-wal"));
        let mut log = Self { path, bytes_before: 0 };
        log.bytes_before = log.bytes();
        log
    }

    fn bytes(&self) -> u64 {
        let length = |path: &PathBuf| path.metadata().ok().map(|metadata| metadata.len());
        self.path.as_ref().and_then(length).unwrap_or(0)
    }

    fn growth(&self) -> u64 {
        self.bytes().saturating_sub(self.bytes_before)
    }

    /// Fails when the WAL has grown by more than what is still free beside it.
    fn check(&self) -> Result<(), CopyError> {
        let Some(path) = &self.path else { return Ok(()) };
        let growth = self.growth();
        match free_bytes(parent(path))? {
            Some(free) if growth > free => Err(CopyError::LogTooLarge(growth)),
            _ => Ok(()),
        }
    }
}

/// What this database holds.
fn contents(conn: &Connection) -> Result<Contents, Fault> {
    let version = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut statement = conn.prepare(names)?;
    let names: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows: i64 = conn.query_row(&count, [], |row| row.get(0))?;
        tables.push((name, rows.unsigned_abs()));
    }
    let newest = "SELECT id, at FROM journal ORDER BY id DESC LIMIT 1";
    let newest = conn.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(Contents { version, tables, newest })
}
