//! Refused calls in the log: the address alone, at a bounded rate, because a stranger decides how
//! many there are.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::said_once::SaidOnce;

/// Lines in a window; the rest is counted.
const LINES_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// Keeps account of what was logged. Shared by all threads.
#[derive(Debug, Default)]
pub struct RefusedLog {
    window: Mutex<Window>,
    warned: SaidOnce<IpAddr>,
}

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Window {
    /// A further refusal: whether it has a line of its own.
    fn add(&mut self, now: Instant) -> bool {
        self.began.get_or_insert(now);
        let has_line = self.lines < LINES_MAX;
        if has_line {
            self.lines += 1;
        } else {
            self.left_out += 1;
        }
        has_line
    }

    /// Where the window is over, how many it left out; the next refusal begins another one.
    fn end(&mut self, now: Instant) -> Option<u64> {
        let is_over =
            self.began.is_some_and(|began| now.saturating_duration_since(began) >= WINDOW);
        if is_over { self.close() } else { None }
    }

    /// The same at any time.
    fn close(&mut self) -> Option<u64> {
        let left_out = std::mem::take(self).left_out;
        (left_out > 0).then_some(left_out)
    }
}

impl RefusedLog {
    /// A call with a wrong token, or from an address that is not allowed. Which of both is not
    /// said.
    pub fn refused(&self, address: IpAddr) {
        let mut window = lock(&self.window);
        let now = Instant::now();
        say_left_out(window.end(now));
        if window.add(now) {
            log::warn!("refused a call from {address}: wrong token or address");
        }
    }

    /// Says how many refusals had no line, once the window is over: a stranger who has gone away is
    /// counted, too.
    pub fn look(&self) {
        say_left_out(lock(&self.window).end(Instant::now()));
    }

    /// The same whether it is over or not: for the end of the service.
    pub fn close(&self) {
        say_left_out(lock(&self.window).close());
    }

    /// A peer that is not listed sent X-Forwarded-For: said once per peer.
    pub fn unlisted_proxy(&self, peer: IpAddr) {
        if self.warned.is_first(&peer) {
            log::warn!(
                "ignoring X-Forwarded-For from {peer}; if that is your proxy, add --trusted-proxy {peer}"
            );
        }
    }
}

fn say_left_out(calls: Option<u64>) {
    if let Some(calls) = calls {
        log::warn!("{calls} more refused calls");
    }
}

/// A panic elsewhere does not make these counts wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: those left out were told by the next refusal, so never if there was none.
    #[test]
    fn a_window_has_ten_lines_and_tells_the_rest_when_it_is_over() {
        let (mut window, began) = (Window::default(), Instant::now());
        let last = began + WINDOW - Duration::from_nanos(1);
        assert_eq!(window.end(began), None, "nothing was refused");
        for number in 1..=LINES_MAX + 3 {
            assert_eq!(
                window.add(if number == 1 { began } else { last }),
                number <= LINES_MAX,
                "{number}"
            );
        }
        assert_eq!(
            (window.end(last), window.end(began + WINDOW), window.end(began + WINDOW)),
            (None, Some(3), None)
        );
        assert!(window.add(began + 2 * WINDOW), "a window of its own");
        assert_eq!(window.end(began + 4 * WINDOW), None, "none was left out");
        assert_eq!(window.close(), None);
    }

    #[test]
    fn a_window_that_is_closed_early_tells_the_rest_once() {
        let (mut window, now) = (Window::default(), Instant::now());
        (0..LINES_MAX + 1).for_each(|_| {
            window.add(now);
        });
        assert_eq!(
            (window.close(), window.close(), window.end(now + WINDOW)),
            (Some(1), None, None)
        );
    }
}
