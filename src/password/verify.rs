//! Decides whether a typed password is the password of a row.
//!
//! A broken row is an error, never a yes. No text in a row takes unbounded time or memory. Secrets
//! are compared in constant time.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::cost::bcrypt_holds;
use super::credential::{Cryptpass, Hash, Password, Stored, Wrapped};
use super::crypt::{CryptError, Setting, split};
use super::phc::Phc;
use super::vault::{Opened, UnsealError, Vault};
use super::workspace::Workspace;
use crate::identity::Key;
use crate::unicode::to_windows_1252;

/// The row is broken, or could not be computed. This is a fault of the program or the database, not
/// of the visitor.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The seal cannot be opened.
    #[error("the sealed password cannot be opened: {0}")]
    Sealed(#[from] UnsealError),
    /// The column `password` holds neither of the known hashes.
    #[error(
        "the stored hash is neither argon2id nor bcrypt in the form and within the cost that \
         this version knows"
    )]
    Hash,
    /// The column does not hold a wrapped cryptpass.
    #[error(
        "the stored cryptpass is not a crypt(3) setting and an argon2id hash that this version \
         knows"
    )]
    Wrapped,
    /// argon2id failed, or had no memory.
    #[error("argon2id: {0}")]
    Argon2(argon2::Error),
    /// A known setting could not be computed.
    #[error(transparent)]
    Crypt(#[from] CryptError),
}

impl VerifyError {
    /// Whether memory was missing, so that a later attempt may succeed. Then nothing is known of
    /// the row or the password.
    pub fn is_temporary(&self) -> bool {
        matches!(self, VerifyError::Argon2(argon2::Error::OutOfMemory))
    }
}

/// Whether `typed` is the password that `stored` holds for the member `key`. A sealed password
/// takes microseconds, a hash tens of milliseconds. A wrapped cryptpass takes a hash and its
/// crypt(3), twice for a wrong password that is not ASCII.
pub fn verify(
    stored: &Stored,
    key: Key,
    vault: &Vault,
    typed: &Password,
) -> Result<bool, VerifyError> {
    verify_in(&mut Workspace::default(), stored, key, vault, typed)
}

/// Does what [`verify`] does, in the memory of the caller.
pub(super) fn verify_in(
    workspace: &mut Workspace,
    stored: &Stored,
    key: Key,
    vault: &Vault,
    typed: &Password,
) -> Result<bool, VerifyError> {
    match stored {
        Stored::Sealed(seal) => match vault.open(key, seal)? {
            Opened::Password(password) => {
                let normal = |text: &Password| text.in_nfc().unwrap_or_else(|| text.clone());
                Ok(same_text(normal(&password).expose(), normal(typed).expose()))
            }
            Opened::Cryptpass(cryptpass) => cryptpass_fits(workspace, &cryptpass, typed),
        },
        // New hashes are made of the password in NFC, older ones of the password as it was sent.
        Stored::Hash(hash) => Ok(verify_hash_in(workspace, hash, typed)?
            || typed
                .in_nfc()
                .map_or(Ok(false), |normal| verify_hash_in(workspace, hash, &normal))?),
        Stored::Wrapped(wrapped) => {
            let (setting, phc) = parts(wrapped)?;
            crypt_fits(workspace, setting, typed, |workspace, made| {
                phc_fits(&phc, workspace, made.as_bytes())
            })
        }
    }
}

/// Whether `typed` is the password of this hash. A password that bcrypt cannot hold (over 72 bytes,
/// or with a NUL) never matches a bcrypt hash, because [`super::Hasher::hash`] makes none of it.
pub fn verify_hash(hash: &Hash, typed: &Password) -> Result<bool, VerifyError> {
    verify_hash_in(&mut Workspace::default(), hash, typed)
}

pub(super) fn verify_hash_in(
    workspace: &mut Workspace,
    hash: &Hash,
    typed: &Password,
) -> Result<bool, VerifyError> {
    if let Some(phc) = Phc::parse(hash.as_str()) {
        return phc_fits(&phc, workspace, typed.expose().as_bytes());
    }
    if !is_bcrypt(hash) {
        return Err(VerifyError::Hash);
    }
    if !bcrypt_holds(typed) {
        return Ok(false);
    }
    bcrypt_fits(workspace, hash, typed)
}

/// Whether `hash` is the bcrypt hash that release 0.1 made of the first 72 bytes of this longer
/// password. No login matches it any more. But if NATS sends the same password again, it counts as
/// unchanged.
pub(crate) fn is_truncated_bcrypt_of(hash: &Hash, password: &Password) -> bool {
    !bcrypt_holds(password)
        && is_bcrypt(hash)
        && bcrypt_fits(&mut Workspace::default(), hash, password).unwrap_or(false)
}

