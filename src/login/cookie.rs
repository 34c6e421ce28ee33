//! The value of the login cookie: who logged in, when, and with which credentials, with a
//! signature. A browser has one such cookie. It holds the logins of all members areas to which the
//! browser is logged in.
//!
//! The value is `version (2) || count (1 to 8) || login × count || HMAC-SHA256 (32)` in base64url
//! without padding. A login is `siteid (8) || memberid (8) || id (16) || issued (8) ||
//! login_version (8)`, with numbers in big-endian. A bit of `issued` says whether the login stays.
//! A valid signature proves that this program wrote the value. The member's row decides whether
//! they may still log in.
//!
//! Version 1 held one login. It is read until the last of its cookies has ended, and never written.

mod entry;
mod former;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use entry::{LOGIN_BYTES, TAG_BYTES};
pub use entry::{Lifetimes, Login, LoginId};

use crate::epoch::Epoch;
use crate::key_file::ring::{Ring, load_ring};
use crate::key_file::{self, KEY_BYTES, KeyFileError};
use crate::password::KeyId;
use crate::secret::redacted;

/// The most logins in one cookie. A cookie with all of them has 558 characters, far below the
/// browsers' limit of 4 KiB.
pub const LOGINS_MAX: usize = 8;

/// The purpose of the signature, so that it is valid for no other one under the same key.
const DOMAIN: &[u8] = b"nats-userman login v2";
/// The purpose of the key of an epoch.
const EPOCH_DOMAIN: &[u8] = b"nats-userman login epoch";
/// The purpose of the key under which known networks are hashed.
const KNOWN_NETWORKS_DOMAIN: &[u8] = b"nats-userman known networks v1";
/// The purpose of the id of the key.
const KEY_ID_DOMAIN: &[u8] = b"nats-userman cookie key id v1";
/// The version that is written.
const VERSION: u8 = 2;
/// Bytes of version and count.
const HEAD_BYTES: usize = 2;
/// The longest value, in bytes and as text.
const VALUE_BYTES_MAX: usize = HEAD_BYTES + LOGINS_MAX * LOGIN_BYTES + TAG_BYTES;
const TEXT_BYTES_MAX: usize = (VALUE_BYTES_MAX * 4).div_ceil(3);

/// Signs values with the current key, and reads them with all keys of a rotation.
#[derive(Clone)]
pub struct Signer {
    keys: Ring<SigningKey>,
}

/// One key.
#[derive(Clone)]
struct SigningKey {
    /// The HMAC with the key, before any input.
    key: Hmac<Sha256>,
    mac: Hmac<Sha256>,
    former: former::FormerVerifier,
}

redacted!(Signer, SigningKey);

impl Signer {
    /// A signer with this key alone.
    pub fn from_key(key: [u8; KEY_BYTES]) -> Self {
        Self { keys: Ring::of(SigningKey::new(key)) }
    }

    /// A signer for an epoch. It has keys of its own.
    pub fn of_epoch(&self, epoch: Epoch) -> Self {
        Self {
            keys: self
                .keys
                .map(|key| SigningKey::new(key.derived(&[EPOCH_DOMAIN, &epoch.0].concat()))),
        }
    }

    /// The keys for [`super::known`]. They have no other purpose, and are the same in every epoch.
    pub fn known_networks_keys(&self) -> Ring<Zeroizing<[u8; KEY_BYTES]>> {
        self.keys.map(|key| Zeroizing::new(key.derived(KNOWN_NETWORKS_DOMAIN)))
    }

    /// Identifies the key that signs, without revealing it.
    pub fn key_id(&self) -> KeyId {
        self.keys.current.id()
    }

    /// Identifies all keys.
    pub fn key_ids(&self) -> Ring<KeyId> {
        self.keys.map(SigningKey::id)
    }

    /// Draws a new key and writes it to a new file of mode 0600.
    ///
    /// # Errors
    ///
    /// If the file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        key_file::create(path).map(|key| Self::from_key(*key))
    }

    /// Reads the key file, and those of a rotation beside it, without changing them.
    ///
    /// # Errors
    ///
    /// If the file does not exist, or if one of them cannot be read or holds no key.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        load_ring(path).map(|keys| Self { keys: keys.map(|key| SigningKey::new(**key)) })
    }

    /// The value of a cookie with these logins, up to 558 characters of base64url. If there are
    /// more than [`LOGINS_MAX`], it holds the first ones.
    pub fn sign(&self, logins: &[Login]) -> String {
        let logins = &logins[..logins.len().min(LOGINS_MAX)];
        let mut value = Vec::with_capacity(VALUE_BYTES_MAX);
        value.extend([VERSION, logins.len() as u8]);
        value.extend(logins.iter().flat_map(|login| login.to_bytes()));
        let mac = &self.keys.current.mac;
        value.extend(mac.clone().chain_update(&value).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(value)
    }

    /// Reads the logins of a value that are valid at `now`, in the order in which they were signed.
    /// There are none if this program did not write the value.
    pub fn read(&self, text: &str, now: i64, lifetimes: Lifetimes) -> Vec<Login> {
        let logins = self.keys.iter().find_map(|key| key.read(text)).unwrap_or_default();
        logins.into_iter().filter(|login| login.is_current(now, lifetimes)).collect()
    }
}

