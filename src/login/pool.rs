//! Hashes the passwords of logins: a few threads, a bounded queue, and a timeout.
//!
//! A flood of logins ends here in [`Busy`]. Postbacks, remembered logins and visitors who log in
//! for the first time are still served (see `queue`). Equal checks share one hash, because a
//! browser requests ten images at a time.

mod queue;
mod recent_load;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use queue::{CheckQueue, Rank, Waiters, WaitingCheck};
use recent_load::RecentLoad;

pub use queue::{Busy, PasswordCheck};

use super::remembered::{Remembered, RememberedKey};
use crate::identity::Key;
use crate::metrics::Histogram;
use crate::password::{Vault, Verifier, VerifyError};
use crate::recent::Recent;

/// How long a check waits for a thread before it is withdrawn.
const QUEUE_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long a check from a network that is known for the member waits: after a restart many members
/// come at once, and waiting is better than an error page.
const KNOWN_WAIT_MAX: Duration = Duration::from_secs(10);
/// The most threads. Each uses 19 MiB and evicts the data of requests from the processor's caches.
const THREADS_MAX: usize = 4;
/// The most members whose broken row is remembered, so that it is logged once.
const BROKEN_MAX: usize = 1_024;

/// How often a lack of memory is logged.
const SHORTAGE_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Where a check comes from.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The visitor's address.
    pub address: IpAddr,
    /// Whether the member has logged in from that network before. Under load such a check is
    /// answered sooner, and it may wait longer. That reveals no more to a visitor in the member's
    /// network than a block of the name would.
    pub is_known: bool,
}

/// The threads and their queue.
pub struct Pool {
    shared: Arc<PoolShared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

struct PoolShared {
    state: Mutex<PoolState>,
    /// Signalled when a check comes, and when the pool ends.
    changed: Condvar,
    remembered: Arc<Remembered>,
    broken: Mutex<Recent<Key, ()>>,
    /// When a lack of memory was last logged.
    shortage_logged: Mutex<Option<Instant>>,
    /// How long checks waited for a thread.
    waits: Histogram,
}

struct PoolState {
    recent_load: RecentLoad,
    waiting: CheckQueue,
    running: Vec<(RememberedKey, Waiters)>,
    stopping: bool,
}

/// The answer to a check, or the channel that will receive it.
enum Asked {
    Answered(bool),
    Waiting(oneshot::Receiver<bool>),
}

/// The number of threads for this many processors. One processor is left for everything else.
fn threads_for(processors: usize) -> usize {
    processors.saturating_sub(1).clamp(1, THREADS_MAX)
}

impl Pool {
    /// Starts the threads, each with its own verifier. Answers are stored in `remembered`.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(
        verifier: impl Fn() -> Verifier,
        vault: &Vault,
        remembered: Arc<Remembered>,
    ) -> io::Result<Self> {
        let threads = threads_for(std::thread::available_parallelism().map_or(1, usize::from));
        Self::with(threads, remembered, || {
            let (mut verifier, vault) = (verifier(), vault.clone());
            move |check| {
                let row = check.row.as_ref().map(|(key, stored)| (stored, *key));
                verifier.verify_at_equal_cost(row, &vault, &check.typed)
            }
        })
    }

    fn with<V>(
        threads: usize,
        remembered: Arc<Remembered>,
        verify: impl Fn() -> V,
    ) -> io::Result<Self>
    where
        V: FnMut(&PasswordCheck) -> Result<bool, VerifyError> + Send + 'static,
    {
        let broken = Mutex::new(Recent::new(BROKEN_MAX));
        let state = PoolState {
            recent_load: RecentLoad::new(),
            waiting: CheckQueue::default(),
            running: Vec::new(),
            stopping: false,
        };
        let shared = Arc::new(PoolShared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            remembered,
            broken,
            shortage_logged: Mutex::default(),
            waits: Histogram::of_times(),
        });
        let pool = Self { shared, threads: Mutex::default() };
        for number in 0..threads {
            let (shared, mut verify) = (Arc::clone(&pool.shared), verify());
            let thread =
                std::thread::Builder::new().name(format!("login {number}")).spawn(move || {
                    // Postbacks and remembered logins go first, but a visitor waits for this
                    // thread.
                    crate::idle::let_requests_pass();
                    shared.work(&mut verify);
                });
            match thread {
                Ok(thread) => pool.threads().push(thread),
                Err(error) => {
                    pool.stop();
                    return Err(error);
                }
            }
        }
        Ok(pool)
    }

    /// Answers a check that is not remembered, and remembers the answer. A broken row is logged
    /// once per member; its answer is no, and is not remembered.
    ///
    /// # Errors
    ///
    /// [`Busy`] if the queue is full of checks with a higher priority, or if the wait for a thread
    /// was too long. A check that a thread has begun is always answered.
    pub async fn run(
        &self,
        key: RememberedKey,
        check: PasswordCheck,
        asker: Asker,
    ) -> Result<bool, Busy> {
        let wait_max = if asker.is_known { KNOWN_WAIT_MAX } else { QUEUE_WAIT_MAX };
        self.run_within(wait_max, key, check, asker).await
    }

    async fn run_within(
        &self,
        wait_max: Duration,
        key: RememberedKey,
        check: PasswordCheck,
        asker: Asker,
    ) -> Result<bool, Busy> {
        let mut answer = match self.shared.ask(key, check, asker)? {
            Asked::Answered(opened) => return Ok(opened),
            Asked::Waiting(answer) => answer,
        };
        let waited = match tokio::time::timeout(wait_max, &mut answer).await {
            Ok(answered) => answered,
            Err(_) if self.shared.withdraw(&key, &mut answer) => return Err(Busy),
            // A thread computes it, and a hash takes a limited time.
            Err(_) => answer.await,
        };
        waited.map_err(|_| Busy)
    }

    /// How many checks wait for a thread.
    pub fn queued(&self) -> usize {
        self.shared.state().waiting.len()
    }

    /// How long checks waited for a thread.
    pub fn waits(&self) -> &Histogram {
        &self.shared.waits
    }

    /// Ends the threads after their current hashes. All waiting and later checks fail with
    /// [`Busy`].
    pub fn stop(&self) {
        let mut state = self.shared.state();
        state.stopping = true;
        state.waiting.clear();
        drop(state);
        self.shared.changed.notify_all();
        let threads = std::mem::take(&mut *self.threads());
        for thread in threads {
            if thread.join().is_err() {
                log::error!("a login thread has panicked");
            }
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop();
    }
}

