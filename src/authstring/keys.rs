//! Who may request authstrings: `--api-key USERNAME:KEY`, each with the sites and addresses for
//! which it is valid.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::identity::SiteId;
use crate::list_file::{self, ListFileError, ListItem};
use crate::network::{contains, parse_network};
use crate::text_file::is_quoted;

/// The longest key and the longest username that are sent, in bytes; NATS's have 32 and 14.
const CREDENTIAL_BYTES_MAX: usize = 256;
/// What [`is_credential`] accepts.
pub const CREDENTIAL_EXPECTED: &str = "expected 1 to 256 printable ASCII characters without blanks";
/// The shortest key that is accepted. NATS's own have 32 hexadecimal digits.
const KEY_CHARS_MIN: usize = 16;
/// What [`ApiKey::parse`] accepts.
pub const API_KEY_EXPECTED: &str = "expected USERNAME:KEY with a KEY of at least 16 characters and \
    no comma, then site=SITEID and ip=CIDR as often as wanted, with blanks between";

/// Whether a text can be sent as a key or a username.
pub fn is_credential(text: &str) -> bool {
    (1..=CREDENTIAL_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// One key. Only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    username: String,
    /// SHA-256 of `USERNAME:KEY`, so that all compared values have one length.
    digest: [u8; 32],
    /// The sites for whose members it is valid; empty means all.
    sites: Vec<SiteId>,
    /// The networks from which it is valid; empty means all.
    networks: Vec<IpNet>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Shows the username and the limits.
impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.username)?;
        self.sites.iter().try_for_each(|site| write!(f, " site={site}"))?;
        self.networks.iter().try_for_each(|network| write!(f, " ip={network}"))
    }
}

impl ApiKey {
    /// Reads [`API_KEY_EXPECTED`].
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let credentials = words.next()?;
        let (username, key) = credentials.split_once(':')?;
        // A file of variables that no shell reads keeps the quotes.
        if [credentials, username, key].into_iter().any(is_quoted) {
            return None;
        }
        // In a variable a comma separates two keys.
        if !is_credential(username)
            || !is_credential(key)
            || key.len() < KEY_CHARS_MIN
            || credentials.contains(',')
        {
            return None;
        }
        let digest = Sha256::digest(credentials).into();
        let mut read =
            Self { username: username.to_owned(), digest, sites: Vec::new(), networks: Vec::new() };
        for word in words {
            match word.split_once('=')? {
                ("site", site) => read.sites.push(SiteId::parse(site)?),
                ("ip", network) => read.networks.push(parse_network(network)?),
                _ => return None,
            }
        }
        Some(read)
    }

    /// Its username.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Whether it is valid from this address.
    pub fn is_valid_from(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || contains(&self.networks, address)
    }

    /// Whether it is valid for members of this site.
    pub fn is_valid_for(&self, site: SiteId) -> bool {
        self.sites.is_empty() || self.sites.contains(&site)
    }
}

/// All keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiKeys(Vec<ApiKey>);

impl ApiKeys {
    /// All keys.
    ///
    /// # Errors
    ///
    /// If a key is given twice, because the limits could contradict each other: its username.
    pub fn new(keys: Vec<ApiKey>) -> Result<Self, String> {
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|earlier| earlier.digest == key.digest) {
                return Err(key.username.clone());
            }
        }
        Ok(Self(keys))
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &ApiKey> {
        self.0.iter()
    }

    /// The key with this username and text. The time does not depend on which key it is, nor on how
    /// much of one is right.
    pub fn find(&self, username: &[u8], key: &[u8]) -> Option<&ApiKey> {
        let mut presented = Sha256::new();
        presented.update(username);
        presented.update(b":");
        presented.update(key);
        let presented: [u8; 32] = presented.finalize().into();
        let mut found = u64::MAX;
        for (index, key) in (0u64..).zip(&self.0) {
            let same: Choice = key.digest.ct_eq(&presented);
            found.conditional_assign(&index, same);
        }
        // A username has no colon, so no other pair gives this text.
        usize::try_from(found)
            .ok()
            .and_then(|index| self.0.get(index))
            .filter(|_| !username.contains(&b':'))
    }
}

