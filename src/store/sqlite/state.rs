//! What stands at the place of the database. Every command asks this before it opens it, so that
//! all of them say the same.

use std::io;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;

use super::open::{Location, OpenError, check_whole};
use super::open::{beside, busy_and_quiet, check_access, open_immutable};
use super::reader::Reader;
use super::upgrade::{self, UpgradeError};
use crate::denied;
use crate::store::{Fault, Read};

/// What a command may find and go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No file.
    Missing,
    /// A first start that was cut short: nothing is in it yet.
    Begun,
    /// The database of an earlier release, of this version.
    Older(i64),
    /// One of this release's.
    Current,
}

/// Looks at the database and changes nothing. `was_used` says that it has held something, as a
/// database has whose keys are there: an empty one has lost it then. Only for the beginning of a
/// process, as [`check_whole`] is.
///
/// # Errors
///
/// Whatever no command can go on from: it is damaged, empty, of a newer release, of another
/// program, or cannot be read.
pub fn look(location: &Location, was_used: bool) -> Result<State, OpenError> {
    let path = location.path();
    match path.metadata() {
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) =>
        {
            return Ok(State::Missing);
        }
        Err(error) => {
            return Err(OpenError::Unreadable(path.to_owned(), denied::told(path, error)));
        }
        Ok(metadata) if metadata.is_dir() => {
            return Err(OpenError::Unreadable(path.to_owned(), io::ErrorKind::IsADirectory.into()));
        }
        // A pipe would be waited for when it is opened.
        Ok(metadata) if !metadata.is_file() => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
            return Err(OpenError::Unreadable(path.to_owned(), error));
        }
        Ok(_) => {}
    }
    check_access(path, Access::READ_OK)?;
    check_whole(location)?;
    let version = connect_unchanged(location)
        .map_err(UpgradeError::from)
        .and_then(|conn| upgrade::check(&conn));
    match version {
        Ok(0) if was_used => Err(OpenError::nothing_in(path)),
        Ok(0) => Ok(State::Begun),
        Ok(version) if version < upgrade::CURRENT => Ok(State::Older(version)),
        Ok(_) => Ok(State::Current),
        // A transaction that must be rolled back: only a first start has one, before the database
        // has its log.
        Err(UpgradeError::Fault(Fault::NeedsWriter(_))) if !was_used => Ok(State::Begun),
        Err(error) => Err(OpenError::of_upgrade(path, error)),
    }
}

/// The most problems that are counted.
const PROBLEMS_MAX: usize = 100;

/// Reads the whole database and says what is broken in it, changing nothing. Takes long where it is
/// large; a service beside it goes on, and its log grows meanwhile.
///
/// # Errors
///
/// [`OpenError::BrokenPages`] with what was found, or where it cannot be read.
pub fn check_pages(location: &Location) -> Result<(), OpenError> {
    let path = location.path();
    let found = |location: &Location| -> Result<Vec<String>, Fault> {
        Ok(quick_check(&connect_unchanged(location)?)?)
    };
    let is_logged = || beside(path, "-wal").exists();
    let was_logged = is_logged();
    let mut problems = found(location);
    // Without a log the file was read as one that nobody changes. A service that was started
    // meanwhile does.
    if !was_logged && is_logged() {
        problems = found(location);
    }
    let problems = problems.map_err(|fault| OpenError::of(path, fault))?;
    let more = if problems.len() < PROBLEMS_MAX { "" } else { " or more" };
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(OpenError::BrokenPages(
            path.to_owned(),
            format!("{}{more}, the first: {first}", problems.len()),
        )),
    }
}

/// A row has a line for each problem of a table or index, below one that names the database. Where
/// it is broken badly, SQLite goes no further than it can: what was found until then is told.
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

/// Opens a database of this release read-only, and makes no file beside it. For a short look: see
/// [`State`].
///
/// # Errors
///
/// Where SQLite cannot read it.
pub fn open_unchanged(location: &Location) -> Result<Box<dyn Read>, OpenError> {
    let reader = connect_unchanged(location)
        .and_then(Reader::new)
        .map_err(|fault| OpenError::of(location.path(), fault))?;
    Ok(Box::new(reader))
}

/// A read-only connection that makes no file. SQLite makes a log and its index where there are
/// none, also for a reader. Where there is none, all is in the file, and nobody changes it: it may
/// be read as if it could not be changed.
fn connect_unchanged(location: &Location) -> Result<Connection, Fault> {
    let path = location.path();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // SQLite keeps them beside what a symbolic link leads to.
    let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_alone = ["-wal", "-journal"].iter().all(|suffix| !beside(&file, suffix).exists());
    let conn =
        if is_alone { open_immutable(&file)? } else { Connection::open_with_flags(path, flags)? };
    busy_and_quiet(&conn)?;
    Ok(conn)
}
