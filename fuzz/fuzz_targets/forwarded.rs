//! Any X-Forwarded-For names a caller: behind a listed proxy never an address that is not in the
//! header, from an unlisted peer always the peer.

#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use nats_userman::http::caller::caller;
use nats_userman::network::{TrustedProxies, contains, normalise, parse_network};

fuzz_target!(|header: &[u8]| {
    let lines = || header.split(|&b| b == b'\n');
    let networks =
        ["10.0.0.0/8", "127.0.0.1", "fd00::/8"].map(|net| parse_network(net).expect("a network"));
    let trusted = TrustedProxies(networks.to_vec());
    let (proxy, stranger) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([203, 0, 113, 9]));

    assert_eq!(caller(stranger, lines(), &trusted).address, stranger);
    assert_eq!(caller(proxy, lines(), &TrustedProxies::default()).address, proxy);
    let found = caller(proxy, lines(), &trusted);
    assert!(!found.ignored_header);
    assert_eq!(found.address, normalise(found.address));

    // Whatever a client writes to the left of what the proxy adds does not count.
    let added = [header, b", 203.0.113.9"].concat();
    assert_eq!(caller(proxy, added.split(|&b| b == b'\n'), &trusted).address, stranger);

    let text = String::from_utf8_lossy(header);
    if let Some(network) = parse_network(&text) {
        assert!(contains(&[network], normalise(network.network())), "{network}");
        assert_eq!(parse_network(&network.to_string()), Some(network));
    }
});
