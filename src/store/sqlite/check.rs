//! Determines the state of the database file. Every command calls this before it opens the
//! database, so that all of them report a problem alike.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::Access;

use super::connection::{busy_and_quiet, open_immutable};
use super::database_file::DatabaseFile;
use super::files::beside;
use super::migration::draft_of;
use super::open::{
    check_access, check_whole, is_there, nothing_in, open_error, shown, upgrade_error,
};
use super::reader::Reader;
use super::schema_parts::missing_part;
use super::upgrade;
use crate::data_dir::is_served;
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
            return match is_there(&draft_of(path))? {
                true => Err(not_whole(path)),
                false => Ok(DatabaseState::Missing),
            };
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
    let version = connect_unchanged(path).map_err(UpgradeError::from).and_then(|conn| {
        let version = upgrade::check(&conn)?;
        let missing = if version == 0 { None } else { missing_part(&conn, version)? };
        Ok((version, missing))
    });
    let version = match version {
        Ok((_, Some(part))) => return Err(OpenError::NotWhole(shown(path), part)),
        Ok((version, None)) => Ok(version),
        Err(error) => Err(error),
    };
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

/// A copy into the file is not complete.
fn not_whole(path: &Path) -> OpenError {
    OpenError::Inconsistent(format!(
        "the database {} has only a part of what `nats-userman migrate-store` copies there: run \
         the same command again, which continues, or remove {}",
        shown(path),
        shown(&draft_of(path))
    ))
}

/// What the next start would do to an older database; `None` if there is none. Changes nothing.
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
/// Steps of SQLite's virtual machine, or pages, between two reads of the clock.
const STEPS_BETWEEN: i32 = 100;

/// Reads the whole database and reports damage, without changing anything. This takes long for a
/// large database. A service beside it keeps working, and its WAL grows meanwhile.
///
/// # Errors
///
/// [`OpenError::BrokenPages`] with what was found, or where it cannot be read.
pub fn check_pages(path: &Path) -> Result<(), OpenError> {
    check_until(path, None).map(|_| ())
}

/// Reads the database as [`check_pages`] does, for at most this time. Returns whether all of it was
/// read.
///
/// # Errors
///
/// See [`check_pages`].
pub fn check_pages_within(path: &Path, most: Duration) -> Result<bool, OpenError> {
    check_until(path, Some(Instant::now() + most))
}

fn check_until(path: &Path, deadline: Option<Instant>) -> Result<bool, OpenError> {
    let found = |path: &Path| -> Result<Checked, Fault> {
        let mut conn = connect_unchanged(path)?;
        if let Some(deadline) = deadline {
            conn.progress_handler(STEPS_BETWEEN, Some(move || Instant::now() >= deadline))?;
        }
        match quick_check(&conn) {
            // Before it has found anything, as while the schema is read.
            Err(error) if is_interrupted(&error) => Ok(Checked::default()),
            checked => Ok(checked?),
        }
    };
    let was_alone = is_alone(path);
    let mut checked = found(path);
    // The file was read as immutable. A service that was started meanwhile may change it.
    if was_alone && !is_alone(path) {
        checked = found(path);
    }
    let Checked { problems, is_complete } = checked.map_err(|fault| open_error(path, fault))?;
    let more = if problems.len() < PROBLEMS_MAX { "" } else { " or more" };
    match problems.first() {
        None => Ok(is_complete),
        Some(first) => Err(OpenError::BrokenPages(
            shown(path),
            format!("{}{more}, the first: {first}", problems.len()),
        )),
    }
}

/// The result of `quick_check`.
#[derive(Default)]
struct Checked {
    problems: Vec<String>,
    /// Whether it was not interrupted.
    is_complete: bool,
}

fn is_interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// Each row of the pragma has one line per problem, below a line that names the database. SQLite
/// stops at severe damage; what it found until then is reported.
fn quick_check(conn: &Connection) -> rusqlite::Result<Checked> {
    let mut statement = conn.prepare(&format!("PRAGMA quick_check({PROBLEMS_MAX})"))?;
    let mut problems = Vec::new();
    for row in statement.query_map([], |row| row.get::<_, String>(0))? {
        match row {
            Ok(row) => problems.extend(
                row.lines()
                    .filter(|line| !line.starts_with("***") && *line != "ok")
                    .map(str::to_owned),
            ),
            Err(error) if is_interrupted(&error) => {
                return Ok(Checked { problems, is_complete: false });
            }
            Err(_) if !problems.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Checked { problems, is_complete: true })
}

/// Opens a database of this release read-only and creates no file beside it. For a short check. See
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

/// Whether the file has everything and no service changes it: there is no WAL, or none with any
/// content, and no service runs.
fn is_alone(file: &Path) -> bool {
    let bytes = |suffix| beside(file, suffix).metadata().ok().map(|metadata| metadata.len());
    let is_logged = match bytes("-wal") {
        None => false,
        Some(0) => is_served(file),
        Some(_) => true,
    };
    !is_logged && bytes("-journal").is_none()
}

/// A read-only connection that changes no file. SQLite creates a WAL and its index if they are
/// missing, also for a reader; if it runs as root, it gives both the owner and mode of the
/// database. A file that is alone can be opened as immutable, which avoids that.
pub(super) fn connect_unchanged(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // If the path is a symbolic link, SQLite keeps both files beside its target.
    let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let conn = if is_alone(&file) {
        open_immutable(&file)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    #[cfg(test)]
    let conn = super::plans::recorded(conn);
    busy_and_quiet(&conn)?;
    Ok(conn)
}
