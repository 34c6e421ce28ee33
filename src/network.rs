//! Addresses and networks, as in settings and on sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use ipnet::{IpNet, Ipv4Net};

use crate::list_file::{self, ListFileError, ListItem};

/// Bits of the IPv6 prefix before a mapped IPv4 address (`::ffff:0:0/96`).
const MAPPED_PREFIX_BITS: u8 = 96;

/// What [`parse_network`] accepts.
pub const NETWORK_EXPECTED: &str =
    "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32";

/// Converts an IPv4 address that an IPv6 socket shows as `::ffff:1.2.3.4` into the IPv4 address.
pub fn normalise(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Reads a network (`10.0.0.0/8`, bits of the host part dropped) or a single address; IPv4-mapped
/// ones become IPv4.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = text
        .parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?
        .trunc();
    match (network.prefix_len().checked_sub(MAPPED_PREFIX_BITS), normalise(network.network())) {
        (Some(bits), IpAddr::V4(address)) if network.addr().is_ipv6() => {
            Ipv4Net::new(address, bits).ok().map(IpNet::V4)
        }
        _ => Some(network),
    }
}

/// Reads the networks of a file, one a line. The text after a `#` is a comment.
///
/// # Errors
///
/// If it cannot be read, a line is not a network, or there is none: an empty list would mean "any".
pub fn read_file(path: &Path) -> Result<Vec<IpNet>, ListFileError> {
    let network = |line: &str| parse_network(line.split('#').next().unwrap_or_default());
    list_file::read(path, ListItem { item: "network", expected: NETWORK_EXPECTED }, network)
}

/// The networks of `--trusted-proxy`; by default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// Whether one of the networks contains the address, which must be normalised.
pub fn contains(nets: &[IpNet], ip: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(&ip))
}

/// Where a service that listens on this address can be reached from this machine.
pub(crate) fn reachable(listen: SocketAddr) -> Vec<SocketAddr> {
    let at = |ip: IpAddr| SocketAddr::new(ip, listen.port());
    match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => vec![at(Ipv4Addr::LOCALHOST.into())],
        // A container often has no IPv6 on its loopback interface, and [::] takes IPv4 as well.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            vec![at(Ipv6Addr::LOCALHOST.into()), at(Ipv4Addr::LOCALHOST.into())]
        }
        _ => vec![listen],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_networks_may_say_whose_they_are() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# NATS\n10.1.2.3/8 # the office\n::1\n").unwrap();
        let read = read_file(file.path()).unwrap();
        assert_eq!(read, ["10.0.0.0/8", "::1"].map(|text| parse_network(text).unwrap()));
        std::fs::write(file.path(), "10.0.0.1, 10.0.0.2\n").unwrap();
        let said = read_file(file.path()).unwrap_err().to_string();
        assert_eq!(said, format!("{}, line 1: {NETWORK_EXPECTED}", file.path().display()));
    }

    #[test]
    fn a_network_is_a_prefix_or_one_address() {
        let table = [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            (" 203.0.113.9 ", "203.0.113.9/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::/0", "::/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:203.0.113.9", "203.0.113.9/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ];
        for (text, network) in table {
            assert_eq!(
                parse_network(text).map(|net| net.to_string()).as_deref(),
                Some(network),
                "{text}"
            );
        }
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            "example.com",
            "10.0.0.1:80",
            "10.0.0.0 /8",
            "[::1]",
        ] {
            assert_eq!(parse_network(text), None, "{text}");
        }
    }

    #[test]
    fn a_network_holds_its_addresses() {
        let nets: Vec<IpNet> = ["10.0.0.0/8", "127.0.0.1", "fd00::/8"]
            .into_iter()
            .map(|net| parse_network(net).unwrap())
            .collect();
        for (address, held) in [
            ("10.255.0.1", true),
            ("11.0.0.0", false),
            ("127.0.0.2", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(contains(&nets, address.parse().unwrap()), held, "{address}");
        }
    }

    #[test]
    fn a_wildcard_is_reached_by_the_loopback_addresses_and_another_address_by_itself() {
        for (listen, expected) in [
            ("0.0.0.0:80", &["127.0.0.1:80"][..]),
            ("[::]:80", &["[::1]:80", "127.0.0.1:80"]),
            ("127.0.0.1:80", &["127.0.0.1:80"]),
            ("192.0.2.1:80", &["192.0.2.1:80"]),
            ("[2001:db8::1]:80", &["[2001:db8::1]:80"]),
        ] {
            let places = reachable(listen.parse().unwrap());
            let places: Vec<String> = places.iter().map(SocketAddr::to_string).collect();
            assert_eq!(places, expected, "{listen}");
        }
    }
}
