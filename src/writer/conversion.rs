//! Converts the journal of an older release in the background: some records at a time, so that
//! postbacks never wait long for it.

use std::time::{Duration, Instant};

use super::transactions::Transactions;
use crate::chain::chain;
use crate::store::{Conversion, Engine, Fault};

/// Records that one transaction converts. It writes some 130 pages, most of them of the index by
/// member, in a few milliseconds.
const STEP_RECORDS: usize = 100;
/// Pauses between two transactions, as multiples of the time that the last one took: while
/// postbacks come, and while none come.
const PAUSE_BUSY: u32 = 9;
const PAUSE_IDLE: u32 = 1;
/// How long the conversion rests after a fault, which the log names.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(600);
/// How often the log names the progress: at each tenth, but not more often than this.
const REPORT_PERCENT: i64 = 10;
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// The conversion as the writer goes on with it.
#[derive(Debug, Default)]
pub(super) struct JournalConversion {
    /// There is nothing to convert in this database.
    is_done: bool,
    /// When the next step may begin.
    due: Option<Instant>,
    is_busy: bool,
    reported: Option<Report>,
}

/// What the log says last.
#[derive(Clone, Copy, Debug)]
struct Report {
    percent: i64,
    at: Instant,
    began: Instant,
}

impl JournalConversion {
    /// The database was opened: it may be another one than before.
    pub(super) fn opened(&mut self) {
        self.is_done = false;
    }

    /// Postbacks were written since the last step.
    pub(super) fn postbacks_came(&mut self) {
        self.is_busy = true;
    }

    /// How long the writer may wait for a command before a step is due.
    pub(super) fn wait(&self, longest: Duration) -> Duration {
        if self.is_done {
            return longest;
        }
        let due =
            self.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()));
        longest.min(due)
    }

    /// Makes a step, if one is due.
    pub(super) fn run_if_due(
        &mut self,
        transactions: &mut Transactions,
        engine: &mut dyn Engine,
    ) -> Result<(), Fault> {
        let began = Instant::now();
        if self.is_done || self.due.is_some_and(|due| began < due) {
            return Ok(());
        }
        // For the case that this step ends the work with this engine.
        self.due = Some(began + PAUSE_AFTER_FAULT);
        match transactions.run(engine, |engine| engine.convert_journal(STEP_RECORDS)) {
            Ok(None) => self.is_done = true,
            Ok(Some(state)) => self.report(state, began),
            // An old record that cannot be read or written again keeps nothing else from working.
            Err(fault @ (Fault::BadRow(_) | Fault::Constraint(_) | Fault::Damaged(_))) => {
                log::warn!(
                    "the journal is not converted for {} minutes: {}",
                    PAUSE_AFTER_FAULT.as_secs() / 60,
                    chain(&fault)
                );
                return Ok(());
            }
            Err(fault) => return Err(fault),
        }
        let pause = if std::mem::take(&mut self.is_busy) { PAUSE_BUSY } else { PAUSE_IDLE };
        let now = Instant::now();
        self.due = Some(now + now.duration_since(began) * pause);
        Ok(())
    }

    fn report(&mut self, state: Conversion, now: Instant) {
        let Conversion { first, next, last } = state;
        let percent = state.percent();
        match &mut self.reported {
            Some(report) if state.is_done() => log::info!(
                "the journal is converted: records {first} to {last}, in {} s",
                report.began.elapsed().as_secs()
            ),
            None if state.is_done() => {}
            Some(report) => {
                if percent - report.percent >= REPORT_PERCENT
                    && now.duration_since(report.at) >= REPORT_EVERY
                {
                    *report = Report { percent, at: now, ..*report };
                    log::info!(
                        "converting the journal: {percent} % done, record {next} of {first} to \
                         {last}"
                    );
                }
            }
            None => {
                self.reported = Some(Report { percent, at: now, began: now });
                log::info!(
                    "converting the journal to its shorter form in the background: {percent} % \
                     done, record {next} of {first} to {last}"
                );
            }
        }
        if state.is_done() {
            self.reported = None;
        }
    }
}
