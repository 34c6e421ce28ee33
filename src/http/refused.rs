//! Refused calls in the log, at a limited rate, because strangers decide how many there are. A line
//! has the address of the caller and nothing else of the request.

use std::net::IpAddr;

use parking_lot::{Mutex, MutexGuard};

use crate::logging::limit::{LinesMax, NameLine, OncePerName, Window};

const LINES_MAX: LinesMax = LinesMax { window_seconds: 10, all: 10, each: 10 };

/// Which check of a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedCall {
    /// The token in the path.
    Token,
    /// The address of the caller.
    Address,
    /// Both.
    Both,
}

impl RefusedCall {
    fn sentence(self) -> &'static str {
        match self {
            Self::Token => "the token in its URL is wrong",
            Self::Address => "its token is right, and its address is not in --allow-ip",
            Self::Both => "the token in its URL is wrong, and its address is not in --allow-ip",
        }
    }
}

/// Limits the lines about refused calls. Shared by all threads; `now` is the steady clock's.
#[derive(Debug)]
pub struct RefusedLog {
    window: Mutex<Window<()>>,
    fastcgi: Mutex<Window<()>>,
    unlisted_proxies: OncePerName<IpAddr>,
}

impl Default for RefusedLog {
    fn default() -> Self {
        Self {
            window: Mutex::new(Window::new(LINES_MAX)),
            fastcgi: Mutex::new(Window::new(LINES_MAX)),
            unlisted_proxies: OncePerName::default(),
        }
    }
}

impl RefusedLog {
    /// Logs a refused call. The caller is not told which check failed.
    pub fn refused(&self, why: RefusedCall, address: IpAddr, now: i64) {
        let mut window = self.window();
        log_suppressed(window.end(now));
        if window.add((), now) {
            log::warn!("refused a call from {address}: {}", why.sentence());
        }
    }

    /// Logs that a FastCGI connection was closed without an answer, and why.
    pub fn closed_fastcgi(&self, peer: IpAddr, why: &str, now: i64) {
        let mut window = self.fastcgi.lock();
        log_suppressed_fastcgi(window.end(now));
        if window.add((), now) {
            log::warn!("closed a FastCGI connection from {peer}: {why}");
        }
    }

    /// Logs how many lines the windows suppressed whose time is over.
    pub fn end_windows(&self, now: i64) {
        log_suppressed(self.window().end(now));
        log_suppressed_fastcgi(self.fastcgi.lock().end(now));
    }

    /// Logs how many lines the windows suppressed, at the end of the service.
    pub fn close(&self) {
        log_suppressed(self.window().close());
        log_suppressed_fastcgi(self.fastcgi.lock().close());
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

fn log_suppressed_fastcgi(connections: Option<u64>) {
    if let Some(connections) = connections {
        log::warn!("{connections} more FastCGI connections closed");
    }
}

fn log_suppressed(calls: Option<u64>) {
    if let Some(calls) = calls {
        log::warn!("{calls} more refused calls");
    }
}
