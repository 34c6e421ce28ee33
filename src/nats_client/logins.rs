//! Reports logins of members to NATS: in the background, from a bounded queue.
//!
//! NATS then shows them beside the logins that it has recorded itself. No visitor waits for a
//! report. A report is dropped and counted if NATS refuses it, does not accept it in time, or may
//! have counted it without an answer.

mod backlog;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::report::{LoginReport, ReportConfig, ReportPath};
use super::{Client, ReportError};
use crate::clock::Clock;
use crate::identity::{Key, Username};
use crate::recent::Recent;

use backlog::{Backlog, Step};

/// Members whose last report is remembered. The longest unused are evicted: their next login is
/// reported again.
const MEMBERS_MAX: usize = 65_536;

/// The queue and the thread that empties it.
pub struct Reporter {
    shared: Arc<Shared>,
    once_in_seconds: i64,
    reported: Mutex<Recent<Key, i64>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    path: ReportPath,
    clock: Clock,
    state: Mutex<State>,
    /// Signalled when a report comes, and when the service stops.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    backlog: Backlog,
    is_stopping: bool,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

impl Reporter {
    /// Starts the thread. `client` returns the client for NATS as the settings are at the time of a
    /// report, or none if there is no NATS.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(
        config: ReportConfig,
        clock: Clock,
        client: impl Fn() -> Option<Arc<Client>> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            path: config.path,
            clock,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("login reports".into()).spawn(move || {
            of_thread.work(&client);
        })?;
        Ok(Self {
            shared,
            once_in_seconds: config.once_in_seconds,
            reported: Mutex::new(Recent::new(MEMBERS_MAX)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues the report of a login, unless the member was reported within the interval. A request
    /// by a password that was remembered (`is_login` is false) continues a login, and is none where
    /// each login is reported.
    pub fn note(&self, member: Key, username: &Username, address: IpAddr, is_login: bool) {
        if !is_login && self.once_in_seconds == 0 {
            return;
        }
        let now = self.shared.clock.steady();
        {
            let mut reported = self.reported.lock();
            let last = reported.get(&member).copied();
            if last.is_some_and(|last| now.saturating_sub(last) < self.once_in_seconds) {
                return;
            }
            reported.put(member, now);
        }
        let report = LoginReport { site: member.site, username: username.clone(), address };
        self.shared.state.lock().backlog.push(report, now);
        self.shared.changed.notify_one();
    }

    /// How many reports were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.shared.state.lock().backlog.dropped()
    }

    /// Ends the thread after the request under way. What waits is dropped, and the log says how
    /// many reports were.
    pub fn stop(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        {
            let mut state = self.shared.state.lock();
            state.is_stopping = true;
            state.backlog.drop_all();
        }
        self.shared.changed.notify_all();
        if thread.join().is_err() {
            log::error!("the thread that reports logins to NATS has panicked");
        }
        let dropped = self.dropped();
        if dropped > 0 {
            log::warn!("{dropped} logins were not reported to NATS since the start");
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// The work of the thread, until the service stops.
    fn work(&self, client: &dyn Fn() -> Option<Arc<Client>>) {
        // A failure is logged once, until another one or a success.
        let mut logged = None;
        while let Some(report) = self.next() {
            let outcome = match client() {
                Some(client) => client.report_login(self.path, &report),
                // The settings have no NATS any more.
                None => Ok(()),
            };
            let now = self.clock.steady();
            let mut state = self.state.lock();
            match &outcome {
                Ok(()) => state.backlog.done(),
                Err(ReportError::Refused(_)) => state.backlog.refused(),
                Err(ReportError::Unknown(_)) => state.backlog.unknown(now),
                Err(ReportError::NotTaken(_)) => state.backlog.failed(now),
            }
            let dropped = state.backlog.dropped();
            drop(state);
            let failure = outcome.err().map(|error| error.to_string());
            if failure != logged {
                if let Some(error) = &failure {
                    let path = self.path.as_str();
                    log::warn!(
                        "could not report a login to NATS at {path}: {error}; reports dropped \
                         since the start: {dropped}"
                    );
                }
                logged = failure;
            }
        }
    }

    /// Waits for the next report that is due. `None` when the service stops.
    fn next(&self) -> Option<LoginReport> {
        let mut state = self.state.lock();
        loop {
            if state.is_stopping {
                return None;
            }
            match state.backlog.next(self.clock.steady()) {
                Step::Send(report) => return Some(report),
                Step::Wait(seconds) => {
                    self.changed.wait_for(&mut state, Duration::from_secs(seconds));
                }
                Step::Idle => self.changed.wait(&mut state),
            }
        }
    }
}
