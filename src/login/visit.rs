//! A request of a visitor, as the web server in front forwards it. Each listener reads it from its
//! own protocol.

use std::fmt;
use std::net::IpAddr;

use super::area::{Area, ThreadArea};
use super::back::Back;
use super::cookie_domain::CookieDomain;
use super::cookie_domains::host_of;
use super::cookie_header;
use super::page::LoginMessage;
use super::presented::Presented;
use super::unkept::Visitor;

/// What identifies a visitor and their browser.
#[derive(Clone)]
pub struct Visit<'a> {
    /// The visitor's address.
    pub address: IpAddr,
    /// The values of the `Cookie` headers, in the order received.
    pub cookies: Vec<&'a [u8]>,
    /// The header `User-Agent`.
    pub agent: &'a [u8],
    /// The header `Host`.
    pub host: &'a str,
}

/// Without the cookies, which are logins.
impl fmt::Debug for Visit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, host, .. } = self;
        f.debug_struct("Visit")
            .field("address", address)
            .field("host", host)
            .finish_non_exhaustive()
    }
}

impl<'a> Visit<'a> {
    /// The visitor, as far as one without a cookie can be identified.
    pub fn visitor(&self) -> Visitor<'a> {
        Visitor { address: self.address, agent: self.agent }
    }

    /// The logins in the cookies that we signed and that are not too old. The members' rows decide
    /// whether they are still valid.
    pub fn presented(&self, area: &Area, now: i64) -> Presented {
        let names = area.config.cookie_domains.names().iter();
        let values = |name| cookie_header::values(self.cookies.iter().copied(), name);
        let cookies = names.flat_map(|&name| values(name.as_str()).map(move |value| (name, value)));
        let presented =
            Presented::gather(cookies, &area.signers.current().1, now, area.config.lifetimes());
        if let Some(newest) = presented.newest() {
            area.unkept.shown(self.visitor(), newest, now);
        }
        presented
    }

    /// The hosts to which browsers send a cookie that is set at this host: its domain, or the host.
    /// A proxy names the same host in each request, so that two of them can be compared.
    pub fn scope<'b>(&'b self, area: &'b Area) -> &'b str {
        let host = host_of(self.host);
        let cookie = area.config.cookie_domains.cookie_at(host);
        cookie.domain.map_or(host, CookieDomain::as_str)
    }

    /// The message to a browser that sends no login and was given one just now. `page` is the page
    /// that it requests.
    pub fn not_kept(&self, area: &ThreadArea, logins: &Presented, page: &Back) -> LoginMessage {
        if !logins.is_empty() {
            return LoginMessage::Nothing;
        }
        let (steady, area) = (area.clock.steady(), &area.shared);
        let scope = self.scope(area);
        let Some(missing) = area.unkept.missing(self.visitor(), page, scope, steady) else {
            return LoginMessage::Nothing;
        };
        let host = if self.host.is_empty() { "-" } else { self.host };
        area.log.login_not_kept(missing, host, self.address, steady);
        LoginMessage::NotKept(missing)
    }
}
