//! The questions that wait for a thread, and whose turn it is.
//!
//! First those from networks that the member has logged in from before, then the others; of each
//! those first from whose addresses the least was asked recently. Every fourth turn is the turn of
//! whoever waits longest, so that nobody waits for ever. Where the queue is full, the last in this
//! order goes, and not the one who comes.

use tokio::sync::oneshot;

use crate::identity::Key;
use crate::login::remembered::RememberedKey;
use crate::password::{Password, Stored};

/// Questions that wait for a thread.
const QUEUE_MAX: usize = 64;
/// Who may wait for the answer to one check.
const WAITERS_MAX: usize = 256;
/// One turn in so many is that of whoever waits longest.
const OLDEST_EVERY: u32 = 4;

/// Whether a typed password is the password of a row. Where no member has the name there is no row:
/// the answer is no, at the same cost.
pub struct PasswordCheck {
    /// The member, and the form in which their password is stored.
    pub row: Option<(Key, Stored)>,
    /// What was typed.
    pub typed: Password,
}

/// Too many checks wait, or the service ends; the visitor is to try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many logins wait to be verified")]
pub struct Busy;

/// When it is somebody's turn: the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// From a network that is not known for the member, or where nobody has the name.
    pub is_stranger: bool,
    /// How much was asked recently from there.
    pub asked: u32,
}

/// Who waits for one answer.
#[derive(Default)]
pub(super) struct Waiters(Vec<oneshot::Sender<bool>>);

impl Waiters {
    /// One more.
    pub(super) fn add(&mut self) -> Result<oneshot::Receiver<bool>, Busy> {
        if self.0.len() >= WAITERS_MAX {
            self.0.retain(|waiter| !waiter.is_closed());
        }
        if self.0.len() >= WAITERS_MAX {
            return Err(Busy);
        }
        let (sender, answer) = oneshot::channel();
        self.0.push(sender);
        Ok(answer)
    }

    /// Tells them all. Some may have gone.
    pub(super) fn tell(self, opened: bool) {
        for waiter in self.0 {
            let _ = waiter.send(opened);
        }
    }

    fn have_gone(&self) -> bool {
        self.0.iter().all(oneshot::Sender::is_closed)
    }
}

/// A check that waits. Dropped, it tells its waiters that the pool is busy.
pub(super) struct WaitingCheck {
    pub key: RememberedKey,
    pub check: PasswordCheck,
    pub waiters: Waiters,
    pub rank: Rank,
}

/// The questions, in the order in which they came.
#[derive(Default)]
pub(super) struct Queue {
    checks: Vec<WaitingCheck>,
    turns: u32,
}

impl Queue {
    /// The check, if it waits.
    pub(super) fn find(&mut self, key: &RememberedKey) -> Option<&mut WaitingCheck> {
        self.checks.iter_mut().find(|waiting| waiting.key == *key)
    }

    /// Takes a check in, if need be in the place of one whose turn would come later.
    pub(super) fn push(&mut self, waiting: WaitingCheck) -> Result<(), Busy> {
        if self.checks.len() >= QUEUE_MAX {
            self.checks.retain(|waiting| !waiting.waiters.have_gone());
        }
        if self.checks.len() >= QUEUE_MAX {
            // Of several the one that came last.
            let last = self.checks.iter().enumerate().max_by_key(|(_, waiting)| waiting.rank);
            match last.filter(|(_, last)| waiting.rank < last.rank).map(|(at, _)| at) {
                Some(at) => drop(self.checks.remove(at)),
                None => return Err(Busy),
            }
        }
        self.checks.push(waiting);
        Ok(())
    }

    /// The check whose turn it is, of those that somebody still waits for.
    pub(super) fn next(&mut self) -> Option<WaitingCheck> {
        self.checks.retain(|waiting| !waiting.waiters.have_gone());
        self.turns = self.turns.wrapping_add(1);
        let oldest = self.turns.is_multiple_of(OLDEST_EVERY);
        let at = match oldest {
            true => 0,
            // Of several the one that came first.
            false => self.checks.iter().enumerate().min_by_key(|(_, waiting)| waiting.rank)?.0,
        };
        (at < self.checks.len()).then(|| self.checks.remove(at))
    }

