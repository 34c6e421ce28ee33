//! Writes small files in MaxMind's format: a tree of the bits of addresses, whose leaves point to
//! records, and a description.

use std::path::Path;

/// Writes a file as GeoLite2-Country: networks, as in `198.51.1.0/24`, with their countries.
pub fn country_file(path: &Path, networks: &[(&str, &str)]) -> String {
    let record = |code: &str| map(&[("country", map(&[("iso_code", text(code))]))]);
    let records: Vec<_> = networks.iter().map(|(network, code)| (*network, record(code))).collect();
    std::fs::write(path, mmdb("GeoLite2-Country", &records)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A file of this type, with a record for each network. No network contains another.
pub fn mmdb(kind: &str, networks: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tree: Vec<[Target; 2]> = vec![[Target::Nothing; 2]];
    let mut data = Vec::new();
    for (network, record) in networks {
        let (address, length) = network.split_once('/').unwrap();
        let bits = match address.parse().unwrap() {
            std::net::IpAddr::V4(v4) => u128::from(v4.to_bits()),
            std::net::IpAddr::V6(v6) => v6.to_bits(),
        };
        let length = length.parse::<usize>().unwrap() + if address.contains(':') { 0 } else { 96 };
        let side = |depth: usize| usize::from(bits >> (127 - depth) & 1 == 1);
        let mut node = 0;
        for depth in 0..length - 1 {
            node = match tree[node][side(depth)] {
                Target::Node(next) => next,
                _ => {
                    tree.push([Target::Nothing; 2]);
                    let next = tree.len() - 1;
                    tree[node][side(depth)] = Target::Node(next);
                    next
                }
            };
        }
        tree[node][side(length - 1)] = Target::Record(data.len());
        data.extend_from_slice(record);
    }
    let mut file = Vec::new();
    for target in tree.iter().flatten() {
        let value = match *target {
            Target::Node(node) => node,
            Target::Nothing => tree.len(),
            Target::Record(offset) => tree.len() + 16 + offset,
        };
        file.extend_from_slice(&u32::try_from(value).unwrap().to_be_bytes()[1..]);
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", number(9, crate::support::NOON.unsigned_abs())),
        ("database_type", text(kind)),
        ("description", map(&[])),
        ("ip_version", number(5, 6)),
        ("languages", vec![0, 4]),
        ("node_count", number(6, tree.len() as u64)),
        ("record_size", number(5, 24)),
    ]));
    file
}

#[derive(Clone, Copy)]
enum Target {
    Nothing,
    Node(usize),
    /// At this place of the data.
    Record(usize),
}

/// A map of at most 28 entries.
pub fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![7 << 5 | u8::try_from(entries.len()).unwrap()];
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

/// A text of at most 28 bytes.
pub fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![2 << 5 | u8::try_from(text.len()).unwrap()];
    bytes.extend(text.bytes());
    bytes
}

/// A number of this type. Types from 8 on have a byte of their own.
fn number(kind: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let digits = &bytes[(value.leading_zeros() / 8) as usize..];
    let length = u8::try_from(digits.len()).unwrap();
    let head = if kind < 8 { vec![kind << 5 | length] } else { vec![length, kind - 7] };
    [&head, digits].concat()
}
