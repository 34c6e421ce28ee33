//! A connection to a database file, before its content is checked.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::whole;
use crate::store::Fault;

/// How long the writer waits for another process's lock. Commands hold it for milliseconds. The
/// timeout is short, because postbacks wait meanwhile: none may wait for a second.
pub(super) const LOCK_WAIT: Duration = Duration::from_millis(400);

/// The page cache of an upgrade and of a command with many writes, in SQLite's negative form of
/// KiB. The usual one holds a part of the names alone, and a million of them would be read again
/// and again.
pub(super) const CACHE_OF_MANY: i64 = -24_576;

/// Opens a connection with the settings of every connection.
pub(super) fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Fault> {
    let conn = Connection::open_with_flags(path, flags)?;
    #[cfg(test)]
    let conn = super::plans::recorded(conn);
    busy_and_quiet(&conn)?;
    // Sorting and savepoints in memory: nothing of a member is written to a temporary file.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // Nothing has read the file yet. SQLite removes the WAL at the first read, so the check comes
    // right before it: the file may be emptied at any moment.
    whole::check_not_emptied(path)?;
    let _: i64 = conn.pragma_query_value(None, "schema_version", |row| row.get(0))?;
    Ok(conn)
}

/// Sets the lock timeout, and keeps SQLite from removing its files when it closes.
pub(super) fn busy_and_quiet(conn: &Connection) -> Result<(), Fault> {
    conn.busy_timeout(LOCK_WAIT)?;
    // -wal and -shm stay when the last connection closes: a reader without write permission
    // (Apache) could not make them, and would find no database while the service is down.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Sets what a connection that writes must have. `doctor` sets it as well, and reads what the
/// engine made of it.
pub(super) fn secure_connection(conn: &Connection) -> Result<(), Fault> {
    // FULL: the WAL is synced at every commit, so that an acknowledged change survives a power
    // failure.
    conn.pragma_update(None, "synchronous", "FULL")?;
    // Removed and replaced secrets are overwritten with zeros in the pages.
    conn.pragma_update(None, "secure_delete", "ON")?;
    Ok(())
}

/// Opens a file read-only and as immutable: SQLite takes no lock, creates no file, and ignores a
/// WAL or a journal.
pub(super) fn open_immutable(file: &Path) -> rusqlite::Result<Connection> {
    let uri = format!(
        "file:{}?immutable=1",
        percent_encode(file.as_os_str().as_bytes(), NON_ALPHANUMERIC)
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(uri, flags)?;
    #[cfg(test)]
    let conn = super::plans::recorded(conn);
    Ok(conn)
}

/// What the pragma `quick_check` or `integrity_check` finds first, if it finds something.
pub(super) fn first_problem(conn: &Connection, pragma: &str) -> rusqlite::Result<Option<String>> {
    let found: String = conn.query_row(&format!("PRAGMA {pragma}(1)"), [], |row| row.get(0))?;
    // The line above this one names the database.
    let found = found.lines().find(|line| !line.starts_with("***")).unwrap_or_default();
    Ok((found != "ok").then(|| found.to_owned()))
}
