//! What the checks need: the settings, the machine, and what is known of the database.

use std::io;
use std::time::Duration;

use super::machine::Machine;
use super::units::DAY_SECONDS;
use crate::clock::Clock;
use crate::config::Config;
use crate::database;
use crate::store::{
    DatabaseState, Diagnosis, Location, LogReader, LogState, OpenError, Read, diagnose, log_state,
    open_for_check,
};

/// The days whose journal records show how fast the database grows.
pub(super) const GROWTH_DAYS: i64 = 7;
/// The time between two reads of the list of read transactions. The service's own are shorter.
const READERS_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// How much of the database is read to find damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Nothing.
    Quick,
    /// As much as can be read in this time.
    Within(Duration),
    /// All of it.
    Full,
}

/// What the checks need.
pub struct Context<'a> {
    /// The settings.
    pub config: &'a Config,
    /// Warnings of secrets that were given as flags.
    pub exposed: &'a [String],
    /// The machine.
    pub machine: &'a Machine,
    /// The clock of the machine.
    pub clock: &'a Clock,
    /// How much of the database is read.
    pub depth: Depth,
    /// How long a backlog of sealed passwords is watched to see whether it becomes smaller.
    pub patience: Duration,
    /// Asks the running service for its health. An error says why it is not well.
    pub health: &'a dyn Fn() -> Result<String, String>,
    /// Is called before each topic with its name.
    pub progress: &'a dyn Fn(&'static str),
}

/// What is known of the database before the checks. All of it is read before there is a connection
/// to the database: see [`crate::store::check_whole`].
pub(super) struct Known {
    pub(super) is_served: bool,
    pub(super) state: Result<DatabaseState, OpenError>,
    pub(super) log: io::Result<Option<LogState>>,
    pub(super) diagnosis: Option<Result<Diagnosis, OpenError>>,
    pub(super) reader: Option<Result<Box<dyn Read>, OpenError>>,
}

impl Known {
    pub(super) fn read(config: &Config, now: i64) -> Self {
        let location = &config.location;
        let state = database::state(config);
        let is_current = matches!(state, Ok(DatabaseState::Current));
        let log = log_state(location).and_then(|log| lasting(location, log));
        let since = now.saturating_sub(GROWTH_DAYS * DAY_SECONDS);
        let diagnosis = is_current.then(|| diagnose(location, since));
        let reader = is_current.then(|| open_for_check(location));
        let is_served = config.data_dir.is_served(location.file());
        Self { is_served, state, log, diagnosis, reader }
    }

    /// For checks beside a service that has the database open.
    pub(super) fn nothing() -> Self {
        let (state, log) = (Ok(DatabaseState::Current), Ok(None));
        Self { is_served: true, state, log, diagnosis: None, reader: None }
    }

    pub(super) fn diagnosis(&self) -> Option<&Diagnosis> {
        self.diagnosis.as_ref()?.as_ref().ok()
    }

    pub(super) fn reader(&self) -> Option<&dyn Read> {
        Some(&**self.reader.as_ref()?.as_ref().ok()?)
    }
}

/// Keeps the read transactions that last: those of the service end within milliseconds.
fn lasting(location: &Location, log: Option<LogState>) -> io::Result<Option<LogState>> {
    let Some(first) = log.filter(|log| !log.readers.is_empty()) else { return log_state(location) };
    std::thread::sleep(READERS_AGAIN_AFTER);
    let Some(mut log) = log_state(location)? else { return Ok(None) };
    let is_same =
        |one: &LogReader, other: &LogReader| (one.process, one.mark) == (other.process, other.mark);
    log.readers.retain(|reader| first.readers.iter().any(|other| is_same(reader, other)));
    Ok(Some(log))
}
