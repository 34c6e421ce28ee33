//! One domain of `--cookie-domain`.

use std::fmt;

/// The longest host name, in bytes.
const HOST_BYTES_MAX: usize = 253;
/// The longest label of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// What [`CookieDomain::parse`] accepts, for error messages.
pub const COOKIE_DOMAIN_EXPECTED: &str = "expected a host name without a port, as in example.com";

/// A domain of `--cookie-domain`, for a members area on several hosts. Browsers send the cookie to
/// this host and all hosts below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieDomain(String);

impl CookieDomain {
    /// Reads a host name of two or more labels, in ASCII. A leading dot is removed, as browsers do.
    /// Browsers refuse a cookie for a bare `com` or for an address, so that every login would be
    /// lost without a visible reason.
    pub fn parse(text: &str) -> Option<Self> {
        let host = text.strip_prefix('.').unwrap_or(text);
        let labels = || host.split('.');
        let number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
        let fits = host.len() <= HOST_BYTES_MAX
            && labels().count() >= 2
            && labels().all(is_label)
            && !labels().next_back().is_some_and(number);
        fits.then(|| Self(host.to_ascii_lowercase()))
    }

    /// The host name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CookieDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let clean = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    clean
        && (1..=LABEL_BYTES_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_host_name_of_two_parts_or_more() {
        let long = format!("{}.com", ["a".repeat(63).as_str(); 3].join("."));
        let longest = format!("{}.{long}", "a".repeat(HOST_BYTES_MAX - 1 - long.len()));
        for (text, domain) in [
            ("example.com", "example.com"),
            (".example.com", "example.com"),
            ("Members.Example.COM", "members.example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("1.2.3.4a", "1.2.3.4a"),
            (&longest, &longest),
        ] {
            assert_eq!(
                CookieDomain::parse(text).as_ref().map(CookieDomain::as_str),
                Some(domain),
                "{text}"
            );
        }
        for (text, why) in [
            ("", "empty"),
            (".", "a dot"),
            ("com", "one part"),
            (".com", "the same"),
            ("..example.com", "two dots"),
            ("example..com", "an empty part"),
            ("example.com.", "a dot at the end, which browsers do not match"),
            ("example.com:443", "a port"),
            ("https://example.com", "a URL"),
            ("example.com/", "a path"),
            ("exam ple.com", "a space"),
            ("exam_ple.com", "no host name"),
            ("bücher.example", "not in ASCII"),
            ("-a.example.com", "a part begins with -"),
            ("a-.example.com", "a part ends with -"),
            ("192.0.2.1", "an address"),
            ("[2001:db8::1]", "the other kind"),
            ("example.com; Secure", "more of the header"),
            ("example.com\r\nX-Member-Id: 1", "another header"),
            (&format!("{}.com", "a".repeat(64)), "a long part"),
            (&format!("a{longest}"), "long"),
        ] {
            assert_eq!(CookieDomain::parse(text), None, "{text}: {why}");
        }
    }
}
