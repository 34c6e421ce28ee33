//! The return address of the login page. It comes with the request, so anybody may have written it.
//!
//! Only a path of this host is accepted: one `/`, followed by neither `/` nor `\`. Browsers read
//! `//host` as another host, treat `\` like `/`, and remove tabs and line breaks first. Dots do not
//! lead to another host: they are resolved within the path, so `/.//host` stays on this host.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The longest address that is accepted, in bytes as in `Location`. Proxies allow 4 KiB for all
/// headers of a response.
pub const ADDRESS_BYTES_MAX: usize = 2048;

/// The characters that are escaped, because a URL cannot contain them. `%` is not among them, so
/// that an escape stays.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A return address: ASCII without control characters and spaces, for `Location`. HTML must escape
/// it like any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back(String);

impl Back {
    /// Reads an address from a request. Anything but a path of this host becomes `/`.
    pub fn read(text: &str) -> Self {
        path(text).map_or_else(Self::default, Self)
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Back {
    /// The front page.
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn path(text: &str) -> Option<String> {
    let rest = text.strip_prefix('/')?;
    // Checked before escaping, which lengthens the text.
    if text.len() > ADDRESS_BYTES_MAX
        || rest.starts_with(['/', '\\'])
        || text.contains(char::is_control)
    {
        return None;
    }
    let escaped = utf8_percent_encode(text, ESCAPED).to_string();
    (escaped.len() <= ADDRESS_BYTES_MAX).then_some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_host_is_kept() {
        for (text, back, why) in [
            ("/", "/", "the front page"),
            ("/a/b.html?c=d&e=%20f+g#h", "/a/b.html?c=d&e=%20f+g#h", "query, escapes, fragment"),
            ("/a//b", "/a//b", "slashes further on"),
            ("/a?to=https://example.net/", "/a?to=https://example.net/", "an address within"),
            ("/%5Cexample.net", "/%5Cexample.net", "an escaped backslash is a letter"),
            ("/%2Fexample.net", "/%2Fexample.net", "so is an escaped slash"),
            ("/%0d%0aX-Member-Id:1", "/%0d%0aX-Member-Id:1", "so is an escaped line break"),
            ("/.//example.net", "/.//example.net", "resolved under this host"),
            ("/@example.net", "/@example.net", "no user before a path"),
            ("/:80", "/:80", "no port either"),
            ("/ä日", "/%C3%A4%E6%97%A5", "not ASCII"),
            ("/a b\"<c>`{d}|^", "/a%20b%22%3Cc%3E%60%7Bd%7D%7C%5E", "what a URL does not hold"),
            ("/a\\b", "/a%5Cb", "a backslash further on"),
            ("/'&", "/'&", "for the page to escape"),
        ] {
            assert_eq!(Back::read(text).as_str(), back, "{text}: {why}");
        }
    }

    #[test]
    fn anything_else_is_the_front_page() {
        for (text, why) in [
            ("", "nothing"),
            ("a", "relative"),
            (" /a", "a space first"),
            ("//example.net", "another host"),
            ("///example.net", "three slashes are another host too"),
            ("/\\example.net", "a browser's //"),
            ("\\\\example.net", "twice"),
            ("\\/example.net", "and this"),
            ("/\t/example.net", "a tab that browsers drop"),
            ("/\r\n/example.net", "line breaks, too"),
            ("/\n\\example.net", "and both"),
            ("\t//example.net", "in front"),
            ("/a\r\nSet-Cookie: userman=x", "another header"),
            ("/a\0", "NUL"),
            ("/a\u{7f}", "DEL"),
            ("/a\u{85}", "a line break of Unicode"),
            ("https://example.net/", "a URL"),
            ("https:example.net", "a lazy one"),
            ("javascript:alert(1)", "a script"),
            ("@example.net", "behind a user"),
            (".example.net", "behind a host's name"),
            (":80", "behind a host's port"),
            ("?a", "a query"),
            ("%2Fa", "an escape is no slash"),
            ("／example.net", "a wide slash"),
        ] {
            assert_eq!(Back::read(text), Back::default(), "{text:?}: {why}");
        }
        assert_eq!(Back::default().to_string(), "/");
    }

    #[test]
    fn an_address_is_as_long_as_a_header_may_be() {
        let long = |letter: &str, letters: usize| {
            Back::read(&format!("/{}", letter.repeat(letters))).as_str().len()
        };
        assert_eq!((long("a", 2047), long("a", 2048)), (2048, 1));
        assert_eq!((long("é", 341), long("é", 342)), (2047, 1), "as escaped");
    }

    proptest::proptest! {
        #[test]
        fn whatever_came_it_is_a_path_of_this_host_and_stays_one(
            text in "(?s)[/\\\\\t\n.%a ]{0,6}.{0,20}",
        ) {
            let back = Back::read(&text);
            let bytes = back.as_str().as_bytes();
            proptest::prop_assert!(bytes[0] == b'/' && !matches!(bytes.get(1), Some(b'/' | b'\\')));
            proptest::prop_assert!(bytes.iter().all(u8::is_ascii_graphic));
            proptest::prop_assert_eq!(Back::read(back.as_str()), back);
        }
    }
}