fn is_bcrypt(hash: &Hash) -> bool {
    split(hash.as_str()).is_some_and(|(setting, _)| setting.is_bcrypt())
}

fn bcrypt_fits(
    workspace: &mut Workspace,
    hash: &Hash,
    password: &Password,
) -> Result<bool, VerifyError> {
    let (setting, _) = split(hash.as_str()).ok_or(VerifyError::Hash)?;
    let made = workspace.crypt(setting, password.expose().as_bytes())?;
    Ok(made.is_some_and(|made| made.as_bytes().ct_eq(hash.as_str().as_bytes()).into()))
}

/// Whether `wrapped` was made of exactly this cryptpass.
pub fn wrapped_holds(wrapped: &Wrapped, cryptpass: &Cryptpass) -> Result<bool, VerifyError> {
    wrapped_holds_in(&mut Workspace::default(), wrapped, cryptpass)
}

pub(super) fn wrapped_holds_in(
    workspace: &mut Workspace,
    wrapped: &Wrapped,
    cryptpass: &Cryptpass,
) -> Result<bool, VerifyError> {
    let (setting, phc) = parts(wrapped)?;
    // The setting is no secret. A different one gives the answer without hashing.
    let same_setting =
        split(cryptpass.expose()).is_some_and(|(given, _)| given.as_str() == setting.as_str());
    Ok(same_setting && phc_fits(&phc, workspace, cryptpass.expose().as_bytes())?)
}

fn cryptpass_fits(
    workspace: &mut Workspace,
    cryptpass: &Cryptpass,
    typed: &Password,
) -> Result<bool, VerifyError> {
    let (setting, _) = split(cryptpass.expose()).ok_or(VerifyError::Wrapped)?;
    crypt_fits(workspace, setting, typed, |_, made| {
        Ok(made.as_bytes().ct_eq(cryptpass.expose().as_bytes()).into())
    })
}