impl SigningKey {
    fn new(key: [u8; KEY_BYTES]) -> Self {
        let key = Zeroizing::new(key);
        let mac = Hmac::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length");
        Self {
            former: former::FormerVerifier::new(&mac),
            mac: mac.clone().chain_update(DOMAIN),
            key: mac,
        }
    }

    /// A key for this purpose.
    fn derived(&self, purpose: &[u8]) -> [u8; KEY_BYTES] {
        self.key.clone().chain_update(purpose).finalize().into_bytes().into()
    }

    fn id(&self) -> KeyId {
        let hash = self.derived(KEY_ID_DOMAIN);
        let (id, _) = hash.split_first_chunk().expect("16 of 32 bytes");
        KeyId(*id)
    }

    /// The logins of a value, valid or not. `None` if it was not signed with this key.
    fn read(&self, text: &str) -> Option<Vec<Login>> {
        self.former.read(text).map(|login| vec![login]).or_else(|| self.verified(text))
    }

    fn verified(&self, text: &str) -> Option<Vec<Login>> {
        let mut room = [0; TEXT_BYTES_MAX.div_ceil(4) * 3];
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        // Strict: without padding and spare bits, so that a value has exactly one text.
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
        let (content, tag) = room[..length].split_last_chunk::<TAG_BYTES>()?;
        self.mac.clone().chain_update(content).verify_slice(tag).ok()?;
        let (&[version, count], logins) = content.split_first_chunk::<HEAD_BYTES>()?;
        let (logins, rest) = logins.as_chunks::<LOGIN_BYTES>();
        if version != VERSION
            || count == 0
            || usize::from(count) != logins.len()
            || !rest.is_empty()
        {
            return None;
        }
        logins.iter().map(Login::from_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};

    const NOON: i64 = 1_781_524_800;
    const LIFETIME: i64 = 86_400;
    /// The texts of `noon` and of `two`, made by another HMAC. They must be valid in every release,
    /// because logins outlive an upgrade.
    const WRITTEN: [&str; 2] = [
        "AgEAAAAAAAAABQAAAAAAAABHAAECAwQFBgcICQoLDA0ODwAAAABqL-lAAAAAAAAAAAMq4n8NoMbot1zlketGvEZm\
         F-j9KkByVeysVA3C3ge0Hg",
        "AgIAAAAAAAAABQAAAAAAAABHAAECAwQFBgcICQoLDA0ODwAAAABqL-lAAAAAAAAAAAMAAAAAAAAAAQAAAAAAAAAJ\
         EBESExQVFhcYGRobHB0eHwAAAABqL9swAAAAAAAAAAFur04tvE7sDUWbN67uWJbdPskKbs9_eM8-0nA0fxpiVg",
    ];

    fn signer() -> Signer {
        Signer::from_key([7; 32])
    }

    fn login_of(site: &str, member: &str, issued: i64) -> Login {
        let key =
            Key { site: SiteId::parse(site).unwrap(), member: MemberId::parse(member).unwrap() };
        Login {
            key,
            id: LoginId(std::array::from_fn(|at| at as u8)),
            issued,
            login_version: 3,
            stays: false,
        }
    }

    fn noon() -> Login {
        login_of("5", "71", NOON)
    }

    /// The login `noon`, and one of another member of another site an hour earlier.
    fn two() -> [Login; 2] {
        let id = LoginId(std::array::from_fn(|at| at as u8 + 16));
        [noon(), Login { id, login_version: 1, ..login_of("1", "9", NOON - 3_600) }]
    }

    fn read(text: &str) -> Vec<Login> {
        signer().read(text, NOON, Lifetimes::alike(LIFETIME))
    }

    /// Any bytes, signed with our key, as another version may have written them.
    fn signed(content: &[u8]) -> String {
        let tag = signer().keys.current.mac.chain_update(content).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([content, &tag[..]].concat())
    }

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn logins_are_read_as_they_were_signed() {
        let longest = login_of("9223372036854775807", "9223372036854775807", NOON);
        let eight = std::array::from_fn::<Login, 8, _>(|at| {
            login_of(&(at + 1).to_string(), "71", NOON - at as i64)
        });
        for logins in [
            &[noon()][..],
            &[longest],
            &[Login { login_version: -1, ..noon() }],
            &[Login { stays: true, ..noon() }],
            &two(),
            &eight,
        ] {
            assert_eq!(read(&signer().sign(logins)), logins);
        }
        assert_eq!([signer().sign(&[noon()]), signer().sign(&two())], WRITTEN);
    }

    #[test]
    fn a_cookie_holds_eight_logins_and_never_more_than_a_seventh_of_what_browsers_take() {
        let nine =
            std::array::from_fn::<Login, 9, _>(|at| login_of(&(at + 1).to_string(), "71", NOON));
        let text = signer().sign(&nine);
        assert_eq!(read(&text), nine[..8], "the first ones");
        assert_eq!(text.len(), TEXT_BYTES_MAX);
        assert!(text.len() < 4096 / 7, "{}", text.len());
    }

    #[test]
    fn a_login_that_stays_has_a_lifetime_of_its_own() {
        let stays = Login { stays: true, ..noon() };
        let text = signer().sign(&[stays, two()[1]]);
        let at = |now, plain, staying| signer().read(&text, now, Lifetimes { plain, staying });
        assert_eq!(at(NOON, 3_601, 7_200), [stays, two()[1]]);
        assert_eq!(at(NOON + 7_199, 60, 7_200), [stays]);
        assert_eq!(at(NOON + 7_200, 60, 7_200), []);
        assert_eq!(at(NOON + 60, 7_200, 60), [two()[1]]);
    }

    #[test]
    fn each_login_lasts_as_long_as_its_lifetime() {
        let text = signer().sign(&two());
        let [noon, before] = two();
        let table: &[(i64, i64, &[Login], &str)] = &[
            (NOON - 3_661, LIFETIME, &[], "from the future"),
            (NOON - 3_600, LIFETIME, &[before], "one of them"),
            (NOON - 60, LIFETIME, &[noon, before], "a clock was set back a little"),
            (NOON, LIFETIME, &[noon, before], "just issued"),
            (NOON + LIFETIME - 3_601, LIFETIME, &[noon, before], "the last second of one"),
            (NOON + LIFETIME - 3_600, LIFETIME, &[noon], "it is over, the other goes on"),
            (NOON + LIFETIME - 1, LIFETIME, &[noon], "its last second"),
            (NOON + LIFETIME, LIFETIME, &[], "over"),
            (NOON + 1, 1, &[], "the lifetime was made shorter"),
            (NOON, 0, &[], "none at all"),
            (i64::MIN, LIFETIME, &[], "no time overflows"),
            (i64::MAX, LIFETIME, &[], "nor this one"),
            (i64::MAX - 1, i64::MAX, &[noon, before], "nor a lifetime"),
        ];
        for (now, lifetime, logins, why) in table {
            assert_eq!(&signer().read(&text, *now, Lifetimes::alike(*lifetime)), logins, "{why}");
        }
        for issued in [i64::MIN, i64::MAX] {
            assert_eq!(read(&signer().sign(&[login_of("5", "71", issued)])), [], "{issued}");
        }
    }

    #[test]
    fn a_value_with_any_character_changed_missing_or_added_is_none() {
        for text in WRITTEN {
            for at in 0..text.len() {
                for other in ["A", "B", "-", "_", "+", "=", " ", "\0", "é"] {
                    let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                    assert!(changed == text || read(&changed).is_empty(), "{changed:?}");
                }
                assert_eq!(read(&text[..at]), []);
            }
            // The last character has four unused bits. Only one of sixteen texts is accepted.
            for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
                let changed = format!("{}{last}", &text[..text.len() - 1]);
                assert!(changed == text || read(&changed).is_empty(), "{changed:?}");
            }
            for long in [
                format!("{text}A"),
                format!("{text}=="),
                format!("{text}AAAA"),
                format!(" {text}"),
                text.repeat(10_000),
            ] {
                assert_eq!(read(&long), []);
            }
        }
    }

