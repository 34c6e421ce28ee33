//! Opening the database: the file and its mode, the pragmas with their reasons, the version.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;

use super::checkpoint::{CHECKPOINT_PAGES, Checkpoints};
use super::engine::Sqlite;
use super::files::{FileChange, Files};
use super::own_file::OwnFile;
use super::reader::Reader;
use super::upgrade::{self, UpgradeError};
use super::{wal_mark, whole};
use crate::denied;
use crate::store::{Engine, Fault, Read};

/// How long a writer waits for another process's lock: commands hold it for milliseconds. Short,
/// because postbacks wait meanwhile and none shall wait for a second.
pub(super) const LOCK_WAIT: Duration = Duration::from_millis(400);

/// Mode of the database: the group reads it, so that Apache can.
const FILE_MODE: u32 = 0o640;

/// Where the database lies: `sqlite:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    path: PathBuf,
    checkpoint_pages: i32,
    upgrade_copy: bool,
}

impl Location {
    /// The database file of this path.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), checkpoint_pages: CHECKPOINT_PAGES, upgrade_copy: true }
    }

    /// The same with a checkpoint whenever the WAL has this many pages.
    #[must_use]
    pub fn with_checkpoint_every(self, pages: i32) -> Self {
        Self { checkpoint_pages: pages, ..self }
    }

    /// Whether a copy of an older database is kept before its upgrade.
    pub fn keeps_upgrade_copy(&self) -> bool {
        self.upgrade_copy
    }

    /// The same without a copy of an older database before its upgrade.
    #[must_use]
    pub fn without_upgrade_copy(self) -> Self {
        Self { upgrade_copy: false, ..self }
    }

    /// Reads `sqlite:PATH`. What would mean something else to SQLite or its other programs is none:
    /// a database in memory, which is gone at the end, a `file:` URI, a query. A file of such a
    /// name could be meant by `./` before it, but for the query.
    pub fn parse(text: &str) -> Option<Self> {
        let path = text.strip_prefix("sqlite:")?;
        let is_plain = !path.is_empty()
            && !path.starts_with(':')
            && !path.starts_with("file:")
            && !path.contains(['?', '\0']);
        is_plain.then(|| Self::sqlite(path))
    }

    /// Whether a read waits for no network, so that an HTTP thread may read by itself.
    pub fn reads_are_local(&self) -> bool {
        true
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Why a database cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is not there, and the caller did not ask to make it.
    #[error("there is no database at {}: `nats-userman serve` makes it", .0.display())]
    Missing(PathBuf),
    /// The file cannot be made.
    #[error("cannot make the database {}", .0.display())]
    Create(PathBuf, #[source] std::io::Error),
    /// SQLite refuses.
    #[error("cannot use the database {}", .0.display())]
    Fault(PathBuf, #[source] Fault),
    /// SQLite finds it damaged.
    #[error("the database {} is damaged or no SQLite database; nothing was changed, restore a backup", .0.display())]
    Damaged(PathBuf, #[source] Fault),
    /// It can be opened, and something in it is broken: how many places, and which first.
    #[error("the database {} is damaged; restore a backup: broken places: {}", .0.display(), .1)]
    BrokenPages(PathBuf, String),
    /// Another user's, mostly.
    #[error("cannot use the database {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The WAL beside it is of another database, or of a later state.
    #[error(
        "the WAL {} does not belong to the database {}, which was replaced without it: nothing was changed; if the database is the \
         restored one, run `nats-userman set-wal-aside` and start again, else put the right file back",
        wal.display(), database.display()
    )]
    ForeignWal {
        /// The database file.
        database: PathBuf,
        /// The file beside it.
        wal: PathBuf,
    },
    /// It has lost all that it held.
    #[error("the database {} is empty: restore a backup, or remove the file to begin anew", .0.display())]
    Empty(PathBuf),
    /// It has lost all that it held with its log.
    #[error(
        "the database {path} is empty: what it held was in {path}-wal, which is gone; put that file back, or restore a backup",
        path = .0.display()
    )]
    LostLog(PathBuf),
    /// A first start was cut short there, and the caller did not ask to make it.
    #[error("the database {} is empty, as a first start leaves it that was cut short: `nats-userman serve` makes it", .0.display())]
    Begun(PathBuf),
    /// The service does not know yet whether it can go on with the file that lies there.
    #[error("it is in doubt which file is the database {}", .0.display())]
    InDoubt(PathBuf),
    /// It is of another program, or of a newer release.
    #[error("cannot use the database {}", .0.display())]
    Upgrade(PathBuf, #[source] UpgradeError),
}

