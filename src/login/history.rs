//! Limits the record of logins: visitors decide how many there are. A login that a browser repeats
//! for every image is recorded once.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::remembered::SecretDigest;
use crate::block::{LoginName, Network};
use crate::identity::Key;
use crate::logging::limit::{LinesMax, Window};
use crate::login_record::LoginEvent;
use crate::recent::Recent;

/// The most failed logins that are recorded per minute, in total and per network.
const FAILURES_MAX: LinesMax = LinesMax { window_seconds: 60, all: 120, each: 10 };
/// The most logouts that are recorded per minute, in total and per member: a copy of a cookie can
/// be logged out without end.
const LOGOUTS_MAX: LinesMax = LinesMax { window_seconds: 60, all: 6_000, each: 10 };
/// How long a repeated failure is not recorded again, and how many are remembered for that.
const SAME_SECONDS: i64 = 600;
const SEEN_MAX: usize = 4_096;
/// Members whose login by the browser's prompt is remembered, where their networks are unknown.
const MEMBERS_MAX: usize = 16_384;
const DAY_SECONDS: i64 = 86_400;

/// Which logins are recorded, for all threads together.
pub struct History {
    is_on: bool,
    keys: RandomState,
    state: Mutex<HistoryState>,
    lost: AtomicU64,
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("History")
    }
}

struct HistoryState {
    /// When each failure was last recorded, by the steady clock.
    seen: Recent<u64, i64>,
    failures: Window<Network>,
    logouts: Window<Key>,
    /// The day of the last login by the browser's prompt.
    days: Recent<Key, i64>,
}

impl History {
    /// Without `is_on` nothing is recorded.
    pub fn new(is_on: bool) -> Self {
        let state = HistoryState {
            seen: Recent::new(SEEN_MAX),
            failures: Window::new(FAILURES_MAX),
            logouts: Window::new(LOGOUTS_MAX),
            days: Recent::new(MEMBERS_MAX),
        };
        let (keys, lost) = (RandomState::new(), AtomicU64::new(0));
        Self { is_on, keys, state: Mutex::new(state), lost }
    }

    /// Whether anything is recorded.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether this failure is recorded. `now` is the steady clock's.
    pub fn takes_failure(
        &self,
        event: LoginEvent,
        name: &LoginName,
        network: Network,
        secret: SecretDigest,
        now: i64,
    ) -> bool {
        if !self.is_on {
            return false;
        }
        let failure = self.keys.hash_one((event, name, network, secret));
        let mut state = self.state.lock();
        let is_known =
            state.seen.get(&failure).is_some_and(|then| now.saturating_sub(*then) < SAME_SECONDS);
        if is_known {
            return false;
        }
        let is_recorded = state.failures.add(network, now);
        // One that was left out is no repetition: it is recorded as soon as there is room.
        if is_recorded {
            state.seen.put(failure, now);
        }
        is_recorded
    }

    /// Whether this logout is recorded. `now` is the steady clock's.
    pub fn takes_logout(&self, member: Key, now: i64) -> bool {
        self.state.lock().logouts.add(member, now)
    }

    /// Whether this is the member's first login of the day by the browser's prompt, where all
    /// visitors seem to come from one network. `now` is in unix seconds.
    pub fn is_first_today(&self, member: Key, now: i64) -> bool {
        let (mut state, day) = (self.state.lock(), now.div_euclid(DAY_SECONDS));
        if state.days.get(&member).is_some_and(|&mut last| last == day) {
            return false;
        }
        state.days.put(member, day);
        true
    }

    /// A record could not be queued.
    pub fn was_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// How many failures the limit left out since the last call, if the window is over, and how
    /// many records were lost.
    pub fn left_out(&self, now: i64) -> (Option<u64>, u64) {
        (self.state.lock().failures.end(now), self.lost.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::identity::{MemberId, SiteId};
    use crate::login::remembered::Remembered;
    use crate::password::Password;

    fn network(number: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(0x0a00_0000 + number).into())
    }

    #[test]
    fn a_repeated_failure_is_recorded_once_in_ten_minutes_and_another_cause_by_itself() {
        let (history, remembered) = (History::new(true), Remembered::new().unwrap());
        let takes = |event, password: &str, now| {
            let secret = remembered.secret(&Password::parse(password).unwrap());
            history.takes_failure(event, &LoginName::new("bob"), network(1), secret, now)
        };
        assert!(takes(LoginEvent::Wrong, "guess", 0));
        assert!((1..600).all(|now| !takes(LoginEvent::Wrong, "guess", now)));
        assert!(takes(LoginEvent::Wrong, "guess", 600));
        assert!(takes(LoginEvent::Blocked, "guess", 600), "another cause");
        assert!(takes(LoginEvent::Wrong, "other", 600), "another password");
    }

    #[test]
    fn a_network_has_ten_rows_a_minute_and_all_have_a_hundred_and_twenty() {
        let (history, remembered) = (History::new(true), Remembered::new().unwrap());
        let recorded = |from: &dyn Fn(u32) -> u32, now| {
            (0..1_000_u32)
                .filter(|nth| {
                    let password = Password::parse(&format!("{nth} at {now}")).unwrap();
                    let (name, secret) = (LoginName::new("bob"), remembered.secret(&password));
                    let network = network(from(*nth));
                    history.takes_failure(LoginEvent::Wrong, &name, network, secret, now)
                })
                .count()
        };
        assert_eq!(recorded(&|_| 1, 0), 10);
        assert_eq!(recorded(&|nth| 2 + nth, 1), 110);
        assert_eq!(history.left_out(59), (None, 0));
        assert_eq!(history.left_out(60), (Some(990 + 890), 0));
        assert_eq!(recorded(&|_| 1, 61), 10, "a window of its own");
    }

    /// Regression: a failure that the limit had left out counted as repeated for ten minutes.
    #[test]
    fn a_failure_that_was_left_out_is_recorded_when_there_is_room_again() {
        let (history, remembered) = (History::new(true), Remembered::new().unwrap());
        let takes = |name: &str, now| {
            let secret = remembered.secret(&Password::parse("guess").unwrap());
            let name = LoginName::new(name);
            history.takes_failure(LoginEvent::Blocked, &name, network(1), secret, now)
        };
        assert!((0..10).all(|other| takes(&format!("other{other}"), 0)));
        assert!(!takes("bob", 1), "the minute is full");
        assert!(takes("bob", 60));
        assert!(!takes("bob", 61), "repeated");
    }

    #[test]
    fn without_days_nothing_is_recorded() {
        let (history, remembered) = (History::new(false), Remembered::new().unwrap());
        let secret = remembered.secret(&Password::parse("guess").unwrap());
        let name = LoginName::new("bob");
        assert!(!history.takes_failure(LoginEvent::Wrong, &name, network(1), secret, 0));
    }

    #[test]
    fn a_member_behind_an_unlisted_proxy_is_recorded_once_a_day() {
        let history = History::new(true);
        let bob = Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("7").unwrap() };
        let first = [0, 1, 86_399, 86_400].map(|now| history.is_first_today(bob, now));
        assert_eq!(first, [true, false, false, true]);
    }
}
