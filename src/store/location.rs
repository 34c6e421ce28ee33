//! Where a database is, and which engine opens it. The only file that chooses between engines.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::bad_location::BadLocation;
use super::database_state::{DatabaseState, MigrationTarget};
use super::open_error::{OpenError, SCHEMA_VERSION};
use super::{
    Contents, CopyError, Diagnosis, Engine, Fault, LogState, Read, Replacement, SetAside,
    UpgradePlan, mysql, sqlite,
};
use crate::heartbeat::Heartbeat;

/// What `--database` takes.
const LOCATION_EXPECTED: &str = "expected sqlite:PATH or mysql://USER@HOST/DATABASE";
const SQLITE_EXPECTED: &str = "expected sqlite:PATH, the path of a file";

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite: `sqlite:PATH`.
    Sqlite(sqlite::DatabaseFile),
    /// A database of MariaDB or MySQL: `mysql://USER@HOST/DATABASE`.
    Mysql(mysql::Server),
}

impl Location {
    /// The SQLite database of this path.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite(sqlite::DatabaseFile::new(path.into()))
    }

    /// Reads the setting `--database`. A password in it is taken.
    ///
    /// # Errors
    ///
    /// What was expected and what was found. A text that may be a password is not shown.
    pub fn parse(text: &str) -> Result<Self, BadLocation> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            // A query may contain a key.
            let shown = text.split_inclusive('?').next().unwrap_or(text);
            let file = sqlite::DatabaseFile::parse(path);
            return file
                .map(Self::Sqlite)
                .ok_or_else(|| BadLocation::quoting(SQLITE_EXPECTED, shown));
        }
        if text.starts_with(mysql::SCHEME) {
            return mysql::Server::parse(text).map(Self::Mysql);
        }
        // The URL of another database may have a password: only the scheme is shown.
        let scheme = text.split_once(':').map_or(text, |(scheme, _)| scheme);
        Err(BadLocation::quoting(LOCATION_EXPECTED, scheme))
    }

    /// The version of the schema that this release reads and writes there.
    pub fn schema_version(&self) -> i64 {
        match self {
            Self::Sqlite(_) => SCHEMA_VERSION,
            Self::Mysql(_) => mysql::VERSION,
        }
    }

    /// A copy that [`Read::copy_to`] made of a database of this engine.
    #[must_use]
    pub fn copy_at(&self, place: &Path) -> Self {
        match self {
            Self::Sqlite(_) => Self::sqlite(place),
            Self::Mysql(_) => self.clone(),
        }
    }

    /// Whether this is the database that the server's location means, also where the host has
    /// another one of its usual names.
    pub fn is_database_of(&self, other: &mysql::Server) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Mysql(server) => server.is_same_database(other),
        }
    }

    /// The text that [`Location::parse`] reads.
    pub fn setting(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite:{}", file.path().display()),
            Self::Mysql(server) => server.setting(),
        }
    }

    /// Checkpoints the log whenever it has this many pages.
    #[must_use]
    pub fn with_checkpoint_every(self, pages: i32) -> Self {
        match self {
            Self::Sqlite(file) => Self::Sqlite(file.with_checkpoint_every(pages)),
            Self::Mysql(_) => self,
        }
    }

    /// Whether a copy of an older database is kept before its upgrade.
    pub fn keeps_upgrade_copy(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.keeps_upgrade_copy(),
            Self::Mysql(_) => false,
        }
    }

    /// Disables the copy that is kept before an upgrade.
    #[must_use]
    pub fn without_upgrade_copy(self) -> Self {
        match self {
            Self::Sqlite(file) => Self::Sqlite(file.without_upgrade_copy()),
            Self::Mysql(_) => self,
        }
    }

    /// Reports long work of the writer, such as an upgrade, to this supervisor.
    #[must_use]
    pub fn watched_by(self, heartbeat: Heartbeat) -> Self {
        match self {
            Self::Sqlite(file) => Self::Sqlite(file.watched_by(heartbeat)),
            Self::Mysql(server) => Self::Mysql(server.watched_by(heartbeat)),
        }
    }

    /// How the program logs in, as `check-config` shows it; `None` for a file.
    pub fn access(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Mysql(server) => Some(server.access()),
        }
    }

    /// Whether a read waits for no network, so that an HTTP thread may do it directly.
    pub fn reads_are_local(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Mysql(_) => false,
        }
    }

    /// Whether the password of a server is known.
    pub fn has_password(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Mysql(server) => server.password().is_some(),
        }
    }

    /// Whether several receivers may use the database at once.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Mysql(_) => true,
        }
    }

    /// The database file, of an engine that has one: locks lie beside it.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(file) => Some(file.path()),
            Self::Mysql(_) => None,
        }
    }

    /// All files that an interrupted writer can leave of a database that is not in its place yet,
    /// whether they exist or not.
    pub fn files_of_draft(&self) -> Vec<PathBuf> {
        match self {
            Self::Sqlite(file) => file.all_and_journal(),
            Self::Mysql(_) => Vec::new(),
        }
    }

    /// All files of the database, whether they are there or not: their modes are checked.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Sqlite(file) => file.all(),
            Self::Mysql(_) => Vec::new(),
        }
    }
}

