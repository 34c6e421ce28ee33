//! When to try again what has failed, and which failures are worth a log line.

/// Failures of one task since its last success.
#[derive(Debug)]
pub(crate) struct Backoff {
    waits: &'static [i64],
    failures: u64,
    cause: String,
    /// By the steady clock.
    try_at: i64,
}

impl Backoff {
    /// `waits`: the seconds after each failure, of which the last one is for all further ones.
    pub(crate) fn new(waits: &'static [i64]) -> Self {
        Self { waits, failures: 0, cause: String::new(), try_at: 0 }
    }

    /// Whether the time of the last failure is over. `steady`: see [`crate::clock::Clock::steady`].
    pub(crate) fn may_try(&self, steady: i64) -> bool {
        self.failures == 0 || steady >= self.try_at
    }

    /// Takes a failure. Returns the seconds until the next try if the cause is another one than the
    /// last time, so that it is logged once.
    pub(crate) fn failed(&mut self, cause: &str, steady: i64) -> Option<i64> {
        let step = usize::try_from(self.failures).unwrap_or(usize::MAX);
        let wait = self.waits.get(step).or(self.waits.last()).copied().unwrap_or(0);
        self.failures += 1;
        self.try_at = steady.saturating_add(wait);
        let is_new = self.cause != cause;
        cause.clone_into(&mut self.cause);
        is_new.then_some(wait)
    }

    /// Takes a success. Returns the number of failures before it.
    pub(crate) fn succeeded(&mut self) -> u64 {
        let failures = self.failures;
        *self = Self::new(self.waits);
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_tried_again_after_longer_and_longer_times_and_a_success_begins_anew() {
        let mut backoff = Backoff::new(&[60, 300, 3_600]);
        let mut now = 1_000;
        assert!(backoff.may_try(now));
        for wait in [60, 300, 3_600, 3_600] {
            backoff.failed("the disk is full", now);
            assert!(!backoff.may_try(now + wait - 1), "after {wait} s");
            now += wait;
            assert!(backoff.may_try(now), "after {wait} s");
        }
        assert_eq!((backoff.succeeded(), backoff.succeeded()), (4, 0));
        assert!(backoff.may_try(now));
        backoff.failed("the disk is full", now);
        assert!(backoff.may_try(now + 60));
    }

    #[test]
    fn a_cause_is_worth_a_line_once_until_another_one_or_a_success_comes() {
        let mut backoff = Backoff::new(&[60, 300]);
        assert_eq!(backoff.failed("full", 0), Some(60));
        assert_eq!(backoff.failed("full", 60), None);
        assert_eq!(backoff.failed("no such directory", 360), Some(300));
        backoff.succeeded();
        assert_eq!(backoff.failed("no such directory", 660), Some(60));
    }
}