    #[test]
    fn logins_cannot_be_taken_out_put_in_or_joined() {
        let (one, both) = (bytes(WRITTEN[0]), bytes(WRITTEN[1]));
        let (content, tag) = both.split_last_chunk::<TAG_BYTES>().unwrap();
        let cut =
            [&[VERSION, 1], &content[HEAD_BYTES..HEAD_BYTES + LOGIN_BYTES], &tag[..]].concat();
        let emptied = [&[VERSION, 0], &tag[..]].concat();
        let extended = [
            &[VERSION, 3],
            &content[HEAD_BYTES..],
            &content[HEAD_BYTES..][..LOGIN_BYTES],
            &tag[..],
        ]
        .concat();
        let turned = [
            &content[..HEAD_BYTES],
            &content[HEAD_BYTES + LOGIN_BYTES..],
            &content[HEAD_BYTES..][..LOGIN_BYTES],
            tag,
        ];
        for value in [cut, emptied, extended, turned.concat(), [one, both.clone()].concat()] {
            assert_eq!(read(&URL_SAFE_NO_PAD.encode(&value)), []);
        }
    }

    #[test]
    fn what_another_key_another_version_or_another_use_of_the_key_signed_is_none() {
        assert_eq!(read(&Signer::from_key([8; 32]).sign(&[noon()])), []);
        let content = bytes(WRITTEN[1])[..HEAD_BYTES + 2 * LOGIN_BYTES].to_vec();
        assert_eq!(read(&signed(&content)), two(), "the table's own check");
        for (at, byte, why) in [
            (0, 0, "an older version"),
            (0, 1, "the version before, in a form it never had"),
            (0, 3, "a newer one"),
            (1, 0, "none"),
            (1, 1, "fewer than there are"),
            (1, 3, "more than there are"),
            (9, 0, "site 0"),
            (10, 0x80, "a member below 0"),
            (57, 0, "site 0 in the second"),
        ] {
            let mut other = content.clone();
            other[at] = byte;
            assert_eq!(read(&signed(&other)), [], "{why}");
        }
        assert_eq!(read(&signed(&content[..content.len() - 1])), [], "a part of one");
        assert_eq!(read(&signed(&[VERSION])), [], "no count");
        assert_eq!(read(&signed(&[])), [], "nothing");
        let bare = Hmac::<Sha256>::new_from_slice(&[7; 32])
            .unwrap()
            .chain_update(&content)
            .finalize()
            .into_bytes();
        assert_eq!(
            read(&URL_SAFE_NO_PAD.encode([&content[..], &bare].concat())),
            [],
            "without the domain"
        );
    }

