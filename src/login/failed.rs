//! Limits the log lines of failed logins, per network and in total, because visitors decide how
//! many there are. Further lines are counted. A login that a browser repeats for every image is
//! logged once.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use parking_lot::{Mutex, MutexGuard};

use super::remembered::SecretDigest;
use crate::block::{LoginName, Network};
use crate::identity::SiteId;
use crate::logging::limit::{LinesMax, Window};
use crate::login_record::{LoginEvent, LoginWay};
use crate::recent::Recent;

/// The most lines per minute, in total and per network.
const LINES_MAX: LinesMax = LinesMax { window_seconds: 60, all: 60, each: 10 };
/// How long a repeated login is not logged again, and how many logins are remembered for that.
const SAME_SECONDS: i64 = 600;
const SEEN_MAX: usize = 4_096;

/// A failed login.
#[derive(Debug)]
pub struct FailedLogin<'a> {
    /// How the visitor tried to log in.
    pub by: LoginWay,
    /// Which check failed.
    pub why: LoginEvent,
    /// The sites whose members were allowed.
    pub sites: &'a [SiteId],
    /// The name, or its pseudonym if no member has the name, nor logs in with it as an address.
    pub name: &'a LoginName,
    /// The visitor's address.
    pub address: IpAddr,
    /// A digest of the password.
    pub secret: SecretDigest,
}

/// Limits the lines, for all threads together. Times are seconds of the steady clock.
pub struct FailedLogins {
    keys: RandomState,
    state: Mutex<FailedState>,
}

impl fmt::Debug for FailedLogins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FailedLogins")
    }
}

struct FailedState {
    /// When each login was last logged or counted.
    seen: Recent<u64, i64>,
    lines: Window<Network>,
}

impl Default for FailedLogins {
    fn default() -> Self {
        let state = FailedState { seen: Recent::new(SEEN_MAX), lines: Window::new(LINES_MAX) };
        Self { keys: RandomState::new(), state: Mutex::new(state) }
    }
}

impl FailedLogins {
    /// Logs a failed login, if a line is due.
    pub fn log(&self, failed: &FailedLogin<'_>, now: i64) {
        let FailedLogin { by, why, sites, name, address, secret } = *failed;
        if self.has_line(name, Network::of(address), secret, now) {
            log::info!(
                by = by.as_str(), why = why.as_str(), sites:% = SiteNumbers(sites),
                address:% = address, name = name.as_str();
                "login failed"
            );
        }
    }

    /// Whether this login is logged.
    pub fn has_line(
        &self,
        name: &LoginName,
        network: Network,
        secret: SecretDigest,
        now: i64,
    ) -> bool {
        let attempt = self.keys.hash_one((name, network, secret));
        let mut state = self.state();
        let is_known =
            state.seen.get(&attempt).is_some_and(|then| now.saturating_sub(*then) < SAME_SECONDS);
        if is_known {
            return false;
        }
        state.seen.put(attempt, now);
        state.lines.add(network, now)
    }

    /// Ends the window if its time is over. Returns how many lines it suppressed, if any.
    pub fn suppressed(&self, now: i64) -> Option<u64> {
        self.state().lines.end(now)
    }

    /// Ends the window at the end of the service. Returns how many lines it suppressed, if any.
    pub fn close(&self) -> Option<u64> {
        self.state().lines.close()
    }

    /// A panic while the lock was held can leave a count off by one, which is harmless.
    fn state(&self) -> MutexGuard<'_, FailedState> {
        self.state.lock()
    }
}

/// The sites of the query.
struct SiteNumbers<'a>(&'a [SiteId]);

impl fmt::Display for SiteNumbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, site) in self.0.iter().enumerate() {
            write!(f, "{}{site}", if nth == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::login::remembered::Remembered;
    use crate::password::Password;

    fn network(number: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(0x0a00_0000 + number).into())
    }

    struct Scene {
        failed: FailedLogins,
        remembered: Remembered,
    }

    impl Scene {
        fn new() -> Self {
            Self { failed: FailedLogins::default(), remembered: Remembered::new().unwrap() }
        }

        fn has_line(&self, name: &str, secret: &str, from: u32, now: i64) -> bool {
            let secret = self.remembered.secret(&Password::parse(secret).unwrap());
            self.failed.has_line(&LoginName::new(name), network(from), secret, now)
        }

        /// How many of this number of different logins are logged.
        fn lines(&self, times: u32, from: impl Fn(u32) -> u32, now: i64) -> usize {
            (0..times)
                .filter(|nth| {
                    self.has_line("bob", &format!("guess {nth} at {now}"), from(*nth), now)
                })
                .count()
        }
    }

    #[test]
    fn a_repetition_has_no_line_for_ten_minutes_and_is_not_counted() {
        let scene = Scene::new();
        assert!(scene.has_line("bob", "old", 1, 0));
        assert!((1..600).all(|now| !scene.has_line("Bob", "old", 1, now)), "with every picture");
        assert_eq!(scene.failed.suppressed(600), None);
        assert!(scene.has_line("bob", "old", 1, 600));
        assert!(scene.has_line("bob", "old", 2, 600), "from elsewhere");
        assert!(scene.has_line("bob", "older", 1, 600), "another password");
        assert!(scene.has_line("bill", "old", 1, 600), "another name");
    }

    #[test]
    fn a_network_has_ten_lines_a_minute_and_all_have_sixty() {
        let scene = Scene::new();
        assert_eq!(scene.lines(15, |_| 1, 0), 10);
        assert_eq!(scene.lines(100, |nth| 2 + nth, 1), 50);
        assert_eq!(
            (scene.failed.suppressed(59), scene.failed.suppressed(60), scene.failed.suppressed(61)),
            (None, Some(55), None)
        );
        assert_eq!(scene.lines(15, |_| 1, 61), 10, "a window of its own");
        assert_eq!((scene.failed.close(), scene.failed.close()), (Some(5), None));
    }

    /// Nobody ends the first window; its suppressed lines are reported with the second.
    #[test]
    fn none_that_is_left_out_is_forgotten() {
        let scene = Scene::new();
        assert_eq!((scene.lines(15, |_| 1, 0), scene.lines(15, |_| 1, 100)), (10, 10));
        assert_eq!(scene.failed.suppressed(160), Some(10));
    }
}
