//! The unit and the socket in `packaging/`.

use std::fs;
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

/// The value of the only line with this key.
fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    let values: Vec<&str> =
        unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect();
    assert_eq!(values.len(), 1, "{key}: {values:?}");
    values[0]
}

#[test]
fn the_socket_listens_where_the_service_does_by_default() {
    let socket = fs::read_to_string(file("nats-userman.socket")).unwrap();
    let settings = fs::read_to_string(file("../docs/settings.md")).unwrap();
    let address = value(&socket, "ListenStream");
    assert!(settings.contains(&format!("`{address}`")), "{address}");
}
