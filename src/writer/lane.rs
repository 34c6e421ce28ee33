//! The lane: a queue of notes. Notes are changes that visitors cause and that must survive a
//! restart.
//!
//! Visitors cause notes with cheap requests. Therefore no note has its own transaction, and none
//! takes a place in the queue of postbacks. The writer takes many notes at once, after postbacks
//! and at a limited rate.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::store::Note;

/// The maximum of notes that wait; one more is refused.
pub(super) const WAITING_MAX: usize = 8_192;
/// Notes among them for which no client waits, so that last uses of logins leave room for logouts.
const UNWAITED_MAX: usize = WAITING_MAX / 2;
/// Notes in one transaction: few enough that a postback waits only for some milliseconds.
pub(super) const TRANSACTION_MAX: usize = 256;
/// The time between two transactions. A client may wait for a note: a logout is answered after its
/// commit.
pub(super) const EVERY: Duration = Duration::from_millis(100);

/// A note, and the channel of the client that waits for its commit, if one does.
pub(super) struct PendingNote {
    pub(super) note: Note,
    pub(super) done: Option<oneshot::Sender<bool>>,
}

/// Handles on one lane; clones share it.
#[derive(Clone, Default)]
pub(super) struct Lane(Arc<Mutex<VecDeque<PendingNote>>>);

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lane({})", self.pending().len())
    }
}

impl Lane {
    fn pending(&self) -> MutexGuard<'_, VecDeque<PendingNote>> {
        self.0.lock()
    }

    /// Appends a note. Returns whether the lane was empty, so that the writer must be woken; `None`
    /// if the lane is full.
    pub(super) fn push(&self, pending: PendingNote) -> Option<bool> {
        let mut all = self.pending();
        let most = if pending.done.is_some() { WAITING_MAX } else { UNWAITED_MAX };
        if all.len() >= most {
            return None;
        }
        all.push_back(pending);
        Some(all.len() == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending().is_empty()
    }

    /// The notes of the next transaction.
    pub(super) fn take(&self) -> Vec<PendingNote> {
        let mut all = self.pending();
        let count = all.len().min(TRANSACTION_MAX);
        all.drain(..count).collect()
    }

    /// Puts notes that could not be written back at the beginning.
    pub(super) fn put_back(&self, notes: Vec<PendingNote>) {
        let mut all = self.pending();
        for pending in notes.into_iter().rev() {
            all.push_front(pending);
        }
    }

    /// Answers `false` to all clients that wait, and drops their notes. The other notes stay.
    pub(super) fn refuse(&self) {
        self.pending().retain_mut(|pending| match pending.done.take() {
            Some(done) => {
                let _ = done.send(false);
                false
            }
            None => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};
    use crate::store::Seen;

    fn note(number: u16) -> PendingNote {
        let key = Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() };
        PendingNote {
            note: Note::Seen(Seen { key, id: [0; 16], at: i64::from(number) }),
            done: None,
        }
    }

    fn numbers(notes: &[PendingNote]) -> Vec<i64> {
        let number = |pending: &PendingNote| match &pending.note {
            Note::LogOut(login) => login.until,
            Note::Seen(seen) => seen.at,
            Note::Block(block) => block.until,
            Note::Lift(_) => -1,
            Note::Known(known) => known.day,
            Note::Login(login) => login.at,
            Note::Network(used) => used.last_at,
            Note::Shared(block) => block.since,
            Note::OperatorLogin(session) => session.began_at,
            Note::OperatorLogout(_) => -2,
        };
        notes.iter().map(number).collect()
    }

    #[test]
    fn the_lane_is_bounded_and_says_when_it_was_empty() {
        let lane = Lane::default();
        assert_eq!((lane.push(note(0)), lane.push(note(1))), (Some(true), Some(false)));
        (2..UNWAITED_MAX as u16)
            .for_each(|number| assert_eq!(lane.push(note(number)), Some(false)));
        assert_eq!(lane.push(note(9_999)), None, "nobody waits for it");
        let waited = || PendingNote { done: Some(oneshot::channel().0), ..note(9_999) };
        (UNWAITED_MAX..WAITING_MAX).for_each(|_| assert_eq!(lane.push(waited()), Some(false)));
        assert_eq!(lane.push(waited()), None);
    }

    #[test]
    fn notes_are_taken_in_their_order_and_put_back_before_the_others() {
        let lane = Lane::default();
        (0..300).for_each(|number| assert!(lane.push(note(number)).is_some()));
        let taken = lane.take();
        assert_eq!(numbers(&taken), (0..256).collect::<Vec<_>>());
        lane.put_back(taken);
        assert_eq!(numbers(&lane.take()), (0..256).collect::<Vec<_>>());
        assert_eq!(numbers(&lane.take()), (256..300).collect::<Vec<_>>());
        assert!(lane.is_empty());
    }

    #[test]
    fn a_client_that_waits_is_refused_and_a_note_without_one_stays() {
        let lane = Lane::default();
        let (done, mut answered) = oneshot::channel();
        lane.push(PendingNote { done: Some(done), ..note(1) });
        lane.push(note(2));
        lane.refuse();
        assert_eq!(answered.try_recv(), Ok(false));
        assert_eq!(numbers(&lane.take()), [2]);
    }
}
