//! A cache of answers that cost a hash: whether a typed password matches a stored form.
//!
//! The key contains the stored form, so nothing has to be invalidated: when a row changes, its key
//! changes. The row is read at each login. The cache keeps only a keyed hash of form and password,
//! under a key that ends with the process.

use blake2::Blake2bMac;
use blake2::digest::Mac as _;
use blake2::digest::common::KeyInit as _;
use blake2::digest::consts::U16;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::identity::{Key, SiteId};
use crate::password::{Password, Stored};
use crate::recent::Recent;
use crate::secret::redacted;

/// The most right answers and the most wrong answers: some 5 MB when both are full.
const ANSWERS_MAX: usize = 65_536;
/// The number of parts with their own lock, so that threads seldom wait for each other.
const SHARDS: usize = 16;
/// Bytes of the random key and of its hashes. With 128 bits, collisions cannot be found, even less
/// so without the key.
const KEY_BYTES: usize = 32;
const HASH_BYTES: usize = 16;

/// The row that a typed password is compared with.
#[derive(Clone, Copy, Debug)]
pub enum CheckedRow<'a> {
    /// A member and this stored form.
    Member(Key, &'a Stored),
    /// No member of the site has this folded name. The answer costs a hash like any other.
    UnknownName(SiteId, &'a str),
}

/// The key of an answer. It is valid until the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RememberedKey([u8; HASH_BYTES]);

/// Identifies a typed password without keeping it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretDigest([u8; HASH_BYTES]);

redacted!(RememberedKey);

redacted!(SecretDigest);

/// The cache. Right and wrong answers are separate, so that a guesser cannot evict members.
pub struct Remembered {
    /// The keyed hash, which is cloned for each key.
    mac: Blake2bMac<U16>,
    right: [Mutex<Recent<RememberedKey, ()>>; SHARDS],
    wrong: [Mutex<Recent<RememberedKey, ()>>; SHARDS],
}

redacted!(Remembered);

impl Remembered {
    /// An empty cache with a new random key.
    ///
    /// # Errors
    ///
    /// If the system gives no random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        Self::with_bound(ANSWERS_MAX)
    }

    fn with_bound(answers_max: usize) -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(key.as_mut())?;
        let mac =
            Blake2bMac::new_from_slice(key.as_ref()).expect("BLAKE2b takes keys of up to 64 bytes");
        let shards = || std::array::from_fn(|_| Mutex::new(Recent::new(answers_max / SHARDS)));
        Ok(Self { mac, right: shards(), wrong: shards() })
    }

    /// The key of an answer.
    pub fn key(&self, row: CheckedRow<'_>, typed: &Password) -> RememberedKey {
        let mut mac = self.mac.clone();
        match row {
            CheckedRow::Member(key, stored) => {
                // No site has the number 0, so this kind of input never equals another one.
                mac.update(&key.site.get().to_be_bytes());
                mac.update(&key.member.get().to_be_bytes());
                let (form, bytes) = form(stored);
                mac.update(&[form]);
                with_length(&mut mac, bytes);
            }
            CheckedRow::UnknownName(site, folded) => {
                mac.update(&site.get().to_be_bytes());
                // No member has the number 0 either.
                mac.update(&0_i64.to_be_bytes());
                with_length(&mut mac, folded.as_bytes());
            }
        }
        with_length(&mut mac, typed.expose().as_bytes());
        RememberedKey(mac.finalize().into_bytes().into())
    }

    /// The digest of a typed password, for [`super::guard::Guard::wrong`].
    pub fn secret(&self, typed: &Password) -> SecretDigest {
        let mut mac = self.mac.clone();
        mac.update(&0_i64.to_be_bytes());
        with_length(&mut mac, typed.expose().as_bytes());
        SecretDigest(mac.finalize().into_bytes().into())
    }

    /// The answer, if it is remembered.
    pub fn get(&self, key: &RememberedKey) -> Option<bool> {
        if has(&self.right, key) {
            Some(true)
        } else if has(&self.wrong, key) {
            Some(false)
        } else {
            None
        }
    }

    /// Stores an answer. Faults are not stored: memory may have been short, and the next login must
    /// try again.
    pub fn put(&self, key: RememberedKey, opened: bool) {
        let shards = if opened { &self.right } else { &self.wrong };
        shard(shards, &key).put(key, ());
    }
}

type Shards = [Mutex<Recent<RememberedKey, ()>>; SHARDS];

fn has(shards: &Shards, key: &RememberedKey) -> bool {
    shard(shards, key).get(key).is_some()
}

fn shard<'a>(
    shards: &'a Shards,
    key: &RememberedKey,
) -> parking_lot::MutexGuard<'a, Recent<RememberedKey, ()>> {
    let shard = &shards[usize::from(key.0[0]) % SHARDS];
    // A panic while the lock was held can lose answers, but not change one.
    shard.lock()
}

