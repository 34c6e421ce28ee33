//! Detects browsers that do not keep the login cookie. After the right password they are
//! redirected, come without the cookie, and would get the empty form again. For a minute, this
//! module remembers which visitors got a cookie and have not sent it yet.
//!
//! A visitor is identified by address and `User-Agent`, without a script or a cookie. Two visitors
//! behind one router may be confused if one of them requests exactly the page to which the other is
//! redirected, before the other's browser follows. Then they read a harmless sentence that was
//! meant for the other.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;

use parking_lot::{Mutex, MutexGuard};

use super::back::Back;
use crate::recent::Recent;
use crate::secret::redacted;

/// How long a visitor is remembered. A browser follows the redirect at once, and the visitor the
/// next link soon.
const REMEMBERED_SECONDS: i64 = 60;
/// The most logins that are remembered, some 50 bytes each.
const LOGINS_MAX: usize = 4_096;

/// A visitor, as far as one without a cookie can be identified.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    /// The address.
    pub address: IpAddr,
    /// The header `User-Agent`.
    pub agent: &'a [u8],
}

/// Why the cookie may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The browser came by http, where no browser keeps a `Secure` cookie.
    ByHttp,
    /// The login was made at another host, whose cookie the browser does not send to this one.
    OtherHost,
    /// The browser keeps no cookies of this site, or a proxy removes them.
    Unknown,
}

/// A cookie that was given.
struct Given {
    at: i64,
    /// The page to which the visitor was redirected.
    back: u64,
    /// Whether that is the front page, which is mostly public: then the form comes one link later.
    to_front: bool,
    /// The hosts to which the browser sends the cookie.
    scope: u64,
    why_missing: Missing,
}

/// The visitors who got a cookie. It keeps hashes only, under a key that ends with the process.
pub struct Unkept {
    hasher: RandomState,
    given: Mutex<Recent<u64, Option<Given>>>,
}

redacted!(Unkept);

impl Default for Unkept {
    fn default() -> Self {
        Self { hasher: RandomState::new(), given: Mutex::new(Recent::new(LOGINS_MAX)) }
    }
}

impl Unkept {
    /// Records that a visitor got a cookie for the hosts of `scope` (its domain, or a host) and is
    /// redirected to `back`. `why_missing` is the likely reason if the cookie does not come back.
    /// `now` is by the steady clock.
    pub fn given(
        &self,
        visitor: Visitor<'_>,
        back: &Back,
        scope: &str,
        why_missing: Missing,
        now: i64,
    ) {
        // Browsers do not send what follows the #.
        let page = back.as_str().split('#').next().unwrap_or_default();
        let given = Given {
            at: now,
            back: self.hash(page),
            to_front: page == Back::default().as_str(),
            scope: self.hash(scope.to_ascii_lowercase()),
            why_missing,
        };
        self.memory().put(self.key(visitor), Some(given));
    }

    /// Records that a visitor has sent a cookie that was issued at this time, so that the browser
    /// keeps cookies. Older cookies are ignored at no cost. Times are unix seconds, as in the
    /// cookie.
    pub fn shown(&self, visitor: Visitor<'_>, issued: i64, now: i64) {
        if now.saturating_sub(issued) <= REMEMBERED_SECONDS
            && let Some(given) = self.memory().get(&self.key(visitor))
        {
            *given = None;
        }
    }

    /// Whether a visitor who requests `page` without any cookie of ours has just got one, and why
    /// it may be missing. A login at this host would have a cookie for the hosts of `scope`. `now`
    /// is by the steady clock.
    pub fn missing(
        &self,
        visitor: Visitor<'_>,
        page: &Back,
        scope: &str,
        now: i64,
    ) -> Option<Missing> {
        let mut memory = self.memory();
        let given = memory.get(&self.key(visitor))?.as_ref()?;
        let led_here = given.to_front || given.back == self.hash(page.as_str());
        if !led_here || now.saturating_sub(given.at) > REMEMBERED_SECONDS {
            return None;
        }
        // A proxy that does not pass on the host has a bare name or an address in its place.
        let is_name = scope.contains('.') && !scope.ends_with(|c: char| c.is_ascii_digit());
        let is_elsewhere = is_name && given.scope != self.hash(scope.to_ascii_lowercase());
        // By http the browser has dropped the cookie, wherever it went then.
        let is_kept = given.why_missing != Missing::ByHttp;
        Some(if is_elsewhere && is_kept { Missing::OtherHost } else { given.why_missing })
    }

    fn key(&self, visitor: Visitor<'_>) -> u64 {
        self.hash((visitor.address, visitor.agent))
    }

    fn hash(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }

    /// The visitors who got a cookie.
    fn memory(&self) -> MutexGuard<'_, Recent<u64, Option<Given>>> {
        self.given.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_781_524_800;
    const HERE: &str = "www.example.com";

