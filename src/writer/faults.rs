//! Logs faults of the database: one line when a fault begins, one a minute while it lasts, and one
//! when it is over. Otherwise a full disk under load would be filled further by its own log lines.
//!
//! A fault is over when a postback was committed. A probe, upkeep or the opening of the file do not
//! prove that: they write less, or nothing.

use crate::chain::chain;
use crate::clock::Clock;
use crate::logging::limit::KeyedInterval;
use crate::store::Fault;

/// A fault of one kind is logged at most once in this time, also where it ends and begins again.
const LOG_EVERY_SECONDS: i64 = 60;
/// Kinds of faults that are remembered. An outage has two or three: the fault of a COMMIT, and
/// those that follow it.
const KINDS_MAX: usize = 8;

/// The work that met a fault, or was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Postbacks.
    Postbacks,
    /// Work that a client or thread waits for: a hashed password, a logout, a block.
    Job,
    /// The writer's own: the probe, expiries, a checkpoint.
    Upkeep,
}

/// Recent faults, and the one that lasts.
#[derive(Debug)]
pub(super) struct FaultLog {
    kinds: KeyedInterval<String>,
    lasting: Option<Lasting>,
}

impl Default for FaultLog {
    fn default() -> Self {
        Self { kinds: KeyedInterval::new(LOG_EVERY_SECONDS, KINDS_MAX), lasting: None }
    }
}

#[derive(Debug)]
struct Lasting {
    /// The first fault.
    what: String,
    /// Faults since it began.
    count: u64,
    /// Whether postbacks met it: then only postbacks show that it is over.
    postbacks: bool,
    /// Whether its beginning was logged.
    logged: bool,
}

impl FaultLog {
    /// A transaction failed.
    pub(super) fn note(&mut self, fault: &Fault, work: Work) {
        self.met(line(fault), remedy(fault), work);
    }

    /// One postback of a batch met a fault and the others did not. This is no outage, so no line
    /// says later that it is over.
    pub(super) fn note_one(&mut self, fault: &Fault) {
        let what = line(fault);
        if self.kinds.is_due(what.as_str(), Clock::System.steady()) {
            log::error!("{what}{}", remedy(fault));
        }
    }

    /// The database cannot be opened.
    pub(super) fn cannot_open(&mut self, error: &dyn std::error::Error) {
        self.met(chain(error), "", Work::Upkeep);
    }

    /// A postback was refused because the database cannot be opened.
    pub(super) fn refused_a_postback(&mut self) {
        if let Some(lasting) = &mut self.lasting {
            lasting.postbacks = true;
        }
    }

    /// A transaction was committed.
    pub(super) fn committed(&mut self, work: Work) {
        if let Some(line) = self.line_when_committed(work) {
            log::info!("{line}");
        }
    }

    fn met(&mut self, what: String, remedy: &str, work: Work) {
        if let Some(line) = self.line_when_met(what, work, Clock::System.steady()) {
            log::error!("{line}{remedy}");
        }
    }

    fn line_when_met(&mut self, what: String, work: Work, now: i64) -> Option<String> {
        let due = self.kinds.is_due(what.as_str(), now);
        let new = Lasting { what: what.clone(), count: 0, postbacks: false, logged: false };
        let lasting = self.lasting.get_or_insert(new);
        lasting.count += 1;
        lasting.postbacks |= work == Work::Postbacks;
        let still = lasting.logged && lasting.what == what;
        lasting.logged |= due;
        due.then(|| {
            if still { format!("still: {what}; {} times so far", lasting.count) } else { what }
        })
    }

    fn line_when_committed(&mut self, work: Work) -> Option<String> {
        let is_over = |lasting: &mut Lasting| match work {
            Work::Postbacks => true,
            Work::Job => !lasting.postbacks,
            Work::Upkeep => false,
        };
        let Lasting { what, count, logged, .. } = self.lasting.take_if(is_over)?;
        logged.then(|| format!("the database is writable again after {count} failures: {what}"))
    }
}

/// What the operator can do. It follows the fault in a line of the log.
fn remedy(fault: &Fault) -> &'static str {
    match fault {
        Fault::Full(_) => "; free space in its file system: the service then continues by itself",
        _ => "",
    }
}

fn line(fault: &Fault) -> String {
    if let Fault::Replaced(change) = fault {
        return format!(
            "{change}; requests that need the database get 503 until there is one that the \
             service can use"
        );
    }
    let code = fault.code().map(|code| format!(" ({code})")).unwrap_or_default();
    format!("{}{code}", chain(fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(count: u64, what: &str) -> Option<String> {
        Some(format!("the database is writable again after {count} failures: {what}"))
    }

    #[test]
    fn a_fault_is_over_when_a_postback_was_committed_and_not_when_less_was() {
        let (mut log, now) = (FaultLog::default(), 1_000);
        assert_eq!(log.line_when_met("full".into(), Work::Postbacks, now), Some("full".into()));
        assert_eq!(log.line_when_committed(Work::Upkeep), None);
        assert_eq!(log.line_when_met("full".into(), Work::Postbacks, now), None);
        assert_eq!(log.line_when_committed(Work::Job), None, "what is smaller than a postback");
        assert_eq!(log.line_when_committed(Work::Postbacks), again(2, "full"));
        assert_eq!(log.line_when_committed(Work::Postbacks), None);
    }

    #[test]
    fn a_fault_that_no_postback_met_is_over_with_any_job() {
        let (mut log, now) = (FaultLog::default(), 1_000);
        assert_eq!(log.line_when_met("locked".into(), Work::Upkeep, now), Some("locked".into()));
        assert_eq!(log.line_when_committed(Work::Upkeep), None);
        assert_eq!(log.line_when_committed(Work::Job), again(1, "locked"));
        log.line_when_met("gone".into(), Work::Upkeep, now);
        log.refused_a_postback();
        assert_eq!(log.line_when_committed(Work::Job), None);
    }

    #[test]
    fn faults_that_take_turns_have_a_line_each_a_minute() {
        let (mut log, start) = (FaultLog::default(), 1_000);
        let mut lines = Vec::new();
        for second in 0..61 {
            for what in ["read-only", "cannot open"] {
                let now = start + second;
                lines.extend(log.line_when_met(what.into(), Work::Postbacks, now));
            }
        }
        let still = |what: &str, count| format!("still: {what}; {count} times so far");
        assert_eq!(
            lines,
            [
                "read-only".into(),
                "cannot open".into(),
                still("read-only", 121),
                "cannot open".into()
            ]
        );
        assert_eq!(log.line_when_committed(Work::Postbacks), again(122, "read-only"));
    }

    #[test]
    fn a_fault_that_comes_and_goes_has_a_pair_of_lines_a_minute() {
        let (mut log, start) = (FaultLog::default(), 1_000);
        let mut lines = Vec::new();
        for second in 0..120 {
            lines.extend(log.line_when_met("locked".into(), Work::Postbacks, start + second));
            lines.extend(log.line_when_committed(Work::Postbacks));
        }
        let pair = ["locked".to_owned(), again(1, "locked").unwrap()];
        assert_eq!(lines, [pair.clone(), pair].concat());
    }
}
