//! The checks of `doctor` that a running service can do of itself. The layer that starts the
//! service passes them in, because `doctor` is above the listeners.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

/// How long findings are shown before the machine is checked again, seconds.
const FRESH_SECONDS: i64 = 10;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The group of the check.
    pub topic: &'static str,
    /// The check.
    pub name: &'static str,
    /// `ok`, `note`, `warning` or `serious`.
    pub level: &'static str,
    /// What was found.
    pub found: String,
    /// What to do.
    pub remedy: Option<String>,
}

/// When the checks ran, unix seconds, and what they found.
type Findings = (i64, Vec<Checked>);

/// Runs the checks.
pub type Examine = Arc<dyn Fn() -> Vec<Checked> + Send + Sync>;

/// The checks, and what they found last.
#[derive(Clone)]
pub struct Checks {
    examine: Examine,
    last: Arc<Mutex<Option<Findings>>>,
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checks")
    }
}

impl Checks {
    /// Runs these checks.
    pub fn new(examine: Examine) -> Self {
        Self { examine, last: Arc::default() }
    }

    /// When the checks ran last, unix seconds, and what they found. They run at most every ten
    /// seconds, one run at a time. It reads files of the machine: not for a thread that serves
    /// requests.
    pub fn at(&self, now: i64) -> (i64, Vec<Checked>) {
        let mut last = self.last.lock();
        let is_fresh = |at: i64| (at..at + FRESH_SECONDS).contains(&now);
        if let Some((at, found)) = last.as_ref().filter(|(at, _)| is_fresh(*at)) {
            return (*at, found.clone());
        }
        let found = (self.examine)();
        *last = Some((now, found.clone()));
        (now, found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_machine_is_checked_once_in_ten_seconds_however_often_the_page_is_loaded() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let checks = Checks::new(Arc::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Vec::new()
        }));
        for (now, at, count) in [(100, 100, 1), (109, 100, 1), (110, 110, 2), (50, 50, 3)] {
            assert_eq!(checks.at(now).0, at);
            assert_eq!(runs.load(Ordering::Relaxed), count, "{now}");
        }
    }
}
