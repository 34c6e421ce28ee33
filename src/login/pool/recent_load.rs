//! How much was asked lately from an address and from the addresses around it.
//!
//! Counted are addresses and not names: whether somebody has a name must not tell how soon a login
//! is answered. A guesser who changes addresses stays within some wider network, and asks often;
//! who logs in for the first time has asked for nothing yet.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

/// The networks that an address counts for, by their bits: one customer, what one provider gives
/// to one customer or a few, and what is announced as one.
const IPV4_BITS: [u32; LEVELS] = [32, 24, 16];
const IPV6_BITS: [u32; LEVELS] = [64, 48, 32];
const LEVELS: usize = 3;
/// What a question counts for at each level. Who is alone with theirs at an address goes before
/// sixteen who share a network with them.
const WEIGHTS: [u32; LEVELS] = [256, 16, 1];
/// Counters in each of a level's rows. Networks share them by chance, so that there is nothing to
/// push out. Each has one in every row, of which the lowest counts: beside 5,000 busy networks
/// hardly one of ten thousand others shares all four. 1.5 MB in all, which is first touched in a
/// flood.
const COUNTERS: usize = 65_536;
const ROWS: usize = 4;
/// After so many questions all counts are halved: a minute in a flood of 300 a second.
const HALVED_AFTER: u32 = 16_384;

/// The counts.
pub(super) struct RecentLoad {
    /// A random key: nobody can choose an address that shares another one's counters.
    keys: RandomState,
    counts: [[Vec<u16>; ROWS]; LEVELS],
    asked: u32,
}

impl RecentLoad {
    pub(super) fn new() -> Self {
        let counts = std::array::from_fn(|_| std::array::from_fn(|_| vec![0; COUNTERS]));
        Self { keys: RandomState::new(), counts, asked: 0 }
    }

    /// Counts a question from this address, and says how much was asked from there before.
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

/// The first bits of an address, at each level. IPv4-mapped addresses are IPv4.
fn networks(address: IpAddr) -> [u128; LEVELS] {
    match address.to_canonical() {
        // Above the bits of any IPv6 prefix that is looked at, so that none is taken for the other.
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
