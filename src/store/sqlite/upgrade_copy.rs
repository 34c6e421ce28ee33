//! Keeps a verified copy of the old database beside it before an upgrade, `userman.db.vN`. The
//! release before can use that copy.
//!
//! The caller holds the write lock, so that the copy has everything that the upgrade begins with. A
//! start that was interrupted after the copy makes the same copy again, byte for byte, and reuses
//! the existing one: restarts do not accumulate copies.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::connection::open;
use super::fault;
use crate::store::{Fault, UpgradeError};
use crate::whole_file::parent;

/// The maximum number of copies of one version. Each has other content, so only switching back and
/// forth between releases makes more.
const COPIES_MAX: u32 = 100;
const COMPARED_BYTES: usize = 64 * 1024;
const MIB: u64 = 1024 * 1024;
/// The maximum permissions of a copy, whatever the mode of the database.
const COPY_MODE_MAX: u32 = 0o640;

/// The upgrade was not begun, because the current database cannot be copied.
#[derive(Debug, thiserror::Error)]
#[error(
    "it has version {version}, and no copy of it can be kept in {} before the upgrade; \
     nothing was changed: free {mib} MiB there, \
     or upgrade without a copy by --no-upgrade-copy",
    .place.display()
)]
pub struct NoCopy {
    version: i64,
    /// The intended path of the copy.
    place: PathBuf,
    /// The free space that the copy and the upgrade may need.
    mib: u64,
    #[source]
    cause: CopyError,
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
    /// The path is not one that SQLite takes.
    #[error("the path is not UTF-8")]
    Path,
    /// The copy is not what was copied.
    #[error("the copy differs from the database: {0}")]
    Differs(String),
    /// All names are in use.
    #[error("there are {COPIES_MAX} copies already: move the oldest ones away")]
    TooMany,
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Keeps the copy and returns its path.
pub(super) fn keep(database: &Path, version: i64) -> Result<PathBuf, UpgradeError> {
    let source =
        open(database, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    check(&source)?;
    let mib = room(&source)?.div_ceil(MIB);
    copy(&source, database, version).map_err(|cause| {
        let place = parent(database).to_owned();
        UpgradeError::Copy(Box::new(NoCopy { version, place, mib, cause }))
    })
}

/// Bytes that the copy and the upgrade may need. A step may rewrite every page in the WAL. The
/// checkpoint then writes them to the file, which may have had none of them before, as after a stop
/// of release 0.1.0.
fn room(source: &Connection) -> Result<u64, Fault> {
    const COPY_WAL_AND_FILE: i64 = 3;
    let number = |pragma: &str| source.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let bytes = number("PRAGMA page_count")? * number("PRAGMA page_size")?;
    Ok(bytes.saturating_mul(COPY_WAL_AND_FILE).unsigned_abs())
}

/// Returns an error if the copy is damaged.
fn check(conn: &Connection) -> Result<(), Fault> {
    let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    // The line above this one names the database.
    let found = found.lines().find(|line| !line.starts_with("***")).unwrap_or_default().to_owned();
    if found == "ok" {
        return Ok(());
    }
    Err(fault::damage(found))
}

fn copy(source: &Connection, database: &Path, version: i64) -> Result<PathBuf, CopyError> {
    let begun = with_suffix(database, &format!(".v{version}.tmp"));
    remove(&begun)?;
    let made = make(source, &begun, version).and_then(|()| {
        like(&begun, database)?;
        File::open(&begun)?.sync_all()?;
        name(&begun, database, version)
    });
    if made.is_err() {
        // The failure is reported. The rest of the copy would only use space.
        let _ = remove(&begun);
    }
    made
}

/// Removes the rest of an unfinished copy, with the journal that SQLite kept of it.
fn remove(begun: &Path) -> io::Result<()> {
    for path in [with_suffix(begun, "-journal"), begun.to_owned()] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn make(source: &Connection, begun: &Path, version: i64) -> Result<(), CopyError> {
    // No file of this name exists. Only the owner may read the copy until it is complete.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(begun)?;
    source.execute("VACUUM INTO ?1", [begun.to_str().ok_or(CopyError::Path)?])?;
    let copy = open(begun, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    check(&copy)?;
    let found: i64 = copy.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found != version {
        return Err(CopyError::Differs(format!("version {found}")));
    }
    for table in tables(source)? {
        let (here, there) = (count(source, &table)?, count(&copy, &table)?);
        if here != there {
            return Err(CopyError::Differs(format!("{there} of {here} rows of {table}")));
        }
    }
    Ok(())
}

fn tables(conn: &Connection) -> Result<Vec<String>, CopyError> {
    let mut statement =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn count(conn: &Connection, table: &str) -> Result<i64, CopyError> {
    Ok(conn.query_row(
        &format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\"")),
        [],
        |row| row.get(0),
    )?)
}

/// Sets owner and mode to those of the database. If the owner cannot be set, the copy stays
/// readable to this user alone.
fn like(begun: &Path, database: &Path) -> io::Result<()> {
    let (own, wanted) = (fs::metadata(begun)?, fs::metadata(database)?);
    let is_same = (own.uid(), own.gid()) == (wanted.uid(), wanted.gid());
    if is_same || chown(begun, Some(wanted.uid()), Some(wanted.gid())).is_ok() {
        fs::set_permissions(
            begun,
            Permissions::from_mode(wanted.permissions().mode() & COPY_MODE_MAX),
        )?;
    }
    Ok(())
}

/// Gives the copy a free name, or reuses an existing copy with the same content.
fn name(begun: &Path, database: &Path, version: i64) -> Result<PathBuf, CopyError> {
    for number in 0..COPIES_MAX {
        let suffix =
            if number == 0 { format!(".v{version}") } else { format!(".v{version}.{number}") };
        let place = with_suffix(database, &suffix);
        if place.symlink_metadata().is_err() {
            fs::rename(begun, &place)?;
            File::open(parent(&place))?.sync_all()?;
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

fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
