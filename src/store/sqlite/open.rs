//! Opening the database: the file and its mode, the pragmas with their reasons, the version.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;

use super::checkpoint::Checkpoints;
use super::connection::{open, secure_connection};
use super::database_file::DatabaseFile;
use super::engine::Sqlite;
use super::files::{FILE_SUFFIXES, Files, beside};
use super::own_file::OwnFile;
use super::reader::Reader;
use super::{fault, upgrade, wal_mark, whole};
use crate::denied;
use crate::owner::give_to_owner_of;
use crate::store::{Engine, Fault, OpenError, Read, UpgradeError};
use crate::whole_file::parent;

/// Mode of the database: the group reads it, so that Apache can.
const FILE_MODE: u32 = 0o640;

/// Opens the database for writing, creates or upgrades it if needed, and passes it to `work`. When
/// `work` returns, the connection is closed. To continue after a fault that requires reopening,
/// call this again.
///
/// # Errors
///
/// If the file cannot be made, opened, read or upgraded.
pub fn with_engine<T>(
    file: &DatabaseFile,
    create: bool,
    work: impl FnOnce(&mut dyn Engine) -> T,
) -> Result<T, OpenError> {
    let path = file.path();
    if !is_there(path)? {
        if !create {
            return Err(OpenError::Missing(shown(path)));
        }
        make_file(path)
            .map_err(|error| OpenError::Create(shown(path), denied::explain(path, error)))?;
    }
    check_access(path, Access::READ_OK | Access::WRITE_OK)?;
    let fault = |fault| open_error(path, fault);
    let files = Files::of_database(path).map_err(|change| fault(Fault::Replaced(change)))?;
    // NO_MUTEX: Rust ensures that one thread at a time uses a connection.
    let mut conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(fault)?;
    let version = upgrade::check(&conn).map_err(|error| upgrade_error(path, error))?;
    if version == 0 && !create {
        return Err(nothing_in(path));
    }
    set_up_writer(&conn).map_err(fault)?;
    upgrade::run(&mut conn, Some(file)).map_err(|error| upgrade_error(path, error))?;

    let wal_pages = Arc::new(AtomicI32::new(0));
    let pages_now = Arc::clone(&wal_pages);
    // Our hook replaces SQLite's automatic checkpoint, which would run inside the COMMIT, before
    // the replies.
    let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
        pages_now.store(pages, Ordering::Relaxed);
        Ok(())
    };
    conn.wal_hook(Some(hook)).map_err(|error| fault(error.into()))?;
    let (every, heartbeat) = (file.checkpoint_pages(), file.heartbeat());
    let checkpoints = Checkpoints::new(&conn, path, wal_pages, every, heartbeat).map_err(fault)?;
    let own_file = OwnFile::new(&conn, path, &files).map_err(fault)?;
    let mut engine = Sqlite::new(&conn, own_file, checkpoints).map_err(fault)?;
    if version < upgrade::CURRENT {
        // Only a WAL that begins with a mark can be recognised as foreign to its file. If the WAL
        // cannot be emptied now, a later checkpoint does it.
        let _ = engine.empty_wal();
    }
    Ok(work(&mut engine))
}

/// The page cache of a read-only connection, of which each HTTP thread has one: KiB, in SQLite's
/// negative form. A visitor's name and row take two pages, and a browser sends many requests in a
/// row. This has room for some 700 visitors, SQLite's default of 2 MiB for 230.
const READER_CACHE: i32 = -6144;

/// Opens the database read-only.
///
/// # Errors
///
/// If there is none, or none that this release can read.
pub fn open_reader(path: &Path) -> Result<Box<dyn Read>, OpenError> {
    if !is_there(path)? {
        return Err(OpenError::Missing(shown(path)));
    }
    check_access(path, Access::READ_OK)?;
    let fault = |fault| open_error(path, fault);
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(fault)?;
    upgrade::check_current(&conn).map_err(|error| upgrade_error(path, error))?;
    conn.pragma_update(None, "cache_size", READER_CACHE).map_err(|error| fault(error.into()))?;
    Ok(Box::new(Reader::new(conn).map_err(fault)?))
}

