//! The headers of the login cookie: `Cookie` from the browser and `Set-Cookie` to it.

use super::cookie_domain::CookieDomain;

/// The values of all cookies of that name, in the order received. The length of the headers limits
/// their number. A neighbouring host can set a cookie of our name for the domain of both hosts, and
/// the browser sends both in any order. So each one is tried, so that a foreign cookie does not
/// hide the right one.
pub fn values<'a>(
    headers: impl Iterator<Item = &'a [u8]>,
    name: &str,
) -> impl Iterator<Item = &'a str> {
    headers
        .flat_map(|header| header.split(|&b| b == b';'))
        .filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .filter_map(|value| str::from_utf8(value).ok())
}

/// The names that the cookie has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieName {
    /// For one host. Browsers accept `__Host-` only from the host itself, over TLS and without a
    /// domain.
    Host,
    /// For the hosts of a domain. Browsers accept `__Secure-` only over TLS.
    Secure,
    /// For the hosts of a domain, under the name of an earlier release. It is read and cleared, and
    /// never set.
    Former,
}

impl CookieName {
    /// The name in the headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "__Host-userman",
            Self::Secure => "__Secure-userman",
            Self::Former => "userman",
        }
    }
}

/// One of the cookies. Browsers identify it by name and domain; its path is always `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginCookie<'a> {
    /// The name.
    pub name: CookieName,
    /// The domain whose hosts receive the cookie; `None`: only the host that set it.
    pub domain: Option<&'a CookieDomain>,
}

impl LoginCookie<'_> {
    /// The `Set-Cookie` header of a login. [`Signer::sign`](super::cookie::Signer::sign) makes the
    /// value. Without a lifetime, the browser deletes the cookie when it is closed.
    pub fn set(self, value: &str, lifetime_seconds: Option<i64>) -> String {
        let domain = self.domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let age =
            lifetime_seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let name = self.name.as_str();
        format!("{name}={value}{age}; Path=/{domain}; Secure; HttpOnly; SameSite=Lax")
    }

    /// The `Set-Cookie` header of a logout. A browser deletes the cookie only for the same name,
    /// domain and path.
    pub fn clear(self) -> String {
        self.set("", Some(0))
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
                "__Secure-userman=v; Max-Age=60; Path=/; Domain=example.com; Secure; HttpOnly; \
                 SameSite=Lax",
                "__Secure-userman=; Max-Age=0; Path=/; Domain=example.com; Secure; HttpOnly; \
                 SameSite=Lax",
            ),
        ] {
            assert_eq!(
                (cookie.set("v", Some(60)).as_str(), cookie.clear().as_str()),
                (set, cleared)
            );
        }
        assert_eq!(
            cookie(CookieName::Host, None).set("v", None),
            "__Host-userman=v; Path=/; Secure; HttpOnly; SameSite=Lax",
            "until the browser is closed"
        );
        let former = cookie(CookieName::Former, domain.as_ref());
        let cleared =
            "userman=; Max-Age=0; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(former.clear(), cleared, "as the release before set it");
    }
}
