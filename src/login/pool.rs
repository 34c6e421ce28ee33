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

use queue::{Queue, Rank, Waiters, WaitingCheck};
use recent_load::RecentLoad;

pub use queue::{Busy, PasswordCheck};

use super::remembered::{Remembered, RememberedKey};
use crate::identity::Key;
use crate::password::{Vault, Verifier, VerifyError};
use crate::recent::Recent;

/// How long a check waits for a thread before it is withdrawn. A visitor who waits longer has left.
const QUEUE_WAIT_MAX: Duration = Duration::from_secs(2);
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
    /// answered sooner. That tells a visitor in the member's network no more than a block of the
    /// name would.
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
}

struct PoolState {
    recent_load: RecentLoad,
    waiting: Queue,
    running: Vec<(RememberedKey, Waiters)>,
    stopping: bool,
}

/// The answer to a check, or where it will come from.
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
            waiting: Queue::default(),
            running: Vec::new(),
            stopping: false,
        };
        let shared = Arc::new(PoolShared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            remembered,
            broken,
            shortage_logged: Mutex::default(),
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
        self.run_within(QUEUE_WAIT_MAX, key, check, asker).await
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
        // A thread may have answered since the caller looked. It stores the answer before it
        // removes the check from its list.
        if let Some(opened) = self.remembered.get(&key) {
            return Ok(Asked::Answered(opened));
        }
        let mut waiters = Waiters::default();
        let answer = waiters.add()?;
        state.waiting.push(WaitingCheck { key, check, waiters, rank })?;
        drop(guard);
        self.changed.notify_one();
        Ok(Asked::Waiting(answer))
    }

    /// Withdraws a check unless a thread has begun it.
    fn withdraw(&self, key: &RememberedKey, answer: &mut oneshot::Receiver<bool>) -> bool {
        let mut state = self.state();
        let waits = state.waiting.find(key).is_some();
        if waits {
            // Closed under the lock, so that no thread begins a check for which nobody waits.
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
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::identity::{MemberId, SiteId};
    use crate::login::remembered::Row;
    use crate::password::{Cost, HashKind, Password, Steps, Stored};

    fn typed(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn site() -> SiteId {
        SiteId::parse("1").unwrap()
    }

    /// A pool of one thread that reports when it begins a check, and hashes it on a signal. The
    /// password `right` is right.
    struct Scene {
        // Dropped before the pool, so that the thread ends even if a test fails.
        go: Sender<()>,
        begun: Receiver<String>,
        pool: Arc<Pool>,
        remembered: Arc<Remembered>,
    }

    impl Scene {
        fn new() -> Self {
            let remembered = Arc::new(Remembered::new().unwrap());
            let (tell, begun) = channel();
            let (go, gate) = channel();
            let ends = Mutex::new(Some((tell, gate)));
            let pool = Pool::with(1, Arc::clone(&remembered), || {
                let (tell, gate) = ends.lock().take().unwrap();
                move |check: &PasswordCheck| {
                    let text = check.typed.expose().to_owned();
                    tell.send(text.clone()).unwrap();
                    gate.recv().unwrap();
                    assert_ne!(text, "panic", "on purpose");
                    match text.as_str() {
                        "broken" => Err(VerifyError::Hash),
                        "without memory" => Err(VerifyError::Argon2(argon2::Error::OutOfMemory)),
                        text => Ok(text == "right"),
                    }
                }
            });
            Self { go, begun, pool: Arc::new(pool.unwrap()), remembered }
        }

        fn key(&self, text: &str) -> RememberedKey {
            self.remembered.key(Row::Nobody(site(), "bob"), &typed(text))
        }

        async fn ask(&self, text: &str) -> Result<bool, Busy> {
            self.ask_from("203.0.113.9", text).await
        }

        async fn ask_from(&self, address: &str, text: &str) -> Result<bool, Busy> {
            self.pool.run(self.key(text), check(text), stranger(address)).await
        }

        /// Asks from a network that is known for the member.
        async fn ask_at_home(&self, text: &str) -> Result<bool, Busy> {
            let asker = Asker { is_known: true, ..stranger("203.0.113.9") };
            self.pool.run(self.key(text), check(text), asker).await
        }

        async fn ask_without_patience(&self, text: &str) -> Result<bool, Busy> {
            self.pool
                .run_within(Duration::ZERO, self.key(text), check(text), stranger("203.0.113.9"))
                .await
        }

        fn begins_with(&self) -> String {
            self.begun.recv().unwrap()
        }

        fn lets_go(&self, hashes: usize) {
            for _ in 0..hashes {
                self.go.send(()).unwrap();
            }
        }
    }

    fn check(text: &str) -> PasswordCheck {
        PasswordCheck { row: None, typed: typed(text) }
    }

    fn stranger(address: &str) -> Asker {
        Asker { address: address.parse().unwrap(), is_known: false }
    }

    /// Begins to ask, and leaves the answer for later.
    fn begin(asked: Pin<&mut impl Future<Output = Result<bool, Busy>>>) {
        assert_eq!(asked.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    }

    #[test]
    fn a_processor_is_left_for_everything_else() {
        for (processors, threads) in [(1, 1), (2, 1), (3, 2), (5, 4), (64, 4)] {
            assert_eq!(threads_for(processors), threads, "{processors}");
        }
    }

    #[actix_web::test]
    async fn an_answer_is_remembered() {
        let scene = Scene::new();
        scene.lets_go(2);
        assert_eq!((scene.ask("right").await, scene.ask("wrong").await), (Ok(true), Ok(false)));
        assert_eq!(scene.remembered.get(&scene.key("right")), Some(true));
        assert_eq!(scene.remembered.get(&scene.key("wrong")), Some(false));
        // The thread cannot hash now, so the answer was remembered.
        assert_eq!(scene.ask("right").await, Ok(true));
    }

    #[actix_web::test]
    async fn ten_who_ask_the_same_share_one_hash_running_or_waiting() {
        let scene = Scene::new();
        let mut first = pin!(scene.ask("wrong"));
        begin(first.as_mut());
        assert_eq!(scene.begins_with(), "wrong");
        let mut asked: Vec<_> = ["wrong", "right"]
            .repeat(10)
            .into_iter()
            .map(|text| Box::pin(scene.ask(text)))
            .collect();
        for one in &mut asked {
            begin(one.as_mut());
        }
        scene.lets_go(2);
        assert_eq!(first.await, Ok(false));
        for (nth, one) in asked.into_iter().enumerate() {
            assert_eq!(one.await, Ok(nth % 2 == 1), "{nth}");
        }
        assert_eq!(scene.begins_with(), "right");
        assert!(scene.begun.try_recv().is_err(), "two hashes for 21 checks");
    }

    #[actix_web::test]
    async fn a_full_queue_is_busy_until_somebody_leaves() {
        let scene = Scene::new();
        let mut running = pin!(scene.ask("running"));
        begin(running.as_mut());
        assert_eq!(scene.begins_with(), "running");
        let texts: Vec<String> = (0..64).map(|number| number.to_string()).collect();
        let mut waiting: Vec<_> = texts.iter().map(|text| Box::pin(scene.ask(text))).collect();
        for one in &mut waiting {
            begin(one.as_mut());
        }
        assert_eq!(scene.ask("one more").await, Err(Busy));
        begin(pin!(scene.ask("63")).as_mut());
        // A visitor hangs up: their place is free, and their check is not hashed.
        drop(waiting.remove(0));
        let mut another = pin!(scene.ask("right"));
        begin(another.as_mut());
        scene.lets_go(65);
        assert_eq!((running.await, another.await), (Ok(false), Ok(true)));
        assert_eq!(scene.begins_with(), "1");
    }

    /// Regression: a visitor who changed addresses within a provider's network filled the queue,
    /// and first logins got 503.
    #[actix_web::test]
    async fn who_comes_from_elsewhere_takes_the_place_of_one_of_those_who_fill_the_queue() {
        let scene = Scene::new();
        let mut running = pin!(scene.ask("running"));
        begin(running.as_mut());
        assert_eq!(scene.begins_with(), "running");
        let attempts: Vec<(String, String)> =
            (0..64).map(|number| (format!("2001:db8:1:{number}::1"), number.to_string())).collect();
        let mut flood: Vec<_> = attempts
            .iter()
            .map(|(address, text)| Box::pin(scene.ask_from(address, text)))
            .collect();
        for one in &mut flood {
            begin(one.as_mut());
        }
        assert_eq!(
            scene.ask_from("2001:db8:1:ffff::1", "one more").await,
            Err(Busy),
            "another of them"
        );
        let mut stranger = pin!(scene.ask_from("198.51.100.1", "right"));
        begin(stranger.as_mut());
        assert_eq!(flood.pop().unwrap().await, Err(Busy), "the last of them goes");
        let mut member = pin!(scene.ask_at_home("panic"));
        begin(member.as_mut());
        scene.lets_go(5);
        assert_eq!((member.await, stranger.await), (Err(Busy), Ok(true)));
        let order: Vec<String> = (0..4).map(|_| scene.begins_with()).collect();
        // The first check of the flood came from an address without earlier checks. The second had
        // waited longest at the fourth turn.
        assert_eq!(order, ["panic", "0", "1", "right"], "a known network first");
    }

    #[actix_web::test]
    async fn who_waits_too_long_is_withdrawn_and_never_hashed() {
        let scene = Scene::new();
        let mut running = pin!(scene.ask("running"));
        begin(running.as_mut());
        assert_eq!(scene.begins_with(), "running");
        assert_eq!(scene.ask_without_patience("late").await, Err(Busy));
        scene.lets_go(2);
        assert_eq!((running.await, scene.ask("right").await), (Ok(false), Ok(true)));
        assert_eq!(scene.begins_with(), "right");
    }

    #[actix_web::test]
    async fn what_has_begun_gets_its_answer_however_long_it_takes() {
        let scene = Scene::new();
        let mut first = pin!(scene.ask("right"));
        begin(first.as_mut());
        assert_eq!(scene.begins_with(), "right");
        let late = futures_util::future::join(scene.ask_without_patience("right"), async {
            scene.lets_go(1)
        });
        assert_eq!((late.await.0, first.await), (Ok(true), Ok(true)));
    }

    #[actix_web::test]
    async fn a_row_that_cannot_say_is_not_opened_and_asked_again_next_time() {
        let scene = Scene::new();
        scene.lets_go(2);
        assert_eq!((scene.ask("broken").await, scene.ask("broken").await), (Ok(false), Ok(false)));
        assert_eq!(scene.remembered.get(&scene.key("broken")), None);
        assert_eq!((scene.begins_with(), scene.begins_with()), ("broken".into(), "broken".into()));
    }

    #[actix_web::test]
    async fn a_hash_for_which_there_is_no_memory_is_no_answer() {
        let scene = Scene::new();
        scene.lets_go(2);
        assert_eq!(
            (scene.ask("without memory").await, scene.ask("without memory").await),
            (Err(Busy), Err(Busy))
        );
        assert_eq!(scene.remembered.get(&scene.key("without memory")), None);
    }

    #[actix_web::test]
    async fn a_panic_costs_one_answer_and_no_thread() {
        let scene = Scene::new();
        scene.lets_go(2);
        assert_eq!((scene.ask("panic").await, scene.ask("right").await), (Err(Busy), Ok(true)));
    }

    #[actix_web::test]
    async fn a_stop_answers_what_has_begun_and_turns_the_others_away() {
        let scene = Scene::new();
        let (mut running, mut waiting) = (pin!(scene.ask("right")), pin!(scene.ask("waiting")));
        begin(running.as_mut());
        assert_eq!(scene.begins_with(), "right");
        begin(waiting.as_mut());
        let pool = Arc::clone(&scene.pool);
        let stop = std::thread::spawn(move || pool.stop());
        assert_eq!(waiting.await, Err(Busy));
        scene.lets_go(1);
        assert_eq!((running.await, scene.ask("later").await), (Ok(true), Err(Busy)));
        stop.join().unwrap();
        scene.pool.stop();
    }

    #[actix_web::test]
    async fn the_real_threads_verify_a_row_and_nobody() {
        let vault = Vault::from_key([7; 32]);
        let key = Key { site: site(), member: MemberId::parse("71").unwrap() };
        let stored = Stored::Sealed(vault.seal_password(key, &typed("secret")));
        let remembered = Arc::new(Remembered::new().unwrap());
        let steps = Arc::new(Steps::new(Cost::lowest(HashKind::Argon2id)));
        let verifier = || Verifier::new(Arc::clone(&steps));
        let pool = Pool::start(verifier, &vault, Arc::clone(&remembered)).unwrap();
        for (text, opens) in [("secret", true), ("other", false)] {
            let asked = remembered.key(Row::Member(key, &stored), &typed(text));
            let check = PasswordCheck { row: Some((key, stored.clone())), typed: typed(text) };
            assert_eq!(pool.run(asked, check, stranger("203.0.113.9")).await, Ok(opens), "{text}");
        }
        let nobody = remembered.key(Row::Nobody(site(), "alice"), &typed("secret"));
        assert_eq!(pool.run(nobody, check("secret"), stranger("203.0.113.9")).await, Ok(false));
    }
}