/// Whether there is a database file.
///
/// # Errors
///
/// If the process has no permission to determine that.
pub fn is_there(path: &Path) -> Result<bool, OpenError> {
    denied::is_there(path).map_err(|error| OpenError::Unreadable(shown(path), error))
}

/// Checks that the existing files may be used. SQLite would report "unable to open" or "readonly"
/// without naming the file, and a problem of the WAL only at the first postback.
pub(super) fn check_access(path: &Path, access: Access) -> Result<(), OpenError> {
    // If the path is a symbolic link, SQLite keeps the others beside its target.
    let database = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for suffix in FILE_SUFFIXES {
        match denied::check(&beside(&database, suffix), access) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(OpenError::Unreadable(shown(path), error));
            }
            // SQLite reports other errors.
            _ => {}
        }
    }
    Ok(())
}

/// SQLite gives -wal and -shm the mode of the database, and as root also its owner, so this one
/// decides for all three.
fn make_file(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    give_to_owner_of(parent(path), &file)?;
    // The umask reduces the mode above, and an Apache in the file's group must be able to read.
    file.set_permissions(Permissions::from_mode(FILE_MODE))
}

/// Refuses a database that has lost its end or whose WAL belongs to another one, before anything is
/// done to it. Only for the beginning of a process, or after the file was replaced: it opens and
/// closes the file beside SQLite, and a `close` releases every lock that the process holds on the
/// file (POSIX). Another process could then remove a WAL that is in use.
///
/// # Errors
///
/// [`OpenError::Damaged`] or [`OpenError::ForeignWal`].
pub fn check_whole(path: &Path) -> Result<(), OpenError> {
    whole::check(path).map_err(|fault| open_error(path, fault))?;
    // If the path is a symbolic link, SQLite keeps the WAL beside its target.
    let Ok(database) = path.canonicalize() else { return Ok(()) };
    let wal = beside(&database, "-wal");
    if wal_mark::is_foreign(&database, &wal) {
        return Err(OpenError::Inconsistent(format!(
            "the WAL {} does not belong to the database {}, which was replaced without it: \
             nothing was changed; if the database is the restored one, run `nats-userman \
             set-wal-aside` and start again, else put the right file back",
            wal.display(),
            path.display()
        )));
    }
    Ok(())
}

fn set_up_writer(conn: &Connection) -> Result<(), Fault> {
    // WAL: readers (logins, CHECK, Apache) never wait for the writer. The pragma returns whether
    // the file system supports it.
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::BadRow(format!("journal mode {mode}: the file system cannot do WAL")));
    }
    secure_connection(conn)
}

/// A fault of the engine with the place of the database.
pub(super) fn open_error(path: &Path, fault: Fault) -> OpenError {
    // If the path is a symbolic link, SQLite keeps its other files beside the target.
    let database = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match fault::of_opening(fault, parent(&database)) {
        fault @ Fault::Damaged(_) => OpenError::Damaged(
            format!(
                "the database {} is damaged or no SQLite database; nothing was changed, restore a \
                 backup",
                path.display()
            ),
            fault,
        ),
        other => OpenError::Fault(shown(path), other),
    }
}

pub(super) fn upgrade_error(path: &Path, error: UpgradeError) -> OpenError {
    match error {
        UpgradeError::Fault(fault) => open_error(path, fault),
        other @ (UpgradeError::Newer { .. }
        | UpgradeError::Older { .. }
        | UpgradeError::Foreign
        | UpgradeError::Copy(_)) => OpenError::Upgrade(shown(path), other),
    }
}

/// For a database that had content and has no table now. Until the first checkpoint, the file has
/// only a page without tables.
pub(super) fn nothing_in(path: &Path) -> OpenError {
    let bytes = |path: PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
    let is_log_gone = bytes(path.to_owned()) > 0 && bytes(beside(path, "-wal")) == 0;
    if is_log_gone {
        OpenError::Inconsistent(format!(
            "the database {path} is empty: what it held was in {path}-wal, which is gone; put that \
             file back, or restore a backup",
            path = path.display()
        ))
    } else {
        OpenError::Empty(shown(path))
    }
}

/// A path as messages show it.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Checks that the existing database may be read and written.
///
/// # Errors
///
/// If it may not.
pub fn check_writable(path: &Path) -> Result<(), OpenError> {
    check_access(path, Access::READ_OK | Access::WRITE_OK)
}
