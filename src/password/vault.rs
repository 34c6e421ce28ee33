//! The vault: encrypts passwords that wait in the database to be hashed, under one key in the data
//! directory. While that key is rotated, the vault also opens what the former and the next one have
//! sealed.
//!
//! A seal is `nonce (24) || ciphertext || tag (16)` of XChaCha20-Poly1305 with a random nonce. It
//! is bound to its member: it cannot be opened in another member's row. The plaintext is `kind (1)
//! || length (2, big-endian) || text || zeros` up to a multiple of [`PADDING_BYTES`], so that the
//! length of a seal does not reveal the length of a usual password.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::credential::{
    Cryptpass, NONCE_BYTES, PADDING_BYTES, Password, Seal, TAG_BYTES, is_seal_length,
};
use crate::identity::Key;
use crate::key_file::ring::{KeyRing, Ring, load_ring};
use crate::key_file::{self, KEY_BYTES, KeyFileError};
use crate::secret::redacted;

const HEAD_BYTES: usize = 3;
/// Names the purpose, so that a seal cannot be used for another one under the same key.
const DOMAIN: &[u8; 20] = b"nats-userman seal v1";

const KIND_PASSWORD: u8 = 1;
const KIND_CRYPTPASS: u8 = 2;

/// Why a seal cannot be opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The bytes do not have the length of a seal.
    #[error("expected a seal of at least 104 bytes in steps of 64, found {0} bytes")]
    Length(usize),
    /// The tag does not match.
    #[error("the seal was made with another key or for another member, or is damaged")]
    Tag,
    /// It was sealed with this key, by another version of this program.
    #[error("the seal holds neither a password nor a cryptpass that this version supports")]
    Content,
}

/// The content of a seal.
#[derive(Clone, Debug)]
pub enum Opened {
    /// A password in clear.
    Password(Password),
    /// A crypt string. It came without a password.
    Cryptpass(Cryptpass),
}

/// Seals with the current key, and opens with all keys of a rotation. Clones share the keys.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<ArcSwap<Ring<SealKey>>>,
}

/// One key.
struct SealKey {
    key: Zeroizing<[u8; KEY_BYTES]>,
    id: KeyId,
}

/// Identifies a key without revealing it: the first bytes of a hash of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub [u8; 16]);

impl KeyId {
    fn of(key: &[u8; KEY_BYTES]) -> Self {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(b" id")
            .chain_update(key)
            .finalize()
            .into();
        let (id, _) = digest.split_first_chunk().expect("16 of 32 bytes");
        Self(*id)
    }
}

/// The first eight of its hexadecimal digits, which are enough to distinguish a few keys.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

redacted!(Vault, SealKey);

impl Vault {
    /// A vault with this key alone.
    pub fn from_key(key: [u8; KEY_BYTES]) -> Self {
        Self::of(Ring::of(SealKey::new(key)))
    }

    /// A vault with the keys of a rotation.
    pub(crate) fn from_ring(keys: &KeyRing) -> Self {
        Self::of(keys.map(|key| SealKey::new(**key)))
    }

    fn of(keys: Ring<SealKey>) -> Self {
        Self { keys: Arc::new(ArcSwap::from_pointee(keys)) }
    }

