//! Writes the notes of the lane, many in one transaction.

use std::time::{Duration, Instant};

use super::lane::{EVERY, Lane, PendingNote};
use super::transactions::Transactions;
use crate::store::{Engine, Fault};

/// The lane, and when its notes were last written.
pub(super) struct Notes {
    lane: Lane,
    written: Option<Instant>,
}

impl Notes {
    pub(super) fn of(lane: Lane) -> Self {
        Self { lane, written: None }
    }

    /// The time until waiting notes must be written; `None` if there are none.
    pub(super) fn due_in(&self) -> Option<Duration> {
        if self.lane.is_empty() {
            return None;
        }
        Some(self.written.map_or(Duration::ZERO, |last| EVERY.saturating_sub(last.elapsed())))
    }

    /// Refuses the notes for whose commit a client waits.
    pub(super) fn refuse(&self) {
        self.lane.refuse();
    }

    /// Writes the notes of one transaction. After a fault, notes without a waiting client are tried
    /// again, unless the database refuses the note itself.
    pub(super) fn write(
        &mut self,
        engine: &mut dyn Engine,
        sure: i64,
        transactions: &mut Transactions,
    ) -> Result<(), Fault> {
        let notes = self.lane.take();
        let result = transactions.run(engine, |engine| {
            notes.iter().try_for_each(|pending| engine.note(&pending.note, sure))
        });
        self.written = Some(Instant::now());
        let (waited, others): (Vec<PendingNote>, Vec<_>) =
            notes.into_iter().partition(|pending| pending.done.is_some());
        for done in waited.into_iter().filter_map(|pending| pending.done) {
            let _ = done.send(result.is_ok());
        }
        if result.as_ref().is_err_and(|fault| !fault.is_of_one_row()) {
            self.lane.put_back(others);
        }
        result
    }
}
