//! What the rules decide on.

use std::sync::Arc;

use crate::statistics::Snapshot;

/// The state of the service at one moment.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Unix seconds.
    pub now: i64,
    /// The counts of the journal.
    pub snapshot: Arc<Snapshot>,
    /// The scheduled backups, if there are any.
    pub backups: Option<Backups>,
    /// Whether a commit succeeds; `None` if that was not tried yet.
    pub can_write: Option<bool>,
    /// For how long postbacks could be taken, in seconds: since the start, or since the database
    /// was last found not to be writable.
    pub receiving: i64,
    /// Whether the members are compared with NATS's list from time to time.
    pub is_comparing: bool,
    /// The last comparison since the start, if there was one.
    pub differences: Option<Differences>,
}

/// The scheduled backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backups {
    /// The time between two of them, in seconds.
    pub every: i64,
    /// The age of the newest one in seconds; `None` if there is none.
    pub age: Option<i64>,
    /// For how long the service has run, in seconds: without any backup, the first one is due.
    pub running: i64,
}

/// The result of a comparison with NATS's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differences {
    /// The members that differ.
    pub count: u64,
    /// When they were compared, unix seconds.
    pub at: i64,
}

/// From which values on an alarm is raised. 0 turns a rule off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The share of ERROR replies in an hour, in percent.
    pub error_percent: u32,
    /// How many postbacks a site must usually have sent in the time in which it is silent.
    pub silence_postbacks: u32,
    /// Waiting credentials.
    pub backlog: u32,
    /// The age of the newest backup in seconds; `None`: twice the time between two.
    pub backup_age: Option<i64>,
    /// Free room on the disk, in MiB.
    pub disk_mib: u32,
    /// Members that differ from NATS's list.
    pub differences: u32,
}
