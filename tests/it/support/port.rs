//! Ports for servers that cannot choose one by themselves.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A free port, for a server that cannot choose a free one by itself. It is below the range from
/// which the system assigns ports, so that no other test gets it meanwhile. The search begins at a
/// number that depends on this process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + (std::process::id() % 1_000) as u16 * 16;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
