//! A block, its line in the log, and those that hold now.

use std::collections::HashMap;
use std::fmt;

use super::target::Target;
use crate::clock::format_utc;

/// Blocks held at a time. Beyond it the one that ends first gives way.
const BLOCKS_MAX: usize = 4_096;

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
    /// The line for the log when it begins. Its form is a promise to fail2ban and its like (`examples/fail2ban`), as in
    /// `login blocked: network=203.0.113.9 name="bob" kind=pair until=2026-06-15T12:15:00Z`: an expression that begins at
    /// the line's time and ends at the blank behind the address cannot be deceived by a name, which stands behind it.
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

/// The blocks that hold.
pub(super) struct Blocks {
    held: HashMap<Target, Block>,
    /// When the first of them ends: before that there is nothing to clear away.
    ends_first: i64,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self { held: HashMap::new(), ends_first: i64::MAX }
    }

    /// Takes a block up, in place of one against the same target.
    pub(super) fn begin(&mut self, block: Block) {
        if self.held.len() >= BLOCKS_MAX && !self.held.contains_key(&block.target) {
            let first = self.held.values().min_by_key(|block| block.until).map(|block| block.target.clone());
            first.map(|target| self.held.remove(&target));
        }
        self.ends_first = self.ends_first.min(block.until);
        self.held.insert(block.target.clone(), block);
    }

    /// Clears away what has ended.
    pub(super) fn end(&mut self, now: i64) {
        if now >= self.ends_first {
            self.held.retain(|_, block| block.until > now);
            self.ends_first = self.held.values().map(|block| block.until).min().unwrap_or(i64::MAX);
        }
    }

    pub(super) fn lift(&mut self, target: &Target) {
        self.held.remove(target);
    }

    pub(super) fn hold(&self, target: &Target) -> bool {
        self.held.contains_key(target)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.held.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::guard::{Door, Network};

    fn network(number: u32) -> Target {
        Target::Network(Network::of(std::net::Ipv4Addr::from_bits(number).into()))
    }

    #[test]
    fn the_line_that_fail2ban_matches_has_the_address_first() {
        let (bob, home) = (Door::new("Bob"), Network::parse("203.0.113.9").unwrap());
        for (target, line) in [
            (
                Target::Pair(bob.clone(), home),
                "login blocked: network=203.0.113.9 name=\"bob\" kind=pair until=2026-06-15T12:15:00Z",
            ),
            (Target::Network(home), "login blocked: network=203.0.113.9 kind=network until=2026-06-15T12:15:00Z"),
            (
                Target::Network(Network::parse("2001:db8::1").unwrap()),
                "login blocked: network=2001:db8::/64 kind=network until=2026-06-15T12:15:00Z",
            ),
            (Target::Name(bob), "login blocked: name=\"bob\" kind=name until=2026-06-15T12:15:00Z"),
        ] {
            assert_eq!(Block { target, since: 1_781_524_800, until: 1_781_525_700 }.line(), line);
        }
    }

    #[test]
    fn the_blocks_are_bounded_and_the_one_that_ends_first_gives_way() {
        let mut blocks = Blocks::new();
        for number in 0..5_000 {
            blocks.begin(Block { target: network(number), since: 0, until: 1_000 + i64::from(number) });
        }
        assert_eq!(blocks.len(), 4_096);
        assert!(!blocks.hold(&network(903)) && blocks.hold(&network(904)) && blocks.hold(&network(4_999)));
    }

    #[test]
    fn a_block_ends_at_its_second() {
        let mut blocks = Blocks::new();
        for (number, until) in [(1, 10), (2, 20)] {
            blocks.begin(Block { target: network(number), since: 0, until });
        }
        for (now, held) in [(9, 2), (10, 1), (19, 1), (20, 0)] {
            blocks.end(now);
            assert_eq!(blocks.len(), held, "{now}");
        }
    }
}