/// Adds the length first, so that no two different inputs have the same bytes.
fn with_length(mac: &mut Blake2bMac<U16>, bytes: &[u8]) {
    mac.update(&(bytes.len() as u64).to_be_bytes());
    mac.update(bytes);
}

fn form(stored: &Stored) -> (u8, &[u8]) {
    match stored {
        Stored::Sealed(seal) => (1, seal.as_bytes()),
        Stored::Hash(hash) => (2, hash.as_str().as_bytes()),
        Stored::Wrapped(wrapped) => (3, wrapped.as_str().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::identity::MemberId;
    use crate::password::{Hash, Seal, Wrapped};

    fn site(text: &str) -> SiteId {
        SiteId::parse(text).unwrap()
    }

    fn key(at: &str, member: &str) -> Key {
        Key { site: site(at), member: MemberId::parse(member).unwrap() }
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn hash(text: &str) -> Stored {
        Stored::Hash(Hash::from_text(text.into()))
    }

    fn unknown(remembered: &Remembered, name: &str, typed: &str) -> RememberedKey {
        remembered.key(CheckedRow::UnknownName(site("1"), name), &password(typed))
    }

    #[test]
    fn an_answer_is_remembered_as_it_was() {
        let remembered = Remembered::new().unwrap();
        let stored = hash("h");
        let ask = |typed: &str| {
            remembered.key(CheckedRow::Member(key("1", "71"), &stored), &password(typed))
        };
        assert_eq!(remembered.get(&ask("secret")), None);
        remembered.put(ask("secret"), true);
        remembered.put(ask("other"), false);
        assert_eq!(remembered.get(&ask("secret")), Some(true));
        assert_eq!(remembered.get(&ask("other")), Some(false));
        assert_eq!(remembered.get(&ask("third")), None);
    }

    #[test]
    fn whatever_differs_makes_another_question() {
        let remembered = Remembered::new().unwrap();
        let forms = [
            hash("ab"),
            Stored::Wrapped(Wrapped::from_text("ab".into())),
            Stored::Sealed(Seal::from_bytes(b"ab".into())),
        ];
        let mut keys = HashSet::new();
        for form in &forms {
            assert!(
                keys.insert(
                    remembered.key(CheckedRow::Member(key("1", "71"), form), &password("c"))
                ),
                "{form:?}"
            );
        }
        let longer = hash("a");
        for (row, typed, why) in [
            (CheckedRow::Member(key("1", "72"), &forms[0]), "c", "another member"),
            (
                CheckedRow::Member(key("71", "1"), &forms[0]),
                "c",
                "site and member the other way round",
            ),
            (CheckedRow::Member(key("1", "71"), &forms[0]), "d", "another secret"),
            (
                CheckedRow::Member(key("1", "71"), &longer),
                "bc",
                "the same bytes, divided elsewhere",
            ),
            (CheckedRow::UnknownName(site("1"), "ab"), "c", "an unknown name"),
            (CheckedRow::UnknownName(site("2"), "ab"), "c", "an unknown name on another site"),
            (CheckedRow::UnknownName(site("1"), "a"), "bc", "an unknown name, divided elsewhere"),
        ] {
            assert!(keys.insert(remembered.key(row, &password(typed))), "{why}");
        }
    }

    #[test]
    fn a_process_knows_nothing_of_another_ones_keys() {
        let (one, other) = (Remembered::new().unwrap(), Remembered::new().unwrap());
        assert!(unknown(&one, "bob", "x") == unknown(&one, "bob", "x"));
        assert!(unknown(&one, "bob", "x") != unknown(&other, "bob", "x"));
        assert!(one.secret(&password("x")) == one.secret(&password("x")));
        assert!(one.secret(&password("x")) != one.secret(&password("y")));
        assert!(one.secret(&password("x")) != other.secret(&password("x")));
    }

    #[test]
    fn the_memory_is_bounded_and_wrong_answers_push_out_no_right_one() {
        let remembered = Remembered::with_bound(256).unwrap();
        let member = unknown(&remembered, "member", "right");
        remembered.put(member, true);
        for n in 0..5_000 {
            remembered.put(unknown(&remembered, "x", &n.to_string()), false);
        }
        assert_eq!(remembered.get(&member), Some(true));
        let kept: usize = remembered.wrong.iter().map(|shard| shard.lock().len()).sum();
        assert!((128..=256).contains(&kept), "{kept}");
        assert_eq!(remembered.get(&unknown(&remembered, "x", "4999")), Some(false), "the latest");
        assert_eq!(remembered.get(&unknown(&remembered, "x", "0")), None, "the first");
    }

    #[test]
    fn debug_shows_no_hash_of_a_secret() {
        let remembered = Remembered::new().unwrap();
        assert_eq!(format!("{:?}", unknown(&remembered, "bob", "x")), "RememberedKey(***)");
        assert_eq!(format!("{:?}", remembered.secret(&password("x"))), "SecretDigest(***)");
        assert_eq!(format!("{remembered:?}"), "Remembered(***)");
    }
}
