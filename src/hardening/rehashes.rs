//! A queue of hashes to replace, because a login found them to be of another kind or cost than is
//! configured. The login brings the password; the hashing worker makes the new hash. The queue is
//! kept in memory only: what is lost is queued again by the next login.

use std::collections::HashSet;
use std::fmt;
use std::sync::mpsc::SyncSender;

use parking_lot::{Mutex, MutexGuard};

use crate::identity::Key;
use crate::password::{Cost, Hash, Password, Stored};
use crate::recent::Recent;

/// The most members in the queue. Each has a password in clear in memory. Further members are
/// queued by their next login.
const WAITING_MAX: usize = 256;

/// The most members that are remembered because their typed password does not replace their hash,
/// so that it is tried once only.
const GIVEN_UP_MAX: usize = 1_024;

/// A hash to replace, and the password that matched it.
#[derive(Clone, Debug)]
pub struct Rehash {
    /// The member.
    pub key: Key,
    /// The hash in the row.
    pub old: Hash,
    /// The typed password.
    pub typed: Password,
}

/// The queue. Threads that answer logins add to it, and the worker takes from it.
pub struct Rehashes {
    cost: Cost,
    state: Mutex<RehashState>,
    /// Wakes the worker.
    wake: SyncSender<()>,
}

struct RehashState {
    /// The newest is last.
    waiting: Vec<Rehash>,
    /// Members in the queue or being hashed. A browser sends the password with every image.
    members: HashSet<Key>,
    given_up: Recent<Key, ()>,
}

impl fmt::Debug for Rehashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rehashes")
    }
}

impl Rehashes {
    /// An empty queue. Hashes that do not have this cost are to be replaced. It sends on `wake`
    /// when it has work.
    pub fn new(cost: Cost, wake: SyncSender<()>) -> Self {
        let state = RehashState {
            waiting: Vec::new(),
            members: HashSet::new(),
            given_up: Recent::new(GIVEN_UP_MAX),
        };
        Self { cost, state: Mutex::new(state), wake }
    }

    /// Records that `typed` matched this form of the member's row. Only a hash is replaced. A seal
    /// is hashed anyway. For a wrapped cryptpass it is unknown whether all of the typed text counts
    /// (in DES, 8 bytes do).
    pub fn note(&self, key: Key, stored: &Stored, typed: &Password) {
        let Stored::Hash(old) = stored else { return };
        if !self.cost.replaces(old, typed) {
            return;
        }
        let mut state = self.state();
        if state.waiting.len() >= WAITING_MAX
            || state.given_up.get(&key).is_some()
            || !state.members.insert(key)
        {
            return;
        }
        state.waiting.push(Rehash { key, old: old.clone(), typed: typed.clone() });
        drop(state);
        // If the channel is full, the worker has been woken already.
        let _ = self.wake.try_send(());
    }

    /// Takes the newest entry. Its member cannot be queued again before [`Rehashes::done`].
    pub fn take(&self) -> Option<Rehash> {
        self.state().waiting.pop()
    }

    /// Records that the hash cannot be replaced. It is not tried again while the process runs and
    /// remembers the member.
    pub fn give_up(&self, key: Key) {
        let mut state = self.state();
        state.members.remove(&key);
        state.given_up.put(key, ());
    }

    /// Queues an entry again, for a later attempt.
    pub fn put_back(&self, rehash: Rehash) {
        self.state().waiting.push(rehash);
    }

    /// Records that the member's hash was replaced, or need not be.
    pub fn done(&self, key: Key) {
        self.state().members.remove(&key);
    }

    /// A panic while the lock was held can keep one member from being queued, which is harmless.
    fn state(&self) -> MutexGuard<'_, RehashState> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;
    use crate::identity::{MemberId, SiteId};
    use crate::password::{Cryptpass, HashKind, Hasher, Seal};

    fn key(member: usize) -> Key {
        Key {
            site: SiteId::parse("1").unwrap(),
            member: MemberId::parse(&member.to_string()).unwrap(),
        }
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn hasher(kind: HashKind) -> Hasher {
        Hasher::new(Cost::lowest(kind))
    }

    fn argon2id() -> Hash {
        hasher(HashKind::Argon2id).hash(&password("secret")).unwrap()
    }

    /// A queue for the configured kind bcrypt.
    fn queue() -> (Rehashes, Receiver<()>) {
        let (wake, woken) = sync_channel(1);
        (Rehashes::new(Cost::lowest(HashKind::Bcrypt), wake), woken)
    }

    fn taken(queue: &Rehashes) -> Vec<i64> {
        std::iter::from_fn(|| queue.take()).map(|rehash| rehash.key.member.get()).collect()
    }

    #[test]
    fn a_member_is_queued_once_until_done_and_the_newest_comes_first() {
        let (queue, woken) = queue();
        let old = Stored::Hash(argon2id());
        for member in [71, 72, 71, 73, 72, 71] {
            queue.note(key(member), &old, &password("secret"));
        }
        assert_eq!(woken.try_iter().count(), 1);
        assert_eq!(taken(&queue), [73, 72, 71]);
        queue.note(key(71), &old, &password("secret"));
        assert!(taken(&queue).is_empty(), "it is being hashed");
        queue.done(key(71));
        queue.note(key(71), &old, &password("secret"));
        assert_eq!(taken(&queue), [71]);
    }

    #[test]
    fn a_member_who_was_given_up_is_not_queued_again() {
        let (queue, _woken) = queue();
        let old = Stored::Hash(argon2id());
        queue.note(key(71), &old, &password("secret"));
        assert_eq!(taken(&queue), [71]);
        queue.give_up(key(71));
        queue.note(key(71), &old, &password("secret"));
        assert!(taken(&queue).is_empty());
    }

    #[test]
    fn only_a_hash_of_another_kind_is_queued() {
        let (queue, woken) = queue();
        let bcrypt = hasher(HashKind::Bcrypt).hash(&password("secret")).unwrap();
        let wrapped =
            hasher(HashKind::Argon2id).wrap(&Cryptpass::parse("41R19prsa7NLQ").unwrap()).unwrap();
        let sealed = Stored::Sealed(Seal::from_bytes(vec![0; 104]));
        for stored in [Stored::Hash(bcrypt), Stored::Wrapped(wrapped), sealed] {
            queue.note(key(71), &stored, &password("secret"));
        }
        assert_eq!((taken(&queue), woken.try_iter().count()), (vec![], 0));
    }

    #[test]
    fn the_queue_is_bounded_and_has_room_again() {
        let (queue, _woken) = queue();
        let old = Stored::Hash(argon2id());
        for member in 1..=1_000 {
            queue.note(key(member), &old, &password("secret"));
        }
        assert_eq!(taken(&queue).len(), WAITING_MAX);
        queue.note(key(1_000), &old, &password("secret"));
        assert_eq!(taken(&queue), [1_000], "who found no room comes with the next login");
    }

    #[test]
    fn debug_shows_no_secret() {
        let rehash = Rehash { key: key(71), old: argon2id(), typed: password("hunter2") };
        let shown = format!("{rehash:?}");
        assert!(
            shown.contains("Hash(***)")
                && shown.contains("Password(***)")
                && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
