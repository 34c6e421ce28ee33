//! The background worker: replaces every seal by a slow hash, newest first, so that a postback
//! never waits for one. Then it replaces the hashes that a login found to be of another kind or
//! cost than is configured.
//!
//! It reads the backlog on a connection of its own, hashes on a thread of the lowest priority, and
//! sends the hashes to the writer. The backlog is in the journal and survives a restart.

pub mod leftovers;
mod new_hash;
mod rehashes;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::action::Standing;
use crate::chain::chain;
use crate::clock::Clock;
use crate::identity::Key;
use crate::key_file::ring::Ring;
use crate::metrics::RUSH_REQUESTS;
use crate::password::{Hasher, KeyId, Stored, Vault};
use crate::store::{CurrentDatabase, CurrentReader, Fault, Hardened, Read, pages};
use crate::writer::Writer;

pub use new_hash::{Unhashed, hardened, rehashed};
pub use rehashes::{Rehash, Rehashes};

/// Credentials that are hashed between two reads of the backlog. Few, so that the newest member
/// never waits behind many.
const ROUND: u32 = 8;
/// How often the size of the backlog is logged while there is one.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// How long the worker waits after an error, and how often it searches for work without being
/// woken.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Under load the worker pauses: if more than [`RUSH_REQUESTS`] came during one hash, it waits
/// until fewer come within this time. Each hash goes through 19 MiB of memory and evicts the data
/// of requests from the processor's caches, whatever its priority.
const RUSH_WINDOW: Duration = Duration::from_millis(50);
/// The longest such pause, so that passwords are also hashed on a site that is always busy. A hash
/// delays requests for some 40 ms. With pauses of less than a hundred times that, the delay would
/// show in their p99.
const RUSH_WAIT_MAX: Duration = Duration::from_secs(10);

/// The thread of a [`HashWorker`].
#[derive(Debug)]
pub struct HashThread {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

impl HashThread {
    /// Starts the thread. The writer sends on `wake` when there is work; `woken` is its receiver.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(
        mut worker: HashWorker,
        woken: Receiver<()>,
        wake: SyncSender<()>,
    ) -> std::io::Result<Self> {
        let stop = Arc::clone(&worker.stop);
        let thread = std::thread::Builder::new().name("hashing".into()).spawn(move || {
            crate::idle::step_aside();
            worker.run(&woken);
        })?;
        Ok(Self { thread, stop, wake })
    }

    /// Ends the thread after the current hash.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        // A full channel wakes it as well.
        let _ = self.wake.try_send(());
        if self.thread.join().is_err() {
            log::error!("the hashing thread has panicked; the backlog is kept for the next start");
        }
    }
}

/// When to log the size of the backlog: at the start, once a minute while there is one, and when a
/// backlog that was logged has become empty. A single password that is hashed within a second is
/// not worth two lines.
struct LeftoversReport {
    due: Instant,
    has_logged: bool,
}

/// The inputs of the report of leftovers, apart from the kind of hash.
struct LeftoverReport {
    clock: Clock,
    keep_cryptpass: bool,
}

/// Hashes credentials, a few in each [`HashWorker::round`].
pub struct HashWorker {
    file: CurrentDatabase,
    reader: Option<CurrentReader>,
    vault: Vault,
    hasher: Hasher,
    writer: Writer,
    /// Hashes to be replaced, if logins report some.
    rehashes: Option<Arc<Rehashes>>,
    report: LeftoversReport,
    /// Set until the leftovers were logged.
    leftover_report: Option<LeftoverReport>,
    /// Journal records whose seal cannot be opened: logged once, and kept for the operator.
    broken: HashSet<i64>,
    /// The keys under which they could not be opened.
    tried: Ring<KeyId>,
    /// Set when the service ends.
    stop: Arc<AtomicBool>,
}

impl fmt::Debug for HashWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashWorker").finish_non_exhaustive()
    }
}

impl HashWorker {
    /// A worker for this database; hashes go to `writer`.
    pub fn new(file: CurrentDatabase, vault: Vault, hasher: Hasher, writer: Writer) -> Self {
        Self {
            file,
            reader: None,
            tried: vault.key_ids(),
            vault,
            hasher,
            writer,
            rehashes: None,
            report: LeftoversReport { due: Instant::now(), has_logged: false },
            leftover_report: None,
            broken: HashSet::new(),
            stop: Arc::default(),
        }
    }

