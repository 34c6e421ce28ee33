//! The headers in which a login cookie travels: `Cookie` from the browser, `Set-Cookie` to it.

use std::fmt;

/// Longest host name, in bytes.
const HOST_BYTES_MAX: usize = 253;
/// Longest part of a host name between two dots, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// What [`CookieDomain::parse`] takes.
pub const COOKIE_DOMAIN_EXPECTED: &str = "expected a host name without a port, as in example.com";

/// The values of all cookies of that name, in the order received; the length of the headers bounds them. Whoever controls a neighbouring host can set a
/// cookie of our name for the domain that both are in, and the browser sends both in an order of its own: each is to be tried, so
/// that the stranger's does not hide the good one.
pub fn values<'a>(headers: impl Iterator<Item = &'a [u8]>, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .flat_map(|header| header.split(|&b| b == b';'))
        .filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .filter_map(|value| str::from_utf8(value).ok())
}

/// The domain of `--cookie-domain`, for a members area on several hosts: the cookie goes to that host and all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieDomain(String);

impl CookieDomain {
    /// Reads a host name of two parts or more, in ASCII. A dot in front is dropped, as browsers do. No browser would keep a cookie
    /// for a bare `com` or for an address and all below it: a login would end with no reason to be seen.
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
    clean && (1..=LABEL_BYTES_MAX).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
}

/// How our cookie is called and set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CookieForm {
    /// The hosts that it goes to; none: the host that set it.
    pub domain: Option<CookieDomain>,
}

impl CookieForm {
    /// The cookie's name. Browsers take `__Host-` from nobody but the host itself, over TLS, which a domain would contradict.
    pub fn name(&self) -> &'static str {
        match self.domain {
            None => "__Host-userman",
            Some(_) => "userman",
        }
    }

    /// The `Set-Cookie` of a login. The value is what [`Signer::sign`](super::cookie::Signer::sign) made.
    pub fn set(&self, value: &str, lifetime_seconds: i64) -> String {
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let name = self.name();
        format!("{name}={value}; Max-Age={lifetime_seconds}; Path=/{domain}; Secure; HttpOnly; SameSite=Lax")
    }

    /// The `Set-Cookie` of a logout: browsers drop it for the same name, domain and path alone.
    pub fn clear(&self) -> String {
        self.set("", 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(headers: &[&'a str], name: &str) -> Vec<&'a str> {
        values(headers.iter().map(|header| header.as_bytes()), name).collect()
    }

    #[test]
    fn all_cookies_of_the_name_are_found_and_no_other() {
        let table: &[(&[&str], &[&str], &str)] = &[
            (&[], &[], "no header"),
            (&[""], &[], "an empty one"),
            (&["userman=a"], &["a"], "one cookie"),
            (&["x=1; userman=a; y=2"], &["a"], "between others"),
            (&["x=1;userman=a;y=2"], &["a"], "no space"),
            (&["x=1;\t userman=a \t;y=2"], &["a"], "more space"),
            (&["userman=evil; userman=good"], &["evil", "good"], "a stranger's first"),
            (&["userman=evil", "x=1; userman=good"], &["evil", "good"], "headers of HTTP/2"),
            (&["userman="], &[""], "an empty value"),
            (&["userman=a=b="], &["a=b="], "the first = counts"),
            (&["userman=\"a\""], &["\"a\""], "quotes are part of it"),
            (&["userman"], &[], "no value"),
            (&["userman =a"], &[], "a space within"),
            (&["=userman=a"], &[], "no name"),
            (&["Userman=a"], &[], "names of cookies have a case"),
            (&["xuserman=a; userman2=b; __Host-userman=c"], &[], "longer names"),
            (&["x=\"; userman=a"], &["a"], "a quote hides nothing"),
        ];
        for (headers, values, why) in table {
            assert_eq!(&found(headers, "userman"), values, "{why}");
        }
        assert_eq!(found(&["userman=a; __Host-userman=b"], "__Host-userman"), ["b"]);
        let bytes: &[u8] = b"x=\xff; userman=\xe9; userman=a; \xff";
        assert_eq!(values([bytes].into_iter(), "userman").collect::<Vec<_>>(), ["a"], "bytes that are no text");
    }

    #[test]
    fn a_cookie_is_set_for_this_host_alone_or_for_a_domain() {
        let host = CookieForm::default();
        assert_eq!(host.set("v", 86_400), "__Host-userman=v; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(host.clear(), "__Host-userman=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax");
        let wide = CookieForm { domain: CookieDomain::parse("example.com") };
        assert_eq!(wide.set("v", 60), "userman=v; Max-Age=60; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(wide.clear(), "userman=; Max-Age=0; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax");
    }

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
            assert_eq!(CookieDomain::parse(text).as_ref().map(CookieDomain::as_str), Some(domain), "{text}");
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
