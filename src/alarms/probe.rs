//! Tries commits, and never waits for one: a writer that hangs must not stop the other rules.

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// How often a commit is tried, by the steady clock.
const EVERY_SECONDS: i64 = 30;
/// A commit that takes longer does not succeed.
const SECONDS_MAX: i64 = 10;

/// The commits that are tried.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// The commit that runs, and when it was begun, by the steady clock.
    running: Option<(i64, oneshot::Receiver<bool>)>,
    /// When a commit was last begun.
    begun: Option<i64>,
    last: Option<bool>,
}

impl Probe {
    /// Whether a commit succeeds; `None` before the first one has ended. `begin` begins one, or
    /// returns `None` if the writer takes nothing. While one runs, no other is begun.
    pub(super) fn look(
        &mut self,
        steady: i64,
        begin: impl FnOnce() -> Option<oneshot::Receiver<bool>>,
    ) -> Option<bool> {
        let is_due = self.begun.is_none_or(|at| steady - at >= EVERY_SECONDS);
        if self.running.is_none() && is_due {
            self.begun = Some(steady);
            self.running = begin().map(|answered| (steady, answered));
            if self.running.is_none() {
                self.last = Some(false);
            }
        }
        if let Some((at, mut answered)) = self.running.take() {
            let answer = match answered.try_recv() {
                Ok(can) => Some(can),
                Err(TryRecvError::Closed) => Some(false),
                Err(TryRecvError::Empty) => None,
            };
            if answer.is_none() {
                self.running = Some((at, answered));
            }
            let is_slow = steady - at > SECONDS_MAX;
            self.last = answer.or(if is_slow { Some(false) } else { self.last });
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_tried_every_thirty_seconds() {
        let mut probe = Probe::default();
        let mut begun = 0;
        for (second, can, count) in
            [(0, true, 1), (29, false, 1), (30, false, 2), (59, true, 2), (60, true, 3)]
        {
            let found = probe.look(second, || {
                begun += 1;
                let (done, answered) = oneshot::channel();
                done.send(can).unwrap();
                Some(answered)
            });
            // Between two, the last one counts.
            let expected = if second % 30 == 0 { can } else { second == 29 };
            assert_eq!((found, begun), (Some(expected), count), "second {second}");
        }
    }

    #[test]
    fn a_commit_that_hangs_counts_as_none_after_ten_seconds_and_no_other_is_begun() {
        let mut probe = Probe::default();
        let (done, answered) = oneshot::channel();
        assert_eq!(probe.look(0, || Some(answered)), None);
        let none = || -> Option<oneshot::Receiver<bool>> { panic!("a second one was begun") };
        assert_eq!(probe.look(10, none), None);
        assert_eq!(probe.look(11, none), Some(false));
        assert_eq!(probe.look(900, none), Some(false));
        done.send(true).unwrap();
        assert_eq!(probe.look(901, none), Some(true));
    }

    #[test]
    fn a_writer_that_takes_nothing_or_has_ended_cannot_write() {
        let mut probe = Probe::default();
        assert_eq!(probe.look(0, || None), Some(false));
        assert_eq!(probe.look(30, || Some(oneshot::channel().1)), Some(false));
    }
}
