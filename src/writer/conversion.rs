//! Converts the journal of an older release in the background: a few records at a time, so that
//! postbacks never wait long for it.

use std::time::{Duration, Instant};

use super::transactions::Transactions;
use crate::chain::chain;
use crate::store::{Conversion, Engine, Fault};

/// Records that one transaction converts. It writes some 70 pages, most of them of the index by
/// member, in a few milliseconds.
const STEP_RECORDS: usize = 50;
/// Pauses between two transactions, as multiples of the duration of the last one: while postbacks
/// arrive, and while none arrive. Measured beside postbacks on 8 connections: with 19, p99 is 7 to
/// 9 ms instead of 5 to 6, and p50 is the same.
const PAUSE_BUSY: u32 = 19;
const PAUSE_IDLE: u32 = 1;
/// How long the conversion pauses where the database is damaged. It does not stop other work.
const PAUSE_AFTER_DAMAGE: Duration = Duration::from_secs(600);
/// How long it pauses after another fault, such as a full disk. Postbacks meet the same fault, and
/// may have the space or the lock first.
pub const CONVERSION_PAUSE: Duration = Duration::from_secs(60);
/// How often progress is logged: at each tenth, but not more often than this.
const REPORT_PERCENT: i64 = 10;
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// The state of the conversion.
#[derive(Debug, Default)]
pub(super) struct JournalConversion {
    /// How long it pauses after a fault.
    pause: Duration,
    /// There is nothing to convert in this database.
    is_done: bool,
    /// When the next step may begin.
    due: Option<Instant>,
    is_busy: bool,
    /// A read transaction blocks the maintenance of the database.
    is_blocked: bool,
    reported: Option<LoggedProgress>,
    /// The first record that keeps its form, and how many do, since this start.
    left: Option<(i64, usize)>,
}

/// The progress that was last logged.
#[derive(Clone, Copy, Debug)]
struct LoggedProgress {
    percent: i64,
    at: Instant,
    began: Instant,
}

impl JournalConversion {
    pub(super) fn new(pause: Duration) -> Self {
        Self { pause, ..Self::default() }
    }

    /// Call after the database was opened: it may be another one.
    pub(super) fn opened(&mut self) {
        self.is_done = false;
    }

    /// Call when postbacks were written since the last step.
    pub(super) fn postbacks_came(&mut self) {
        self.is_busy = true;
    }

    /// Whether a read transaction blocks the maintenance of the database, such as a backup that
    /// runs for minutes. The conversion pauses then: what it writes would fill the disk.
    pub(super) fn set_blocked(&mut self, is_blocked: bool) {
        self.is_blocked = is_blocked;
    }

