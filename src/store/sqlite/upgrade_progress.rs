//! Logs how far a long upgrade is, and reports that it makes progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::heartbeat::Heartbeat;
use crate::store::Fault;

/// How often a line is logged. Most upgrades are shorter.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// Steps of SQLite's virtual machine between two reads of the clock: about a millisecond.
const STEPS: i32 = 20_000;

/// The progress of one upgrade; clones refer to the same state.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<State>>);

struct State {
    heartbeat: Heartbeat,
    /// What is being done, as in "checking the copy".
    doing: String,
    logged: Instant,
    began: Instant,
}

impl Progress {
    pub(super) fn new(heartbeat: Heartbeat) -> Self {
        let now = Instant::now();
        let state = State { heartbeat, doing: String::new(), logged: now, began: now };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Says what is done from now on.
    pub(super) fn begin(&self, doing: &str) {
        doing.clone_into(&mut self.0.lock().doing);
    }

    /// Reports that the work continues.
    pub(super) fn report(&self) {
        self.step(Instant::now());
    }

    /// Reports while statements of this connection run, which `stop` ends.
    pub(super) fn follow(
        &self,
        conn: &mut Connection,
        stop: &Arc<AtomicBool>,
    ) -> Result<(), Fault> {
        let (progress, stop) = (self.clone(), Arc::clone(stop));
        let handler = move || {
            progress.step(Instant::now());
            stop.load(Ordering::Relaxed)
        };
        Ok(conn.progress_handler(STEPS, Some(handler))?)
    }

    /// Ends [`Progress::follow`].
    pub(super) fn leave(conn: &mut Connection) -> Result<(), Fault> {
        Ok(conn.progress_handler(0, None::<fn() -> bool>)?)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.lock().began.elapsed()
    }

    /// Runs work that has no steps to report.
    pub(super) fn during<T>(&self, longest: Duration, work: impl FnOnce() -> T) -> T {
        let heartbeat = self.0.lock().heartbeat.clone();
        heartbeat.during(longest, work)
    }

    fn step(&self, now: Instant) {
        let mut state = self.0.lock();
        state.heartbeat.progress();
        if let Some(line) = state.line(now) {
            log::info!("{line}");
        }
    }
}

impl State {
    fn line(&mut self, now: Instant) -> Option<String> {
        let is_due = now.duration_since(self.logged) >= LOG_EVERY;
        is_due.then(|| {
            self.logged = now;
            let seconds = now.duration_since(self.began).as_secs();
            format!("upgrading the database: {}, {seconds} s so far", self.doing)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_upgrade_has_a_line_each_ten_seconds() {
        let progress = Progress::new(Heartbeat::default());
        let start = progress.0.lock().began;
        let line = |second| progress.0.lock().line(start + Duration::from_secs(second));
        progress.begin("checking the copy");
        assert_eq!(line(9), None);
        let first = "upgrading the database: checking the copy, 10 s so far";
        assert_eq!(line(10).as_deref(), Some(first));
        assert_eq!(line(19), None);
        progress.begin("changing it to version 3");
        let second = "upgrading the database: changing it to version 3, 21 s so far";
        assert_eq!(line(21).as_deref(), Some(second));
    }

    #[test]
    fn a_long_statement_reports_too() {
        let progress = Progress::new(Heartbeat::default());
        let long_ago = Instant::now().checked_sub(LOG_EVERY).unwrap();
        progress.0.lock().logged = long_ago;
        let mut conn = Connection::open_in_memory().unwrap();
        progress.follow(&mut conn, &Arc::default()).unwrap();
        let count = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)
             SELECT count(*) FROM n";
        let counted = |conn: &Connection| {
            let counted: i64 = conn.query_row(count, [], |row| row.get(0)).unwrap();
            assert_eq!(counted, 100_000);
            progress.0.lock().logged
        };
        assert!(counted(&conn) > long_ago);
        Progress::leave(&mut conn).unwrap();
        progress.0.lock().logged = long_ago;
        assert_eq!(counted(&conn), long_ago);
    }
}
