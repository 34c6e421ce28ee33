//! Refused requests of the operations listener in the log, at a limited rate. A line says which
//! check failed, and has nothing of the request but the address of its sender.

use std::net::IpAddr;

use parking_lot::Mutex;

use crate::logging::limit::{LinesMax, Window};

const LINES_MAX: LinesMax = LinesMax { window_seconds: 10, all: 10, each: 10 };

/// Limits the lines. Shared by all threads; `now` is the steady clock's.
#[derive(Debug)]
pub struct OpsLog(Mutex<Window<()>>);

impl Default for OpsLog {
    fn default() -> Self {
        Self(Mutex::new(Window::new(LINES_MAX)))
    }
}

impl OpsLog {
    /// Logs that a request for `what` was refused, and why.
    pub fn refused(&self, what: &str, address: IpAddr, why: &str, now: i64) {
        let mut window = self.0.lock();
        log_suppressed(window.end(now));
        if window.add((), now) {
            log::warn!("refused {what} from {address}: {why}");
        }
    }

    /// Logs how many lines were suppressed, once their time is over.
    pub fn end_window(&self, now: i64) {
        log_suppressed(self.0.lock().end(now));
    }
}

fn log_suppressed(requests: Option<u64>) {
    if let Some(requests) = requests {
        log::warn!("{requests} more requests to the operations listener refused");
    }
}