impl OpenError {
    pub(super) fn of(path: &Path, fault: Fault) -> Self {
        match fault {
            Fault::Damaged(_) => Self::Damaged(path.to_owned(), fault),
            other => Self::Fault(path.to_owned(), other),
        }
    }

    /// For a database without a table that has held something. A page without a table is all that a
    /// file has until its log is brought into it.
    pub(super) fn nothing_in(path: &Path) -> Self {
        let bytes = |path: PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
        let is_log_gone = bytes(path.to_owned()) > 0 && bytes(beside(path, "-wal")) == 0;
        if is_log_gone { Self::LostLog(path.to_owned()) } else { Self::Empty(path.to_owned()) }
    }

    pub(super) fn of_upgrade(path: &Path, error: UpgradeError) -> Self {
        match error {
            UpgradeError::Fault(fault) => Self::of(path, fault),
            other @ (UpgradeError::Newer { .. }
            | UpgradeError::Older { .. }
            | UpgradeError::Foreign
            | UpgradeError::Copy(_)) => Self::Upgrade(path.to_owned(), other),
        }
    }

    /// Whether a reader cannot go on and a writer can: an upgrade is due, or a transaction must be
    /// rolled back that a first start left when it was cut short before the database had its log.
    pub fn wants_a_writer(&self) -> bool {
        match self {
            OpenError::Upgrade(_, UpgradeError::Older { .. }) => true,
            OpenError::Fault(_, fault) => matches!(fault, Fault::NeedsWriter(_)),
            OpenError::Upgrade(..)
            | OpenError::Missing(_)
            | OpenError::Create(..)
            | OpenError::Damaged(..)
            | OpenError::BrokenPages(..)
            | OpenError::Unreadable(..)
            | OpenError::ForeignWal { .. }
            | OpenError::Empty(_)
            | OpenError::LostLog(_)
            | OpenError::InDoubt(_)
            | OpenError::Begun(_) => false,
        }
    }
}

/// Opens the database for writing, makes it or upgrades it where needed, and lends it to `work`.
/// When `work` ends the connection is closed; to go on after a fault that wants reopening, call
/// this again.
///
/// # Errors
///
/// Where the file cannot be made, opened, read or upgraded.
pub fn with_engine<T>(
    location: &Location,
    make: bool,
    work: impl FnOnce(&mut dyn Engine) -> T,
) -> Result<T, OpenError> {
    let path = location.path();
    if !is_there(location)? {
        if !make {
            return Err(OpenError::Missing(path.to_owned()));
        }
        make_file(path)
            .map_err(|error| OpenError::Create(path.to_owned(), denied::told(path, error)))?;
    }
    check_access(path, Access::READ_OK | Access::WRITE_OK)?;
    let fault = |fault| OpenError::of(path, fault);
    let files = Files::look(path).map_err(|_| fault(Fault::Replaced(FileChange::Gone.into())))?;
    // NO_MUTEX: one thread at a time has a connection, which Rust sees to.
    let mut conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(fault)?;
    let version = upgrade::check(&conn).map_err(|error| OpenError::of_upgrade(path, error))?;
    if version == 0 && !make {
        return Err(OpenError::nothing_in(path));
    }
    set_up_writer(&conn).map_err(fault)?;
    upgrade::run(&mut conn, location.upgrade_copy.then_some(path))
        .map_err(|error| OpenError::of_upgrade(path, error))?;

    let wal_pages = Arc::new(AtomicI32::new(0));
    let pages_now = Arc::clone(&wal_pages);
    // A hook of ours in place of SQLite's automatic checkpoint, which would run inside the COMMIT,
    // before the replies.
    let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
        pages_now.store(pages, Ordering::Relaxed);
        Ok(())
    };
    conn.wal_hook(Some(hook)).map_err(|error| fault(error.into()))?;
    let checkpoints =
        Checkpoints::new(&conn, path, wal_pages, location.checkpoint_pages).map_err(fault)?;
    let own_file = OwnFile::new(&conn, path, &files).map_err(fault)?;
    let mut engine = Sqlite::new(&conn, own_file, checkpoints).map_err(fault)?;
    if version < upgrade::CURRENT {
        // Only a WAL that begins with a mark can be told from one of another file. Where it cannot
        // be emptied now, it will be later.
        let _ = engine.empty_wal();
    }
    Ok(work(&mut engine))
}

/// The page cache of a read-only connection, of which each HTTP thread has one: KiB, in SQLite's
/// negative form. A visitor's name and row are two pages, and who asks once asks again for the next
/// picture: room for some 700 visitors, where SQLite's own 2 MiB has it for 230.
const READER_CACHE: i32 = -6144;

