//! Refused calls in the log: the address alone, at a bounded rate, because a stranger decides how many there are.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines in a window; the rest is counted.
const LINES_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);
/// Proxies that are warned about: each once. More than this is a stranger's doing, not an operator's mistake.
const PEERS_WARNED_MAX: usize = 32;

/// Keeps account of what was logged. Shared by all threads.
#[derive(Debug, Default)]
pub struct RefusedLog {
    window: Mutex<Window>,
    warned: Mutex<HashSet<IpAddr>>,
}

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl RefusedLog {
    /// A call with a wrong token, or from an address that is not allowed. Which of both is not said.
    pub fn refused(&self, address: IpAddr) {
        let mut window = lock(&self.window);
        if window.began.is_none_or(|began| began.elapsed() >= WINDOW) {
            if window.left_out > 0 {
                log::warn!("{} more refused calls", window.left_out);
            }
            *window = Window { began: Some(Instant::now()), lines: 0, left_out: 0 };
        }
        if window.lines < LINES_MAX {
            window.lines += 1;
            log::warn!("refused a call from {address}: wrong token or address");
        } else {
            window.left_out += 1;
        }
    }

    /// A peer that is not listed sent X-Forwarded-For: said once per peer.
    pub fn unlisted_proxy(&self, peer: IpAddr) {
        let mut warned = lock(&self.warned);
        if warned.len() < PEERS_WARNED_MAX && warned.insert(peer) {
            log::warn!("ignoring X-Forwarded-For from {peer}; if that is your proxy, add --trusted-proxy {peer}");
        }
    }
}

/// A panic elsewhere does not make these counts wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
