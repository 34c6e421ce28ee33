//! A block, and its line in the log.

use std::fmt;

use super::target::Target;
use crate::clock::format_utc;

/// Somebody waits outside for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Whom it is against.
    pub target: Target,
    /// When it began, unix seconds.
    pub since: i64,
    /// The first second in which it does not hold, unix seconds.
    pub until: i64,
}

impl Block {
    /// The line for the log when it begins. Its form is a promise to fail2ban and its like
    /// (`examples/fail2ban`), as in `login blocked: network=203.0.113.9 name="bob" kind=pair
    /// until=2026-06-15T12:15:00Z`: an expression that begins at the line's time and ends at the
    /// blank behind the address cannot be deceived by a name, which stands behind it.
    pub fn line(&self) -> String {
        format!("login blocked: {self}")
    }
}

/// `network=… name="…" kind=… until=…`, without what the kind does not have.
impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(network) = self.target.network() {
            write!(f, "network={network} ")?;
        }
        if let Some(door) = self.target.door() {
            write!(f, "{door} ")?;
        }
        write!(f, "kind={} until={}", self.target.kind(), format_utc(self.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::guard::{Door, Network};

    #[test]
    fn the_line_that_fail2ban_matches_has_the_address_first() {
        let (bob, network) = (Door::new("Bob"), |text: &str| Network::parse(text).unwrap());
        for (target, line) in [
            (
                Target::Pair(bob.clone(), network("203.0.113.9")),
                "login blocked: network=203.0.113.9 name=\"bob\" kind=pair until=2026-06-15T12:15:00Z",
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
                "login blocked: network=2001:db8::/56 name=\"bob\" kind=pair until=2026-06-15T12:15:00Z",
            ),
            (Target::Name(bob), "login blocked: name=\"bob\" kind=name until=2026-06-15T12:15:00Z"),
        ] {
            assert_eq!(Block { target, since: 1_781_524_800, until: 1_781_525_700 }.line(), line);
        }
    }
}