    /// Draws a new key and writes it to a new file of mode 0600, synced to the disk. Fails if the
    /// file exists.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        key_file::create(path).map(|key| Self::from_key(*key))
    }

    /// Reads the key file, and those of a rotation beside it, without changing them. The line break
    /// at its end may be missing, because secret stores remove it.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        load_ring(path).map(|keys| Self::from_ring(&keys))
    }

    /// Identifies the key that seals.
    pub fn key_id(&self) -> KeyId {
        self.keys.load().current.id
    }

    /// Identifies all keys.
    pub fn key_ids(&self) -> Ring<KeyId> {
        self.keys.load().map(|key| key.id)
    }

    /// Takes the keys of another vault, with effect for all clones.
    pub fn take_keys_of(&self, other: &Self) {
        self.keys.store(other.keys.load_full());
    }

    /// Seals a password for this member.
    pub fn seal_password(&self, key: Key, password: &Password) -> Seal {
        self.seal(key, KIND_PASSWORD, password.expose())
    }

    /// Seals a cryptpass for this member.
    pub fn seal_cryptpass(&self, key: Key, cryptpass: &Cryptpass) -> Seal {
        self.seal(key, KIND_CRYPTPASS, cryptpass.expose())
    }

    /// Opens a seal that was made for this member.
    pub fn open(&self, key: Key, seal: &Seal) -> Result<Opened, UnsealError> {
        read(&self.plain(key, seal)?).ok_or(UnsealError::Content)
    }

    /// The id of the key that opens this seal of a member; `None` if none of the keys does.
    pub fn key_of(&self, key: Key, seal: &Seal) -> Option<KeyId> {
        self.keys.load().iter().find(|own| own.plain(key, seal).is_ok()).map(|own| own.id)
    }

    /// Whether both seals of this member can be opened and hold the same kind of credential with
    /// the same text. The comparison takes constant time.
    pub fn same_secret(&self, key: Key, a: &Seal, b: &Seal) -> bool {
        let (Ok(a), Ok(b)) = (self.plain(key, a), self.plain(key, b)) else {
            return false;
        };
        // A kind and text have exactly one plaintext, so the whole plaintexts can be compared.
        read(&a).is_some() && read(&b).is_some() && bool::from(a.ct_eq(&b))
    }

    fn seal(&self, key: Key, kind: u8, text: &str) -> Seal {
        let padded = (HEAD_BYTES + text.len()).next_multiple_of(PADDING_BYTES);
        let mut bytes = Vec::with_capacity(NONCE_BYTES + padded + TAG_BYTES);
        bytes.resize(NONCE_BYTES + padded, 0);
        let (nonce, body) = bytes.split_at_mut(NONCE_BYTES);
        random(nonce);
        let length = u16::try_from(text.len())
            .expect("a password is at most 1024 bytes, a cryptpass shorter");
        body[0] = kind;
        body[1..HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
        body[HEAD_BYTES..HEAD_BYTES + text.len()].copy_from_slice(text.as_bytes());
        // The plaintext is encrypted in place, so that no copy is left.
        let keys = self.keys.load();
        let (cipher, nonce) = keys.current.cipher(nonce).expect("it was split off with 24 bytes");
        let tag = cipher.seal_in_place_separate_tag(nonce, Aad::from(bound_to(key)), body);
        bytes.extend_from_slice(tag.expect("the cipher refuses only 256 GiB and more").as_ref());
        Seal::from_bytes(bytes)
    }

    fn plain(&self, key: Key, seal: &Seal) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        // A seal does not name its key. Its tag matches under one of them at most.
        for own in self.keys.load().iter() {
            match own.plain(key, seal) {
                Err(UnsealError::Tag) => {}
                done => return done,
            }
        }
        Err(UnsealError::Tag)
    }
}

impl SealKey {
    fn new(key: [u8; KEY_BYTES]) -> Self {
        let key = Zeroizing::new(key);
        Self { id: KeyId::of(&key), key }
    }

    fn plain(&self, key: Key, seal: &Seal) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let bytes = seal.as_bytes();
        if !is_seal_length(bytes.len()) {
            return Err(UnsealError::Length(bytes.len()));
        }
        let (nonce, rest) = bytes.split_at(NONCE_BYTES);
        let (cipher, nonce) = self.cipher(nonce).ok_or(UnsealError::Length(bytes.len()))?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let opened = cipher.open_in_place(nonce, Aad::from(bound_to(key)), plain.as_mut_slice());
        let length = opened.map_err(|_| UnsealError::Tag)?.len();
        plain.truncate(length);
        Ok(plain)
    }

    /// The cipher for a nonce of 24 bytes. XChaCha20-Poly1305 is ChaCha20-Poly1305 with a key that
    /// HChaCha20 derives from the key and the first 16 bytes of the nonce. The other 8 bytes end
    /// the nonce (draft-irtf-cfrg-xchacha, section 2.3). `None` for another length.
    fn cipher(&self, nonce: &[u8]) -> Option<(LessSafeKey, Nonce)> {
        let (for_key, rest) = nonce.split_at_checked(16)?;
        let mut short = [0; 12];
        short.get_mut(4..)?.copy_from_slice(<&[u8; 8]>::try_from(rest).ok()?);
        let subkey = hchacha::<R20>((&*self.key).into(), for_key.try_into().ok()?);
        let subkey = Zeroizing::new(<[u8; KEY_BYTES]>::from(subkey));
        let subkey = UnboundKey::new(&CHACHA20_POLY1305, &*subkey).ok()?;
        Some((LessSafeKey::new(subkey), Nonce::assume_unique_for_key(short)))
    }
}

/// The associated data: the purpose and both ids, big-endian.
fn bound_to(key: Key) -> [u8; DOMAIN.len() + 16] {
    let mut data = [0; DOMAIN.len() + 16];
    data[..20].copy_from_slice(DOMAIN);
    data[20..28].copy_from_slice(&key.site.get().to_be_bytes());
    data[28..].copy_from_slice(&key.member.get().to_be_bytes());
    data
}