    /// Also replaces the hashes that logins report in this queue.
    pub fn with_rehashes(self, rehashes: Arc<Rehashes>) -> Self {
        Self { rehashes: Some(rehashes), ..self }
    }

    /// Also logs, once nothing is sealed any more, how many rows do not match the settings.
    pub fn reporting_leftovers(self, clock: Clock, keep_cryptpass: bool) -> Self {
        Self { leftover_report: Some(LeftoverReport { clock, keep_cryptpass }), ..self }
    }

    fn run(&mut self, woken: &Receiver<()>) {
        let mut waiting = false;
        while !self.stop.load(Ordering::Relaxed) {
            match self.round() {
                Ok(more) => {
                    waiting = false;
                    if more {
                        continue;
                    }
                }
                // Logged once per failure. A full disk would otherwise give a line every two
                // seconds.
                Err(error) => {
                    if !std::mem::replace(&mut waiting, true) {
                        log::warn!("hashing is paused: {error}");
                    }
                }
            }
            if let Err(RecvTimeoutError::Disconnected) = woken.recv_timeout(RETRY_AFTER) {
                return;
            }
        }
    }

    /// Hashes the newest few credentials. Returns `false` when nothing was left to hash.
    ///
    /// # Errors
    ///
    /// A line that says why. The next round tries again.
    pub fn round(&mut self) -> Result<bool, String> {
        let reader = match self.reader.take() {
            Some(reader) if reader.is_current() => reader,
            former => {
                if former.is_some() {
                    // In another file these numbers belong to other records.
                    self.broken.clear();
                }
                // Closed before the next one is opened.
                drop(former);
                self.file.open().map_err(|error| chain(&error))?
            }
        };
        let more = self.round_with(&*reader)?;
        self.reader = Some(reader);
        Ok(more)
    }

    fn round_with(&mut self, reader: &dyn Read) -> Result<bool, String> {
        let keys = self.vault.key_ids();
        if std::mem::replace(&mut self.tried, keys) != keys {
            // Under other keys they may be opened.
            self.broken.clear();
        }
        if !self.file.is_leading() {
            // Another receiver hashes what waits. But only this receiver has the logins that it
            // answered.
            return self.rehash_newest(reader);
        }
        self.report_backlog(reader)?;
        let more = self.harden_newest(reader)?;
        if !more && std::mem::take(&mut self.report.has_logged) {
            match self.broken.len() {
                0 => log::info!("all passwords are hashed"),
                some => log::warn!("all passwords are hashed except {some} that cannot be opened"),
            }
        }
        if !more {
            self.report_leftovers(reader)?;
        }
        Ok(more || self.rehash_newest(reader)?)
    }

    fn report_backlog(&mut self, reader: &dyn Read) -> Result<(), String> {
        if self.report.due > Instant::now() {
            return Ok(());
        }
        self.report.due = Instant::now() + REPORT_EVERY;
        let all = reader.backlog().map_err(|error| chain(&error))?;
        let backlog = all.saturating_sub(self.broken.len() as u64);
        if backlog > 0 {
            log::info!("passwords waiting to be hashed: {backlog}");
            self.report.has_logged = true;
        }
        Ok(())
    }

    fn report_leftovers(&mut self, reader: &dyn Read) -> Result<(), String> {
        let Some(LeftoverReport { clock, keep_cryptpass }) = &self.leftover_report else {
            return Ok(());
        };
        let go_on = || !self.stop.load(Ordering::Relaxed);
        if let Some(forms) =
            pages::count_forms(reader, clock.now(), go_on).map_err(|error| chain(&error))?
        {
            let kind = self.hasher.cost().kind();
            leftovers::blocked(&forms, kind, *keep_cryptpass)
                .iter()
                .for_each(|sentence| log::warn!("{sentence}"));
            leftovers::still_bcrypt(&forms, kind)
                .iter()
                .for_each(|sentence| log::info!("{sentence}"));
        }
        self.leftover_report = None;
        Ok(())
    }

