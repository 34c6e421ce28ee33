//! The background worker: puts a slow hash in the place of every seal, newest first, so that a
//! postback never waits for one; then another hash in the place of those that a login found to be
//! of another kind than is configured.
//!
//! It reads the backlog on a connection of its own, hashes on a thread of the lowest priority, and
//! hands the hashes to the writer. The backlog lies in the journal and survives a restart.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::rehash::{Rehash, Rehashes, rehashed};
use super::verify::{verify_hash_in, verify_in, was_made_of, wrapped_holds_in};
use super::{Hash, HashError, Hasher, Opened, Password, Stored, Vault, VerifyError, leftovers};
use crate::action::Standing;
use crate::chain::chain;
use crate::clock::Clock;
use crate::identity::Key;
use crate::metrics::RUSH_REQUESTS;
use crate::store::{CurrentFile, CurrentReader, Hardened, Location, Pending, Reader};
use crate::writer::Writer;

/// Credentials hashed between two looks at the backlog: few, so that the member who joined last
/// never waits behind many.
const ROUND: u32 = 8;
/// How often the size of the backlog is logged if there is one.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// How long the worker waits after something failed, and how often it looks without being told.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// A rush is more than [`RUSH_REQUESTS`] during one hash, or then in so much time. Each hash goes
/// through 19 MiB of memory and drives everybody else's data out of the processor's caches, which
/// no priority prevents; so the worker waits until the rush is over.
const RUSH_WINDOW: Duration = Duration::from_millis(50);
/// The longest such a wait: a site that is always busy has its passwords hashed too, if slowly. A
/// hash disturbs some 40 ms, so a wait of less than a hundred times that could be seen in the p99
/// of what is asked meanwhile.
const RUSH_WAIT_MAX: Duration = Duration::from_secs(10);

/// The worker, and how to end it.
#[derive(Debug)]
pub struct Worker {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

impl Worker {
    /// Starts the thread. `sealed` is told by the writer when there is work; `wake` is the same
    /// channel's other end.
    ///
    /// # Errors
    ///
    /// Where the system gives no thread.
    pub fn start(
        mut bench: Bench,
        sealed: Receiver<()>,
        wake: SyncSender<()>,
    ) -> std::io::Result<Self> {
        let stop = Arc::clone(&bench.stop);
        let thread = std::thread::Builder::new().name("hashing".into()).spawn(move || {
            crate::idle::step_aside();
            bench.run(&sealed);
        })?;
        Ok(Self { thread, stop, wake })
    }

    /// Ends the thread after the hash at hand.
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

/// When the backlog is told: at the start and once a minute, if there is one then, and when one
/// that was told has become empty. A single password that is hashed within the second is not worth
/// two lines.
struct Report {
    due: Instant,
    told: bool,
}

/// What telling whose row is not what the settings want depends on, beside the kind of hash.
struct ToTell {
    clock: Clock,
    keep_cryptpass: bool,
}

/// Where credentials are hashed.
pub struct Bench {
    file: CurrentFile,
    vault: Vault,
    hasher: Hasher,
    writer: Writer,
    /// Hashes to be replaced, where logins may bring some.
    rehashes: Option<Arc<Rehashes>>,
    /// Set until it was told whose row is not what the settings want.
    to_tell: Option<ToTell>,
    /// Journal records whose seal does not open: logged once, and left for the operator to look at.
    broken: HashSet<i64>,
    /// Set when the service ends.
    stop: Arc<AtomicBool>,
}

impl Bench {
    /// A bench over this database; hashes go to `writer`.
    pub fn new(location: Location, vault: Vault, hasher: Hasher, writer: Writer) -> Self {
        let file = CurrentFile::new(location);
        Self {
            file,
            vault,
            hasher,
            writer,
            rehashes: None,
            to_tell: None,
            broken: HashSet::new(),
            stop: Arc::default(),
        }
    }

    /// The same over the file that the service has, whichever that is.
    pub fn following(self, file: CurrentFile) -> Self {
        Self { file, ..self }
    }

    /// The same with logins that bring passwords whose hashes are to be replaced.
    pub fn with_rehashes(self, rehashes: Arc<Rehashes>) -> Self {
        Self { rehashes: Some(rehashes), ..self }
    }

    /// The same; when nothing is sealed any more, it logs once whose row is not yet what the
    /// settings want.
    pub fn telling_leftovers(self, clock: Clock, keep_cryptpass: bool) -> Self {
        Self { to_tell: Some(ToTell { clock, keep_cryptpass }), ..self }
    }

