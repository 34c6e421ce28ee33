//! The forms of a credential as values: what a postback brings, and what a row stores.
//!
//! No form shows its secret in `Debug` or `Display`. Clear text is wiped when it is dropped.

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::crypt::{self, Setting, split};
use super::phc::Phc;
use crate::secret::redacted;
use crate::unicode::nfc;

/// Bytes of the nonce at the beginning of a seal.
pub(super) const NONCE_BYTES: usize = 24;
/// Bytes of the tag at the end of a seal.
pub(super) const TAG_BYTES: usize = 16;
/// The length of a seal's plaintext is a multiple of this.
pub(super) const PADDING_BYTES: usize = 64;

/// The longest password that is accepted, in bytes of UTF-8.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// What [`Password::parse`] accepts, for error messages.
pub const PASSWORD_EXPECTED: &str = "expected 1 to 1024 bytes";
/// What [`Cryptpass::parse`] accepts, for error messages.
pub const CRYPTPASS_EXPECTED: &str =
    "expected a crypt(3) string in DES, MD5, SHA-256, SHA-512 or bcrypt form";

/// A password in clear: 1 to 1024 bytes of any UTF-8. It is wiped when dropped.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// Reads a password as it was sent or typed.
    pub fn parse(text: &str) -> Option<Self> {
        (1..=PASSWORD_BYTES_MAX).contains(&text.len()).then(|| Self(SecretString::from(text)))
    }

    /// The password in Unicode NFC; `None` if it is in NFC already. It may be longer than the
    /// original.
    pub(crate) fn in_nfc(&self) -> Option<Self> {
        let normal = Zeroizing::new(nfc(self.expose()).into_owned());
        (*normal != self.expose()).then(|| Self(SecretString::from(normal.as_str())))
    }

    /// The clear text, only for this crate's hashing and sealing.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A crypt(3) string, setting and digest, of a form that [`super::verify`] can compute.
#[derive(Clone, PartialEq, Eq)]
pub struct Cryptpass(Zeroizing<String>);

impl Cryptpass {
    /// Reads a crypt string as NATS sends it. Refuses a text that no crypt(3) can have made, and
    /// one that costs more than a login may cost.
    pub fn parse(text: &str) -> Option<Self> {
        crypt::split(text).filter(|(setting, _)| setting.is_of_nats()).map(|_| Self::of(text))
    }

    /// Reads a crypt string of another program or of a row. It may also have a form that is in
    /// files of `htpasswd` alone.
    pub fn of_any_form(text: &str) -> Option<Self> {
        crypt::split(text).map(|_| Self::of(text))
    }

