//! Determines the state of the database file. Every command calls this before it opens the
//! database, so that all of them report a problem alike.

use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;

use super::connection::{busy_and_quiet, open_immutable};
use super::database_file::DatabaseFile;
use super::files::beside;
use super::open::{
    check_access, check_whole, is_there, nothing_in, open_error, shown, upgrade_error,
};
use super::reader::Reader;
use super::upgrade;
use crate::denied;
use crate::store::{DatabaseState, Fault, OpenError, Read, UpgradeError, UpgradePlan};

/// Determines the state of the database and changes nothing. `was_used` says that the database had
/// content before, as it must have if its keys exist: an empty one has lost it then. Only for the
/// beginning of a process, as [`check_whole`] is.
///
/// # Errors
///
/// Any state in which no command can work: the database is damaged, empty, of a newer release, of
/// another program, or cannot be read.
pub fn state_of(path: &Path, was_used: bool) -> Result<DatabaseState, OpenError> {
    match path.metadata() {
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) =>
        {
            return Ok(DatabaseState::Missing);
        }
        Err(error) => {
            return Err(OpenError::Unreadable(shown(path), denied::explain(path, error)));
        }
        Ok(metadata) if metadata.is_dir() => {
            return Err(OpenError::Unreadable(shown(path), io::ErrorKind::IsADirectory.into()));
        }
        // Opening a pipe would block.
        Ok(metadata) if !metadata.is_file() => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(OpenError::Unreadable(shown(path), error));
        }
        Ok(_) => {}
    }
    check_access(path, Access::READ_OK)?;
    check_whole(path)?;
    let version =
        connect_unchanged(path).map_err(UpgradeError::from).and_then(|conn| upgrade::check(&conn));
    match version {
        Ok(0) if was_used => Err(nothing_in(path)),
        Ok(0) => Ok(DatabaseState::Begun),
        Ok(version) if version < upgrade::CURRENT => Ok(DatabaseState::Older(version)),
        Ok(_) => Ok(DatabaseState::Current),
        // A transaction must be rolled back. Only an interrupted first start leaves one before the
        // database has a WAL.
        Err(UpgradeError::Fault(Fault::NeedsWriter(_))) if !was_used => Ok(DatabaseState::Begun),
        Err(error) => Err(upgrade_error(path, error)),
    }
}

/// What the next start would do to an older database; `None` if none is there. Changes nothing.
///
/// # Errors
///
/// If it cannot be read.
pub fn planned_upgrade(file: &DatabaseFile) -> Result<Option<UpgradePlan>, OpenError> {
    let path = file.path();
    if !is_there(path)? {
        return Ok(None);
    }
    let conn = connect_unchanged(path).map_err(|fault| open_error(path, fault))?;
    upgrade::plan(&conn, file).map_err(|error| upgrade_error(path, error))
}

/// The maximum number of problems that are counted.
const PROBLEMS_MAX: usize = 100;

/// Reads the whole database and reports damage, without changing anything. This takes long for a
/// large database. A service beside it keeps working, and its WAL grows meanwhile.
///
/// # Errors
///
/// [`OpenError::BrokenPages`] with what was found, or where it cannot be read.
pub fn check_pages(path: &Path) -> Result<(), OpenError> {
    let found =
        |path: &Path| -> Result<Vec<String>, Fault> { Ok(quick_check(&connect_unchanged(path)?)?) };
    let is_logged = || beside(path, "-wal").exists();
    let was_logged = is_logged();
    let mut problems = found(path);
    // Without a WAL the file was read as immutable. A service that was started meanwhile may change
    // it.
    if !was_logged && is_logged() {
        problems = found(path);
    }
    let problems = problems.map_err(|fault| open_error(path, fault))?;
    let more = if problems.len() < PROBLEMS_MAX { "" } else { " or more" };
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(OpenError::BrokenPages(
            shown(path),
            format!("{}{more}, the first: {first}", problems.len()),
        )),
    }
}

/// Each row of the pragma has one line per problem, below a line that names the database. SQLite
/// stops at severe damage; what it found until then is reported.
fn quick_check(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare(&format!("PRAGMA quick_check({PROBLEMS_MAX})"))?;
    let mut problems = Vec::new();
    for row in statement.query_map([], |row| row.get::<_, String>(0))? {
        match row {
            Ok(row) => problems.extend(
                row.lines()
                    .filter(|line| !line.starts_with("***") && *line != "ok")
                    .map(str::to_owned),
            ),
            Err(_) if !problems.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(problems)
}

/// Opens a database of this release read-only and creates no file beside it. For a short check: see
/// [`State`].
///
/// # Errors
///
/// If SQLite cannot read it.
pub fn open_unchanged(path: &Path) -> Result<Box<dyn Read>, OpenError> {
    let reader =
        connect_unchanged(path).and_then(Reader::new).map_err(|fault| open_error(path, fault))?;
    Ok(Box::new(reader))
}

/// A read-only connection that creates no file. SQLite creates a WAL and its index if they are
/// missing, also for a reader. Without a WAL the file has everything and no process changes it, so
/// it can be opened as immutable.
pub(super) fn connect_unchanged(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // If the path is a symbolic link, SQLite keeps both files beside its target.
    let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_alone = ["-wal", "-journal"].iter().all(|suffix| !beside(&file, suffix).exists());
    let conn =
        if is_alone { open_immutable(&file)? } else { Connection::open_with_flags(path, flags)? };
    busy_and_quiet(&conn)?;
    Ok(conn)
}
