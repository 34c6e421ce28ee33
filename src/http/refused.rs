//! Refused calls in the log, at a limited rate, because strangers decide how many there are. A line
//! has the address of the caller and nothing else of the request.

use std::net::IpAddr;

use parking_lot::{Mutex, MutexGuard};

use crate::logging::limit::{LinesMax, NameLine, OncePerName, Window};

const LINES_MAX: LinesMax = LinesMax { window_seconds: 10, all: 10, each: 10 };

/// Limits the lines about refused calls. Shared by all threads; `now` is the steady clock's.
#[derive(Debug)]
pub struct RefusedLog {
    window: Mutex<Window<()>>,
    unlisted_proxies: OncePerName<IpAddr>,
}

impl Default for RefusedLog {
    fn default() -> Self {
        Self {
            window: Mutex::new(Window::new(LINES_MAX)),
            unlisted_proxies: OncePerName::default(),
        }
    }
}

impl RefusedLog {
    /// Logs a call with a wrong token or from an address that is not allowed, without saying which.
    pub fn refused(&self, address: IpAddr, now: i64) {
        let mut window = self.window();
        log_suppressed(window.end(now));
        if window.add((), now) {
            log::warn!("refused a call from {address}: wrong token or address");
        }
    }

    /// Logs how many lines the window suppressed, if its time is over.
    pub fn end_window(&self, now: i64) {
        log_suppressed(self.window().end(now));
    }

    /// Logs how many lines the window suppressed, at the end of the service.
    pub fn close(&self) {
        log_suppressed(self.window().close());
    }

    /// Logs that a peer that is not listed sent X-Forwarded-For, once per peer.
    pub fn unlisted_proxy(&self, peer: IpAddr) {
        match self.unlisted_proxies.line(&peer) {
            Some(NameLine::Name) => log::warn!(
                "ignoring X-Forwarded-For from {peer}; \
                 if that is your proxy, add --trusted-proxy {peer}"
            ),
            Some(NameLine::NoFurtherNames) => log::warn!(
                "ignoring X-Forwarded-For from {peer}; \
                 further addresses that send it without being a --trusted-proxy are not logged"
            ),
            None => {}
        }
    }

    fn window(&self) -> MutexGuard<'_, Window<()>> {
        self.window.lock()
    }
}

fn log_suppressed(calls: Option<u64>) {
    if let Some(calls) = calls {
        log::warn!("{calls} more refused calls");
    }
}
