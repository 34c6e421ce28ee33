//! Makes the hash that replaces a seal, or a hash of another kind or cost.

use super::rehashes::Rehash;
use crate::password::{
    Hash, HashError, Hasher, Opened, Password, Stored, Vault, VerifyError, is_truncated_bcrypt_of,
};
use crate::store::{Hardened, Pending, Rehashed};

/// Why a hash could not be made.
#[derive(Debug)]
pub enum Unhashed {
    /// Memory or random bytes were missing. This says nothing about the seal; a later attempt may
    /// succeed.
    ForNow(String),
    /// It can never be made: the seal cannot be opened, or the row is broken.
    Broken(String),
}

impl From<HashError> for Unhashed {
    fn from(error: HashError) -> Self {
        let kind = if error.is_temporary() { Self::ForNow } else { Self::Broken };
        kind(error.to_string())
    }
}

impl From<VerifyError> for Unhashed {
    fn from(error: VerifyError) -> Self {
        let kind = if error.is_temporary() { Self::ForNow } else { Self::Broken };
        kind(error.to_string())
    }
}

/// Makes what replaces the seal, and decides whether the credential changed. If the former form
/// holds the same credential as a hash of the current kind and cost, it stays.
///
/// # Errors
///
/// If the seal cannot be opened or the hash cannot be made.
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
            // Hashed in Unicode NFC, so that it can be typed in any form. An older hash may be of
            // the form that was sent.
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
            Some(Stored::Wrapped(wrapped)) if said(hasher.wrapped_holds(wrapped, &cryptpass))? => {
                (Stored::Wrapped(wrapped.clone()), false)
            }
            before => (Stored::Wrapped(hasher.wrap(&cryptpass)?), before.is_some()),
        },
    };
    Ok(Hardened { pending, form, differs })
}

/// Whether the form before the seal holds the same password.
fn is_made_of(
    before: &Stored,
    pending: &Pending,
    vault: &Vault,
    hasher: &mut Hasher,
    password: &Password,
) -> Result<bool, Unhashed> {
    let opens = said(hasher.verify(before, pending.key, vault, password))?;
    Ok(opens || matches!(before, Stored::Hash(hash) if is_truncated_bcrypt_of(hash, password)))
}

fn is_of_normal_form(
    hash: &Hash,
    normal: Option<&Password>,
    hasher: &mut Hasher,
) -> Result<bool, Unhashed> {
    normal.map_or(Ok(true), |normal| said(hasher.verify_hash(hash, normal)))
}

/// A broken row counts as another password, so that the member's logins end. If memory was missing,
/// the check is repeated later.
fn said(answer: Result<bool, VerifyError>) -> Result<bool, Unhashed> {
    match answer {
        Err(error) if error.is_temporary() => Err(error.into()),
        answer => Ok(answer.unwrap_or(false)),
    }
}