/// Reads the keys of a file, one a line. Empty lines and lines that begin with `#` are ignored.
///
/// # Errors
///
/// If it cannot be read, or a line is not a key.
pub fn read_file(path: &Path) -> Result<Vec<ApiKey>, ListFileError> {
    list_file::read(path, ListItem { item: "API key", expected: API_KEY_EXPECTED }, ApiKey::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "44b5498dbcb481a0d00b404c0169af62";

    fn key(text: &str) -> ApiKey {
        ApiKey::parse(text).unwrap()
    }

    #[test]
    fn a_key_has_a_username_and_the_limits_that_stand_behind_it() {
        let site = |number: &str| SiteId::parse(number).unwrap();
        let open = key(&format!("tmm1:{KEY}"));
        assert!(open.is_valid_for(site("7")) && open.is_valid_from("203.0.113.9".parse().unwrap()));
        let limited = key(&format!(" tmm1:{KEY}  site=1 site=5\tip=10.0.0.0/8 ip=::1 "));
        assert_eq!(
            ["1", "5", "7"].map(|number| limited.is_valid_for(site(number))),
            [true, true, false]
        );
        let from =
            ["10.1.2.3", "::1", "11.0.0.1"].map(|ip| limited.is_valid_from(ip.parse().unwrap()));
        assert_eq!(from, [true, true, false]);
        assert_eq!(format!("{limited:?}"), "ApiKey { username: \"tmm1\", .. }");
        assert_eq!(limited.to_string(), "tmm1 site=1 site=5 ip=10.0.0.0/8 ip=::1/128");
    }

    #[test]
    fn what_is_no_key_is_refused_whole() {
        for (text, why) in [
            (String::new(), "nothing"),
            (KEY.into(), "no username"),
            (format!(":{KEY}"), "an empty username"),
            ("tmm1:".into(), "no key"),
            ("tmm1:0123456789abcde".into(), "too short"),
            (format!("tmm1:{}", "x".repeat(257)), "too long"),
            (format!("tmm1:{KEY} site=0"), "no site"),
            (format!("tmm1:{KEY} site=1,5"), "a list"),
            (format!("tmm1:{KEY} ip=home"), "no network"),
            (format!("tmm1:{KEY} from=::1"), "an unknown limit"),
            (format!("tmm1:{KEY} site"), "a limit without a value"),
            (format!("jos\u{e9}:{KEY}"), "not ASCII"),
            (format!("tmm1:{KEY},more"), "a comma"),
            (format!("\"tmm1:{KEY}\" site=1"), "quotes around it"),
            (format!("tmm1:'{KEY}'"), "quotes around the key"),
        ] {
            assert!(ApiKey::parse(&text).is_none(), "{why}");
        }
    }

    #[test]
    fn a_key_is_found_by_all_of_username_and_key_and_by_nothing_else() {
        let other = "x".repeat(32);
        let keys = ApiKeys::new(vec![
            key(&format!("a:{KEY}")),
            key(&format!("b:{other}")),
            key(&format!("a:{other}")),
        ])
        .unwrap();
        let found = |username: &str, key: &str| {
            let found = keys.find(username.as_bytes(), key.as_bytes())?;
            keys.0.iter().position(|key| std::ptr::eq(key, found))
        };
        assert_eq!(
            [found("a", KEY), found("b", &other), found("a", &other)],
            [Some(0), Some(1), Some(2)]
        );
        for (username, key) in [
            ("b", KEY),
            ("A", KEY),
            ("", KEY),
            ("a", ""),
            ("a", &KEY[..31]),
            ("a", &format!("{KEY}0")),
        ] {
            assert_eq!(found(username, key), None, "{username} {key}");
        }
        let split = key("a:b:0123456789abcdef");
        let keys = ApiKeys::new(vec![split]).unwrap();
        assert!(keys.find(b"a", b"b:0123456789abcdef").is_some());
        assert!(
            keys.find(b"a:b", b"0123456789abcdef").is_none(),
            "the colon may stand in a key, not in a username"
        );
        assert!(ApiKeys::default().find(b"", b"").is_none());
    }

    #[test]
    fn one_key_given_twice_is_a_mistake() {
        let twice = vec![key(&format!("a:{KEY} site=1")), key(&format!("a:{KEY} site=2"))];
        assert_eq!(ApiKeys::new(twice).unwrap_err(), "a");
    }
}
