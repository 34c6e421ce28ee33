//! Version 1 of the cookie's value, with one login. An earlier release wrote it, and its logins
//! stay valid until they end.
//!
//! `version (1) || login || HMAC-SHA256 (32)` under a purpose string of its own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::entry::{LOGIN_BYTES, Login, TAG_BYTES};

const DOMAIN: &[u8] = b"nats-userman login v1";
const VERSION: u8 = 1;
/// Bytes of the whole value. It is a multiple of three, so that base64 has no spare bits and a
/// login has exactly one text.
const VALUE_BYTES: usize = 1 + LOGIN_BYTES + TAG_BYTES;
/// The length of the text.
const TEXT_BYTES: usize = VALUE_BYTES / 3 * 4;

/// Reads what the earlier release signed.
#[derive(Clone)]
pub(super) struct FormerVerifier(Hmac<Sha256>);

impl FormerVerifier {
    /// Reads under the key of this HMAC, which has had no input yet.
    pub(super) fn new(mac: &Hmac<Sha256>) -> Self {
        Self(mac.clone().chain_update(DOMAIN))
    }

    /// The login of a value, valid or not. `None` if this program did not write the value.
    pub(super) fn read(&self, text: &str) -> Option<Login> {
        let mut value = [0; VALUE_BYTES];
        if text.len() != TEXT_BYTES
            || URL_SAFE_NO_PAD.decode_slice(text, &mut value) != Ok(VALUE_BYTES)
        {
            return None;
        }
        let (content, tag) = value.split_last_chunk::<TAG_BYTES>()?;
        self.0.clone().chain_update(content).verify_slice(tag).ok()?;
        let (&[version], login) = content.split_first_chunk()?;
        (version == VERSION).then(|| Login::from_bytes(login.first_chunk()?)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lifetimes, LoginId, Signer};
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};

    const NOON: i64 = 1_781_524_800;
    const LIFETIME: i64 = 86_400;
    /// Member 71 of site 5 at noon, made by another HMAC, and pinned by the tests of the earlier
    /// release.
    const WRITTEN: &str = "AQAAAAAAAAAFAAAAAAAAAEcAAQIDBAUGBwgJCgsMDQ4PAAAAAGov6UAAAAAAAAAAA5YmHk\
        c42dtXPYNHMbYGc4O2-P8qbrd7ih8la_VItPPU";

    fn read(text: &str, now: i64) -> Vec<Login> {
        Signer::from_key([7; 32]).read(text, now, Lifetimes::alike(LIFETIME))
    }

    /// Any bytes, signed as by the earlier release.
    fn signed(content: &[u8]) -> String {
        let key = Signer::from_key([7; 32]).keys.current;
        let tag = key.former.0.chain_update(content).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([content, &tag[..]].concat())
    }

    #[test]
    fn a_login_of_the_release_before_holds_until_it_ends() {
        let key = Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() };
        let login = Login {
            key,
            id: LoginId(std::array::from_fn(|at| at as u8)),
            issued: NOON,
            login_version: 3,
            stays: false,
        };
        assert_eq!(read(WRITTEN, NOON), [login]);
        assert_eq!(read(WRITTEN, NOON + LIFETIME - 1), [login], "its last second");
        assert_eq!(read(WRITTEN, NOON + LIFETIME), [], "over");
        assert_eq!(read(WRITTEN, NOON - 61), [], "from the future");
    }

    #[test]
    fn a_value_with_any_character_changed_missing_or_added_is_none() {
        for at in 0..WRITTEN.len() {
            for other in ["A", "B", "-", "_", "=", " "] {
                let changed = format!("{}{other}{}", &WRITTEN[..at], &WRITTEN[at + 1..]);
                assert!(changed == WRITTEN || read(&changed, NOON).is_empty(), "{changed:?}");
            }
            assert_eq!(read(&WRITTEN[..at], NOON), []);
        }
        assert_eq!(read(&format!("{WRITTEN}{WRITTEN}"), NOON), []);
    }

    #[test]
    fn neither_version_s_signature_is_good_for_the_other() {
        let login = URL_SAFE_NO_PAD.decode(WRITTEN).unwrap()[1..1 + LOGIN_BYTES].to_vec();
        assert_eq!(
            read(&signed(&[&[VERSION], &login[..]].concat()), NOON).len(),
            1,
            "the test's own check"
        );
        assert_eq!(read(&signed(&[&[2], &login[..]].concat()), NOON), [], "another version");
        assert_eq!(read(&signed(&[&[2, 1], &login[..]].concat()), NOON), [], "in the new form");
        let tag = Signer::from_key([7; 32])
            .keys
            .current
            .mac
            .chain_update([&[VERSION], &login[..]].concat())
            .finalize()
            .into_bytes();
        assert_eq!(
            read(&URL_SAFE_NO_PAD.encode([&[VERSION], &login[..], &tag].concat()), NOON),
            [],
            "the new domain"
        );
    }
}
