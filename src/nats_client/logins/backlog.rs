//! The reports that wait, and when the next one is due. Times are seconds of the steady clock.

use std::collections::VecDeque;

use crate::nats_client::report::LoginReport;

/// The most reports that wait. The newest are dropped beyond that.
const WAITING_MAX: usize = 1_024;
/// A report that NATS has not accepted after this many seconds is dropped. NATS notes the time at
/// which it gets a report, so a later one would be wrong.
const AGE_MAX_SECONDS: i64 = 900;
/// The wait after a failed request. It doubles with each further one.
const WAIT_SECONDS: u64 = 1;
const WAIT_MAX_SECONDS: u64 = 60;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this report.
    Send(LoginReport),
    /// Wait for this many seconds.
    Wait(u64),
    /// Wait for a report.
    Idle,
}

/// The reports in order of arrival. The first one is tried until NATS accepts it, refuses it, or
/// may have counted it.
#[derive(Default)]
pub(super) struct Backlog {
    waiting: VecDeque<(LoginReport, i64)>,
    /// Failures since the last success.
    failures: u32,
    /// No request before this time.
    not_before: Option<i64>,
    dropped: u64,
}

impl Backlog {
    /// Adds a report, or drops it if too many wait.
    pub(super) fn push(&mut self, report: LoginReport, now: i64) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back((report, now));
        } else {
            self.dropped += 1;
        }
    }

    /// The next step. Drops reports that have become too old.
    pub(super) fn next(&mut self, now: i64) -> Step {
        while let Some((_, since)) = self.waiting.front()
            && now.saturating_sub(*since) > AGE_MAX_SECONDS
        {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        let Some((report, _)) = self.waiting.front() else { return Step::Idle };
        let wait = self.not_before.map_or(0, |time| time.saturating_sub(now));
        match u64::try_from(wait) {
            Ok(seconds) if seconds > 0 => Step::Wait(seconds),
            _ => Step::Send(report.clone()),
        }
    }

    /// NATS has accepted the first report.
    pub(super) fn done(&mut self) {
        self.waiting.pop_front();
        self.failures = 0;
        self.not_before = None;
    }

    /// NATS has refused the first report, and would again.
    pub(super) fn refused(&mut self) {
        self.drop_first();
        self.failures = 0;
        self.not_before = None;
    }

    fn drop_first(&mut self) {
        self.dropped += u64::from(self.waiting.pop_front().is_some());
    }

    /// NATS may have counted the first report, and did not answer.
    pub(super) fn unknown(&mut self, now: i64) {
        self.drop_first();
        self.failed(now);
    }

    /// NATS could not be reached, or has failed.
    pub(super) fn failed(&mut self, now: i64) {
        let wait = (WAIT_SECONDS << self.failures.min(6)).min(WAIT_MAX_SECONDS);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now.saturating_add_unsigned(wait));
    }

    /// Drops all reports.
    pub(super) fn drop_all(&mut self) {
        self.dropped += self.waiting.len() as u64;
        self.waiting.clear();
    }

    /// How many reports were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{SiteId, Username};

    fn report(name: &str) -> LoginReport {
        LoginReport {
            site: SiteId::parse("1").unwrap(),
            username: Username::parse(name).unwrap(),
            address: [203, 0, 113, 9].into(),
        }
    }

    fn with(names: &[&str]) -> Backlog {
        let mut backlog = Backlog::default();
        names.iter().for_each(|name| backlog.push(report(name), 0));
        backlog
    }

    #[test]
    fn reports_are_sent_in_the_order_of_the_logins() {
        let mut backlog = with(&["bob", "eve"]);
        assert_eq!(backlog.next(0), Step::Send(report("bob")));
        backlog.done();
        assert_eq!(backlog.next(0), Step::Send(report("eve")));
        backlog.done();
        assert_eq!((backlog.next(0), backlog.dropped()), (Step::Idle, 0));
    }

    #[test]
    fn after_a_failure_the_same_report_is_tried_again_ever_later_and_at_once_after_a_success() {
        let mut backlog = with(&["bob", "eve"]);
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(backlog.next(now), Step::Send(report("bob")));
            backlog.failed(now);
            assert_eq!(backlog.next(now), Step::Wait(wait));
            now += i64::try_from(wait).unwrap();
        }
        backlog.done();
        assert_eq!(backlog.next(now), Step::Send(report("eve")));
        backlog.failed(now);
        assert_eq!(backlog.next(now), Step::Wait(1));
    }

    #[test]
    fn a_report_that_nats_may_have_counted_is_dropped_and_the_next_one_waits_as_after_a_failure() {
        let mut backlog = with(&["bob", "eve"]);
        backlog.unknown(0);
        assert_eq!((backlog.next(0), backlog.dropped()), (Step::Wait(1), 1));
        assert_eq!(backlog.next(1), Step::Send(report("eve")));
        backlog.failed(1);
        assert_eq!((backlog.next(1), backlog.dropped()), (Step::Wait(2), 1));
    }

    #[test]
    fn what_nats_refuses_or_does_not_take_for_a_quarter_of_an_hour_is_dropped_and_counted() {
        let mut backlog = with(&["bob", "eve"]);
        backlog.push(report("ann"), 900);
        backlog.refused();
        assert_eq!((backlog.next(900), backlog.dropped()), (Step::Send(report("eve")), 1));
        assert_eq!((backlog.next(901), backlog.dropped()), (Step::Send(report("ann")), 2));
        backlog.drop_all();
        assert_eq!((backlog.next(901), backlog.dropped()), (Step::Idle, 3));
    }

    #[test]
    fn beyond_1024_that_wait_the_newest_is_dropped() {
        let mut backlog = Backlog::default();
        for _ in 0..1_024 {
            backlog.push(report("bob"), 0);
        }
        assert_eq!(backlog.dropped(), 0);
        backlog.push(report("eve"), 0);
        assert_eq!(backlog.dropped(), 1);
        assert_eq!(backlog.next(0), Step::Send(report("bob")));
    }
}
