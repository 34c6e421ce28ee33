//! The logins that a browser sends, from all cookies of our names, in order of priority.
//!
//! Logins of a `__Host-` cookie come first. Browsers accept that name only from the host itself, so
//! no neighbouring host has set it. Of the others, the newest comes first. Cookies that this
//! program did not sign, and logins that have ended, are ignored.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::cookie::{LOGINS_MAX, Lifetimes, Login, LoginId, Signer};
use super::cookie_header::CookieName;

/// The most logins of one request, all signed by this program. A `Cookie` header of 8 KiB, the
/// limit of nginx and Apache, holds 14 full cookies.
const PRESENTED_MAX: usize = 16 * LOGINS_MAX;

/// One login and the cookie that held it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Brought {
    login: Login,
    name: CookieName,
    /// The number of the cookie, in the order received.
    cookie: usize,
}

/// The logins of a request, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presented {
    brought: Vec<Brought>,
    /// Whether there were more, which are ignored.
    is_cut: bool,
}

impl Presented {
    /// Reads the logins that are valid at `now`. The rows decide whether their members may still
    /// log in.
    pub fn gather<'a>(
        cookies: impl Iterator<Item = (CookieName, &'a str)>,
        signer: &Signer,
        now: i64,
        lifetimes: Lifetimes,
    ) -> Self {
        let mut brought = Vec::new();
        for (cookie, (name, value)) in cookies.enumerate() {
            let logins = signer.read(value, now, lifetimes);
            brought.extend(logins.into_iter().map(|login| Brought { login, name, cookie }));
        }
        if brought.len() > 1 {
            brought.sort_by_key(|one| (one.name != CookieName::Host, Reverse(one.login.issued)));
            let mut seen: HashSet<LoginId> = HashSet::with_capacity(brought.len());
            brought.retain(|one| seen.insert(one.login.id));
        }
        let is_cut = brought.len() > PRESENTED_MAX;
        brought.truncate(PRESENTED_MAX);
        Self { brought, is_cut }
    }

    /// Whether some logins were ignored because there were too many. Then a logout has not ended
    /// all of them.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.brought.is_empty()
    }

    /// All logins, in order of priority.
    pub fn iter(&self) -> impl Iterator<Item = &Login> {
        self.brought.iter().map(|one| &one.login)
    }

    /// When the newest login began, unix seconds.
    pub fn newest(&self) -> Option<i64> {
        self.iter().map(|login| login.issued).max()
    }

    /// Logins of other members of the same site, from other cookies than this one's. A browser that
    /// logs in as two members one after the other has both in one cookie.
    pub fn rivals(&self, login: &Login) -> impl Iterator<Item = &Login> {
        let own = self.brought.iter().find(|one| one.login.id == login.id).map(|one| one.cookie);
        let (key, one_cookie) = (login.key, self.brought.iter().all(|one| Some(one.cookie) == own));
        let others = if one_cookie { &[][..] } else { &self.brought[..] };
        let is_rival = move |one: &&Brought| {
            Some(one.cookie) != own && one.login.key.site == key.site && one.login.key != key
        };
        others.iter().filter(is_rival).map(|one| &one.login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};

    const NOON: i64 = 1_781_524_800;

    fn login(site: i64, member: i64, issued: i64) -> Login {
        let key = Key {
            site: SiteId::parse(&site.to_string()).unwrap(),
            member: MemberId::parse(&member.to_string()).unwrap(),
        };
        Login { key, id: LoginId::random(), issued, login_version: 1, stays: false }
    }

    fn gather(cookies: &[(CookieName, &[Login])]) -> Presented {
        let signer = Signer::from_key([7; 32]);
        let texts: Vec<_> =
            cookies.iter().map(|(name, logins)| (*name, signer.sign(logins))).collect();
        Presented::gather(
            texts.iter().map(|(name, text)| (*name, text.as_str())),
            &signer,
            NOON,
            Lifetimes::alike(86_400),
        )
    }

    #[test]
    fn rivals_are_other_members_of_the_site_in_other_cookies() {
        let [bob, ann, eve, other] = [
            login(1, 71, NOON - 9),
            login(1, 72, NOON - 8),
            login(1, 66, NOON),
            login(5, 66, NOON),
        ];
        let both = gather(&[(CookieName::Secure, &[bob, ann])]);
        assert_eq!(both.rivals(&bob).count(), 0, "of one cookie");
        let planted =
            gather(&[(CookieName::Secure, &[bob, ann]), (CookieName::Secure, &[eve, other, bob])]);
        assert_eq!(planted.rivals(&bob).collect::<Vec<_>>(), [&eve]);
        assert_eq!(planted.rivals(&eve).collect::<Vec<_>>(), [&ann, &bob]);
        assert_eq!(planted.rivals(&other).count(), 0, "of another site");
    }

    #[test]
    fn each_login_is_there_once_and_a_request_brings_a_bounded_number() {
        let logins: Vec<_> = (0..300).map(|age| login(1, 71, NOON - age)).collect();
        let cookies: Vec<_> =
            logins.chunks(LOGINS_MAX).map(|logins| (CookieName::Secure, logins)).collect();
        let presented = gather(&[&cookies[..], &cookies[..]].concat());
        assert_eq!(
            presented.iter().collect::<Vec<_>>(),
            logins[..PRESENTED_MAX].iter().collect::<Vec<_>>()
        );
        assert!(presented.is_cut() && presented.newest() == Some(NOON));
        assert!(!gather(&cookies[..PRESENTED_MAX / LOGINS_MAX]).is_cut());
    }
}
