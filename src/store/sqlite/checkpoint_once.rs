//! One checkpoint, on any connection that may write.

use std::path::Path;

use rusqlite::Connection;

use super::whole;
use crate::store::Fault;

/// What a checkpoint has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Pages of the WAL that are in the database file.
    pub(super) copied: i32,
    /// Whether these are all, so that SQLite can restart the WAL.
    pub(super) is_complete: bool,
}

/// Makes a checkpoint of the database at `path` in this mode.
pub(super) fn make(conn: &Connection, path: &Path, mode: &str) -> Result<Progress, Fault> {
    check_whole(conn, path)?;
    let done = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let (busy, in_wal, copied): (bool, i32, i32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Progress { copied, is_complete: !busy && in_wal == copied })
    });
    Ok(done?)
}

/// Refuses a file that was truncated under the service: a checkpoint would leave a hole in it,
/// which no later start could detect.
fn check_whole(conn: &Connection, path: &Path) -> Result<(), Fault> {
    let number = |pragma| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (bytes, pages) = (number("PRAGMA page_size")?, number("PRAGMA page_count")?);
    whole::check_end(path, bytes.unsigned_abs(), pages.unsigned_abs())
}