/// Makes the hash that replaces the old one; `None` if the typed password does not match the old
/// one. Like every new hash it is made of the password in Unicode NFC, whatever form the old one is
/// of.
///
/// # Errors
///
/// If the hash cannot be made.
pub fn rehashed(hasher: &mut Hasher, rehash: &Rehash) -> Result<Option<Rehashed>, Unhashed> {
    let Rehash { key, old, typed } = rehash;
    let normal = typed.in_nfc();
    for form in [Some(typed), normal.as_ref()].into_iter().flatten() {
        if hasher.verify_hash(old, form)? {
            let new = hasher.hash(normal.as_ref().unwrap_or(typed))?;
            return Ok(Some(Rehashed { key: *key, old: old.clone(), new }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};
    use crate::password::{Cost, Cryptpass, HashKind, verify, verify_hash};

    fn key() -> Key {
        Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() }
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn hasher() -> Hasher {
        Hasher::new(Cost::lowest(HashKind::Argon2id))
    }

    fn hasher_of(kind: HashKind) -> Hasher {
        Hasher::new(Cost::lowest(kind))
    }

    /// A hasher that gets no memory.
    fn without_memory() -> Hasher {
        Hasher::without_memory(Cost::lowest(HashKind::Argon2id))
    }

    /// Regression: such a seal was given up, and a member whose password had not changed was logged
    /// out.
    #[test]
    fn a_seal_is_hashed_later_where_there_is_no_memory_whatever_stood_before_it() {
        let vault = Vault::from_key([7; 32]);
        let cryptpass = Cryptpass::parse("41R19prsa7NLQ").unwrap();
        let (sealed, wrapped) =
            (vault.seal_password(key(), &password("secret")), hasher().wrap(&cryptpass).unwrap());
        let bcrypt = Hasher::new(Cost::lowest(HashKind::Bcrypt)).hash(&password("secret")).unwrap();
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
        let old = Hasher::new(Cost::lowest(HashKind::Bcrypt)).hash(&password("secret")).unwrap();
        let rehash = Rehash { key: key(), old, typed: password("secret") };
        assert!(matches!(rehashed(&mut without_memory(), &rehash), Err(Unhashed::ForNow(_))));
        assert!(rehashed(&mut hasher(), &rehash).unwrap().is_some());
    }

    #[test]
    fn a_new_hash_is_made_of_what_opened_the_old_one_and_of_nothing_else() {
        let mut bcrypt = hasher_of(HashKind::Bcrypt);
        let rehash = |typed| Rehash {
            key: key(),
            old: hasher().hash(&password("secret")).unwrap(),
            typed: password(typed),
        };
        let made = rehashed(&mut bcrypt, &rehash("secret")).unwrap().unwrap();
        assert!(made.new.is_bcrypt() && made.key == key());
        assert!(verify_hash(&made.new, &password("secret")).unwrap());
        assert!(rehashed(&mut bcrypt, &rehash("Secret")).unwrap().is_none());
    }

    #[test]
    fn the_new_hash_is_of_the_password_in_nfc_whichever_form_the_old_one_was_of() {
        let mut bcrypt = hasher_of(HashKind::Bcrypt);
        for (sent, typed, made) in [
            ("caf\u{e9}", "cafe\u{301}", Some("caf\u{e9}")),
            ("cafe\u{301}", "cafe\u{301}", Some("caf\u{e9}")),
            ("cafe\u{301}", "caf\u{e9}", None),
        ] {
            let old = hasher_of(HashKind::Argon2id).hash(&password(sent)).unwrap();
            let new =
                rehashed(&mut bcrypt, &Rehash { key: key(), old, typed: password(typed) }).unwrap();
            assert_eq!(new.is_some(), made.is_some(), "{sent:?}, {typed:?}");
            for (new, made) in new.iter().zip(made) {
                let opens = verify_hash(&new.new, &password(made)).unwrap();
                assert!(opens, "{sent:?}, {typed:?}");
            }
        }
    }

    #[test]
    fn a_password_opens_in_whatever_normal_form_it_was_sent_and_typed() {
        let (composed, decomposed) = ("p\u{e9}ss", "pe\u{301}ss");
        let vault = Vault::from_key([7; 32]);
        let crypt = |bytes: &[u8]| {
            Cryptpass::parse(&pwhash::unix::crypt(bytes, "$1$abcdefgh$").unwrap()).unwrap()
        };
        let mut hasher = hasher();
        for sent in [composed, decomposed] {
            let pending = Pending {
                journal_id: 1,
                key: key(),
                seal: vault.seal_password(key(), &password(sent)),
                before: None,
            };
            let hashed = hardened(&vault, &mut hasher, pending.clone()).unwrap().form;
            let wrapped = Stored::Wrapped(hasher.wrap(&crypt(composed.as_bytes())).unwrap());
            let western = Stored::Wrapped(hasher.wrap(&crypt(b"p\xe9ss")).unwrap());
            for stored in [Stored::Sealed(pending.seal), hashed, wrapped, western] {
                for typed in [composed, decomposed] {
                    assert!(
                        verify(&stored, key(), &vault, &password(typed)).unwrap(),
                        "{stored:?} {}",
                        typed.escape_unicode()
                    );
                }
                assert!(!verify(&stored, key(), &vault, &password("pess")).unwrap());
            }
        }
        // A hash as an earlier release made it.
        let old = Stored::Hash(hasher.hash(&password(decomposed)).unwrap());
        assert!(verify(&old, key(), &vault, &password(decomposed)).unwrap());
    }
}