/// Opens the database read-only.
///
/// # Errors
///
/// Where there is none, or none that this release can read.
pub fn open_reader(location: &Location) -> Result<Box<dyn Read>, OpenError> {
    let path = location.path();
    if !is_there(location)? {
        return Err(OpenError::Missing(path.to_owned()));
    }
    check_access(path, Access::READ_OK)?;
    let fault = |fault| OpenError::of(path, fault);
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(fault)?;
    upgrade::check_current(&conn).map_err(|error| OpenError::of_upgrade(path, error))?;
    conn.pragma_update(None, "cache_size", READER_CACHE).map_err(|error| fault(error.into()))?;
    Ok(Box::new(Reader::new(conn).map_err(fault)?))
}

/// Whether there is a database file.
///
/// # Errors
///
/// Where that must not be looked at.
pub fn is_there(location: &Location) -> Result<bool, OpenError> {
    let path = location.path();
    denied::is_there(path).map_err(|error| OpenError::Unreadable(path.to_owned(), error))
}

/// Whether the files that are there may be used. SQLite would say "unable to open" or "readonly" of
/// whichever it is, and of the log only at the first postback.
pub(crate) fn check_access(path: &Path, access: Access) -> Result<(), OpenError> {
    // Where the file is a symbolic link, SQLite keeps the others beside what it leads to.
    let database = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for suffix in ["", "-wal", "-shm"] {
        match denied::check(&beside(&database, suffix), access) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(OpenError::Unreadable(path.to_owned(), error));
            }
            // Others are SQLite's to tell.
            _ => {}
        }
    }
    Ok(())
}

/// SQLite gives -wal and -shm the mode of the database, so this one decides for all three.
fn make_file(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    // The mode above is cut by the umask; an Apache of the file's group must be able to read.
    file.set_permissions(Permissions::from_mode(FILE_MODE))
}

/// Refuses a database that has lost its end, or whose WAL is of another one, before anything is
/// done to it. Only for the beginning of a process, or where another file was put in place: the
/// file is opened and closed here beside SQLite, and a `close` gives up every lock that the process
/// holds on the file (POSIX), so that another process could take a log away that is in use.
///
/// # Errors
///
/// [`OpenError::Damaged`] or [`OpenError::ForeignWal`].
pub fn check_whole(location: &Location) -> Result<(), OpenError> {
    let path = location.path();
    whole::check(path).map_err(|fault| OpenError::Damaged(path.to_owned(), fault))?;
    // Where the file is a symbolic link, SQLite keeps the WAL beside what it leads to.
    let Ok(database) = path.canonicalize() else { return Ok(()) };
    let wal = beside(&database, "-wal");
    if wal_mark::is_foreign(&database, &wal) {
        return Err(OpenError::ForeignWal { database: path.to_owned(), wal });
    }
    Ok(())
}

pub(super) fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Fault> {
    whole::check_not_emptied(path)?;
    let conn = Connection::open_with_flags(path, flags)?;
    busy_and_quiet(&conn)?;
    // Sorting and savepoints in memory: nothing of a member is written to a temporary file.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(conn)
}

/// What every connection has.
pub(super) fn busy_and_quiet(conn: &Connection) -> Result<(), Fault> {
    conn.busy_timeout(LOCK_WAIT)?;
    // -wal and -shm stay when the last connection closes: a reader without write permission
    // (Apache) could not make them, and would find no database while the service is down.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Opens a file read-only as one that nobody changes: SQLite takes no lock, makes no file, and
/// looks neither for a WAL nor for a journal.
pub(super) fn open_immutable(file: &Path) -> rusqlite::Result<Connection> {
    let uri = format!(
        "file:{}?immutable=1",
        percent_encode(file.as_os_str().as_bytes(), NON_ALPHANUMERIC)
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags)
}

/// What SQLite keeps beside a database, by its suffix.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn set_up_writer(conn: &Connection) -> Result<(), Fault> {
    // WAL: readers (logins, CHECK, Apache) never wait for the writer. The answer tells whether the
    // file system can do it.
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::BadRow(format!("journal mode {mode}: the file system cannot do WAL")));
    }
    // FULL: the log is synced at every commit, so that OK holds through a power failure.
    conn.pragma_update(None, "synchronous", "FULL")?;
    // Removed and replaced secrets are overwritten with zeros in the pages.
    conn.pragma_update(None, "secure_delete", "ON")?;
    Ok(())
}
