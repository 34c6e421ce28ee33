//! Blocks as values: what is blocked because of too many wrong passwords, and until when. The
//! decisions are in [`crate::login::guard`].

mod login_name;
mod network;
mod target;

use std::fmt;

use crate::clock::format_utc;

pub use login_name::LoginName;
pub use network::Network;
pub(crate) use network::STEPS;
pub use target::{BlockKind, Target};

/// Whether a member has the login name that was tried, at one of the sites that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameHolder {
    /// No member has it, so there is no password to guess.
    Nobody,
    /// A member has it.
    Member,
}

/// A block that lasts for a limited time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The target of the block.
    pub target: Target,
    /// When it began, unix seconds.
    pub since: i64,
    /// When it ends, unix seconds: the first second in which it is not in force.
    pub until: i64,
}

impl Block {
    /// The line for the log when the block begins, as in `login blocked: network=203.0.113.9
    /// name="bob" kind=pair until=2026-06-15T12:15:00Z`. fail2ban and similar programs read it
    /// (`examples/fail2ban`), so its form must not change. The address comes before the name: an
    /// expression that begins at the line's time and ends at the space after the address cannot be
    /// deceived by a name.
    pub fn line(&self) -> String {
        format!("login blocked: {self}")
    }
}

/// `network=… name="…" kind=… until=…`, without the parts that the kind does not have.
impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(network) = self.target.network() {
            write!(f, "network={network} ")?;
        }
        if let Some(name) = self.target.name() {
            write!(f, "{name} ")?;
        }
        write!(f, "kind={} until={}", self.target.kind(), format_utc(self.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_fail2ban_matches_has_the_address_first() {
        let (bob, network) = (LoginName::new("Bob"), |text: &str| Network::parse(text).unwrap());
        for (target, line) in [
            (
                Target::Pair(bob.clone(), network("203.0.113.9")),
                "login blocked: network=203.0.113.9 name=\"bob\" kind=pair \
                 until=2026-06-15T12:15:00Z",
            ),
            (
                Target::Network(network("203.0.113.9")),
                "login blocked: network=203.0.113.9 kind=network until=2026-06-15T12:15:00Z",
            ),
            (
                Target::Network(network("203.0.113.0/24")),
                "login blocked: network=203.0.113.0/24 kind=network until=2026-06-15T12:15:00Z",
            ),
            (
                Target::Network(network("2001:db8::1")),
                "login blocked: network=2001:db8::/64 kind=network until=2026-06-15T12:15:00Z",
            ),
            (
                Target::Pair(bob.clone(), network("2001:db8::/56")),
                "login blocked: network=2001:db8::/56 name=\"bob\" kind=pair \
                 until=2026-06-15T12:15:00Z",
            ),
            (Target::Name(bob), "login blocked: name=\"bob\" kind=name until=2026-06-15T12:15:00Z"),
        ] {
            assert_eq!(Block { target, since: 1_781_524_800, until: 1_781_525_700 }.line(), line);
        }
    }
}
