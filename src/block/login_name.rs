//! The login name for which wrong passwords are counted.

use std::fmt;
use std::sync::Arc;

use crate::identity::USERNAME_BYTES_MAX;
use crate::unicode::folded;

/// Longest login name that is kept, in bytes; the rest is cut off. The longest username of a member
/// fits: folding can lengthen it, because some letters take more bytes in lower case.
const LOGIN_NAME_BYTES_MAX: usize = 4 * USERNAME_BYTES_MAX;

/// A login name in folded form, for which wrong passwords are counted. It covers all sites: a
/// visitor of the login page can choose the site, and must not get a new count for each choice.
/// Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginName(Arc<str>);

impl LoginName {
    /// Folds the name. A name that folds to nothing is kept as it is, because a member may have it
    /// and log in by it.
    pub fn new(name: &str) -> Self {
        let name = &name[..name.floor_char_boundary(LOGIN_NAME_BYTES_MAX)];
        let form = folded(name);
        Self(if form.is_empty() { name.into() } else { form.into() })
    }

    /// The folded name, for comparing and for a column. A log line takes [`fmt::Display`] instead,
    /// because the name is text that a visitor wrote.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `name="bob"`, always in printable ASCII. A `=` in a name is shown as `?`, so that no visitor can
/// write `network=` into a log line from which fail2ban takes the address to ban.
impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("name=\"")?;
        for byte in self.as_str().bytes() {
            match byte {
                b'"' => f.write_str("\\\"")?,
                b'\\' => f.write_str("\\\\")?,
                b'=' => f.write_str("?")?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => f.write_str("?")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_name_are_one_login_name() {
        for name in ["BobÉ", "bobé", "BOBE\u{301}", " bobé ", "b\u{200b}obé"] {
            assert_eq!(LoginName::new(name).as_str(), "bobé", "{}", name.escape_unicode());
        }
        assert_ne!(LoginName::new("bobe"), LoginName::new("bobé"));
        // A name that was stored is read again as the same name.
        for name in [&"É".repeat(1_000), &"İ".repeat(127), "\u{200b}", "\u{200b}\u{200b}", " bob"]
        {
            assert_eq!(
                LoginName::new(LoginName::new(name).as_str()),
                LoginName::new(name),
                "{name}"
            );
        }
        assert_eq!(LoginName::new(&"É".repeat(1_000)).as_str().len(), 1_020);
        assert_ne!(LoginName::new("\u{200b}"), LoginName::new("\u{200b}\u{200b}"));
    }

    #[test]
    fn whatever_a_name_is_nothing_of_it_ends_the_quotes_or_looks_like_an_address() {
        for (name, shown) in [
            ("bob smith", r#"name="bob smith""#),
            (r#"a" sites=9"#, r#"name="a\" sites?9""#),
            (r#"a\"#, r#"name="a\\""#),
            ("login blocked: network=1.2.3.4 x", r#"name="login blocked: network?1.2.3.4 x""#),
            ("a\r\nb\0\u{1b}[2J\u{7f}", r#"name="a??b??[2j?""#),
            ("é\u{85}\u{2028}x", r#"name="???????x""#),
        ] {
            assert_eq!(LoginName::new(name).to_string(), shown, "{name:?}");
        }
    }
}