    /// Replaces the newest few seals by hashes. Returns `false` when there are none.
    fn harden_newest(&mut self, reader: &dyn Read) -> Result<bool, String> {
        let skip = u32::try_from(self.broken.len()).unwrap_or(u32::MAX);
        let pending = reader.pending(ROUND.saturating_add(skip)).map_err(|error| chain(&error))?;
        let (mut all, mut paused) = (Vec::<Hardened>::new(), None);
        for item in pending {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            // A password sent twice in a row has one seal in two records: one hash serves both.
            if self.broken.contains(&item.journal_id)
                || all.iter().any(|done| done.pending.seal == item.seal)
            {
                continue;
            }
            let id = item.journal_id;
            let done =
                self.outside_a_rush(|worker| hardened(&worker.vault, &mut worker.hasher, item));
            match done {
                Ok(done) => all.push(done),
                Err(Unhashed::Broken(error)) => {
                    log::error!(
                        "the sealed password of journal record {id} cannot be hashed: {error}"
                    );
                    self.broken.insert(id);
                }
                Err(Unhashed::ForNow(error)) => {
                    paused = Some(error);
                    break;
                }
            }
        }
        let some = !all.is_empty();
        if some {
            written(self.writer.harden(all))?;
        }
        paused.map_or(Ok(some), Err)
    }

    /// Replaces the hash of the member who logged in last. One at a time, so that a new seal waits
    /// for one hash at most. Returns `false` when there is none to replace.
    fn rehash_newest(&mut self, reader: &dyn Read) -> Result<bool, String> {
        let Some((rehashes, rehash)) =
            self.rehashes.clone().and_then(|all| all.take().map(|newest| (all, newest)))
        else {
            return Ok(false);
        };
        let done = self.rehash(reader, &rehash);
        match done {
            Ok(true) => rehashes.done(rehash.key),
            Ok(false) => rehashes.give_up(rehash.key),
            Err(_) => rehashes.put_back(rehash),
        }
        done.map(|_| true)
    }

    /// Returns `false` if the hash can never be replaced, and an error if a later attempt may
    /// succeed.
    fn rehash(&mut self, reader: &dyn Read, rehash: &Rehash) -> Result<bool, String> {
        // The row may have changed since the login. Then a costly hash would be wasted.
        if self.stop.load(Ordering::Relaxed) {
            return Ok(true);
        }
        match has_hash(reader, rehash) {
            Ok(true) => {}
            Ok(false) => return Ok(true),
            // Others would wait behind this row for ever.
            Err(fault @ Fault::BadRow(_)) => {
                log_unreplaced(rehash.key, &chain(&fault));
                return Ok(false);
            }
            Err(fault) => return Err(chain(&fault)),
        }
        match self.outside_a_rush(|worker| rehashed(&mut worker.hasher, rehash)) {
            Ok(None) => Ok(false),
            Ok(Some(done)) => written(self.writer.rehash(done)).map(|()| true),
            Err(Unhashed::ForNow(error)) => Err(error),
            Err(Unhashed::Broken(error)) => {
                log_unreplaced(rehash.key, &error);
                Ok(false)
            }
        }
    }

    /// Hashes, then pauses if many requests came meanwhile.
    fn outside_a_rush<T>(&mut self, hash: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.writer.metrics().requests();
        let done = hash(self);
        if self.writer.metrics().requests() - before > RUSH_REQUESTS {
            self.wait_out_the_rush();
        }
        done
    }

    fn wait_out_the_rush(&self) {
        let begun = Instant::now();
        while begun.elapsed() < RUSH_WAIT_MAX && !self.stop.load(Ordering::Relaxed) {
            let before = self.writer.metrics().requests();
            std::thread::park_timeout(RUSH_WINDOW);
            if self.writer.metrics().requests() - before <= RUSH_REQUESTS {
                return;
            }
        }
    }
}

fn written(done: bool) -> Result<(), String> {
    if done { Ok(()) } else { Err("the writer is busy or cannot write".into()) }
}

fn log_unreplaced(Key { site, member }: Key, error: &str) {
    log::error!("the hash of member {member} of site {site} cannot be replaced: {error}");
}

/// Whether the member's row still has the hash that is to be replaced.
fn has_hash(reader: &dyn Read, rehash: &Rehash) -> Result<bool, Fault> {
    let row = match reader.standing(rehash.key, i64::MIN)? {
        Standing::Here(row) | Standing::Lapsed(row) => row,
        Standing::Former(former) => former.member,
        Standing::Unknown => return Ok(false),
    };
    Ok(matches!(&row.credential.stored, Stored::Hash(hash) if *hash == rehash.old))
}
