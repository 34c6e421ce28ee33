//! Log lines about logins, at a limited rate: there are thousands of visitors, and each picture of
//! a page is a request.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sharing::BLOCKS_MAX;
use super::unkept::Missing;
use crate::block::Network;
use crate::identity::Key;
use crate::logging::limit::{Interval, NameLine, OncePerName};

/// Seconds between two lines of one kind.
const LOG_EVERY_SECONDS: i64 = 60;

/// Limits the lines. Shared by all threads; `now` is the steady clock's.
#[derive(Debug)]
pub struct AreaLog {
    not_kept: Interval,
    rivals: Interval,
    /// Requests so far whose cookies had logins of different members of one site.
    rivals_count: AtomicU64,
    not_ended: Interval,
    uncounted: Interval,
    not_blocked: Interval,
    outside_domains: OncePerName<String>,
}

impl Default for AreaLog {
    fn default() -> Self {
        let interval = || Interval::new(LOG_EVERY_SECONDS);
        Self {
            not_kept: interval(),
            rivals: interval(),
            rivals_count: AtomicU64::new(0),
            not_ended: interval(),
            uncounted: interval(),
            not_blocked: interval(),
            outside_domains: OncePerName::default(),
        }
    }
}

impl AreaLog {
    /// A login was given at a host that is under none of the domains of `--cookie-domain`. Logged
    /// once per host.
    pub fn outside_cookie_domains(&self, host: &str) {
        match self.outside_domains.line(host) {
            Some(NameLine::Name) => log::warn!(
                host = host;
                "logins at this host are not shared: it is under no --cookie-domain; \
                 add its domain, or let the proxy pass on the visitor's Host header"
            ),
            Some(NameLine::NoFurtherNames) => log::warn!(
                host = host;
                "logins at this host are not shared: it is under no --cookie-domain; \
                 further hosts outside of all --cookie-domain are not logged"
            ),
            None => {}
        }
    }

    /// A browser that was just given the login cookie came back without it.
    pub fn login_not_kept(&self, missing: Missing, host: &str, address: IpAddr, now: i64) {
        if !self.not_kept.is_due(now) {
            return;
        }
        let why = match missing {
            Missing::ByHttp => {
                "it came by http, where browsers keep no such cookie: \
                 let the web server redirect http to https"
            }
            Missing::OtherHost => {
                "it logged in at another host, whose cookie is not valid at this one: redirect all \
                 visitors to one host, or name the domain of both with --cookie-domain"
            }
            Missing::Unknown => {
                "it is open by http, or blocks cookies, or the proxy does not pass on Cookie and \
                 Set-Cookie"
            }
        };
        log::warn!(host = host, address:% = address; "a browser did not keep the login: {why}");
    }

    /// The cookies of a request have logins of two members of one site; the first one was accepted.
    pub fn two_members(&self, accepted: Key, other: Key, address: IpAddr, now: i64) {
        let count = self.rivals_count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.rivals.is_due(now) {
            log::warn!(
                site:% = accepted.site, member:% = accepted.member, other:% = other.member,
                address:% = address, count = count;
                "a browser has logins of two members of one site in different cookies, and the \
                 first counts: a host that shares the cookie may have set the other one"
            );
        }
    }

    /// A browser logged in again, and its previous login could not be ended.
    pub fn login_not_ended(&self, now: i64) {
        if self.not_ended.is_due(now) {
            log::warn!(
                "a browser logged in again, and its previous login could not be ended: \
                 a copy of its cookie stays valid until it expires"
            );
        }
    }

    /// A login may be shared, and as many members are blocked as may be at a time.
    pub fn not_blocked(&self, member: Key, now: i64) {
        if self.not_blocked.is_due(now) {
            log::warn!(
                site:% = member.site, member:% = member.member;
                "a login may be shared, and the member is not blocked, because {BLOCKS_MAX} \
                 members are: raise the limits of --sharing if they share nothing"
            );
        }
    }

    /// A wrong password came from a network whose guesses are not counted.
    pub fn not_counted(&self, network: Network, now: i64) {
        if self.uncounted.is_due(now) {
            log::warn!(
                "a wrong password from {network} was not counted: list your proxy with \
                 --trusted-proxy, so that the addresses of guessers are known"
            );
        }
    }
}