/// Reads a plaintext, in exactly the form that `seal` writes.
fn read(plain: &[u8]) -> Option<Opened> {
    let (head, rest) = plain.split_first_chunk::<HEAD_BYTES>()?;
    let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
    let (text, padding) = rest.split_at_checked(length)?;
    if padding.len() >= PADDING_BYTES || padding.iter().any(|&b| b != 0) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    match head[0] {
        KIND_PASSWORD => Password::parse(text).map(Opened::Password),
        KIND_CRYPTPASS => Cryptpass::of_any_form(text).map(Opened::Cryptpass),
        _ => None,
    }
}

/// Takes random bytes from the system. That takes a fraction of a microsecond, so that a generator
/// of our own is not needed.
fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes)
        .expect("getrandom(2) gives up to 256 bytes whole, once the system has started");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{MemberId, SiteId};

    fn key(site: &str, member: &str) -> Key {
        Key { site: SiteId::parse(site).unwrap(), member: MemberId::parse(member).unwrap() }
    }

    fn vault() -> Vault {
        Vault::from_key([7; 32])
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn text_of(opened: Opened) -> String {
        match opened {
            Opened::Password(password) => format!("password {}", password.expose()),
            Opened::Cryptpass(cryptpass) => format!("cryptpass {}", cryptpass.expose()),
        }
    }

    /// A seal with a plaintext that `seal` would not write.
    fn seal_of(plain: &[u8]) -> Seal {
        let mut bytes = vec![9; NONCE_BYTES];
        bytes.extend_from_slice(plain);
        let (vault, data) = (vault(), Aad::from(bound_to(key("5", "71"))));
        let (nonce, body) = bytes.split_at_mut(NONCE_BYTES);
        let (cipher, nonce) = vault.keys.load().current.cipher(nonce).unwrap();
        let tag = cipher.seal_in_place_separate_tag(nonce, data, body).unwrap();
        bytes.extend_from_slice(tag.as_ref());
        Seal::from_bytes(bytes)
    }

    #[test]
    fn what_is_sealed_opens_again_as_what_it_was() {
        let key = key("5", "71");
        for text in [
            "x",
            "\0",
            "41R19prsa7NLQ",
            &"é".repeat(512),
            &"x".repeat(61),
            &"x".repeat(62),
            &"x".repeat(1024),
        ] {
            let seal = vault().seal_password(key, &password(text));
            assert_eq!(vault().open(key, &seal).map(text_of), Ok(format!("password {text}")));
        }
        let seal = vault().seal_cryptpass(key, &Cryptpass::parse("41R19prsa7NLQ").unwrap());
        assert_eq!(vault().open(key, &seal).map(text_of), Ok("cryptpass 41R19prsa7NLQ".into()));
    }

    /// Regression: this seal was made with the crate chacha20poly1305, as in releases up to 0.3.0.
    #[test]
    fn a_seal_of_an_earlier_release_opens() {
        let hex = "000102030405060708090a0b0c0d0e0f1011121314151617a917adf69f7f29c0\
                   51c78147e6e2afac5fd6381714f73771f31db7819acc9497033e8f6cf5945ef0\
                   16e1347d37acf0fcfe774bcc847000dad800affdaa81ca99f7fb55db5fce780b\
                   7726387cea0dbfbf";
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let seal = Seal::from_bytes((0..hex.len()).step_by(2).map(byte).collect());
        let opened = vault().open(key("5", "71"), &seal);
        assert_eq!(opened.map(text_of), Ok("password secret".into()));
    }

    #[test]
    fn a_seal_tells_the_length_in_steps_of_64_alone() {
        for (text, bytes) in [(1, 104), (61, 104), (62, 168), (125, 168), (126, 232), (1024, 1128)]
        {
            assert_eq!(
                vault()
                    .seal_password(key("5", "71"), &password(&"x".repeat(text)))
                    .as_bytes()
                    .len(),
                bytes,
                "{text}"
            );
        }
    }

    #[test]
    fn a_seal_opens_for_its_member_under_its_key_alone() {
        let seal = vault().seal_password(key("5", "71"), &password("secret"));
        for other in [key("5", "72"), key("6", "71"), key("71", "5")] {
            assert_eq!(vault().open(other, &seal).map(text_of), Err(UnsealError::Tag));
        }
        assert_eq!(
            Vault::from_key([8; 32]).open(key("5", "71"), &seal).map(text_of),
            Err(UnsealError::Tag)
        );
    }

    #[test]
    fn a_seal_with_any_byte_changed_or_missing_does_not_open() {
        let seal = vault().seal_password(key("5", "71"), &password("secret"));
        for at in 0..seal.as_bytes().len() {
            let mut bytes = seal.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert_eq!(
                vault().open(key("5", "71"), &Seal::from_bytes(bytes)).map(text_of),
                Err(UnsealError::Tag),
                "{at}"
            );
            let cut = Seal::from_bytes(seal.as_bytes()[..at].to_vec());
            assert_eq!(
                vault().open(key("5", "71"), &cut).map(text_of),
                Err(UnsealError::Length(at))
            );
        }
    }

    #[test]
    fn a_plaintext_that_no_seal_of_ours_holds_is_an_error() {
        let plain = |head: &[u8], bytes: usize| [head, &vec![0; bytes - head.len()]].concat();
        assert_eq!(
            vault().open(key("5", "71"), &seal_of(&plain(&[1, 0, 1, b'x'], 64))).map(text_of),
            Ok("password x".into())
        );
        for (plain, reason) in [
            (plain(&[0, 0, 1, b'x'], 64), "kind 0"),
            (plain(&[3, 0, 1, b'x'], 64), "kind 3"),
            (plain(&[1, 0, 0], 64), "an empty password"),
            (plain(&[1, 0, 62], 64), "a length beyond the end"),
            (plain(&[1, 255, 255], 64), "a length far beyond the end"),
            (plain(&[1, 0, 1, b'x', 1], 64), "padding that is not zero"),
            (plain(&[1, 0, 1, b'x'], 128), "more padding than needed"),
            (plain(&[1, 0, 1, 0xff], 64), "not UTF-8"),
            (plain(&[2, 0, 1, b'x'], 64), "not a crypt string"),
            ([&[1, 4, 1][..], &[b'x'; 1149]].concat(), "1025 bytes"),
        ] {
            assert_eq!(
                vault().open(key("5", "71"), &seal_of(&plain)).map(text_of),
                Err(UnsealError::Content),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_rotated_vault_seals_with_the_new_key_and_opens_seals_of_both() {
        let key = key("5", "71");
        let ring = |keys: [u8; 3]| {
            let [current, next, former] = keys.map(|key| SealKey::new([key; 32]));
            Vault::of(Ring { current, next: Some(next), former: Some(former) })
        };
        let (vault, clone) = (vault(), vault().clone());
        let before = vault.seal_password(key, &password("secret"));
        vault.take_keys_of(&ring([8, 9, 7]));
        let after = vault.seal_password(key, &password("secret"));
        assert!(vault.same_secret(key, &before, &after));
        for (vault, opens) in [
            (Vault::from_key([7; 32]), [true, false]),
            (Vault::from_key([8; 32]), [false, true]),
            (ring([9, 8, 7]), [true, true]),
            (ring([9, 1, 2]), [false, false]),
            (clone, [true, false]),
        ] {
            assert_eq!([&before, &after].map(|seal| vault.open(key, seal).is_ok()), opens);
        }
        let [seven, eight, nine] = [7, 8, 9].map(|key| Vault::from_key([key; 32]).key_id());
        let ids = Ring { current: eight, next: Some(nine), former: Some(seven) };
        assert_eq!((vault.key_ids(), vault.key_id()), (ids, eight));
        assert_eq!(format!("{vault:?}"), "Vault(***)");
    }

    #[test]
    fn a_clone_takes_new_keys_with_its_original() {
        let vault = vault();
        let clone = vault.clone();
        vault.take_keys_of(&Vault::from_key([8; 32]));
        assert_eq!(clone.key_id(), Vault::from_key([8; 32]).key_id());
    }

    #[test]
    fn a_key_is_shown_by_eight_digits_of_a_hash() {
        assert_eq!(
            KeyId([0, 1, 0xab, 0xff, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]).to_string(),
            "0001abff"
        );
    }

    #[test]
    fn two_seals_hold_the_same_secret_if_kind_and_text_are_the_same() {
        let key = key("5", "71");
        let (vault, des) = (vault(), "41R19prsa7NLQ");
        let seal = vault.seal_password(key, &password(des));
        assert_ne!(seal, vault.seal_password(key, &password(des)), "the nonce is random");
        assert!(vault.same_secret(key, &seal, &vault.seal_password(key, &password(des))));
        for other in [
            vault.seal_password(key, &password("41R19prsa7NL.")),
            vault.seal_password(key, &password(&des.repeat(10))),
            vault.seal_cryptpass(key, &Cryptpass::parse(des).unwrap()),
            Vault::from_key([8; 32]).seal_password(key, &password(des)),
            Seal::from_bytes(vec![]),
        ] {
            assert!(!vault.same_secret(key, &seal, &other));
            assert!(!vault.same_secret(key, &other, &seal));
        }
        let broken = Seal::from_bytes(vec![]);
        assert!(!vault.same_secret(key, &broken, &broken));
    }
}