    /// How long the writer may wait for a command before a step is due.
    pub(super) fn wait(&self, longest: Duration) -> Duration {
        if self.is_done || self.is_blocked {
            return longest;
        }
        let due =
            self.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()));
        longest.min(due)
    }

    /// Runs a step, if one is due.
    pub(super) fn run_if_due(
        &mut self,
        transactions: &mut Transactions,
        engine: &mut dyn Engine,
    ) -> Result<(), Fault> {
        let began = Instant::now();
        if self.is_done || self.is_blocked || self.due.is_some_and(|due| began < due) {
            return Ok(());
        }
        // In case this step is the last one with this engine.
        self.due = Some(began + self.pause);
        match transactions.run(engine, |engine| engine.convert_journal(STEP_RECORDS)) {
            Ok(None) => self.is_done = true,
            Ok(Some(state)) => {
                if let Some(line) = self.warning(&state) {
                    log::warn!("{line}");
                }
                if let Some(line) = self.line(&state, Instant::now()) {
                    log::info!("{line}");
                }
            }
            // A part of the journal that is damaged must not stop other work.
            Err(fault @ (Fault::BadRow(_) | Fault::Constraint(_) | Fault::Damaged(_))) => {
                log::warn!(
                    "the journal is not converted for {} minutes: {}",
                    PAUSE_AFTER_DAMAGE.as_secs() / 60,
                    chain(&fault)
                );
                self.due = Some(began + PAUSE_AFTER_DAMAGE);
                return Ok(());
            }
            Err(fault) => return Err(fault),
        }
        let pause = if std::mem::take(&mut self.is_busy) { PAUSE_BUSY } else { PAUSE_IDLE };
        let now = Instant::now();
        self.due = Some(now + now.duration_since(began) * pause);
        Ok(())
    }

    /// The warning at the first record that keeps its form, and the one at the end.
    fn warning(&mut self, state: &Conversion) -> Option<String> {
        let before = self.left;
        if let [id, ..] = state.left[..] {
            let (first, count) = before.unwrap_or((id, 0));
            self.left = Some((first, count + state.left.len()));
        }
        let (first, count) = self.left?;
        if state.is_done() {
            self.left = None;
            return Some(format!(
                "{count} journal records keep their longer form, because another program has \
                 changed them: `nats-userman journal` names those that cannot be read; the first \
                 is record {first}"
            ));
        }
        before.is_none().then(|| {
            format!(
                "journal record {first} keeps its longer form, because another program has \
                 changed it; further ones are counted"
            )
        })
    }

    /// The log line after a step, if one is due.
    fn line(&mut self, state: &Conversion, now: Instant) -> Option<String> {
        let &Conversion { first, next, last, left: _ } = state;
        let percent = state.percent();
        if state.is_done() {
            let began = self.reported.take()?.began;
            return Some(format!(
                "the journal is converted: records {first} to {last}, in {} s",
                now.duration_since(began).as_secs()
            ));
        }
        let Some(report) = &mut self.reported else {
            self.reported = Some(LoggedProgress { percent, at: now, began: now });
            return Some(format!(
                "converting the journal to its shorter form in the background: {percent} % done, \
                 record {next} of {first} to {last}"
            ));
        };
        let is_due = percent - report.percent >= REPORT_PERCENT
            && now.duration_since(report.at) >= REPORT_EVERY;
        is_due.then(|| {
            *report = LoggedProgress { percent, at: now, ..*report };
            format!("converting the journal: {percent} % done, record {next} of {first} to {last}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::losing::Scene;
    use crate::metrics::Metrics;
    use crate::store::Cause;

    #[test]
    fn the_conversion_pauses_while_a_read_transaction_blocks_maintenance() {
        Scene::new().with_losing(
            |_| {},
            |losing| {
                let (mut conversion, longest) = (JournalConversion::default(), Duration::MAX);
                let mut transactions = Transactions::new(Metrics::default());
                conversion.set_blocked(true);
                conversion.run_if_due(&mut transactions, losing).unwrap();
                assert_eq!((losing.begun, conversion.wait(longest)), (0, longest));
                conversion.set_blocked(false);
                assert_eq!(conversion.wait(longest), Duration::ZERO);
                conversion.run_if_due(&mut transactions, losing).unwrap();
                assert_eq!(losing.begun, 1);
            },
        );
    }

    #[test]
    fn the_log_has_the_beginning_each_tenth_and_the_end() {
        let (mut conversion, start) = (JournalConversion::default(), Instant::now());
        let mut line = |second, next| {
            let state = Conversion { first: 101, next, last: 1_100, left: Vec::new() };
            conversion.line(&state, start + Duration::from_secs(second))
        };
        let first = "converting the journal to its shorter form in the background: 0 % done, \
             record 101 of 101 to 1100";
        assert_eq!(line(0, 101).as_deref(), Some(first));
        assert_eq!(line(100, 200), None, "9 %");
        let tenth = "converting the journal: 10 % done, record 201 of 101 to 1100";
        assert_eq!(line(101, 201).as_deref(), Some(tenth));
        assert_eq!(line(130, 500), None, "too early");
        let half = "converting the journal: 50 % done, record 601 of 101 to 1100";
        assert_eq!(line(131, 601).as_deref(), Some(half));
        let last = "the journal is converted: records 101 to 1100, in 200 s";
        assert_eq!(line(200, 1_101).as_deref(), Some(last));
    }

    #[test]
    fn a_journal_that_was_converted_in_one_step_has_no_line() {
        let state = Conversion { first: 1, next: 35, last: 34, left: Vec::new() };
        assert_eq!(JournalConversion::default().line(&state, Instant::now()), None);
    }

    #[test]
    fn records_that_keep_their_form_have_a_line_at_the_first_and_one_with_their_number() {
        let mut conversion = JournalConversion::default();
        let mut line = |next, left: &[i64]| {
            conversion.warning(&Conversion { first: 1, next, last: 100, left: left.to_vec() })
        };
        assert_eq!(line(10, &[]), None);
        let first = "journal record 17 keeps its longer form, because another program has \
             changed it; further ones are counted";
        assert_eq!(line(20, &[17, 12]).as_deref(), Some(first));
        assert_eq!(line(30, &[29]), None);
        let all = "3 journal records keep their longer form, because another program has changed \
             them: `nats-userman journal` names those that cannot be read; the first is record 17";
        assert_eq!(line(101, &[]).as_deref(), Some(all));
        assert_eq!(line(101, &[]), None, "the next database");
    }

    /// The kinds of faults that a step may meet: how long the conversion pauses, and whether the
    /// writer is told, which then logs the fault.
    #[test]
    fn each_fault_has_its_pause_and_afterwards_the_conversion_goes_on() {
        let cause = || Cause::new("a test", None);
        for (fault, pause, is_told) in [
            (Fault::Busy(cause()), CONVERSION_PAUSE, true),
            (Fault::Full(cause()), CONVERSION_PAUSE, true),
            (Fault::Unusable(cause()), CONVERSION_PAUSE, true),
            (Fault::Damaged(cause()), PAUSE_AFTER_DAMAGE, false),
        ] {
            let what = format!("{fault:?}");
            Scene::new().with_losing(
                |losing| losing.convert_fails_with = Some(fault),
                |losing| {
                    let (mut conversion, longest) =
                        (JournalConversion::new(CONVERSION_PAUSE), Duration::MAX);
                    let mut transactions = Transactions::new(Metrics::default());
                    let done = conversion.run_if_due(&mut transactions, losing);
                    assert_eq!(done.is_err(), is_told, "{what}");
                    let wait = conversion.wait(longest);
                    assert!(wait <= pause && wait > pause - Duration::from_secs(30), "{what}");
                    conversion.run_if_due(&mut transactions, losing).unwrap();
                    assert_eq!(losing.begun, 1, "{what}: it pauses");
                    conversion.due = Some(Instant::now());
                    conversion.run_if_due(&mut transactions, losing).unwrap();
                    assert_eq!((losing.begun, conversion.wait(longest)), (2, longest), "{what}");
                },
            );
        }
    }
}