    #[test]
    fn a_key_file_keeps_logins_over_a_restart_and_no_key_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = crate::data_dir::DataDir::new(dir.path()).cookie_key();
        assert!(matches!(Signer::load(&path), Err(KeyFileError::Missing(_))));
        let text = Signer::create(&path).unwrap().sign(&[noon()]);
        let again = Signer::load(&path).unwrap();
        assert_eq!(again.read(&text, NOON, Lifetimes::alike(LIFETIME)), [noon()]);
        assert_eq!(format!("{again:?}"), "Signer(***)");
        assert!(path.ends_with("cookie.key"));
    }

    #[test]
    fn a_rotated_signer_signs_with_the_new_key_and_reads_cookies_of_both_in_each_epoch() {
        let keys = |keys: [u8; 3]| {
            let [current, next, former] = keys.map(|key| SigningKey::new([key; 32]));
            Signer { keys: Ring { current, next: Some(next), former: Some(former) } }
        };
        let rotated = keys([8, 9, 7]);
        let [seven, eight, nine] = [7, 8, 9].map(|key| Signer::from_key([key; 32]));
        let reads = |signer: &Signer, text: &str| {
            signer.read(text, NOON, Lifetimes::alike(LIFETIME)) == [noon()]
        };
        let of = |signers: [&Signer; 4], texts: [&str; 2]| {
            signers.map(|signer| texts.map(|text| reads(signer, text)))
        };
        let (before, after) = (seven.sign(&[noon()]), rotated.sign(&[noon()]));
        assert_eq!(
            of([&rotated, &keys([9, 8, 7]), &seven, &eight], [&before, &after]),
            [[true, true], [true, true], [true, false], [false, true]]
        );
        let epoch = Epoch([1; 16]);
        let in_epoch = seven.of_epoch(epoch).sign(&[noon()]);
        assert_eq!(
            of(
                [&rotated.of_epoch(epoch), &rotated, &rotated.of_epoch(Epoch([2; 16])), &seven],
                [&in_epoch, &before]
            ),
            [[true, false], [false, true], [false, false], [false, true]]
        );
        let [current, next, former] = [&eight, &nine, &seven].map(Signer::key_id);
        let ids = Ring { current, next: Some(next), former: Some(former) };
        assert_eq!((rotated.key_ids(), rotated.key_id()), (ids, current));
    }

    #[test]
    fn no_two_logins_have_one_id() {
        assert_ne!(LoginId::random(), LoginId::random());
    }

    proptest::proptest! {
        #[test]
        fn no_text_reads_that_was_not_signed(text in "[A-Za-z0-9_-]{108,110}", any in ".{0,200}") {
            proptest::prop_assert_eq!(read(&text), []);
            proptest::prop_assert_eq!(read(&any), []);
        }
    }
}
