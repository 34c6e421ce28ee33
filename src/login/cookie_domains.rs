//! `--cookie-domain`: which hosts share their logins.

use super::cookie_domain::CookieDomain;
use super::cookie_header::{CookieName, LoginCookie};

/// The domains of `--cookie-domain`. A host uses the cookie of the longest domain that contains it.
/// A host in no domain has a separate cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CookieDomains(Vec<CookieDomain>);

impl CookieDomains {
    /// These domains, in any order and without repetitions.
    pub fn new(mut domains: Vec<CookieDomain>) -> Self {
        // Longest first, so that the first match is the nearest domain.
        domains.sort_by(|a, b| {
            b.as_str().len().cmp(&a.as_str().len()).then_with(|| a.as_str().cmp(b.as_str()))
        });
        domains.dedup();
        Self(domains)
    }

    /// Whether each host has a separate cookie.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The domains, longest first.
    pub fn iter(&self) -> impl Iterator<Item = &CookieDomain> {
        self.0.iter()
    }

    /// The names of cookies that are read, for any host: a proxy may call `/auth` under another
    /// host name than the visitor's. Without a shared domain, no cookie is read that a neighbouring
    /// host could have set.
    pub fn names(&self) -> &'static [CookieName] {
        if self.is_empty() {
            &[CookieName::Host]
        } else {
            &[CookieName::Host, CookieName::Secure, CookieName::Former]
        }
    }

    /// The cookie of logins at this host, which has the form that [`host_of`] returns.
    pub fn cookie_at(&self, host: &str) -> LoginCookie<'_> {
        match self.above(host).next() {
            None => LoginCookie { name: CookieName::Host, domain: None },
            domain => LoginCookie { name: CookieName::Secure, domain },
        }
    }

    /// All cookies that this program may have set at this host, under these and earlier settings.
    pub fn all_at(&self, host: &str) -> Vec<LoginCookie<'_>> {
        let shared = self.above(host).flat_map(|domain| {
            [CookieName::Secure, CookieName::Former]
                .map(|name| LoginCookie { name, domain: Some(domain) })
        });
        let own = LoginCookie { name: CookieName::Host, domain: None };
        std::iter::once(own).chain(shared).collect()
    }

    /// The domains that contain the host or equal it, longest first.
    fn above(&self, host: &str) -> impl Iterator<Item = &CookieDomain> {
        self.0.iter().filter(move |domain| {
            let host = host.as_bytes();
            let Some(at) = host.len().checked_sub(domain.as_str().len()) else { return false };
            let (front, end) = host.split_at(at);
            end.eq_ignore_ascii_case(domain.as_str().as_bytes())
                && (front.is_empty() || front.ends_with(b"."))
        })
    }
}

/// The host of a `Host` header, without its port. A trailing dot stays, because browsers do not
/// match such a host with a domain. An IPv6 address keeps its brackets, and matches no domain
/// either.
pub fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|b| b.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(list: &[&str]) -> CookieDomains {
        CookieDomains::new(list.iter().map(|domain| CookieDomain::parse(domain).unwrap()).collect())
    }

    #[test]
    fn a_host_has_the_cookie_of_the_longest_domain_that_it_is_under() {
        let domains = domains(&["example.com", "example.net", "eu.example.com", "example.com"]);
        for (authority, domain, why) in [
            ("example.com", "example.com", "the domain itself"),
            ("www.example.com", "example.com", "a host under it"),
            ("a.b.example.com:8443", "example.com", "deeper, with a port"),
            ("WWW.Example.COM", "example.com", "in any case"),
            ("eu.example.com", "eu.example.com", "the longer one"),
            ("www.eu.example.com", "eu.example.com", "a host under both"),
            ("www.example.net:80", "example.net", "the other one"),
            ("notexample.com", "-", "ends alike, and is another"),
            ("example.com.example.org", "-", "begins alike"),
            (
                "www.example.com.",
                "-",
                "a dot at the end: browsers would not keep the cookie of the domain",
            ),
            ("com", "-", "above it"),
            ("localhost:8080", "-", "no domain"),
            ("192.0.2.1:8080", "-", "an address"),
            ("[2001:db8::1]:8080", "-", "the other kind"),
            ("[2001:db8::1]", "-", "without a port"),
            ("", "-", "nothing"),
            (".example.com", "example.com", "no host, and no harm"),
            (":80", "-", "a port alone"),
            ("éexample.com", "-", "not in ASCII"),
        ] {
            let cookie = domains.cookie_at(host_of(authority));
            let name = if domain == "-" { CookieName::Host } else { CookieName::Secure };
            assert_eq!(cookie.name, name, "{authority}: {why}");
            assert_eq!(
                cookie.domain.map_or("-", CookieDomain::as_str),
                domain,
                "{authority}: {why}"
            );
        }
    }

    #[test]
    fn a_port_is_no_part_of_the_host() {
        for (authority, host) in [
            ("example.com", "example.com"),
            ("example.com:8443", "example.com"),
            ("example.com:", "example.com"),
            ("example.com:http", "example.com:http"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:8443", "[2001:db8::1]"),
            ("2001:db8::1", "2001:db8::1"),
            ("", ""),
        ] {
            assert_eq!(host_of(authority), host, "{authority}");
        }
    }

    #[test]
    fn a_logout_clears_all_that_we_may_have_set() {
        let cleared = |list: &[&str], host| {
            domains(list).all_at(host).into_iter().map(|cookie| cookie.clear()).collect::<Vec<_>>()
        };
        let rest = "Secure; HttpOnly; SameSite=Lax";
        let own = format!("__Host-userman=; Max-Age=0; Path=/; {rest}");
        assert_eq!(cleared(&[], "www.example.com"), [own.as_str()]);
        assert_eq!(cleared(&["example.net"], "www.example.com"), [own.as_str()]);
        let both = cleared(&["example.com", "eu.example.com"], "www.eu.example.com");
        assert_eq!(
            both,
            [
                own,
                format!("__Secure-userman=; Max-Age=0; Path=/; Domain=eu.example.com; {rest}"),
                format!("userman=; Max-Age=0; Path=/; Domain=eu.example.com; {rest}"),
                format!("__Secure-userman=; Max-Age=0; Path=/; Domain=example.com; {rest}"),
                format!("userman=; Max-Age=0; Path=/; Domain=example.com; {rest}"),
            ]
        );
    }

    #[test]
    fn only_where_a_domain_is_shared_are_cookies_read_that_a_neighbour_can_set() {
        assert_eq!(domains(&[]).names(), [CookieName::Host]);
        assert_eq!(
            domains(&["example.com"]).names(),
            [CookieName::Host, CookieName::Secure, CookieName::Former]
        );
    }
}
