//! The same question as in `verify`, at a cost that does not tell what kind of row was asked, or whether there was one.

use super::cost::HashKind;
use super::hash::Hasher;
use super::verify::{spellings, verify_in};
use super::{Password, Stored, Vault, VerifyError};
use crate::member::Key;

/// Verifies one password after another in the same memory.
pub struct Verifier(Hasher);

impl Verifier {
    /// A verifier whose cost is that of the hashes which members get.
    pub fn new(kind: HashKind) -> Self {
        Self(Hasher::new(kind))
    }

    /// A verifier that costs nothing worth measuring.
    #[doc(hidden)]
    pub fn with_cheap_cost_for_tests(kind: HashKind) -> Self {
        Self(Hasher::with_cheap_cost_for_tests(kind))
    }

    /// Whether `typed` is the password of this row; nobody's is none. What the row itself does not compute of hashes of the configured kind
    /// is made up for by computing one for nothing: for nobody, for a sealed password (also a right one), for a row of the other kind and for
    /// one that is broken. A wrong password that has other spellings, in Windows-1252 or Unicode NFC, costs as many, since a wrapped row has to try them all.
    pub fn verify_at_equal_cost(
        &mut self,
        row: Option<(&Stored, Key)>,
        vault: &Vault,
        typed: &Password,
    ) -> Result<bool, VerifyError> {
        let kind = self.0.cost().kind;
        let before = self.0.workspace.hashes(kind);
        let answer = row.map_or(Ok(false), |(stored, key)| verify_in(&mut self.0.workspace, stored, key, vault, typed));
        let opened = matches!(answer, Ok(true));
        let due = if opened { 1 } else { spellings(typed).len() as u64 };
        while self.0.workspace.hashes(kind) < before + due {
            self.0.waste();
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{MemberId, SiteId};
    use crate::password::{Cryptpass, Hash, Seal, Wrapped};

    const KINDS: [HashKind; 2] = [HashKind::Argon2id, HashKind::Bcrypt];

    fn key() -> Key {
        Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() }
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn vault() -> Vault {
        Vault::from_key([7; 32])
    }

    /// The rows that `testtest` opens, of every form.
    fn rows() -> Vec<(&'static str, Stored)> {
        let cryptpass = Cryptpass::parse("41R19prsa7NLQ").unwrap();
        let mut hasher = Hasher::with_cheap_cost_for_tests(HashKind::Argon2id);
        let bcrypt = Hasher::with_cheap_cost_for_tests(HashKind::Bcrypt).hash(&password("testtest")).unwrap();
        vec![
            ("a sealed password", Stored::Sealed(vault().seal_password(key(), &password("testtest")))),
            ("a sealed cryptpass", Stored::Sealed(vault().seal_cryptpass(key(), &cryptpass))),
            ("argon2id", Stored::Hash(hasher.hash(&password("testtest")).unwrap())),
            ("bcrypt", Stored::Hash(bcrypt)),
            ("a wrapped cryptpass", Stored::Wrapped(hasher.wrap(&cryptpass).unwrap())),
        ]
    }

    /// What the verifier says, and how many slow hashes that took.
    fn asked(kind: HashKind, row: Option<&Stored>, typed: &str) -> (Option<bool>, u64) {
        let mut verifier = Verifier::with_cheap_cost_for_tests(kind);
        let answer = verifier.verify_at_equal_cost(row.map(|stored| (stored, key())), &vault(), &password(typed));
        (answer.ok(), verifier.0.workspace.hashes(kind))
    }

    #[test]
    fn every_row_costs_the_same_number_of_hashes_and_so_does_nobody() {
        for kind in KINDS {
            for (form, stored) in rows() {
                assert_eq!(asked(kind, Some(&stored), "testtest"), (Some(true), 1), "{kind}, {form}: right");
            }
            for (typed, hashes) in [("testtesu", 1), ("\0", 1), ("日本", 1), ("testtesé", 2), ("é\0", 2)] {
                assert_eq!(asked(kind, None, typed), (Some(false), hashes), "{kind}, nobody: {typed:?}");
                for (form, stored) in rows() {
                    assert_eq!(asked(kind, Some(&stored), typed), (Some(false), hashes), "{kind}, {form}: {typed:?}");
                }
            }
        }
    }

    #[test]
    fn a_row_that_is_broken_is_a_fault_at_the_same_cost() {
        for kind in KINDS {
            for stored in [
                Stored::Sealed(Seal::from_bytes(vec![0; 104])),
                Stored::Hash(Hash::from_text("secret".into())),
                Stored::Wrapped(Wrapped::from_text("41R19prsa7NLQ".into())),
            ] {
                assert_eq!(asked(kind, Some(&stored), "secret"), (None, 1), "{kind}: {stored:?}");
            }
        }
    }

    #[test]
    fn one_verifier_answers_for_all_rows_in_turn() {
        let mut verifier = Verifier::with_cheap_cost_for_tests(HashKind::Argon2id);
        for _ in 0..2 {
            for (form, stored) in rows() {
                for (typed, opens) in [("testtest", true), ("testtesu", false)] {
                    let answer = verifier.verify_at_equal_cost(Some((&stored, key())), &vault(), &password(typed));
                    assert_eq!(answer.unwrap(), opens, "{form}: {typed}");
                }
            }
        }
    }
}
