//! Records when logins were last used, for the inactivity timeout. This is not kept in the cookie,
//! because not every proxy passes on a new cookie from the answer of `/auth`.
//!
//! The times are in memory, by the steady clock. They are stored in coarse steps, so that a restart
//! neither ends a login that is in use nor revives one that has ended. For a login that is not in
//! memory, the last use is the time in its row, which is at most one step too early, or else its
//! beginning.

use std::fmt;

use parking_lot::Mutex;

use super::cookie::LoginId;
use crate::recent::Recent;

/// The most logins in memory, some 60 bytes each. The others are looked up in the table.
const LOGINS_MAX: usize = 65_536;
/// A step is this fraction of the timeout, and at least a minute.
const STEPS: i64 = 10;
const STEP_SECONDS_MIN: i64 = 60;

/// Times in seconds of the steady clock.
#[derive(Clone, Copy, Debug)]
struct Used {
    at: i64,
    /// The last use that was stored.
    written: i64,
}

/// The last use of each login.
pub struct Activity {
    idle_seconds: i64,
    used: Mutex<Recent<LoginId, Used>>,
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Activity({} s)", self.idle_seconds)
    }
}

impl Activity {
    /// Starts with this inactivity timeout.
    pub fn new(idle_seconds: i64) -> Self {
        Self { idle_seconds, used: Mutex::new(Recent::new(LOGINS_MAX)) }
    }

    /// Whether a login that was not used for this long has ended.
    pub fn is_over(&self, idle_for: i64) -> bool {
        idle_for >= self.idle_seconds
    }

    /// For how many seconds a login was not used, if it is in memory.
    pub fn idle_for(&self, id: LoginId, steady: i64) -> Option<i64> {
        self.with(|used| used.get(&id).map(|used| steady - used.at))
    }

    /// Records a use. `idle_for` says how long ago the previous one was, in case it is not in
    /// memory. `write` stores the use, and returns whether it will be stored.
    pub fn used(&self, id: LoginId, steady: i64, idle_for: i64, write: impl FnOnce() -> bool) {
        let step = (self.idle_seconds / STEPS).max(STEP_SECONDS_MIN);
        self.with(|all| {
            let written = all.get(&id).map_or(steady - idle_for, |used| used.written);
            let is_due = steady - written >= step;
            let written = if is_due && write() { steady } else { written };
            all.put(id, Used { at: steady, written });
        });
    }

    /// Runs `work` under the lock.
    fn with<T>(&self, work: impl FnOnce(&mut Recent<LoginId, Used>) -> T) -> T {
        work(&mut self.used.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: LoginId = LoginId([7; 16]);

    /// Uses the login, and returns whether the use was to be stored.
    fn is_written(activity: &Activity, steady: i64, idle_for: i64, is_taken: bool) -> bool {
        let mut asked = false;
        activity.used(ID, steady, idle_for, || {
            asked = true;
            is_taken
        });
        asked
    }

    #[test]
    fn a_use_is_known_at_once_and_written_down_at_each_step() {
        let activity = Activity::new(1_800);
        assert_eq!(activity.idle_for(ID, 1_000), None);
        for (steady, idle_for, written, why) in [
            (1_000, 0, false, "the login itself is known"),
            (1_179, 0, false, "less than a tenth of the timeout"),
            (1_180, 0, true, "a tenth"),
            (1_181, 0, false, "just written"),
            (1_360, 0, true, "the next tenth"),
        ] {
            assert_eq!(is_written(&activity, steady, idle_for, true), written, "{steady}: {why}");
            assert_eq!(activity.idle_for(ID, steady + 5), Some(5), "{steady}");
        }
        let after_a_restart = Activity::new(1_800);
        assert!(!is_written(&after_a_restart, 9, 179, true), "as fresh as it need be");
        let after_a_restart = Activity::new(1_800);
        assert!(is_written(&after_a_restart, 9, 180, true), "a step old");
    }

    #[test]
    fn what_could_not_be_written_down_is_tried_again() {
        let activity = Activity::new(1_800);
        assert!(is_written(&activity, 1_000, 180, false));
        assert!(is_written(&activity, 1_001, 0, true));
        assert!(!is_written(&activity, 1_002, 0, true));
    }

    #[test]
    fn the_step_is_a_minute_at_least_and_the_timeout_is_met_to_the_second() {
        let activity = Activity::new(300);
        assert!(!is_written(&activity, 1_000, 59, true));
        assert!(is_written(&activity, 1_001, 0, true));
        assert_eq!([299, 300].map(|idle_for| activity.is_over(idle_for)), [false, true]);
    }
}