    fn visitor<'a>(address: &str, agent: &'a str) -> Visitor<'a> {
        Visitor { address: address.parse().unwrap(), agent: agent.as_bytes() }
    }

    fn bob() -> Visitor<'static> {
        visitor("203.0.113.9", "Firefox")
    }

    #[test]
    fn a_visitor_who_was_led_back_and_comes_without_the_cookie_is_known() {
        let unkept = Unkept::default();
        let films = Back::read("/films?id=1");
        assert_eq!(unkept.missing(bob(), &films, HERE, NOON), None, "the first visit");
        unkept.given(bob(), &films, HERE, Missing::ByHttp, NOON);
        for (who, page, now, missing, why) in [
            (bob(), "/films?id=1", NOON, Some(Missing::ByHttp), "led back"),
            (
                bob(),
                "/films?id=1",
                NOON + 60,
                Some(Missing::ByHttp),
                "a minute later, or loaded again",
            ),
            (bob(), "/films?id=1", NOON + 61, None, "later it may be anybody"),
            (bob(), "/films?id=2", NOON, None, "another page"),
            (bob(), "/", NOON, None, "the front page"),
            (visitor("203.0.113.8", "Firefox"), "/films?id=1", NOON, None, "another address"),
            (visitor("203.0.113.9", "Chromium"), "/films?id=1", NOON, None, "another browser"),
        ] {
            assert_eq!(
                unkept.missing(who, &Back::read(page), HERE, now),
                missing,
                "{page} {now}: {why}"
            );
        }
    }

    #[test]
    fn a_login_at_another_host_is_told_from_one_that_the_browser_dropped() {
        let unkept = Unkept::default();
        for (given_at, missing_at, why_missing, missing) in [
            ("example.com", "www.example.com", Missing::Unknown, Missing::OtherHost),
            ("WWW.example.com", "www.example.com", Missing::Unknown, Missing::Unknown),
            ("example.com", "127.0.0.1", Missing::Unknown, Missing::Unknown),
            ("example.com", "userman", Missing::Unknown, Missing::Unknown),
            ("example.com", "www.example.com", Missing::ByHttp, Missing::ByHttp),
        ] {
            unkept.given(bob(), &Back::default(), given_at, why_missing, NOON);
            let found = unkept.missing(bob(), &Back::default(), missing_at, NOON);
            assert_eq!(found, Some(missing), "{given_at} {missing_at}");
        }
    }

    #[test]
    fn whoever_was_led_to_the_front_page_is_known_on_the_next_one() {
        let unkept = Unkept::default();
        unkept.given(bob(), &Back::default(), HERE, Missing::Unknown, NOON);
        assert_eq!(
            unkept.missing(bob(), &Back::read("/films"), HERE, NOON + 9),
            Some(Missing::Unknown)
        );
    }

    #[test]
    fn what_stands_behind_the_hash_sign_is_not_asked_for() {
        let unkept = Unkept::default();
        for (back, page) in
            [("/films#new", "/films"), ("/films?id=1#", "/films?id=1"), ("/#new", "/films")]
        {
            unkept.given(bob(), &Back::read(back), HERE, Missing::Unknown, NOON);
            assert_eq!(
                unkept.missing(bob(), &Back::read(page), HERE, NOON),
                Some(Missing::Unknown),
                "{back}"
            );
        }
        assert_eq!(
            unkept.missing(visitor("203.0.113.8", "Firefox"), &Back::read("/films"), HERE, NOON),
            None
        );
    }

    #[test]
    fn a_cookie_that_comes_ends_it_and_an_old_one_says_nothing() {
        let unkept = Unkept::default();
        unkept.given(bob(), &Back::default(), HERE, Missing::Unknown, NOON);
        unkept.shown(bob(), NOON - 61, NOON);
        unkept.shown(visitor("203.0.113.8", "Firefox"), NOON, NOON);
        assert_eq!(unkept.missing(bob(), &Back::default(), HERE, NOON), Some(Missing::Unknown));
        unkept.shown(bob(), NOON, NOON);
        assert_eq!(
            unkept.missing(bob(), &Back::default(), HERE, NOON),
            None,
            "the browser keeps cookies"
        );
        unkept.given(bob(), &Back::default(), HERE, Missing::Unknown, NOON);
        assert_eq!(
            unkept.missing(bob(), &Back::default(), HERE, NOON),
            Some(Missing::Unknown),
            "the next login is asked anew"
        );
    }

    #[test]
    fn the_memory_has_a_bound() {
        let unkept = Unkept::default();
        for number in 0..3 * LOGINS_MAX {
            unkept.given(
                visitor("203.0.113.9", &number.to_string()),
                &Back::default(),
                HERE,
                Missing::Unknown,
                NOON,
            );
        }
        assert!(unkept.memory().len() <= LOGINS_MAX);
    }
}
