//! The address of the caller: the peer, or the address that a listed proxy puts into
//! X-Forwarded-For.
//!
//! Anybody can send that header, so only the entries that listed proxies wrote count. X-Real-IP and
//! Forwarded are never read.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::network::{TrustedProxies, contains, normalise};

/// The largest number of entries of X-Forwarded-For that are read, from the right. No chain of
/// listed proxies is that long.
const ENTRIES_MAX: usize = 64;

/// The caller of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The normalised address, for `--allow-ip` and the journal.
    pub address: IpAddr,
    /// A peer that is not listed sent X-Forwarded-For, which was not read. It is logged once per
    /// peer.
    pub ignored_header: bool,
}

/// Finds the caller. `forwarded` are the X-Forwarded-For lines in the order received, each a list
/// with commas; together they are one list. It is read from the right: listed proxies are skipped,
/// and the first other address is the caller. If an entry cannot be read, or none is left, the
/// caller is the last listed proxy.
pub fn caller<'a>(
    peer: IpAddr,
    forwarded: impl Iterator<Item = &'a [u8]>,
    trusted: &TrustedProxies,
) -> Caller {
    let mut hop = normalise(peer);
    if !contains(&trusted.0, hop) {
        let mut lines = forwarded;
        return Caller {
            address: hop,
            ignored_header: lines.any(|line| !line.trim_ascii().is_empty()),
        };
    }
    let lines: Vec<&[u8]> = forwarded.collect();
    let entries = lines.iter().rev().flat_map(|line| line.rsplit(|&b| b == b','));
    for entry in entries.take(ENTRIES_MAX) {
        let Some(address) = address(entry) else { break };
        hop = address;
        if !contains(&trusted.0, address) {
            break;
        }
    }
    Caller { address: hop, ignored_header: false }
}

/// Reads an entry: an address with or without port and brackets, as proxies write them.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry.trim_ascii()).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let plain = text.parse::<IpAddr>().ok();
    let found = plain
        .or_else(|| text.parse::<SocketAddr>().ok().map(|s| s.ip()))
        .or_else(|| bracketed().map(IpAddr::V6));
    found.map(normalise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::parse_network;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies(
            ["10.0.0.0/8", "127.0.0.1", "fd00::/8"]
                .into_iter()
                .map(|net| parse_network(net).unwrap())
                .collect(),
        )
    }

    #[test]
    fn behind_a_listed_proxy_the_first_unlisted_address_from_the_right_is_the_caller() {
        let table: &[(&[&str], &str, &str)] = &[
            (&[], "10.0.0.1", "no header"),
            (&[""], "10.0.0.1", "an empty one"),
            (&["203.0.113.9"], "203.0.113.9", "one entry"),
            (&["198.51.100.1, 203.0.113.9"], "203.0.113.9", "the left one is anybody's word"),
            (&["198.51.100.1,203.0.113.9 ,\t10.0.0.2"], "203.0.113.9", "a listed one is skipped"),
            (&["203.0.113.9", "10.0.0.2, 10.0.0.3"], "203.0.113.9", "lines count as one list"),
            (&["10.0.0.4, 10.0.0.2", "10.0.0.3"], "10.0.0.4", "all listed: the leftmost"),
            (&["203.0.113.9:567"], "203.0.113.9", "a port"),
            (&["[2001:db8::1]:567"], "2001:db8::1", "a port and brackets"),
            (&["[2001:db8::1]"], "2001:db8::1", "brackets"),
            (&["2001:DB8::1"], "2001:db8::1", "none"),
            (&["::ffff:203.0.113.9"], "203.0.113.9", "IPv4-mapped"),
            (&["[::ffff:203.0.113.9]:80"], "203.0.113.9", "IPv4-mapped with a port"),
            (
                &["203.0.113.9, ::ffff:10.0.0.2, [fd00::1]:80"],
                "203.0.113.9",
                "listed in other forms",
            ),
            (&["203.0.113.9, unknown"], "10.0.0.1", "unreadable at once: the peer"),
            (&["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2", "unreadable: the last listed hop"),
            (&["203.0.113.9, ,10.0.0.2"], "10.0.0.2", "an empty entry hides who it was"),
            (&["203.0.113.9", ""], "10.0.0.1", "so does an empty line"),
            (&["203.0.113.9,"], "10.0.0.1", "so does a comma"),
            (&["203.0.113.999"], "10.0.0.1", "no address"),
            (&["203.0.113.9:99999"], "10.0.0.1", "no port"),
            (&["[203.0.113.9]"], "10.0.0.1", "brackets are for IPv6"),
            (&["\"203.0.113.9\""], "10.0.0.1", "quotes are Forwarded's"),
        ];
        for (lines, address, why) in table {
            for peer in ["10.0.0.1", "::ffff:10.0.0.1"] {
                let found = caller(ip(peer), lines.iter().map(|line| line.as_bytes()), &proxies());
                assert_eq!(
                    (found.address, found.ignored_header),
                    (ip(address), false),
                    "{lines:?}: {why}"
                );
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_unreadable() {
        assert_eq!(
            caller(ip("10.0.0.1"), [&b"1.2.3.4, \xff"[..]].into_iter(), &proxies()).address,
            ip("10.0.0.1")
        );
    }

    #[test]
    fn an_unlisted_peer_is_the_caller_whatever_it_writes() {
        for (lines, ignored) in [
            (&[][..], false),
            (&["", " "], false),
            (&["127.0.0.1"], true),
            (&["", "nonsense"], true),
        ] {
            for trusted in [TrustedProxies::default(), proxies()] {
                let found = caller(
                    ip("::ffff:203.0.113.9"),
                    lines.iter().map(|line: &&str| line.as_bytes()),
                    &trusted,
                );
                assert_eq!(
                    (found.address, found.ignored_header),
                    (ip("203.0.113.9"), ignored),
                    "{lines:?}"
                );
            }
        }
    }

    #[test]
    fn a_long_list_is_read_only_so_far() {
        let line = |listed: usize| format!("203.0.113.9{}", ",10.0.0.2".repeat(listed));
        for (listed, address) in [(ENTRIES_MAX - 1, "203.0.113.9"), (ENTRIES_MAX, "10.0.0.2")] {
            let found = caller(ip("10.0.0.1"), [line(listed).as_bytes()].into_iter(), &proxies());
            assert_eq!(found.address, ip(address), "{listed}");
        }
    }
}