    fn run(&mut self, sealed: &Receiver<()>) {
        let mut report = Report { due: Instant::now(), told: false };
        let (mut reader, mut waiting) = (None, false);
        while !self.stop.load(Ordering::Relaxed) {
            let round = self.round(&mut reader, &mut report);
            match round {
                Ok(more) => {
                    waiting = false;
                    if more {
                        continue;
                    }
                }
                // Said when it begins: while the disk is full it would be said every two seconds.
                Err(error) => {
                    if !std::mem::replace(&mut waiting, true) {
                        log::warn!("hashing waits: {error}");
                    }
                    reader = None;
                }
            }
            if let Err(RecvTimeoutError::Disconnected) = sealed.recv_timeout(RETRY_AFTER) {
                return;
            }
        }
    }

    /// One round; `false` when nothing is left to hash.
    fn round(
        &mut self,
        reader: &mut Option<CurrentReader>,
        report: &mut Report,
    ) -> Result<bool, String> {
        if reader.as_ref().is_some_and(|reader| !reader.is_current()) {
            *reader = None;
            // Records of another file have these numbers.
            self.broken.clear();
        }
        if reader.is_none() {
            *reader = Some(self.file.open().map_err(|error| chain(&error))?);
        }
        let Some(reader) = reader else { return Ok(false) };
        if report.due <= Instant::now() {
            report.due = Instant::now() + REPORT_EVERY;
            let backlog = reader
                .backlog()
                .map_err(|error| chain(&error))?
                .saturating_sub(self.broken.len() as u64);
            if backlog > 0 {
                log::info!("passwords that wait to be hashed: {backlog}");
                report.told = true;
            }
        }
        let more = self.harden_newest(reader)?;
        if !more && std::mem::take(&mut report.told) {
            match self.broken.len() {
                0 => log::info!("all passwords are hashed"),
                some => log::warn!("all passwords are hashed but {some} that cannot be opened"),
            }
        }
        if !more {
            self.tell_leftovers(reader)?;
        }
        Ok(more || self.rehash_newest(reader)?)
    }

    fn tell_leftovers(&mut self, reader: &Reader) -> Result<(), String> {
        let Some(ToTell { clock, keep_cryptpass }) = &self.to_tell else { return Ok(()) };
        let go_on = || !self.stop.load(Ordering::Relaxed);
        if let Some(forms) = reader.forms(clock.now(), go_on).map_err(|error| chain(&error))? {
            let kind = self.hasher.cost().kind;
            leftovers::kept_out(&forms, kind, *keep_cryptpass)
                .iter()
                .for_each(|sentence| log::warn!("{sentence}"));
            leftovers::still_bcrypt(&forms, kind)
                .iter()
                .for_each(|sentence| log::info!("{sentence}"));
        }
        self.to_tell = None;
        Ok(())
    }

    /// Hashes until nothing is sealed any more, and no hash is to be replaced. For tests, which
    /// want it done rather than wait for it.
    ///
    /// # Errors
    ///
    /// What keeps it from going on, in a line.
    pub fn harden_all(&mut self) -> Result<(), String> {
        let reader = self.file.open().map_err(|error| chain(&error))?;
        while self.harden_newest(&reader)? || self.rehash_newest(&reader)? {}
        Ok(())
    }

    /// Hashes the newest few; `false` when there are none.
    fn harden_newest(&mut self, reader: &Reader) -> Result<bool, String> {
        let skip = u32::try_from(self.broken.len()).unwrap_or(u32::MAX);
        let pending = reader.pending(ROUND.saturating_add(skip)).map_err(|error| chain(&error))?;
        let (mut all, mut waits) = (Vec::<Hardened>::new(), None);
        for item in pending {
            // A password sent twice in a row has one seal in two records, and both are served at
            // once.
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            if self.broken.contains(&item.journal_id)
                || all.iter().any(|done| done.pending.seal == item.seal)
            {
                continue;
            }
            let id = item.journal_id;
            let done = self.outside_a_rush(|bench| hardened(&bench.vault, &mut bench.hasher, item));
            match done {
                Ok(done) => all.push(done),
                Err(Unhashed::Broken(error)) => {
                    log::error!(
                        "the sealed password of journal record {id} cannot be hashed: {error}"
                    );
                    self.broken.insert(id);
                }
                Err(Unhashed::ForNow(error)) => {
                    waits = Some(error);
                    break;
                }
            }
        }
        let some = !all.is_empty();
        if some {
            written(self.writer.harden(all))?;
        }
        waits.map_or(Ok(some), Err)
    }

