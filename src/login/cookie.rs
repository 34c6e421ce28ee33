//! The value of the login cookie: who logged in, when, and on which credentials, signed by us.
//!
//! `version (1) || siteid (8) || memberid (8) || id (16) || issued (8) || login_version (8) || HMAC-SHA256 (32)`, numbers
//! big-endian, in base64url without padding. A text that reads is one that we wrote; whether the member may still enter is for
//! the row to say.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key_file::{self, KEY_BYTES, KeyFileError};
use crate::member::{Key, MemberId, SiteId};

/// Says what the signature is for, so that it is good for nothing else under the same key.
const DOMAIN: &[u8] = b"nats-userman login v1";
/// The one form that is written and read.
const VERSION: u8 = 1;
const ID_BYTES: usize = 16;
const CONTENT_BYTES: usize = 1 + 8 + 8 + ID_BYTES + 8 + 8;
const TAG_BYTES: usize = 32;
/// All of it, a multiple of three: base64 has no bits left over, and there is one text to a login.
const VALUE_BYTES: usize = CONTENT_BYTES + TAG_BYTES;
/// Length of the text.
const TEXT_BYTES: usize = VALUE_BYTES / 3 * 4;
/// A clock that was set back meanwhile may make a login look younger than new by so much.
const AHEAD_SECONDS_MAX: i64 = 60;

/// One login: what its cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub key: Key,
    /// Which of the member's logins.
    pub id: LoginId,
    /// When, in unix seconds.
    pub issued: i64,
    /// The row's `login_version` at that time: another one ends the login.
    pub login_version: i64,
}

impl Login {
    /// The second from which its cookie does not read any more, and until which a logout is to be remembered.
    pub fn ends_at(&self, lifetime_seconds: i64) -> i64 {
        self.issued.saturating_add(lifetime_seconds)
    }
}

/// What a logout remembers: random, and no secret, since without a signature it opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginId(pub [u8; ID_BYTES]);

impl LoginId {
    /// A new one.
    pub fn random() -> Self {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).expect("getrandom(2) gives up to 256 bytes whole, once the system has started");
        Self(id)
    }
}

/// Signs and reads with one key.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(***)")
    }
}

impl Signer {
    /// A signer with this key.
    pub fn from_key(key: [u8; KEY_BYTES]) -> Self {
        let key = Zeroizing::new(key);
        Self(Hmac::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length").chain_update(DOMAIN))
    }

    /// Makes a new key and its file, mode 0600. A file that is there is left alone: an error.
    ///
    /// # Errors
    ///
    /// Where there is a file, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        key_file::create(path).map(|key| Self::from_key(*key))
    }

    /// Reads the key file and changes nothing about it.
    ///
    /// # Errors
    ///
    /// Where it is not there, cannot be read, or is no key.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        key_file::load(path).map(|key| Self::from_key(*key))
    }

    /// The cookie's value, which opens the door: 108 characters of base64url.
    pub fn sign(&self, login: &Login) -> String {
        let content = content(login);
        let tag = self.0.clone().chain_update(content).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&content[..], &tag].concat())
    }

    /// Reads a cookie's value. None if we did not write it, if it is as old as a lifetime, or if it is issued in the future.
    pub fn read(&self, text: &str, now: i64, lifetime_seconds: i64) -> Option<Login> {
        let mut value = [0; VALUE_BYTES];
        if text.len() != TEXT_BYTES || URL_SAFE_NO_PAD.decode_slice(text, &mut value) != Ok(VALUE_BYTES) {
            return None;
        }
        let (content, tag) = value.split_first_chunk::<CONTENT_BYTES>()?;
        self.0.clone().chain_update(content).verify_slice(tag).ok()?;
        let login = login(content)?;
        let current = login.issued.saturating_sub(AHEAD_SECONDS_MAX) <= now && now < login.ends_at(lifetime_seconds);
        current.then_some(login)
    }
}

fn content(login: &Login) -> [u8; CONTENT_BYTES] {
    let mut bytes = [0; CONTENT_BYTES];
    bytes[0] = VERSION;
    bytes[1..9].copy_from_slice(&login.key.site.get().to_be_bytes());
    bytes[9..17].copy_from_slice(&login.key.member.get().to_be_bytes());
    bytes[17..33].copy_from_slice(&login.id.0);
    bytes[33..41].copy_from_slice(&login.issued.to_be_bytes());
    bytes[41..].copy_from_slice(&login.login_version.to_be_bytes());
    bytes
}

fn login(content: &[u8; CONTENT_BYTES]) -> Option<Login> {
    let (version, rest) = content.split_first()?;
    let (site, rest) = number(rest)?;
    let (member, rest) = number(rest)?;
    let (id, rest) = rest.split_first_chunk::<ID_BYTES>()?;
    let (issued, rest) = number(rest)?;
    let (login_version, _) = number(rest)?;
    let key = Key { site: SiteId::parse(&site.to_string())?, member: MemberId::parse(&member.to_string())? };
    (*version == VERSION).then_some(Login { key, id: LoginId(*id), issued, login_version })
}

fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (i64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_781_524_800;
    const LIFETIME: i64 = 86_400;
    /// The text of `noon`, made by another HMAC: a login outlives an upgrade.
    const WRITTEN: &str =
        "AQAAAAAAAAAFAAAAAAAAAEcAAQIDBAUGBwgJCgsMDQ4PAAAAAGov6UAAAAAAAAAAA5YmHkc42dtXPYNHMbYGc4O2-P8qbrd7ih8la_VItPPU";

    fn signer() -> Signer {
        Signer::from_key([7; 32])
    }

    fn login_of(site: &str, member: &str, issued: i64) -> Login {
        let key = Key { site: SiteId::parse(site).unwrap(), member: MemberId::parse(member).unwrap() };
        Login { key, id: LoginId(std::array::from_fn(|at| at as u8)), issued, login_version: 3 }
    }

    fn noon() -> Login {
        login_of("5", "71", NOON)
    }

    /// Any bytes, signed with our key: what another version might have written.
    fn signed(content: &[u8; CONTENT_BYTES]) -> String {
        let tag = signer().0.chain_update(content).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&content[..], &tag].concat())
    }

    #[test]
    fn a_login_is_read_as_it_was_signed() {
        for login in [noon(), login_of("9223372036854775807", "9223372036854775807", NOON), Login { login_version: -1, ..noon() }]
        {
            assert_eq!(signer().read(&signer().sign(&login), NOON, LIFETIME), Some(login));
        }
        assert_eq!(signer().sign(&noon()), WRITTEN);
    }

    #[test]
    fn a_login_lasts_as_long_as_its_lifetime() {
        let text = signer().sign(&noon());
        let table = [
            (NOON - 61, LIFETIME, false, "from the future"),
            (NOON - 60, LIFETIME, true, "a clock was set back a little"),
            (NOON, LIFETIME, true, "just issued"),
            (NOON + LIFETIME - 1, LIFETIME, true, "its last second"),
            (NOON + LIFETIME, LIFETIME, false, "over"),
            (NOON + 1, 1, false, "the lifetime was made shorter"),
            (NOON, 0, false, "none at all"),
            (i64::MIN, LIFETIME, false, "no time overflows"),
            (i64::MAX, LIFETIME, false, "nor this one"),
            (i64::MAX - 1, i64::MAX, true, "nor a lifetime"),
        ];
        for (now, lifetime, lasts, why) in table {
            assert_eq!(signer().read(&text, now, lifetime).is_some(), lasts, "{why}");
        }
        for issued in [i64::MIN, i64::MAX] {
            assert_eq!(signer().read(&signer().sign(&login_of("5", "71", issued)), NOON, LIFETIME), None, "{issued}");
        }
    }

    #[test]
    fn a_value_with_any_character_changed_missing_or_added_is_none() {
        let text = signer().sign(&noon());
        for at in 0..text.len() {
            for other in ["A", "B", "-", "_", "+", "=", " ", "\0", "é"] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || signer().read(&changed, NOON, LIFETIME).is_none(), "{changed:?}");
            }
            assert_eq!(signer().read(&text[..at], NOON, LIFETIME), None);
        }
        for long in [format!("{text}A"), format!("{text}="), format!("{text}AAAA"), format!(" {text}"), text.repeat(10_000)] {
            assert_eq!(signer().read(&long, NOON, LIFETIME), None);
        }
    }

    #[test]
    fn what_another_key_another_version_or_another_use_of_the_key_signed_is_none() {
        let read = |text: &str| signer().read(text, NOON, LIFETIME);
        assert_eq!(read(&Signer::from_key([8; 32]).sign(&noon())), None);
        let content = content(&noon());
        assert_eq!(read(&signed(&content)), Some(noon()), "the table's own check");
        for (at, byte, why) in
            [(0, 0, "an older version"), (0, 2, "a newer one"), (8, 0, "site 0"), (9, 0x80, "a member below 0")]
        {
            let mut other = content;
            other[at] = byte;
            assert_eq!(read(&signed(&other)), None, "{why}");
        }
        let bare = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap().chain_update(content).finalize().into_bytes();
        assert_eq!(read(&URL_SAFE_NO_PAD.encode([&content[..], &bare].concat())), None, "without the domain");
    }

    #[test]
    fn a_key_file_keeps_logins_over_a_restart_and_no_key_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = crate::data_dir::DataDir::new(dir.path()).cookie_key();
        assert!(matches!(Signer::load(&path), Err(KeyFileError::Missing(_))));
        let text = Signer::create(&path).unwrap().sign(&noon());
        let again = Signer::load(&path).unwrap();
        assert_eq!(again.read(&text, NOON, LIFETIME), Some(noon()));
        assert_eq!(format!("{again:?}"), "Signer(***)");
        assert!(path.ends_with("cookie.key"));
    }

    #[test]
    fn no_two_logins_have_one_id() {
        assert_ne!(LoginId::random(), LoginId::random());
    }

    proptest::proptest! {
        #[test]
        fn no_text_reads_that_was_not_signed(text in "[A-Za-z0-9_-]{108}", any in ".{0,200}") {
            proptest::prop_assert_eq!(signer().read(&text, NOON, LIFETIME), None);
            proptest::prop_assert_eq!(signer().read(&any, NOON, LIFETIME), None);
        }
    }
}
