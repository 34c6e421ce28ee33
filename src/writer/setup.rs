//! The writer's inputs.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::logins::LoginTimes;
use crate::clock::jump::Watch;
use crate::clock::{Clock, Moment};
use crate::heartbeat::Heartbeat;
use crate::password::Vault;
use crate::store::CurrentDatabase;

/// How often a service does its upkeep: expiries are promised within a second.
pub const UPKEEP_EVERY: Duration = Duration::from_millis(500);

/// The writer's inputs.
#[derive(Debug)]
pub struct Setup {
    /// The database; it must exist and be up to date.
    pub file: CurrentDatabase,
    /// Compares a sealed password with the one before it.
    pub vault: Vault,
    /// The time of effect.
    pub clock: Clock,
    /// Detects jumps of the clock: no row is moved or deleted because of one before it is
    /// confirmed.
    pub jumps: Watch,
    /// Until when members were moved before this start, if that is ahead of the clock.
    pub moved_until: Option<i64>,
    /// `--journal-days`.
    pub journal_days: Option<u32>,
    /// How long logins last, which decides what can be removed.
    pub logins: LoginTimes,
    /// The minimum time between two rounds of upkeep, which move expired members and remove old
    /// rows. At zero there is one after each command.
    pub upkeep_every: Duration,
    /// How long a sender waits for the commit of what the writer has taken; `None` for as long as
    /// it takes, where the database is on this machine.
    pub commit_wait: Option<Duration>,
    /// How long the conversion of the journal pauses after a fault, such as a full disk.
    pub conversion_pause: Duration,
    /// Gets a message when a credential was sealed, for the hashing worker.
    pub sealed: SyncSender<()>,
    /// Reports that the thread is alive, also while it waits for a known reason.
    pub heartbeat: Heartbeat,
}

impl Setup {
    /// The current time, and the time up to which rows are moved and deleted. A jump of the clock
    /// is logged when it is detected.
    pub(super) fn moment(&mut self) -> Moment {
        let (moment, seen) = self.jumps.check(self.clock.read());
        if let Some(seen) = seen {
            log::warn!("{seen}");
        }
        moment
    }
}