    /// Replaces the hash of the member who logged in last, one at a time, so that a new seal waits
    /// for one hash at most; `false` when there is none to replace.
    fn rehash_newest(&mut self, reader: &Reader) -> Result<bool, String> {
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

    /// `false` where it will never be done, an error where it is to be tried again.
    fn rehash(&mut self, reader: &Reader, rehash: &Rehash) -> Result<bool, String> {
        // Since the login the row may have changed: then a hash, which is dear, would be for
        // nothing.
        if self.stop.load(Ordering::Relaxed) || !has_hash(reader, rehash)? {
            return Ok(true);
        }
        match self.outside_a_rush(|bench| rehashed(&mut bench.hasher, rehash)) {
            Ok(None) => Ok(false),
            Ok(Some(done)) => written(self.writer.rehash(done)).map(|()| true),
            Err(Unhashed::ForNow(error)) => Err(error),
            Err(Unhashed::Broken(error)) => {
                let Key { site, member } = rehash.key;
                log::error!(
                    "the hash of member {member} of site {site} cannot be replaced: {error}"
                );
                Ok(false)
            }
        }
    }

    /// Hashes, and then waits if somebody else wanted the processor meanwhile.
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

/// Whether the member's row still has the hash that is to be replaced.
fn has_hash(reader: &Reader, rehash: &Rehash) -> Result<bool, String> {
    let row = match reader.standing(rehash.key).map_err(|error| chain(&error))? {
        Standing::Here(row) | Standing::Lapsed(row) => row,
        Standing::Former(former) => former.member,
        Standing::Unknown => return Ok(false),
    };
    Ok(matches!(&row.credential.stored, Stored::Hash(hash) if *hash == rehash.old))
}

/// Why there is no hash.
#[derive(Debug)]
pub enum Unhashed {
    /// The system gave no memory, or no random bytes. That says nothing of the seal: it is tried
    /// again.
    ForNow(String),
    /// It will never be: the seal does not open, or the row has what nothing can be made of.
    Broken(String),
}

impl From<HashError> for Unhashed {
    fn from(error: HashError) -> Self {
        let kind = if error.is_passing() { Self::ForNow } else { Self::Broken };
        kind(error.to_string())
    }
}

impl From<VerifyError> for Unhashed {
    fn from(error: VerifyError) -> Self {
        let kind = if error.is_passing() { Self::ForNow } else { Self::Broken };
        kind(error.to_string())
    }
}

/// What takes the seal's place, and whether it is of another credential than the form before it. A
/// form of the same credential stays, if a hash is of the kind and the cost that a new one would
/// have.
///
/// # Errors
///
/// Where the seal does not open or the hash cannot be made.
pub fn hardened(
    vault: &Vault,
    hasher: &mut Hasher,
    pending: Pending,
) -> Result<Hardened, Unhashed> {
    let opened = vault
        .open(pending.key, &pending.seal)
        .map_err(|error| Unhashed::Broken(error.to_string()))?;
    let (form, differs) = match opened {
        Opened::Password(password) => {
            let same = match &pending.before {
                Some(before) => Some(is_made_of(before, &pending, vault, hasher, &password)?),
                None => None,
            };
            // Hashed in Unicode NFC, so that it opens in whatever form it is typed. A hash of
            // before may be of the form that was sent.
            let normal = password.in_nfc();
            let password = normal.as_ref().unwrap_or(&password);
            match (&pending.before, same) {
                (Some(Stored::Hash(hash)), Some(true))
                    if hasher.cost().is_of(hash, password)
                        && is_of_normal_form(hash, normal.as_ref(), hasher)? =>
                {
                    (Stored::Hash(hash.clone()), false)
                }
                _ => (Stored::Hash(hasher.hash(password)?), same == Some(false)),
            }
        }
        Opened::Cryptpass(cryptpass) => match &pending.before {
            Some(Stored::Wrapped(wrapped))
                if said(wrapped_holds_in(&mut hasher.workspace, wrapped, &cryptpass))? =>
            {
                (Stored::Wrapped(wrapped.clone()), false)
            }
            before => (Stored::Wrapped(hasher.wrap(&cryptpass)?), before.is_some()),
        },
    };
    Ok(Hardened { pending, form, differs })
}

/// Whether the form before the seal is of the same password.
fn is_made_of(
    before: &Stored,
    pending: &Pending,
    vault: &Vault,
    hasher: &mut Hasher,
    password: &Password,
) -> Result<bool, Unhashed> {
    let opens = said(verify_in(&mut hasher.workspace, before, pending.key, vault, password))?;
    Ok(opens || matches!(before, Stored::Hash(hash) if was_made_of(hash, password)))
}

fn is_of_normal_form(
    hash: &Hash,
    normal: Option<&Password>,
    hasher: &mut Hasher,
) -> Result<bool, Unhashed> {
    normal.map_or(Ok(true), |normal| said(verify_hash_in(&mut hasher.workspace, hash, normal)))
}

/// A row that cannot say counts as one of another password: logins end rather than go on. One that
/// could not be asked for want of memory is asked again.
fn said(answer: Result<bool, VerifyError>) -> Result<bool, Unhashed> {
    match answer {
        Err(error) if error.is_passing() => Err(error.into()),
        answer => Ok(answer.unwrap_or(false)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Workspace;
    use super::*;
    use crate::identity::{MemberId, SiteId};
    use crate::password::{Cryptpass, HashKind};

    fn key() -> Key {
        Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() }
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn hasher() -> Hasher {
        Hasher::with_cheap_cost_for_tests(HashKind::Argon2id)
    }

    /// The same where the system gives no memory.
    fn without_memory() -> Hasher {
        let mut hasher = hasher();
        hasher.workspace = Workspace::reserving(|_, _| false);
        hasher
    }

    /// Regression: such a seal was given up, and a member whose password had not changed was logged
    /// out.
    #[test]
    fn a_seal_is_hashed_later_where_there_is_no_memory_whatever_stood_before_it() {
        let vault = Vault::from_key([7; 32]);
        let cryptpass = Cryptpass::parse("41R19prsa7NLQ").unwrap();
        let (sealed, wrapped) =
            (vault.seal_password(key(), &password("secret")), hasher().wrap(&cryptpass).unwrap());
        let bcrypt =
            Hasher::with_cheap_cost_for_tests(HashKind::Bcrypt).hash(&password("secret")).unwrap();
        for (seal, before, why) in [
            (sealed.clone(), None, "a new member"),
            (
                sealed.clone(),
                Some(Stored::Hash(hasher().hash(&password("secret")).unwrap())),
                "a rebill",
            ),
            (sealed.clone(), Some(Stored::Hash(bcrypt)), "of another kind"),
            (sealed, Some(Stored::Wrapped(wrapped.clone())), "a cryptpass before"),
            (
                vault.seal_cryptpass(key(), &cryptpass),
                Some(Stored::Wrapped(wrapped)),
                "a cryptpass again",
            ),
            (vault.seal_cryptpass(key(), &cryptpass), None, "a new cryptpass"),
        ] {
            let pending = Pending { journal_id: 1, key: key(), seal, before };
            let done = hardened(&vault, &mut without_memory(), pending.clone());
            assert!(matches!(done, Err(Unhashed::ForNow(_))), "{why}: {done:?}");
            let differs =
                matches!(pending.before, Some(Stored::Wrapped(_))) && why == "a cryptpass before";
            let done = hardened(&vault, &mut hasher(), pending).unwrap();
            assert_eq!(done.differs, differs, "{why}");
        }
    }

    #[test]
    fn a_seal_that_does_not_open_is_broken_also_where_there_is_no_memory() {
        let seal = Vault::from_key([8; 32]).seal_password(key(), &password("secret"));
        let pending = Pending { journal_id: 1, key: key(), seal, before: None };
        let done = hardened(&Vault::from_key([7; 32]), &mut without_memory(), pending);
        assert!(matches!(done, Err(Unhashed::Broken(_))), "{done:?}");
    }

    #[test]
    fn a_hash_is_replaced_later_where_there_is_no_memory() {
        let old =
            Hasher::with_cheap_cost_for_tests(HashKind::Bcrypt).hash(&password("secret")).unwrap();
        let rehash = Rehash { key: key(), old, typed: password("secret") };
        assert!(matches!(rehashed(&mut without_memory(), &rehash), Err(Unhashed::ForNow(_))));
        assert!(rehashed(&mut hasher(), &rehash).unwrap().is_some());
    }
}
