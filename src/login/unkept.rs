//! Browsers that do not keep the login: after the right password they are led back, come without
//! the cookie, and would see the empty form again. Remembered for a minute is which visitor was
//! given a cookie and has not shown it yet.
//!
//! A visitor is an address and what its browser calls itself, so that it needs neither a script nor
//! a cookie to be known again. Two visitors behind one router may be taken for each other where one
//! of them asks, before the other's browser has followed the redirect, for the very page that the
//! other one is led to. Then one reads a sentence that was meant for the other, and it is a
//! harmless one.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;

use parking_lot::{Mutex, MutexGuard};

use super::back::Back;
use crate::recent::Recent;
use crate::secret::redacted;

/// How long it is remembered. A browser follows the redirect at once, and a visitor the next link
/// soon.
const REMEMBERED_SECONDS: i64 = 60;
/// Logins that are remembered, at some 50 bytes each.
const LOGINS_MAX: usize = 4_096;

/// A visitor as far as one without a cookie can be told.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    /// The address.
    pub address: IpAddr,
    /// What the browser calls itself (`User-Agent`).
    pub agent: &'a [u8],
}

/// Why the cookie is missing, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The browser came by http, where no browser keeps a cookie that is `Secure`.
    ByHttp,
    /// The browser keeps no cookies of this site, or something on the way takes them out.
    Unknown,
}

/// A cookie that was given.
struct Given {
    at: i64,
    /// Where its visitor was led.
    back: u64,
    /// Whether that is the front page, which is mostly open to all: the form comes one link later.
    to_front: bool,
    why_missing: Missing,
}

/// The memory. It keeps hashes of what visitors send, under a key that lives as long as the
/// process.
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
    /// A visitor was given a cookie and is led to `back`. `why_missing` is the reason, should it
    /// not come. `now` is what the steady clock shows.
    pub fn given(&self, visitor: Visitor<'_>, back: &Back, why_missing: Missing, now: i64) {
        // A browser keeps what stands behind the # to itself.
        let page = back.as_str().split('#').next().unwrap_or_default();
        let given = Given {
            at: now,
            back: self.hash(page),
            to_front: page == Back::default().as_str(),
            why_missing,
        };
        self.memory().put(self.key(visitor), Some(given));
    }

    /// A visitor has shown a cookie of ours that was issued then: this browser keeps them. Costs
    /// nothing for older ones. Both are unix seconds, as the cookie has them.
    pub fn shown(&self, visitor: Visitor<'_>, issued: i64, now: i64) {
        if now.saturating_sub(issued) <= REMEMBERED_SECONDS
            && let Some(given) = self.memory().get(&self.key(visitor))
        {
            *given = None;
        }
    }

    /// Whether a visitor who comes without any cookie of ours and asks for `page` was just given
    /// one, and why it may be missing. `now` is what the steady clock shows.
    pub fn missing(&self, visitor: Visitor<'_>, page: &Back, now: i64) -> Option<Missing> {
        let mut memory = self.memory();
        let given = memory.get(&self.key(visitor))?.as_ref()?;
        let led_here = given.to_front || given.back == self.hash(page.as_str());
        (led_here && now.saturating_sub(given.at) <= REMEMBERED_SECONDS)
            .then_some(given.why_missing)
    }

    fn key(&self, visitor: Visitor<'_>) -> u64 {
        self.hash((visitor.address, visitor.agent))
    }

    fn hash(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }

    /// A panic elsewhere leaves whole entries.
    fn memory(&self) -> MutexGuard<'_, Recent<u64, Option<Given>>> {
        self.given.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_781_524_800;

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
        assert_eq!(unkept.missing(bob(), &films, NOON), None, "the first visit");
        unkept.given(bob(), &films, Missing::ByHttp, NOON);
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
            assert_eq!(unkept.missing(who, &Back::read(page), now), missing, "{page} {now}: {why}");
        }
    }

    #[test]
    fn whoever_was_led_to_the_front_page_is_known_on_the_next_one() {
        let unkept = Unkept::default();
        unkept.given(bob(), &Back::default(), Missing::Unknown, NOON);
        assert_eq!(unkept.missing(bob(), &Back::read("/films"), NOON + 9), Some(Missing::Unknown));
    }

    #[test]
    fn what_stands_behind_the_hash_sign_is_not_asked_for() {
        let unkept = Unkept::default();
        for (back, page) in
            [("/films#new", "/films"), ("/films?id=1#", "/films?id=1"), ("/#new", "/films")]
        {
            unkept.given(bob(), &Back::read(back), Missing::Unknown, NOON);
            assert_eq!(
                unkept.missing(bob(), &Back::read(page), NOON),
                Some(Missing::Unknown),
                "{back}"
            );
        }
        assert_eq!(
            unkept.missing(visitor("203.0.113.8", "Firefox"), &Back::read("/films"), NOON),
            None
        );
    }

    #[test]
    fn a_cookie_that_comes_ends_it_and_an_old_one_says_nothing() {
        let unkept = Unkept::default();
        unkept.given(bob(), &Back::default(), Missing::Unknown, NOON);
        unkept.shown(bob(), NOON - 61, NOON);
        unkept.shown(visitor("203.0.113.8", "Firefox"), NOON, NOON);
        assert_eq!(unkept.missing(bob(), &Back::default(), NOON), Some(Missing::Unknown));
        unkept.shown(bob(), NOON, NOON);
        assert_eq!(
            unkept.missing(bob(), &Back::default(), NOON),
            None,
            "the browser keeps cookies"
        );
        unkept.given(bob(), &Back::default(), Missing::Unknown, NOON);
        assert_eq!(
            unkept.missing(bob(), &Back::default(), NOON),
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
                Missing::Unknown,
                NOON,
            );
        }
        assert!(unkept.memory().len() <= LOGINS_MAX);
    }
}
