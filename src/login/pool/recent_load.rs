//! Counts recent checks per address and its neighbourhood, in a count-min sketch.
//!
//! It counts addresses and not names, because the time of an answer must not reveal whether a
//! member has a name. A guesser who changes addresses stays in some wider network and sends many
//! checks. A visitor who logs in for the first time has sent none.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

/// The prefix lengths of the networks for which an address counts: one customer, what a provider
/// assigns to one or a few customers, and what is routed as one network.
const IPV4_BITS: [u32; LEVELS] = [32, 24, 16];
const IPV6_BITS: [u32; LEVELS] = [64, 48, 32];
const LEVELS: usize = 3;
/// What a check counts at each level. An address with one earlier check goes before an address
/// whose network sent sixteen.
const WEIGHTS: [u32; LEVELS] = [256, 16, 1];
/// Counters per row and level. Networks share them by chance, so that nothing has to be evicted. A
/// network has one counter in each row, and the lowest one counts. With 5,000 busy networks, hardly
/// one of ten thousand others shares all four. They take 1.5 MB in all, which is first touched in a
/// flood.
const COUNTERS: usize = 65_536;
const ROWS: usize = 4;
/// After this many checks all counts are halved, which takes a minute in a flood of 300 per second.
const HALVED_AFTER: u32 = 16_384;

/// The counts.
pub(super) struct RecentLoad {
    /// A random key, so that nobody can choose an address that shares the counters of another.
    keys: RandomState,
    counts: [[Vec<u16>; ROWS]; LEVELS],
    asked: u32,
}

impl RecentLoad {
    pub(super) fn new() -> Self {
        let counts = std::array::from_fn(|_| std::array::from_fn(|_| vec![0; COUNTERS]));
        Self { keys: RandomState::new(), counts, asked: 0 }
    }

    /// Counts a check from this address. Returns how much was counted for it before.
    pub(super) fn ask(&mut self, address: IpAddr) -> u32 {
        self.halve_if_due();
        let mut before = 0;
        for (level, network) in networks(address).into_iter().enumerate() {
            let hash = self.keys.hash_one((level, network));
            let mut least = u16::MAX;
            for (row, counts) in self.counts[level].iter_mut().enumerate() {
                let count = &mut counts[(hash >> (16 * row)) as usize % COUNTERS];
                least = least.min(*count);
                *count = count.saturating_add(1);
            }
            before += WEIGHTS[level] * u32::from(least);
        }
        before
    }

    fn halve_if_due(&mut self) {
        self.asked += 1;
        if self.asked >= HALVED_AFTER {
            self.asked = 0;
            self.counts.iter_mut().flatten().flatten().for_each(|count| *count /= 2);
        }
    }
}

/// The first bits of an address at each level. IPv4-mapped addresses are IPv4.
fn networks(address: IpAddr) -> [u128; LEVELS] {
    match address.to_canonical() {
        // Placed above the bits of any IPv6 prefix in use, so that the families do not collide.
        IpAddr::V4(address) => {
            IPV4_BITS.map(|bits| 1 << 127 | u128::from(address.to_bits() >> (32 - bits)))
        }
        IpAddr::V6(address) => IPV6_BITS.map(|bits| address.to_bits() >> (128 - bits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(load: &mut RecentLoad, address: &str) -> u32 {
        load.ask(address.parse().unwrap())
    }

    #[test]
    fn an_address_counts_most_and_what_is_around_it_less() {
        let mut load = RecentLoad::new();
        assert_eq!(ask(&mut load, "203.0.113.9"), 0);
        assert_eq!(ask(&mut load, "::ffff:203.0.113.9"), 256 + 16 + 1);
        assert_eq!(ask(&mut load, "203.0.113.10"), 2 * (16 + 1), "a neighbour");
        assert_eq!(ask(&mut load, "203.0.114.9"), 3, "further away");
        assert_eq!(ask(&mut load, "198.51.100.1"), 0, "elsewhere");
        assert_eq!(ask(&mut load, "2001:db8:1:2::1"), 0);
        assert_eq!(ask(&mut load, "2001:db8:1:2:3::1"), 256 + 16 + 1, "the same /64");
        assert_eq!(ask(&mut load, "2001:db8:1:3::1"), 2 * (16 + 1), "the same /48");
        assert_eq!(ask(&mut load, "2001:db8:2:2::1"), 3, "the same /32");
    }

    #[test]
    fn counts_have_an_end_and_are_forgotten_by_and_by() {
        let mut load = RecentLoad::new();
        for _ in 0..HALVED_AFTER - 1 {
            ask(&mut load, "203.0.113.9");
        }
        let most = u32::from(u16::try_from(HALVED_AFTER - 1).unwrap()) / 2;
        assert_eq!(ask(&mut load, "203.0.113.9"), most * (256 + 16 + 1));
        for _ in 0..15 * HALVED_AFTER {
            ask(&mut load, "2001:db8::1");
        }
        assert_eq!(ask(&mut load, "203.0.113.9"), 0);
    }
}
