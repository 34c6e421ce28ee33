//! The checks that wait for a thread, in order of priority.
//!
//! Checks from networks from which the member has logged in before go first. Among equals, the one
//! with the fewest recent checks from its address goes first. Every fourth turn takes the oldest
//! check, from an unknown network and from a known one in turns, so that none waits forever.
//!
//! Known networks and others have places of their own, so that guessers cannot use a member's
//! place. If all are taken, the check with the lowest priority is dropped, not the new one.

use std::time::Instant;

use tokio::sync::oneshot;

use crate::identity::Key;
use crate::login::remembered::RememberedKey;
use crate::password::{Password, Stored};

/// The most checks from networks that are not known for the member. The number is a little more
/// than one thread answers in two seconds.
const STRANGERS_MAX: usize = 64;
/// The most checks from known networks. After a restart, no password is remembered, and all active
/// members log in at once. The number is what one thread answers in ten seconds.
const KNOWN_MAX: usize = 512;
/// The most requests that wait for the answer to one check.
const WAITERS_MAX: usize = 256;
/// After this many turns, the oldest check goes first.
const OLDEST_EVERY: u32 = 4;

/// The most checks of one kind that wait.
fn places(is_stranger: bool) -> usize {
    if is_stranger { STRANGERS_MAX } else { KNOWN_MAX }
}

/// A check whether a typed password is the password of a row. If no member has the name, there is
/// no row; the answer is no, at the same cost.
pub struct PasswordCheck {
    /// The member, and the form in which their password is stored.
    pub row: Option<(Key, Stored)>,
    /// The typed password.
    pub typed: Password,
}

/// Too many checks wait, or the service ends. The visitor should try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many logins wait to be verified")]
pub struct Busy;

/// The priority of a check. The lowest rank goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Whether it is from a network that is not known for the member, or no member has the name.
    pub is_stranger: bool,
    /// How many checks came recently from the same address and its neighbours.
    pub asked: u32,
}

/// The requests that wait for one answer.
#[derive(Default)]
pub(super) struct Waiters(Vec<oneshot::Sender<bool>>);

impl Waiters {
    /// Adds a request.
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

    /// Sends the answer to all of them. Some may have hung up.
    pub(super) fn tell(self, opened: bool) {
        for waiter in self.0 {
            let _ = waiter.send(opened);
        }
    }

    fn have_gone(&self) -> bool {
        self.0.iter().all(oneshot::Sender::is_closed)
    }
}

/// A check in the queue. If it is dropped, its requests get [`Busy`].
pub(super) struct WaitingCheck {
    pub key: RememberedKey,
    pub check: PasswordCheck,
    pub waiters: Waiters,
    pub rank: Rank,
    pub since: Instant,
}

/// The checks, in order of arrival.
#[derive(Default)]
pub(super) struct CheckQueue {
    checks: Vec<WaitingCheck>,
    turns: u32,
}

impl CheckQueue {
    /// How many checks wait.
    pub(super) fn len(&self) -> usize {
        self.checks.len()
    }

    /// Finds a check that waits.
    pub(super) fn find(&mut self, key: &RememberedKey) -> Option<&mut WaitingCheck> {
        self.checks.iter_mut().find(|waiting| waiting.key == *key)
    }

    /// Adds a check. If all places of its kind are taken, it replaces the one with the lowest
    /// priority, if that is lower.
    pub(super) fn push(&mut self, waiting: WaitingCheck) -> Result<(), Busy> {
        let is_stranger = waiting.rank.is_stranger;
        let places = places(is_stranger);
        if self.of_kind(is_stranger).count() >= places {
            self.checks.retain(|waiting| !waiting.waiters.have_gone());
        }
        if self.of_kind(is_stranger).count() >= places {
            // Of several equal ones, the last to arrive.
            let last = self.of_kind(is_stranger).max_by_key(|(_, waiting)| waiting.rank);
            match last.filter(|(_, last)| waiting.rank < last.rank).map(|(at, _)| at) {
                Some(at) => drop(self.checks.remove(at)),
                None => return Err(Busy),
            }
        }
        self.checks.push(waiting);
        Ok(())
    }

    /// Removes the next check that a request still waits for.
    pub(super) fn next(&mut self) -> Option<WaitingCheck> {
        self.checks.retain(|waiting| !waiting.waiters.have_gone());
        if self.checks.is_empty() {
            return None;
        }
        self.turns = self.turns.wrapping_add(1);
        let oldest = self.turns.is_multiple_of(OLDEST_EVERY).then(|| {
            let is_stranger = !self.turns.is_multiple_of(2 * OLDEST_EVERY);
            self.of_kind(is_stranger).next().map(|(at, _)| at)
        });
        // Of several equal ones, the first to arrive.
        let first = || self.checks.iter().enumerate().min_by_key(|(_, waiting)| waiting.rank);
        let at = oldest.flatten().or_else(|| first().map(|(at, _)| at))?;
        Some(self.checks.remove(at))
    }

    /// The checks from unknown networks, or those from known ones, in order of arrival and with
    /// their places.
    fn of_kind(&self, is_stranger: bool) -> impl Iterator<Item = (usize, &WaitingCheck)> {
        self.checks
            .iter()
            .enumerate()
            .filter(move |(_, waiting)| waiting.rank.is_stranger == is_stranger)
    }

    /// Drops all checks.
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
    use crate::login::remembered::{CheckedRow, Remembered};
    use crate::password::Password;

    /// A queue, and keys for checks.
    struct Scene {
        remembered: Remembered,
        queue: CheckQueue,
        recent_load: RecentLoad,
        asked: u32,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                remembered: Remembered::new().unwrap(),
                queue: CheckQueue::default(),
                recent_load: RecentLoad::new(),
                asked: 0,
            }
        }

        /// Adds a new check. Returns its key and its answer.
        fn ask(&mut self, from: IpAddr) -> (RememberedKey, Result<oneshot::Receiver<bool>, Busy>) {
            self.asked += 1;
            let typed = Password::parse(&self.asked.to_string()).unwrap();
            let key = self
                .remembered
                .key(CheckedRow::UnknownName(SiteId::parse("1").unwrap(), "bob"), &typed);
            let rank = Rank { is_stranger: true, asked: self.recent_load.ask(from) };
            let mut waiters = Waiters::default();
            let answer = waiters.add().unwrap();
            let waiting = WaitingCheck {
                key,
                check: PasswordCheck { row: None, typed },
                waiters,
                rank,
                since: Instant::now(),
            };
            (key, self.queue.push(waiting).map(|()| answer))
        }
    }

    /// Three hundred checks a second against a thread that answers forty; each waits for two
    /// seconds. Once a second there is a check from a new address. Returns how many of the last 60
    /// of these were answered.
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
            // A new address may by chance share all of its counters with busy networks.
            assert!(answered >= 59, "{what}: {answered} of 60");
        }
    }

    #[test]
    fn every_fourth_turn_is_that_of_whoever_waits_longest() {
        let mut scene = Scene::new();
        let from = |last: u8| IpAddr::from([203, 0, 113, last]);
        // The first checks have the best ranks. This gives the oldest check the worst one.
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
