//! Delivers messages to one target, on a thread of its own: in their order, and again after a
//! while where a delivery fails. A target that hangs delays nothing else.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::target::Target;
use crate::chain::chain;
use crate::counted::counted;

/// Messages that wait at most. Beyond that, the oldest is dropped.
const WAITING_MAX: usize = 64;
/// How long a program that was killed may take to end.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

/// How long the thread waits after a failure.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// Each time longer, up to the last.
    pub after_failures: &'static [Duration],
    /// Where a new message came meanwhile, at most this long.
    pub with_new: Duration,
}

impl Pauses {
    const DEFAULT: Self = Self {
        after_failures: &[
            Duration::from_secs(5),
            Duration::from_secs(30),
            Duration::from_secs(120),
            Duration::from_secs(300),
        ],
        with_new: Duration::from_secs(60),
    };

    fn after(&self, failures: usize) -> Duration {
        self.after_failures[failures.min(self.after_failures.len() - 1)]
    }
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<String>,
    /// How many were queued since the start.
    queued: u64,
    dropped: u64,
    is_delivering: bool,
    is_stopping: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// Kills the program that runs.
    is_over: AtomicBool,
}

/// The queue of one target. Its thread ends when it is stopped.
#[derive(Debug)]
pub struct Delivery(Arc<Queue>);

impl Delivery {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(target: Target) -> io::Result<Self> {
        Self::with_pauses(target, Pauses::DEFAULT)
    }

    /// With these pauses after failures.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn with_pauses(target: Target, pauses: Pauses) -> io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let shared = Arc::clone(&queue);
        std::thread::Builder::new()
            .name("alarm".into())
            .spawn(move || shared.work(&target, pauses))?;
        Ok(Self(queue))
    }

    /// Queues a message of JSON.
    pub fn put(&self, json: String) {
        let mut waiting = self.0.waiting.lock();
        if waiting.messages.len() >= WAITING_MAX {
            waiting.messages.pop_front();
            waiting.dropped += 1;
        }
        waiting.messages.push_back(json);
        waiting.queued += 1;
        self.0.changed.notify_all();
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.lock().messages.len()
    }

    /// Whether this message waits, or is being delivered.
    pub fn has(&self, json: &str) -> bool {
        self.0.waiting.lock().messages.iter().any(|message| message == json)
    }

    /// Lets the thread end after the delivery that runs.
    pub fn begin_stop(&self) {
        self.0.waiting.lock().is_stopping = true;
        self.0.changed.notify_all();
    }

    /// Ends the thread. A delivery that runs may end until then; after that its program is killed.
    /// A request to a URL ends with the process. Says how many messages were not delivered.
    pub fn stop(&self, until: Instant) -> usize {
        self.begin_stop();
        if !self.0.is_idle(until) {
            self.0.is_over.store(true, Ordering::Relaxed);
            self.0.is_idle(Instant::now() + KILLED_WITHIN);
        }
        self.waiting()
    }
}

impl Queue {
    fn work(&self, target: &Target, pauses: Pauses) {
        let mut failures = 0;
        while let Some((json, queued)) = self.next() {
            let done = target.deliver_unless(&json, &self.is_over);
            let is_stopping = self.delivered(done.is_ok().then_some(&json));
            match done {
                Ok(()) => {
                    if failures > 0 {
                        let times = counted(failures as u64, "failure");
                        log::info!("{} takes alarms again, after {times}", target.setting());
                    }
                    failures = 0;
                }
                Err(error) if is_stopping => {
                    let why = chain(&error);
                    log::error!(
                        "{} did not take an alarm before the stop: {why}",
                        target.setting()
                    );
                }
                Err(error) => {
                    let pause = pauses.after(failures);
                    failures += 1;
                    log::error!(
                        "{} did not take an alarm, the next try is in {} seconds: {}",
                        target.setting(),
                        pause.as_secs(),
                        chain(&error)
                    );
                    self.pause(pause, pauses.with_new, queued);
                }
            }
        }
    }

    /// The oldest message, which stays in the queue until it was delivered, and how many were
    /// queued until now. `None` at the end.
    fn next(&self) -> Option<(String, u64)> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.is_stopping {
                return None;
            }
            let dropped = std::mem::take(&mut waiting.dropped);
            if dropped > 0 {
                log::error!("{} not delivered: too many wait", counted(dropped, "alarm"));
            }
            if let Some(json) = waiting.messages.front().cloned() {
                waiting.is_delivering = true;
                return Some((json, waiting.queued));
            }
            self.changed.wait(&mut waiting);
        }
    }

    /// A delivery has ended; takes the message that was delivered. Says whether this is the end.
    fn delivered(&self, json: Option<&String>) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.is_delivering = false;
        // While it was being delivered, it may have been dropped for a newer one.
        if json.is_some() && waiting.messages.front() == json {
            waiting.messages.pop_front();
        }
        self.changed.notify_all();
        waiting.is_stopping
    }

    /// Waits after a failure. A message that came since `queued` were queued shortens that: it must
    /// not wait for long behind an old one.
    fn pause(&self, pause: Duration, with_new: Duration, queued: u64) {
        let began = Instant::now();
        let mut waiting = self.waiting.lock();
        loop {
            let is_new = waiting.queued > queued;
            let until = began + if is_new { pause.min(with_new) } else { pause };
            if waiting.is_stopping || Instant::now() >= until {
                return;
            }
            self.changed.wait_until(&mut waiting, until);
        }
    }

    /// Waits until no delivery runs. Returns `false` if one still does.
    fn is_idle(&self, until: Instant) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.is_delivering {
            if self.changed.wait_until(&mut waiting, until).timed_out() {
                return !waiting.is_delivering;
            }
        }
        true
    }
}
