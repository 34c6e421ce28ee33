//! The kinds of hashes, what they cost, and which kind and cost a password gets.

use std::fmt;
use std::str::FromStr;

use argon2::Params;

use super::credential::{Hash, Password};
use super::crypt::BCRYPT_COSTS;

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
pub(super) const ARGON2_MEMORY_KIB: u32 = 19_456;
pub(super) const ARGON2_PASSES: u32 = 2;
pub(super) const ARGON2_LANES: u32 = 1;
/// OWASP's minimum for bcrypt. It is not higher, because Apache verifies the hash at every request,
/// images included. At 10 that takes some 50 ms of a core, and each step doubles it.
pub(super) const BCRYPT_COST: u32 = 10;
/// How many bytes of a password bcrypt uses. A shorter password is followed by a NUL, so that
/// nothing can come after it.
const BCRYPT_BYTES_MAX: usize = 72;

/// The kind of hash that replaces a sealed password (`--password-hash`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashKind {
    /// argon2id in PHC form.
    #[default]
    Argon2id,
    /// bcrypt `$2y$`, which Apache and htpasswd read. A password that bcrypt cannot hold gets
    /// argon2id.
    Bcrypt,
}

/// The text is not the name of a hash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected argon2id or bcrypt")]
pub struct UnknownHashKind;

impl HashKind {
    /// The name, as in `--password-hash`.
    pub fn as_str(self) -> &'static str {
        match self {
            HashKind::Argon2id => "argon2id",
            HashKind::Bcrypt => "bcrypt",
        }
    }
}

impl fmt::Display for HashKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HashKind {
    type Err = UnknownHashKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [HashKind::Argon2id, HashKind::Bcrypt]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownHashKind)
    }
}

/// The configured kind of hash, and the cost of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub(super) kind: HashKind,
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) bcrypt: u32,
}

impl Cost {
    /// The cost for members.
    pub fn new(kind: HashKind) -> Self {
        Self { kind, memory_kib: ARGON2_MEMORY_KIB, passes: ARGON2_PASSES, bcrypt: BCRYPT_COST }
    }

    /// A cost that the caller chooses: argon2id's memory in KiB and its passes, and bcrypt's cost.
    /// `None` if an algorithm does not allow it. A cost below [`Cost::new`] protects members less.
    pub fn custom(kind: HashKind, memory_kib: u32, passes: u32, bcrypt: u32) -> Option<Self> {
        let is_legal = Params::new(memory_kib, passes, ARGON2_LANES, None).is_ok()
            && BCRYPT_COSTS.contains(&bcrypt);
        is_legal.then_some(Self { kind, memory_kib, passes, bcrypt })
    }

    /// The lowest cost, which makes unit tests fast.
    #[cfg(test)]
    pub(crate) fn lowest(kind: HashKind) -> Self {
        Self::custom(kind, 8, 1, 4).unwrap()
    }

    /// This cost for the password of an operator, which is always hashed with argon2id.
    #[must_use]
    pub fn of_operators(self) -> Self {
        Self { kind: HashKind::Argon2id, ..self }
    }

    /// The configured kind.
    pub fn kind(&self) -> HashKind {
        self.kind
    }

    /// The kind for this password. One that bcrypt cannot hold always gets argon2id.
    pub fn kind_for(&self, password: &Password) -> HashKind {
        if bcrypt_holds(password) { self.kind } else { HashKind::Argon2id }
    }

    /// Whether the hash has the kind and cost that a new hash of this password would have. Another
    /// cost counts like another kind, so that old hashes are replaced when the cost is raised.
    pub fn is_of(&self, hash: &Hash, password: &Password) -> bool {
        let beginning = match self.kind_for(password) {
            HashKind::Argon2id => {
                format!("$argon2id$v=19$m={},t={},p={ARGON2_LANES}$", self.memory_kib, self.passes)
            }
            HashKind::Bcrypt => format!("$2y${:02}$", self.bcrypt),
        };
        hash.as_str().starts_with(&beginning)
    }

