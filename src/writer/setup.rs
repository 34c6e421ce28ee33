//! What the writer works with.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::logins::LoginTimes;
use crate::clock::jump::Watch;
use crate::clock::{Clock, Moment};
use crate::password::Vault;
use crate::store::CurrentDatabase;

/// How often a service does its upkeep: expiries are promised within a second.
pub const UPKEEP_EVERY: Duration = Duration::from_millis(500);

/// What the writer works with.
#[derive(Debug)]
pub struct Setup {
    /// The database; it must exist and be up to date.
    pub file: CurrentDatabase,
    /// Compares a sealed password with the one before it.
    pub vault: Vault,
    /// The time of effect.
    pub clock: Clock,
    /// Sees jumps of the clock: nothing is moved or deleted by one before it is confirmed.
    pub jumps: Watch,
    /// `--journal-days`.
    pub journal_days: Option<u32>,
    /// How long logins last, for what may be forgotten of them.
    pub logins: LoginTimes,
    /// The least time between two rounds of upkeep, in which members who have expired are moved
    /// and old rows removed. At zero there is one after each command.
    pub upkeep_every: Duration,
    /// Gets a message when a credential was sealed, for the hashing worker.
    pub sealed: SyncSender<()>,
}

impl Setup {
    /// What time it is, and until when is moved and deleted. A jump of the clock is logged when it
    /// is seen.
    pub(super) fn moment(&mut self) -> Moment {
        let (moment, seen) = self.jumps.check(self.clock.read());
        if let Some(seen) = seen {
            log::warn!("{seen}");
        }
        moment
    }
}
