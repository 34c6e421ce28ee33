//! The headers in which a login cookie travels: `Cookie` from the browser, `Set-Cookie` to it.

use super::cookie_domain::CookieDomain;

/// The values of all cookies of that name, in the order received; the length of the headers bounds
/// them. Whoever controls a neighbouring host can set a cookie of our name for the domain that both
/// are in, and the browser sends both in an order of its own: each is to be tried, so that the
/// stranger's does not hide the good one.
pub fn values<'a>(
    headers: impl Iterator<Item = &'a [u8]>,
    name: &str,
) -> impl Iterator<Item = &'a str> {
    headers
        .flat_map(|header| header.split(|&b| b == b';'))
        .filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .filter_map(|value| str::from_utf8(value).ok())
}

/// The names that our cookie has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieName {
    /// Of one host. Browsers take `__Host-` from nobody but the host itself, over TLS, which a
    /// domain would contradict.
    Host,
    /// Of the hosts of a domain. Browsers take `__Secure-` over TLS alone.
    Secure,
    /// Of the hosts of a domain, as the release before called it. It is read and cleared, and never
    /// set.
    Former,
}

impl CookieName {
    /// As it stands in the headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "__Host-userman",
            Self::Secure => "__Secure-userman",
            Self::Former => "userman",
        }
    }
}

/// One of our cookies, as browsers tell them apart: by name and domain. The path is always `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginCookie<'a> {
    /// The name.
    pub name: CookieName,
    /// The hosts that it goes to; none: the host that set it.
    pub domain: Option<&'a CookieDomain>,
}

impl LoginCookie<'_> {
    /// The `Set-Cookie` of a login. The value is what [`Signer::sign`](super::cookie::Signer::sign)
    /// made.
    pub fn set(self, value: &str, lifetime_seconds: i64) -> String {
        let domain = self.domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let name = self.name.as_str();
        format!(
            "{name}={value}; Max-Age={lifetime_seconds}; Path=/{domain}; Secure; HttpOnly; SameSite=Lax"
        )
    }

    /// The `Set-Cookie` of a logout: browsers drop it for the same name, domain and path alone.
    pub fn clear(self) -> String {
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
        assert_eq!(
            values([bytes].into_iter(), "userman").collect::<Vec<_>>(),
            ["a"],
            "bytes that are no text"
        );
    }

    #[test]
    fn a_cookie_is_set_for_this_host_alone_or_for_a_domain() {
        let domain = CookieDomain::parse("example.com");
        let cookie = |name, domain| LoginCookie { name, domain };
        for (cookie, set, cleared) in [
            (
                cookie(CookieName::Host, None),
                "__Host-userman=v; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax",
                "__Host-userman=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax",
            ),
            (
                cookie(CookieName::Secure, domain.as_ref()),
                "__Secure-userman=v; Max-Age=60; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
                "__Secure-userman=; Max-Age=0; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
            ),
        ] {
            assert_eq!((cookie.set("v", 60).as_str(), cookie.clear().as_str()), (set, cleared));
        }
        let former = cookie(CookieName::Former, domain.as_ref());
        let cleared =
            "userman=; Max-Age=0; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(former.clear(), cleared, "as the release before set it");
    }
}
