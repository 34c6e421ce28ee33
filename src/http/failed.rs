//! A failed login in the log.

use std::fmt;
use std::net::IpAddr;

use super::area::Wanted;
use super::postback::Desk;
use crate::block::{LoginName, Network};
use crate::identity::SiteId;
use crate::login::basic::Typed;
use crate::login::remembered::SecretDigest;

/// How somebody tried to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The browser's prompt, at `/auth`.
    Basic,
    /// The form of `/login`.
    Page,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            By::Basic => "basic",
            By::Page => "page",
        }
    }
}

/// Whether a member or a former member has the name. Where that cannot be looked up, nobody has it:
/// then it is not shown. Asked of every failed login, so that the time does not tell whose name it
/// is.
pub(super) async fn is_somebodys(desk: &Desk, typed: &Typed) -> bool {
    let name = typed.name.clone();
    desk.read(move |reader| reader.is_name_known(&name)).await.unwrap_or(false)
}

/// Its line, if it gets one.
pub(super) fn log(
    desk: &Desk,
    wanted: Wanted<'_>,
    name: &LoginName,
    address: IpAddr,
    secret: SecretDigest,
    by: By,
) {
    let now = desk.shared().clock.steady();
    if desk.area().failed.has_line(name, Network::of(address), secret, now) {
        log::info!(
            by = by.as_str(), sites:% = Sites(wanted.sites), address:% = address, name = name.as_str();
            "login failed"
        );
    }
}

/// The sites that were asked for, as in the query.
struct Sites<'a>(&'a [SiteId]);

impl fmt::Display for Sites<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, site) in self.0.iter().enumerate() {
            write!(f, "{}{site}", if nth == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
