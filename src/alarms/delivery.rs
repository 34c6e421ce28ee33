//! Delivers messages to one target, on a thread of its own: in their order, and again after a
//! while where a delivery fails. A target that hangs delays nothing else.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::target::Target;
use crate::chain::chain;
use crate::counted::counted;

/// Messages that wait at most. Beyond that, the oldest is dropped.
const WAITING_MAX: usize = 64;
/// How long the thread waits after a failure, each time longer up to the last.
const TRY_AGAIN_AFTER: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
];

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<String>,
    dropped: u64,
    is_stopping: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

/// The queue of one target. Its thread ends when it is stopped; a delivery that runs then is left
/// to end with the process.
#[derive(Debug)]
pub struct Delivery(Arc<Queue>);

impl Delivery {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(target: Target) -> io::Result<Self> {
        Self::with_pauses(target, &TRY_AGAIN_AFTER)
    }

    /// With these pauses after failures.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn with_pauses(target: Target, pauses: &'static [Duration]) -> io::Result<Self> {
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
        self.0.changed.notify_all();
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.lock().messages.len()
    }

    /// Ends the thread. Says how many messages were not delivered.
    pub fn stop(&self) -> usize {
        let mut waiting = self.0.waiting.lock();
        waiting.is_stopping = true;
        self.0.changed.notify_all();
        waiting.messages.len()
    }
}

impl Queue {
    fn work(&self, target: &Target, pauses: &[Duration]) {
        let mut failures = 0;
        while let Some(json) = self.next() {
            match target.deliver(&json) {
                Ok(()) => {
                    if failures > 0 {
                        let times = counted(failures as u64, "failure");
                        log::info!("{} takes alarms again, after {times}", target.setting());
                    }
                    failures = 0;
                    self.delivered(&json);
                }
                Err(error) => {
                    let pause = pauses[failures.min(pauses.len() - 1)];
                    failures += 1;
                    log::error!(
                        "{} did not take an alarm, the next try is in {} seconds: {}",
                        target.setting(),
                        pause.as_secs(),
                        chain(&error)
                    );
                    self.pause(pause);
                }
            }
        }
    }

    /// The oldest message, which stays in the queue until it was delivered. `None` at the end.
    fn next(&self) -> Option<String> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.is_stopping {
                return None;
            }
            let dropped = std::mem::take(&mut waiting.dropped);
            if dropped > 0 {
                log::error!("{} not delivered: too many wait", counted(dropped, "alarm"));
            }
            if let Some(json) = waiting.messages.front() {
                return Some(json.clone());
            }
            self.changed.wait(&mut waiting);
        }
    }

    fn delivered(&self, json: &str) {
        let mut waiting = self.waiting.lock();
        // While it was being delivered, it may have been dropped for a newer one.
        if waiting.messages.front().is_some_and(|front| front == json) {
            waiting.messages.pop_front();
        }
    }

    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut waiting = self.waiting.lock();
        while !waiting.is_stopping && !self.changed.wait_until(&mut waiting, until).timed_out() {}
    }
}