    fn of(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The crypt string, for wrapping it and for the column of `--keep-cryptpass`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A sealed password or cryptpass, as a row stores it until it is hashed: nonce, ciphertext, tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Seal(Vec<u8>);

impl Seal {
    /// Accepts bytes that may have been edited, if they have the length of a seal.
    /// [`super::Vault::open`] checks the rest.
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        is_seal_length(bytes.len()).then_some(Self(bytes))
    }

    /// Accepts the bytes of a row. [`super::Vault::open`] checks them.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes for a row.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The hash of a password: argon2id in PHC form, or bcrypt `$2y$`.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(String);

/// A cryptpass whose weak digest is replaced: `<setting> <argon2id of the whole crypt string, in
/// PHC form>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped(String);

impl Hash {
    /// Accepts a text that may have been edited, if it is argon2id in PHC form or bcrypt, within
    /// the cost that [`super::verify`] allows.
    pub fn parse(text: &str) -> Option<Self> {
        is_hash(text).then(|| Self(text.to_owned()))
    }

    /// Accepts the text of a row. A text of no known form makes [`super::verify`] fail.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text for a row.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is bcrypt, which Apache can read.
    pub fn is_bcrypt(&self) -> bool {
        self.0.starts_with("$2")
    }
}

impl Wrapped {
    /// The setting of crypt(3) and the argon2id hash; `None` for a text of no known form.
    pub(super) fn parts(&self) -> Option<(Setting<'_>, Phc)> {
        wrapped_parts(&self.0)
    }

    /// Accepts a text that may have been edited, if it is a setting of crypt(3) and an argon2id
    /// hash.
    pub fn parse(text: &str) -> Option<Self> {
        wrapped_parts(text).is_some().then(|| Self(text.to_owned()))
    }

    /// Accepts the text of a row. A text of no known form makes [`super::verify`] fail.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text for a row.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A credential in the one form that a row stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A password or cryptpass that is not hashed yet.
    Sealed(Seal),
    /// A hashed password.
    Hash(Hash),
    /// A hashed cryptpass.
    Wrapped(Wrapped),
}

redacted!(Password, Cryptpass, Seal, Hash, Wrapped);

/// Whether a seal has this length: nonce, a padded plaintext, tag.
pub(super) fn is_seal_length(bytes: usize) -> bool {
    bytes
        .checked_sub(NONCE_BYTES + TAG_BYTES)
        .is_some_and(|body| body > 0 && body % PADDING_BYTES == 0)
}

/// Whether [`super::verify_hash`] supports the form of this text.
fn is_hash(text: &str) -> bool {
    Phc::parse(text).is_some() || split(text).is_some_and(|(setting, _)| setting.is_bcrypt())
}

fn wrapped_parts(text: &str) -> Option<(Setting<'_>, Phc)> {
    let (setting, phc) = text.split_once(' ')?;
    Setting::parse(setting).zip(Phc::parse(phc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::{Cost, HashKind, Hasher};

    #[test]
    fn a_password_is_1_to_1024_bytes_of_anything() {
        for text in ["x", " ", "\0", "$1$a$b", "päss wörd\r\n", &"é".repeat(512)] {
            assert_eq!(Password::parse(text).unwrap().expose(), text);
        }
        for text in ["", &"x".repeat(1025), &format!("{}é", "x".repeat(1023))] {
            assert!(Password::parse(text).is_none(), "{} bytes", text.len());
        }
    }

    #[test]
    fn the_forms_of_htpasswd_are_read_from_a_file_and_not_from_a_postback() {
        for text in ["$apr1$abcdefgh$0UjStWmXslmzQv7sQKyIS/", "{SHA}Uau5Y2B43vv4iNhFenx2+FyPEUw="] {
            assert!(Cryptpass::parse(text).is_none(), "{text}");
            assert_eq!(Cryptpass::of_any_form(text).unwrap().expose(), text);
        }
        assert!(Cryptpass::of_any_form("secret").is_none());
    }

    #[test]
    fn what_may_have_been_edited_is_taken_in_known_forms_alone() {
        let mut argon2id = Hasher::new(Cost::lowest(HashKind::Argon2id));
        let mut bcrypt = Hasher::new(Cost::lowest(HashKind::Bcrypt));
        let password = Password::parse("secret").unwrap();
        let (phc, two_y) = (argon2id.hash(&password).unwrap(), bcrypt.hash(&password).unwrap());
        let wrapped = argon2id.wrap(&Cryptpass::parse("41R19prsa7NLQ").unwrap()).unwrap();
        for hash in [phc.as_str(), two_y.as_str()] {
            assert_eq!(Hash::parse(hash).unwrap().as_str(), hash);
        }
        assert_eq!(Wrapped::parse(wrapped.as_str()).unwrap(), wrapped);
        let costly = phc.as_str().replace("m=8,", "m=1000000000,");
        for text in [
            "",
            "secret",
            "41R19prsa7NLQ",
            "$argon2id$",
            &two_y.as_str()[1..],
            wrapped.as_str(),
            &costly,
        ] {
            assert!(Hash::parse(text).is_none(), "{text}");
        }
        for text in [
            "",
            "secret",
            "41 secret",
            "41R19prsa7NLQ",
            phc.as_str(),
            &format!("4 {}", phc.as_str()),
        ] {
            assert!(Wrapped::parse(text).is_none(), "{text}");
        }
        for (bytes, is_one) in
            [(0, false), (40, false), (103, false), (104, true), (105, false), (168, true)]
        {
            assert_eq!(Seal::parse(vec![0; bytes]).is_some(), is_one, "{bytes}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let stored = Stored::Wrapped(Wrapped::from_text("41 $argon2id$".into()));
        assert_eq!(format!("{stored:?}"), "Wrapped(Wrapped(***))");
        assert_eq!(format!("{:?}", Hash::from_text("$2y$".into())), "Hash(***)");
        assert_eq!(format!("{:?}", Seal::from_bytes(vec![1])), "Seal(***)");
        assert_eq!(format!("{:?}", Password::parse("hunter2").unwrap()), "Password(***)");
        assert_eq!(format!("{:?}", Cryptpass::parse("41R19prsa7NLQ").unwrap()), "Cryptpass(***)");
    }
}