/// As messages show it.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => file.path().display().fmt(f),
            Self::Mysql(server) => server.fmt(f),
        }
    }
}

/// Which database an open connection belongs to.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    Sqlite(sqlite::Files),
    /// A server checks its databases itself.
    Mysql,
}

impl Identity {
    /// The fingerprint of the database at the location.
    pub(super) fn of(location: &Location) -> Result<Self, Replacement> {
        match location {
            Location::Sqlite(file) => sqlite::Files::of_database(file.path()).map(Self::Sqlite),
            Location::Mysql(_) => Ok(Self::Mysql),
        }
    }

    /// Checks that the location still has the database of this fingerprint.
    pub(super) fn check(&self) -> Result<(), Replacement> {
        match self {
            Self::Sqlite(files) => files.check().map(|_| ()).map_err(Replacement::from),
            Self::Mysql => Ok(()),
        }
    }
}

/// A fingerprint of the database at a location, to be compared with a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// Of the files of SQLite.
    Sqlite(sqlite::FilesSeen),
    /// A server changes its databases itself.
    Mysql,
}

impl Fingerprint {
    /// The fingerprint of the database at the location; `None` if there is none.
    pub fn of(location: &Location) -> Option<Self> {
        match location {
            Location::Sqlite(file) => sqlite::FilesSeen::at(file.path()).map(Self::Sqlite),
            Location::Mysql(_) => Some(Self::Mysql),
        }
    }
}

/// Opens the database for writing, creates or upgrades it where needed, and passes it to `work`.
/// When `work` ends the connection is closed; after a fault that requires reopening, call this
/// again.
///
/// # Errors
///
/// If the database cannot be created, opened, read or upgraded.
pub fn with_engine<T>(
    location: &Location,
    create: bool,
    work: impl FnOnce(&mut dyn Engine) -> T,
) -> Result<T, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::with_engine(file, create, work),
        Location::Mysql(server) => mysql::with_engine(server, create, work),
    }
}

/// Opens the database for a command that reads. It waits longer for an answer than a visitor does.
///
/// # Errors
///
/// If there is none, or none that this release can read.
pub fn open_for_command(location: &Location) -> Result<Box<dyn Read>, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::open_reader(file.path()),
        Location::Mysql(server) => mysql::open_for_command(server),
    }
}

/// Opens the database for reading.
///
/// # Errors
///
/// If there is none, or none that this release can read.
pub fn open_reader(location: &Location) -> Result<Box<dyn Read>, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::open_reader(file.path()),
        Location::Mysql(server) => mysql::open_reader(server),
    }
}

/// Opens the database of this release for a short check that changes nothing, not even a file of
/// the engine.
///
/// # Errors
///
/// If it cannot be read.
pub fn open_for_check(location: &Location) -> Result<Box<dyn Read>, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::open_unchanged(file.path()),
        Location::Mysql(server) => mysql::open_for_command(server),
    }
}

/// Opens a database of this release or an earlier one, to copy it.
///
/// # Errors
///
/// If there is none, or it cannot be read.
pub fn open_for_copy(location: &Location) -> Result<Box<dyn Read>, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::open_for_copy(file.path()),
        Location::Mysql(server) => mysql::open_reader(server),
    }
}

/// Opens a backup, which no process changes, to copy it. Creates no file beside it.
///
/// # Errors
///
/// If it cannot be read.
pub fn open_backup(location: &Location) -> Result<Box<dyn Read>, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::open_backup(file.path()),
        Location::Mysql(server) => mysql::open_reader(server),
    }
}

/// Reads a whole copy that [`Read::copy_to`] made, and says what it holds. Ends soon after `stop`
/// is set.
///
/// # Errors
///
/// If it is damaged, or cannot be read.
pub fn check_copy(copy: &Location, stop: &Arc<AtomicBool>) -> Result<Contents, CopyError> {
    match copy {
        Location::Sqlite(file) => sqlite::check_copy(file.path(), stop),
        Location::Mysql(_) => Err(mysql::no_copy()),
    }
}

/// Whether there is a database.
///
/// # Errors
///
/// If that cannot be determined.
pub fn exists(location: &Location) -> Result<bool, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::is_there(file.path()),
        Location::Mysql(server) => mysql::is_there(server),
    }
}

/// Checks what is at the location and changes nothing. `was_used` says that there was a database
/// with content, as there was where its keys are: an empty one has lost it. Only for the beginning
/// of a process, as [`check_whole`] is.
///
/// # Errors
///
/// Any state in which no command can continue: the database is damaged, empty, of a newer release,
/// of another program, or cannot be read.
pub fn state_of(location: &Location, was_used: bool) -> Result<DatabaseState, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::state_of(file.path(), was_used),
        Location::Mysql(server) => mysql::state_of(server, was_used),
    }
}