    /// Gives all of them up.
    pub(super) fn clear(&mut self) {
        self.checks.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::super::recent_load::RecentLoad;
    use super::*;
    use crate::identity::SiteId;
    use crate::login::remembered::{Remembered, Row};
    use crate::password::Password;

    /// A queue, and keys for questions.
    struct Scene {
        remembered: Remembered,
        queue: Queue,
        recent_load: RecentLoad,
        asked: u32,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                remembered: Remembered::new().unwrap(),
                queue: Queue::default(),
                recent_load: RecentLoad::new(),
                asked: 0,
            }
        }

        /// Asks something new; the answer, and the key by which the check is found.
        fn ask(&mut self, from: IpAddr) -> (RememberedKey, Result<oneshot::Receiver<bool>, Busy>) {
            self.asked += 1;
            let typed = Password::parse(&self.asked.to_string()).unwrap();
            let key = self.remembered.key(Row::Nobody(SiteId::parse("1").unwrap(), "bob"), &typed);
            let rank = Rank { is_stranger: true, asked: self.recent_load.ask(from) };
            let mut waiters = Waiters::default();
            let answer = waiters.add().unwrap();
            let waiting =
                WaitingCheck { key, check: PasswordCheck { row: None, typed }, waiters, rank };
            (key, self.queue.push(waiting).map(|()| answer))
        }
    }

    /// Three hundred attempts a second against a thread that answers forty, each waits two seconds;
    /// and once a second somebody from an address that was never seen. How many of these were
    /// answered, of the last 60.
    fn answered_in_a_flood(attacker: impl Fn(u32) -> IpAddr) -> usize {
        const ATTEMPTS_MAX: usize = 600;
        let mut scene = Scene::new();
        let (mut waiting, mut honest) = (VecDeque::new(), Vec::new());
        for attempt in 0..300 * 90 {
            waiting.push_back(scene.ask(attacker(attempt)).1.ok());
            if waiting.len() > ATTEMPTS_MAX {
                waiting.pop_front();
            }
            let second = attempt / 300;
            if attempt % 300 == 150 && second >= 30 {
                let (key, answer) =
                    scene.ask(Ipv4Addr::new(100, 64 + (second % 64) as u8, second as u8, 9).into());
                honest.push((key, answer, false));
            }
            if attempt % 7 == 0
                && let Some(waiting) = scene.queue.next()
                && let Some(one) = honest.iter_mut().find(|(key, ..)| *key == waiting.key)
            {
                one.2 = true;
            }
        }
        honest.iter().filter(|(.., answered)| *answered).count()
    }

    #[test]
    fn whoever_logs_in_for_the_first_time_is_answered_in_a_flood_from_changing_addresses() {
        let v4 = |bits: u32| IpAddr::from(Ipv4Addr::from_bits(bits));
        let v6 = |bits: u128| IpAddr::from(Ipv6Addr::from_bits(0x2001_0db8 << 96 | bits));
        let strewn = |n: u32| v4((n % 5_000).wrapping_mul(0x9e37_79b9));
        for (answered, what) in [
            (answered_in_a_flood(|_| v4(0x0a00_0001)), "one address"),
            (answered_in_a_flood(|n| v4(0x0a00_0000 + n % 256)), "those of an IPv4 /24"),
            (
                answered_in_a_flood(|n| v4(0x0a00_0000 + n)),
                "those of an IPv4 /8, one after the other",
            ),
            (answered_in_a_flood(|n| v6(u128::from(n) << 64)), "the /64s of a /48"),
            (answered_in_a_flood(|n| v6(u128::from(n) << 80)), "the /48s of a /32"),
            (answered_in_a_flood(strewn), "5,000 machines all over the world"),
        ] {
            // One may share all of its counters with busy networks, by chance.
            assert!(answered >= 59, "{what}: {answered} of 60");
        }
    }

    #[test]
    fn every_fourth_turn_is_that_of_whoever_waits_longest() {
        let mut scene = Scene::new();
        let from = |last: u8| IpAddr::from([203, 0, 113, last]);
        // The first asks have the lowest ranks, so the check that waits longest is made the
        // worst.
        for _ in 0..100 {
            scene.recent_load.ask(from(1));
        }
        let (worst, _answer) = scene.ask(from(1));
        let others: Vec<_> =
            (0..5).map(|number| scene.ask(IpAddr::from([198, 51, 100 + number, 1]))).collect();
        let turns: Vec<_> = (0..4).map(|_| scene.queue.next().unwrap().key).collect();
        assert!(
            turns[3] == worst
                && turns[..3].iter().all(|turn| others.iter().any(|(key, _)| key == turn))
        );
    }
}
