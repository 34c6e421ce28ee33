//! The writer's periodic work, a bounded number of rows at a time: it moves members who have
//! expired, removes old journal records, and removes logins that no longer count.

use std::time::Instant;

use super::logins::Forgetting;
use super::setup::Setup;
use super::transactions::Transactions;
use crate::clock::Moment;
use crate::counted::counted;
use crate::store::{Engine, Fault};

/// Members moved in one transaction when their noted expiry is reached. Thousands may be due at one
/// midnight, and a postback then waits only for some milliseconds. (By every rule they count as
/// expired from the instant on, moved or not.)
const EXPIRED_ROWS_MAX: usize = 500;
/// Journal records that one transaction removes, so that postbacks never wait long for it.
const PRUNE_RECORDS_MAX: usize = 1000;
/// How often the writer searches for journal records to remove.
const PRUNE_EVERY_SECONDS: i64 = 600;
const DAY_SECONDS: i64 = 86_400;

/// The state of the upkeep.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// When the last round began.
    began: Option<Instant>,
    /// The last round moved as many members as one may.
    more_are_due: bool,
    /// Until when members were moved, unless a record of the journal says so. The first record at
    /// an earlier time, after the clock was set back, says it, so that a replay moves them too.
    moved_until: Option<i64>,
    /// The current batch has a record that says so.
    is_in_batch: bool,
    /// When journal records were last removed, by the steady clock.
    pruned: Option<i64>,
    forgetting: Forgetting,
}

impl Upkeep {
    /// Begins at a start. `moved_until`: see [`Setup::moved_until`].
    pub(super) fn new(moved_until: Option<i64>) -> Self {
        Self { moved_until, ..Self::default() }
    }

    /// Whether the next round should not wait.
    pub(super) fn more_are_due(&self) -> bool {
        self.more_are_due
    }

    /// The moment of effect of a batch at `moment`: later than the clock, where members were moved
    /// by a clock that was set back since.
    pub(super) fn moment_of_batch(&mut self, moment: Moment) -> Moment {
        let ahead = self.moved_until.filter(|&moved_until| moved_until > moment.now);
        self.is_in_batch = ahead.is_some();
        Moment { moved_until: ahead.unwrap_or(moment.moved_until), ..moment }
    }

    /// Records that the batch was committed, with a record in the journal.
    pub(super) fn recorded(&mut self) {
        if self.is_in_batch {
            self.moved_until = None;
        }
    }

    /// A round, unless the last one was just now.
    pub(super) fn run_if_due(
        &mut self,
        setup: &mut Setup,
        transactions: &mut Transactions,
        engine: &mut dyn Engine,
    ) -> Result<(), Fault> {
        let is_recent = |began: Instant| began.elapsed() < setup.upkeep_every;
        if !self.more_are_due && self.began.is_some_and(is_recent) {
            return Ok(());
        }
        self.began = Some(Instant::now());
        let (sure, steady) = (setup.moment().sure(), setup.clock.steady());
        let leads = engine.lead()?;
        setup.file.set_leading(leads);
        if !leads {
            self.more_are_due = false;
            return Ok(());
        }
        self.expire(sure, transactions, engine)?;
        self.forgetting.run_if_due(setup.logins, sure, steady, transactions, engine)?;
        match setup.journal_days {
            Some(days) => self.prune_if_due(days, sure, steady, transactions, engine),
            None => Ok(()),
        }
    }

    fn expire(
        &mut self,
        sure: i64,
        transactions: &mut Transactions,
        engine: &mut dyn Engine,
    ) -> Result<(), Fault> {
        let moved = transactions.run(engine, |engine| {
            let moved = engine.expire_due(sure, EXPIRED_ROWS_MAX)?;
            if moved > 0 {
                // For a start with a clock that was set back, see `Setup::moved_until`.
                engine.probe(sure)?;
            }
            Ok(moved)
        })?;
        if moved > 0 {
            log::info!("{} expired", counted(moved as u64, "member"));
            self.moved_until = self.moved_until.max(Some(sure));
        }
        self.more_are_due = moved == EXPIRED_ROWS_MAX;
        Ok(())
    }

    fn prune_if_due(
        &mut self,
        days: u32,
        sure: i64,
        steady: i64,
        transactions: &mut Transactions,
        engine: &mut dyn Engine,
    ) -> Result<(), Fault> {
        if self.pruned.is_some_and(|last| steady.saturating_sub(last) < PRUNE_EVERY_SECONDS) {
            return Ok(());
        }
        let before = sure - i64::from(days) * DAY_SECONDS;
        let gone =
            transactions.run(engine, |engine| engine.prune(before, sure, PRUNE_RECORDS_MAX))?;
        if gone > 0 {
            log::info!(
                "{} older than {} removed",
                counted(gone as u64, "journal record"),
                counted(days, "day")
            );
        }
        // As many as one transaction may remove: there are more, and the next round continues.
        self.pruned = (gone < PRUNE_RECORDS_MAX).then_some(steady);
        Ok(())
    }
}