/// Reads the whole database and fails where a part is damaged. Changes nothing. Takes long where
/// the database is large.
///
/// # Errors
///
/// [`OpenError::BrokenPages`] with what was found, or where it cannot be read.
pub fn check_content(location: &Location) -> Result<(), OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::check_pages(file.path()),
        Location::Mysql(_) => Ok(()),
    }
}

/// Reads the whole database as [`check_content`] does, for at most this time. Returns whether all
/// of it was read.
///
/// # Errors
///
/// See [`check_content`].
pub fn check_content_within(location: &Location, most: Duration) -> Result<bool, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::check_pages_within(file.path(), most),
        Location::Mysql(_) => Ok(true),
    }
}

/// Facts about a database of this release, for `doctor`. `since` (unix seconds) is the beginning of
/// the time whose journal records are counted. Only for the beginning of a process, as
/// [`check_whole`] is.
///
/// # Errors
///
/// If the database cannot be read.
pub fn diagnose(location: &Location, since: i64) -> Result<Diagnosis, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::diagnose(file.path(), since),
        Location::Mysql(server) => mysql::diagnose(server, since),
    }
}

/// The log of the engine, and who keeps it from being reclaimed; `None` if there is no log. Only
/// for the beginning of a process, as [`check_whole`] is.
///
/// # Errors
///
/// If it cannot be read.
pub fn log_state(location: &Location) -> io::Result<Option<LogState>> {
    match location {
        Location::Sqlite(file) => sqlite::log_state(file.path()),
        Location::Mysql(_) => Ok(None),
    }
}

/// What the next start would do to an older database; `None` if there is none, or one of this
/// release. Changes nothing.
///
/// # Errors
///
/// If it cannot be read.
pub fn planned_upgrade(location: &Location) -> Result<Option<UpgradePlan>, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::planned_upgrade(file),
        Location::Mysql(server) => mysql::planned_upgrade(server),
    }
}

/// Refuses a database that has lost a part, or was put together of parts of two, before anything is
/// done to it. Only for the beginning of a process, or where another database was put in place.
///
/// # Errors
///
/// [`OpenError::Damaged`] or [`OpenError::Inconsistent`].
pub fn check_whole(location: &Location) -> Result<(), OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::check_whole(file.path()),
        Location::Mysql(_) => Ok(()),
    }
}

/// Checks that this process may read and write the database that is there.
///
/// # Errors
///
/// If it may not.
pub fn check_access(location: &Location) -> Result<(), OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::check_writable(file.path()),
        Location::Mysql(server) => mysql::check_access(server),
    }
}

/// What the user of a server may not do, if that is something that postbacks need. `None` also
/// where the server does not answer, or has no tables of this release.
pub fn missing_privilege(location: &Location) -> Option<Fault> {
    match location {
        Location::Sqlite(_) => None,
        Location::Mysql(server) => mysql::missing_privilege(server),
    }
}

/// The log beside a database, if it belongs to another one. For a database that this process has
/// not opened.
pub fn foreign_log(location: &Location) -> Option<PathBuf> {
    match location {
        Location::Sqlite(file) => sqlite::foreign_wal(file.path()),
        Location::Mysql(_) => None,
    }
}

/// Moves a log aside that was left beside a restored database and does not belong to it. Nothing is
/// deleted. For a database that no process has open.
///
/// # Errors
///
/// If a file of the new name exists, or the directory cannot be written.
pub fn set_log_aside(location: &Location, stamp: &str) -> io::Result<SetAside> {
    match location {
        Location::Sqlite(file) => sqlite::set_wal_aside(file.path(), stamp),
        Location::Mysql(_) => Ok(SetAside::Nothing),
    }
}

/// Whether a receiver uses a database that several may share. An engine whose database has one
/// receiver says no: its lock shows it.
///
/// # Errors
///
/// If the database cannot be read.
pub fn is_led(location: &Location) -> Result<bool, OpenError> {
    match location {
        Location::Sqlite(_) => Ok(false),
        Location::Mysql(server) => mysql::is_led(server),
    }
}

/// What a copy to this location would find. Changes nothing.
///
/// # Errors
///
/// If that cannot be determined.
pub fn migration_target(location: &Location) -> Result<MigrationTarget, OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::migration::target(file),
        Location::Mysql(server) => mysql::migration_target(server),
    }
}

/// Makes the tables that a copy to this location needs, and returns where they are. No other
/// command uses them until [`complete_migration`].
///
/// # Errors
///
/// If they cannot be made.
pub fn begin_migration(location: &Location) -> Result<Location, OpenError> {
    match location {
        Location::Sqlite(file) => {
            let draft = Location::sqlite(sqlite::migration::draft_of(file.path()));
            with_engine(&draft, true, |_| ())?;
            Ok(draft)
        }
        Location::Mysql(server) => mysql::begin_migration(server).map(Location::Mysql),
    }
}

/// Makes a copy that is whole the database of this location. No process has the copy open.
///
/// # Errors
///
/// If another database has come there, or the copy cannot be put there.
pub fn complete_migration(location: &Location) -> Result<(), OpenError> {
    match location {
        Location::Sqlite(file) => sqlite::migration::complete(file),
        Location::Mysql(server) => mysql::complete_migration(server),
    }
}