    /// Whether to replace `hash`, which the typed password matched. A bcrypt hash is kept if the
    /// password may be only the beginning of the right one, or may have more at its end: bcrypt
    /// cannot distinguish them.
    pub fn replaces(&self, hash: &Hash, typed: &Password) -> bool {
        let is_whole = !hash.is_bcrypt() || typed.expose().len() < BCRYPT_BYTES_MAX;
        is_whole && !self.is_of(hash, typed)
    }
}

/// Whether bcrypt can distinguish this password from every other one. Of a password over 72 bytes,
/// it checks only the beginning. bcrypt works on C strings, so a password with a NUL byte means its
/// beginning only, or its repetition. Nobody can type it into an Apache, either.
pub(super) fn bcrypt_holds(password: &Password) -> bool {
    let bytes = password.expose().as_bytes();
    bytes.len() <= BCRYPT_BYTES_MAX && !bytes.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Hasher;

    const KINDS: [HashKind; 2] = [HashKind::Argon2id, HashKind::Bcrypt];

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn hash(kind: HashKind, text: &str) -> Hash {
        Hasher::new(Cost::lowest(kind)).hash(&password(text)).unwrap()
    }

    #[test]
    fn the_names_of_the_hashes() {
        assert_eq!("argon2id".parse(), Ok(HashKind::Argon2id));
        assert_eq!("bcrypt".parse(), Ok(HashKind::Bcrypt));
        assert_eq!("Bcrypt".parse::<HashKind>(), Err(UnknownHashKind));
        assert_eq!(UnknownHashKind.to_string(), "expected argon2id or bcrypt");
    }

    #[test]
    fn what_a_hasher_makes_is_of_its_cost() {
        for kind in KINDS {
            for text in ["x", "a\0b", "é", &"x".repeat(72), &"x".repeat(73), &"x".repeat(1024)] {
                let made = hash(kind, text);
                assert!(Cost::lowest(kind).is_of(&made, &password(text)), "{kind}: {text:?}");
                assert!(
                    !Cost::new(kind).is_of(&made, &password(text)),
                    "{kind} at another cost: {text:?}"
                );
            }
        }
    }

    #[test]
    fn a_hash_of_another_kind_or_cost_is_replaced() {
        let (bcrypt, argon2id) =
            (hash(HashKind::Bcrypt, "secret"), hash(HashKind::Argon2id, "secret"));
        for (cost, hash, replaced) in [
            (Cost::lowest(HashKind::Bcrypt), &argon2id, true),
            (Cost::lowest(HashKind::Bcrypt), &bcrypt, false),
            (Cost::lowest(HashKind::Argon2id), &argon2id, false),
            (Cost::lowest(HashKind::Argon2id), &bcrypt, true),
            (Cost::new(HashKind::Argon2id), &argon2id, true),
            (Cost::new(HashKind::Bcrypt), &bcrypt, true),
        ] {
            assert_eq!(
                cost.replaces(hash, &password("secret")),
                replaced,
                "{cost:?}, {}",
                hash.as_str()
            );
        }
    }

    #[test]
    fn a_typed_password_of_which_bcrypt_cannot_tell_the_end_replaces_nothing() {
        let (cost, typed) =
            (Cost::lowest(HashKind::Argon2id), |bytes| password(&"x".repeat(bytes)));
        let bcrypt = hash(HashKind::Bcrypt, &"x".repeat(72));
        assert_eq!(
            [71, 72, 73].map(|bytes| cost.replaces(&bcrypt, &typed(bytes))),
            [true, false, false]
        );
    }

    #[test]
    fn a_password_that_bcrypt_cannot_hold_keeps_its_argon2id() {
        for text in ["a\0b", &"x".repeat(73)] {
            let argon2id = hash(HashKind::Bcrypt, text);
            assert!(
                !Cost::lowest(HashKind::Bcrypt).replaces(&argon2id, &password(text)),
                "{text:?}"
            );
        }
    }
}