/// Computes the crypt string of each of the [`spellings`] until one fits.
fn crypt_fits(
    workspace: &mut Workspace,
    setting: Setting<'_>,
    typed: &Password,
    fits: impl Fn(&mut Workspace, &str) -> Result<bool, VerifyError>,
) -> Result<bool, VerifyError> {
    for bytes in spellings(typed) {
        if let Some(made) = workspace.crypt(setting, &bytes)?
            && fits(workspace, &made)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The typed text in UTF-8 and in Windows-1252, as typed and in Unicode NFC if that differs. NATS
/// made a cryptpass of the bytes that a browser sent, and its pages were not always in UTF-8.
pub(super) fn spellings(typed: &Password) -> Vec<Zeroizing<Vec<u8>>> {
    let mut spellings = Vec::with_capacity(2);
    for text in [Some(typed), typed.in_nfc().as_ref()].into_iter().flatten() {
        spellings.push(Zeroizing::new(text.expose().as_bytes().to_vec()));
        spellings.extend(windows_1252(text.expose()));
    }
    spellings
}

/// The text in Windows-1252, if its bytes differ.
fn windows_1252(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.is_ascii() { None } else { to_windows_1252(text) }
}

/// Compares digests, because the lengths of the texts differ and are secret too.
fn same_text(a: &str, b: &str) -> bool {
    Sha256::digest(a).ct_eq(&Sha256::digest(b)).into()
}

fn parts(wrapped: &Wrapped) -> Result<(Setting<'_>, Phc), VerifyError> {
    wrapped.parts().ok_or(VerifyError::Wrapped)
}

fn phc_fits(phc: &Phc, workspace: &mut Workspace, secret: &[u8]) -> Result<bool, VerifyError> {
    let (Some(salt), Some(expected)) = (&phc.hash.salt, &phc.hash.hash) else {
        return Err(VerifyError::Hash);
    };
    let mut made = Zeroizing::new(vec![0; expected.len()]);
    workspace.argon2id(&phc.argon2, secret, salt, &mut made).map_err(VerifyError::Argon2)?;
    Ok(made.as_slice().ct_eq(expected.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{MemberId, SiteId};
    use crate::password::{Cost, HashKind, Hasher, Seal};

    fn key() -> Key {
        Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() }
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn cryptpass(text: &str) -> Cryptpass {
        Cryptpass::parse(text).unwrap()
    }

    fn vault() -> Vault {
        Vault::from_key([7; 32])
    }

    fn wrap(text: &str) -> Wrapped {
        Hasher::new(Cost::lowest(HashKind::Argon2id)).wrap(&cryptpass(text)).unwrap()
    }

    /// A cryptpass in both forms that a row can have.
    fn sealed_and_wrapped(text: &str) -> [Stored; 2] {
        [
            Stored::Sealed(vault().seal_cryptpass(key(), &cryptpass(text))),
            Stored::Wrapped(wrap(text)),
        ]
    }

    fn opens(stored: &Stored, typed: &str) -> bool {
        verify(stored, key(), &vault(), &password(typed)).unwrap()
    }

    #[test]
    fn a_sealed_password_opens_to_itself_alone() {
        let stored = Stored::Sealed(vault().seal_password(key(), &password("41R19prsa7NLQ")));
        assert!(opens(&stored, "41R19prsa7NLQ"), "clear text, whatever it looks like");
        for typed in ["testtest", "41R19prsa7NLQ\0", "41R19prsa7NL", "41R19prsa7NLq"] {
            assert!(!opens(&stored, typed), "{typed:?}");
        }
    }

    #[test]
    fn a_cryptpass_opens_to_its_password_sealed_and_wrapped_in_every_form() {
        for text in [
            "41R19prsa7NLQ",
            "7dTx9F2gGoM5w",
            "$1$abcdefgh$o6vkW26Fjwe4C6eYPw6.C0",
            "$5$saltstring$1IDF4OGvDGAZZxCt4rK0k2Q0Gwxjt1ux3aeapWHXbd1",
            "$6$saltstring$yq4YNTMrf/aUr1asqgZng7iPH3imQWx.izv9c.U1N6HirBh06ubZJoAQI8nMlrcnbGEnca\
             VCFze44i1wQ8L3P/",
            "$2a$04$abcdefghijklmnopqrstuuqyyLLpuVYWbE8OVUceJbhiDEB0LEHDm",
            "$2b$04$abcdefghijklmnopqrstuuqyyLLpuVYWbE8OVUceJbhiDEB0LEHDm",
            "$2y$04$abcdefghijklmnopqrstuuqyyLLpuVYWbE8OVUceJbhiDEB0LEHDm",
        ] {
            for stored in sealed_and_wrapped(text) {
                assert!(opens(&stored, "testtest"), "{text}");
                for typed in ["testtesu", "testtes", "testtest\0", "\0", text] {
                    assert!(!opens(&stored, typed), "{text}: {typed:?}");
                }
            }
        }
    }

    #[test]
    fn a_des_cryptpass_keeps_its_own_meaning_8_bytes_count() {
        for stored in sealed_and_wrapped("41R19prsa7NLQ") {
            assert!(opens(&stored, "testtestX"));
        }
    }

    /// bcrypt uses 72 bytes, so a cryptpass in bcrypt's form matches longer passwords too, as it
    /// does elsewhere. NATS has no other form of it.
    #[test]
    fn a_bcrypt_cryptpass_keeps_its_own_meaning_72_bytes_count() {
        let password = "x".repeat(72);
        let made = bcrypt::hash_with_salt(format!("{password}more"), 4, [7; 16]).unwrap();
        for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
            for stored in sealed_and_wrapped(&made.format_for_version(version.clone())) {
                for (typed, opened) in [
                    (password.clone(), true),
                    (format!("{password}other"), true),
                    ("x".repeat(71), false),
                    (format!("{password}\0"), false),
                ] {
                    assert_eq!(opens(&stored, &typed), opened, "{version:?}: {typed:?}");
                }
            }
        }
        assert!(
            Cryptpass::parse(&made.format_for_version(bcrypt::Version::TwoX)).is_none(),
            "the faulty form"
        );
    }

    #[test]
    fn md5_and_sha_cryptpasses_count_every_byte() {
        let password = "x".repeat(200);
        for setting in ["$1$abcdefgh$", "$5$saltstring$", "$6$saltstring$"] {
            let text = pwhash::unix::crypt(&password, setting).unwrap();
            for stored in sealed_and_wrapped(&text) {
                assert!(opens(&stored, &password), "{text}");
                for typed in ["x".repeat(199), "x".repeat(201), format!("{password}\0")] {
                    assert!(!opens(&stored, &typed), "{text}: {} bytes", typed.len());
                }
            }
        }
    }

    #[test]
    fn a_cryptpass_made_of_utf_8_or_of_windows_1252_opens_to_the_same_typed_text() {
        for text in ["$1$windows$AXbDhivOOUXuxrmdO1gjB.", "$1$utf8$ofS8PWVlPneTOxIFZuUV80"] {
            for stored in sealed_and_wrapped(text) {
                assert!(opens(&stored, "pässwörd€"), "{text}");
                for typed in ["passwörd€", "pässwörd", "pässwörd日"] {
                    assert!(!opens(&stored, typed), "{text}: {typed}");
                }
            }
        }
    }

    #[test]
    fn a_wrapped_cryptpass_holds_the_one_it_was_made_of() {
        let wrapped = wrap("41R19prsa7NLQ");
        for (text, same) in
            [("41R19prsa7NLQ", true), ("41R19prsa7NL.", false), ("7dTx9F2gGoM5w", false)]
        {
            assert_eq!(wrapped_holds(&wrapped, &cryptpass(text)).unwrap(), same, "{text}");
        }
    }

    #[test]
    fn a_row_of_another_member_or_under_another_key_is_a_fault() {
        let stored = Stored::Sealed(vault().seal_password(key(), &password("secret")));
        let other = Key { member: MemberId::parse("72").unwrap(), ..key() };
        for (key, vault) in [(other, vault()), (key(), Vault::from_key([8; 32]))] {
            let error = verify(&stored, key, &vault, &password("secret")).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the sealed password cannot be opened: the seal was made with another key or for \
                 another member, or is damaged"
            );
        }
    }

    #[test]
    fn a_broken_row_is_a_fault_never_yes_and_costs_nothing_to_refuse() {
        let good = Hasher::new(Cost::lowest(HashKind::Argon2id)).hash(&password("secret")).unwrap();
        let phc = good.as_str();
        for (text, reason) in [
            (String::new(), "empty"),
            ("secret".into(), "clear text"),
            ("*".into(), "a mark"),
            ("41R19prsa7NLQ".into(), "a crypt string that is not wrapped"),
            ("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0".into(), "the same, MD5"),
            (
                "$2y$31$abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5LnK".into(),
                "bcrypt for days",
            ),
            (
                "$2y$10$abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5Lé".into(),
                "bcrypt, not ASCII",
            ),
            ("$argon2id$".into(), "a name alone"),
            ("$argon2id$v=19$m=8,t=1,p=1".into(), "no salt"),
            ("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA".into(), "no hash"),
            (phc[..phc.len() - 1].into(), "cut short"),
            (phc[..phc.len() - 27].into(), "cut to a length that is one of argon2id"),
            (format!("{phc}$"), "more behind it"),
            (phc.replace("argon2id", "argon2i"), "another algorithm"),
            (phc.replace("v=19", "v=16"), "an older version"),
            (phc.replace("$v=19", ""), "no version"),
            (phc.replace("m=8", "m=4294967295"), "all memory there is"),
            (phc.replace("m=8", "m=7"), "too little memory"),
            (phc.replace("m=8", "m=131073"), "more memory than a login may take"),
            (phc.replace("t=1", "t=0"), "no pass"),
            (phc.replace("t=1", "t=4294967295"), "passes for years"),
            (phc.replace("p=1", "p=16777215"), "lanes without end"),
            (phc.replace("p=1", "p=1,x=1"), "an unknown parameter"),
            (phc.replace("m=8,t=1,p=1$", "m=8,t=1,p=1$AA"), "another salt"),
        ] {
            let hash = Stored::Hash(Hash::from_text(text.clone()));
            let answer = verify(&hash, key(), &vault(), &password("secret"));
            // A text of a valid form is only a wrong password.
            assert!(matches!(answer, Err(VerifyError::Hash) | Ok(false)), "{reason}: {answer:?}");
            assert_eq!(answer.is_ok(), reason == "another salt", "{reason}");
        }
    }

    #[test]
    fn a_broken_wrapped_row_is_a_fault() {
        let wrapped = wrap("41R19prsa7NLQ");
        let text = wrapped.as_str();
        for broken in [
            String::new(),
            " ".into(),
            text[2..].into(),
            text[3..].into(),
            text.replace("41 ", "4! "),
            text.replace("41 ", "41  "),
            text.replace("41 ", "$6$rounds=999999999$ab$ "),
            text.replace("m=8", "m=4294967295"),
            "41R19prsa7NLQ".into(),
        ] {
            let stored = Stored::Wrapped(Wrapped::from_text(broken.clone()));
            assert!(
                matches!(
                    verify(&stored, key(), &vault(), &password("testtest")),
                    Err(VerifyError::Wrapped)
                ),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_broken_seal_is_a_fault() {
        for bytes in [vec![], vec![0; 40], vec![0; 104], vec![0; 105]] {
            let stored = Stored::Sealed(Seal::from_bytes(bytes));
            assert!(matches!(
                verify(&stored, key(), &vault(), &password("x")),
                Err(VerifyError::Sealed(_))
            ));
        }
    }
}
