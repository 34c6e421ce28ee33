//! Networks, for which wrong passwords are counted and which are blocked.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Prefix lengths of IPv4, longest first. A /24 is only made by merging blocks.
const IPV4_PREFIXES: [u8; 2] = [32, 24];
/// Prefix lengths of IPv6, longest first: the network of one customer, who can use any address in
/// it, and the two that providers assign as a whole.
const IPV6_PREFIXES: [u8; 3] = [64, 56, 48];
/// The difference between two prefix lengths: a network contains 256 of the next narrower ones.
const STEP_BITS: u8 = 8;

/// The number of networks for which one wrong password counts: see [`Network::counted`].
pub(crate) const STEPS: usize = IPV6_PREFIXES.len();

/// The network of a visitor: an IPv4 address or its /24, or a /64, /56 or /48 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

impl Network {
    /// The narrowest network of an address: the IPv4 address itself, or the /64 of an IPv6 address.
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::with_prefix(address, prefixes(address)[0])
    }

    /// Reads the form that [`fmt::Display`] writes. An address is read as its narrowest network.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let Some(prefix) = prefix else { return Some(Self::of(address)) };
        // Compared as text, so that `/064` is refused.
        let prefix = prefixes(address).iter().find(|bits| bits.to_string() == prefix)?;
        Some(Self::with_prefix(address, *prefix))
    }

    /// Clears the host bits. All prefix lengths of this module fit their address family.
    fn with_prefix(address: IpAddr, prefix: u8) -> Self {
        Self(match address {
            IpAddr::V4(address) => IpNet::V4(Ipv4Net::new_assert(address, prefix).trunc()),
            IpAddr::V6(address) => IpNet::V6(Ipv6Net::new_assert(address, prefix).trunc()),
        })
    }

    /// The next wider network that can be blocked.
    pub(crate) fn wider(self) -> Option<Self> {
        let address = self.0.addr();
        let mut rest = prefixes(address).iter().skip_while(|&&bits| bits != self.0.prefix_len());
        rest.nth(1).map(|&bits| Self::with_prefix(address, bits))
    }

    /// This network and all wider ones.
    pub(crate) fn and_wider(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |network| network.wider())
    }

    /// The networks for which a wrong password from this one counts, narrowest first. For IPv4 that
    /// is the address only, because neighbouring addresses mostly belong to strangers.
    pub(crate) fn counted(self) -> impl Iterator<Item = Self> {
        self.and_wider().take(if self.0.addr().is_ipv4() { 1 } else { STEPS })
    }

    /// The 256 next narrower networks in this one; none if it is the narrowest.
    pub(crate) fn narrower(self) -> impl Iterator<Item = Self> {
        let inside = self.0.prefix_len() + STEP_BITS;
        let is_kind = prefixes(self.0.addr()).contains(&inside);
        // `subnets` only fails for a prefix length that does not fit, which `is_kind` excludes.
        let found = is_kind.then(|| self.0.subnets(inside).ok()).flatten();
        found.into_iter().flatten().map(Self)
    }

    /// Whether one of the two networks contains the other.
    pub fn overlaps(self, other: Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// Whether it is this machine. `::1` is shown as its /64, which contains no other host.
    pub fn is_loopback(self) -> bool {
        match self.0.addr() {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => address.is_unspecified(),
        }
    }
}

fn prefixes(address: IpAddr) -> &'static [u8] {
    if address.is_ipv4() { &IPV4_PREFIXES } else { &IPV6_PREFIXES }
}

/// `203.0.113.9`, `203.0.113.0/24` or `2001:db8::/64`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpNet::V4(net) if net.prefix_len() == IPV4_PREFIXES[0] => net.addr().fmt(f),
            net => net.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    #[test]
    fn an_address_is_in_an_ipv4_address_or_a_64_of_ipv6() {
        for (address, shown) in [
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            let found = Network::of(address.parse().unwrap());
            assert_eq!(found.to_string(), shown, "{address}");
            assert_eq!((network(address), network(shown)), (found, found), "{address}");
        }
    }

    #[test]
    fn every_network_that_can_be_blocked_is_read_as_it_is_shown() {
        for text in [
            "203.0.113.9",
            "203.0.113.0/24",
            "2001:db8:1:2::/64",
            "2001:db8:1::/56",
            "2001:db8:1::/48",
            "::/48",
        ] {
            assert_eq!(network(text).to_string(), text);
        }
        for (text, shown) in
            [("203.0.113.9/32", "203.0.113.9"), ("2001:db8:1:2ff::7/56", "2001:db8:1:200::/56")]
        {
            assert_eq!(network(text).to_string(), shown);
        }
        for text in [
            "",
            "bob",
            "203.0.113.0/25",
            "203.0.113.0/16",
            "2001:db8::/32",
            "2001:db8::/128",
            "203.0.113.9/",
            "203.0.113.9:80",
            " 203.0.113.9",
            "::1/064",
            "203.0.113.9/48",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn networks_widen_in_steps() {
        let shown = |found: Vec<Network>| found.iter().map(Network::to_string).collect::<Vec<_>>();
        let (six, four) = (network("2001:db8:1:2fe::1"), network("203.0.113.9"));
        let wider = ["2001:db8:1:2fe::/64", "2001:db8:1:200::/56", "2001:db8:1::/48"];
        assert_eq!(shown(six.and_wider().collect()), wider);
        assert_eq!(shown(six.counted().collect()), wider);
        assert_eq!(shown(four.and_wider().collect()), ["203.0.113.9", "203.0.113.0/24"]);
        assert_eq!(shown(four.counted().collect()), ["203.0.113.9"]);
    }

    #[test]
    fn a_wider_network_has_256_of_the_next_narrower_kind() {
        for text in ["203.0.113.0/24", "2001:db8:1:200::/56", "2001:db8:1::/48"] {
            let inside: Vec<Network> = network(text).narrower().collect();
            assert_eq!(inside.len(), 256, "{text}");
            assert!(
                inside
                    .iter()
                    .all(|one| one.wider() == Some(network(text)) && one.overlaps(network(text))),
                "{text}"
            );
        }
        for text in ["203.0.113.9", "2001:db8::/64"] {
            assert_eq!(network(text).narrower().count(), 0, "{text}");
        }
        assert!(!network("2001:db8:1:300::/64").overlaps(network("2001:db8:1:200::/56")));
        assert!(!network("203.0.113.9").overlaps(network("::/48")));
    }

    #[test]
    fn this_machine_is_known_under_both_families() {
        for (address, loopback) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("fd00::1", false),
        ] {
            assert_eq!(Network::of(address.parse().unwrap()).is_loopback(), loopback, "{address}");
        }
    }
}
