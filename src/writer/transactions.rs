//! Runs and counts the writer's transactions, and logs those that the database lost.

use std::time::{Duration, Instant};

use super::queue::QueuedPostback;
use crate::apply::transaction::{LockPatience, in_patient_transaction};
use crate::apply::{Postback, transact_counted};
use crate::clock::{Clock, Moment};
use crate::logging::limit::Interval;
use crate::metrics::Metrics;
use crate::password::Vault;
use crate::reply::Reply;
use crate::store::{Engine, Fault, LongRead};

/// Lost transactions have at most one line in this time.
const LOG_EVERY_SECONDS: i64 = 60;

/// The writer's own work is less urgent than postbacks, which wait meanwhile. After a try that has
/// waited for a lock for a second, there is no other one until the next round.
const OF_OWN_WORK: LockPatience = LockPatience { tries: 20, time: Duration::from_millis(500) };

/// Runs the writer's transactions.
#[derive(Debug)]
pub(super) struct Transactions {
    metrics: Metrics,
    lost: LostLog,
}

impl Transactions {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, lost: LostLog::default() }
    }

    /// Runs `work` in a transaction; several times, where the database loses it.
    pub(super) fn run<T>(
        &mut self,
        engine: &mut dyn Engine,
        work: impl FnMut(&mut dyn Engine) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut reruns = 0;
        let done = in_patient_transaction(engine, &mut reruns, OF_OWN_WORK, work);
        self.ended(engine, reruns);
        done
    }

    /// Counts a batch that was taken from the queue, and how long its postbacks waited there.
    pub(super) fn count_batch(&self, batch: &[QueuedPostback]) {
        let now = Instant::now();
        self.metrics.count_batch(batch.len());
        batch.iter().for_each(|queued| self.metrics.count_wait(queued.waited(now)));
    }

    /// Counts what the engine's own maintenance took, and who holds its log.
    pub(super) fn count_maintenance(
        &self,
        engine: &mut dyn Engine,
        held: Option<LongRead>,
        now: Instant,
    ) {
        if let Some(took) = engine.take_times().checkpoint {
            self.metrics.count_checkpoint(took);
        }
        self.metrics.set_long_read(held.map(|held| now.saturating_duration_since(held.since)));
    }

    /// Runs a batch of postbacks in a transaction. See [`crate::apply::transact`].
    pub(super) fn run_batch(
        &mut self,
        engine: &mut dyn Engine,
        vault: &Vault,
        postbacks: &[&Postback],
        now: impl FnMut() -> Moment,
    ) -> Result<Vec<Result<Reply, Fault>>, Fault> {
        let mut reruns = 0;
        let done = transact_counted(engine, vault, postbacks, now, &mut reruns);
        self.ended(engine, reruns);
        done
    }

    /// Counts the transaction before any answer is sent.
    fn ended(&mut self, engine: &mut dyn Engine, reruns: u32) {
        self.metrics.count_transaction();
        if let Some(took) = engine.take_times().commit {
            self.metrics.count_commit_time(took);
        }
        if reruns > 0 {
            self.metrics.count_lost_transactions(reruns);
            if let Some(line) = self.lost.line(reruns, Clock::System.steady()) {
                log::warn!("{line}");
            }
        }
    }
}

/// Limits the log lines about lost transactions.
#[derive(Debug)]
struct LostLog {
    interval: Interval,
    /// Reruns since the last line.
    reruns: u32,
}

impl Default for LostLog {
    fn default() -> Self {
        Self { interval: Interval::new(LOG_EVERY_SECONDS), reruns: 0 }
    }
}

impl LostLog {
    fn line(&mut self, reruns: u32, now: i64) -> Option<String> {
        self.reruns = self.reruns.saturating_add(reruns);
        if !self.interval.is_due(now) {
            return None;
        }
        let reruns = std::mem::take(&mut self.reruns);
        Some(format!("the database lost a transaction {reruns} times; it was run again each time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_transactions_have_a_line_a_minute_with_all_that_came_since_the_last_one() {
        let mut log = LostLog::default();
        let line = |times: u32| {
            Some(format!(
                "the database lost a transaction {times} times; it was run again each time"
            ))
        };
        let story = [(0, 2, line(2)), (1, 1, None), (59, 3, None), (60, 1, line(5)), (61, 1, None)];
        for (second, reruns, expected) in story {
            assert_eq!(log.line(reruns, 1_000 + second), expected, "at second {second}");
        }
    }
}