impl PoolShared {
    /// Each change is one push or removal, so a panic leaves no half change.
    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock()
    }

    fn ask(&self, key: RememberedKey, check: PasswordCheck, asker: Asker) -> Result<Asked, Busy> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.stopping {
            return Err(Busy);
        }
        let rank =
            Rank { is_stranger: !asker.is_known, asked: state.recent_load.ask(asker.address) };
        if let Some((_, waiters)) = state.running.iter_mut().find(|(running, _)| *running == key) {
            return waiters.add().map(Asked::Waiting);
        }
        if let Some(waiting) = state.waiting.find(&key) {
            // The check gets the highest priority of its waiters.
            waiting.rank = waiting.rank.min(rank);
            return waiting.waiters.add().map(Asked::Waiting);
        }
        // A thread may have answered since the caller checked. It stores the answer before it
        // removes the check from its list.
        if let Some(opened) = self.remembered.get(&key) {
            return Ok(Asked::Answered(opened));
        }
        let (mut waiters, since) = (Waiters::default(), Instant::now());
        let answer = waiters.add()?;
        state.waiting.push(WaitingCheck { key, check, waiters, rank, since })?;
        drop(guard);
        self.changed.notify_one();
        Ok(Asked::Waiting(answer))
    }

    /// Withdraws a check unless a thread has begun it.
    fn withdraw(&self, key: &RememberedKey, answer: &mut oneshot::Receiver<bool>) -> bool {
        let mut state = self.state();
        let waits = state.waiting.find(key).is_some();
        if waits {
            // Closed under the lock, so that no thread begins a check without a waiting client.
            answer.close();
        }
        waits
    }

    /// The work of a thread, until the pool ends.
    fn work(&self, verify: &mut dyn FnMut(&PasswordCheck) -> Result<bool, VerifyError>) {
        while let Some((key, check)) = self.next() {
            // After a panic, only memory that each hash overwrites is used again.
            let answer = catch_unwind(AssertUnwindSafe(|| verify(&check)));
            let opened = match answer {
                Ok(Ok(opened)) => {
                    self.remembered.put(key, opened);
                    Some(opened)
                }
                // The answer is unknown. The waiters get `Busy`.
                Ok(Err(fault)) if fault.is_temporary() => {
                    self.log_shortage(&fault);
                    None
                }
                Ok(Err(fault)) => {
                    self.log_once(&check, &fault);
                    Some(false)
                }
                // The panic was printed where it happened. The waiters get `Busy`.
                Err(_) => None,
            };
            let waiters = self.done(&key);
            if let Some(opened) = opened {
                waiters.tell(opened);
            }
        }
    }

    /// Waits for the next check that is still needed. `None` when the pool ends.
    fn next(&self) -> Option<(RememberedKey, PasswordCheck)> {
        let mut state = self.state();
        loop {
            if state.stopping {
                return None;
            }
            match state.waiting.next() {
                Some(waiting) => {
                    self.waits.add_time(waiting.since.elapsed());
                    state.running.push((waiting.key, waiting.waiters));
                    return Some((waiting.key, waiting.check));
                }
                None => self.changed.wait(&mut state),
            }
        }
    }

    fn done(&self, key: &RememberedKey) -> Waiters {
        let mut state = self.state();
        let at = state.running.iter().position(|(running, _)| running == key);
        at.map(|at| state.running.swap_remove(at).1).unwrap_or_default()
    }

    fn log_shortage(&self, fault: &VerifyError) {
        let mut logged = self.shortage_logged.lock();
        if logged.is_none_or(|last| last.elapsed() >= SHORTAGE_AGAIN_AFTER) {
            *logged = Some(Instant::now());
            log::error!("logins cannot be verified now and are answered 503: {fault}");
        }
    }

    fn log_once(&self, check: &PasswordCheck, fault: &VerifyError) {
        let Some((key, _)) = check.row else { return };
        let mut broken = self.broken.lock();
        if broken.get(&key).is_none() {
            broken.put(key, ());
            log::error!("member {} of site {} cannot log in: {fault}", key.member, key.site);
        }
    }
}

#[cfg(test)]
mod tests;
