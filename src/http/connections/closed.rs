//! The log of closed connections and refused requests. It has counts only, so that a client that
//! opens thousands of connections cannot fill the log.

use std::sync::atomic::{AtomicU64, Ordering};

use super::share::{KINDS, RequestKind};
use crate::logging::limit::Interval;

/// Seconds between two lines.
const LOG_EVERY_SECONDS: i64 = 60;
/// Advice for the operator.
const ADVICE: &str = "let the proxy buffer whole requests before it passes them on, and block \
                      senders that hold connections open there or in the firewall";

/// Why this server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// It was idle for too long, which is the first reason here: proxies and browsers expect that,
    /// so it is not logged.
    Idle,
    /// The head of a request took too long.
    Head,
    /// The client did not accept the response.
    Unsent,
    /// The body continued after its request had been answered.
    Rest,
    /// It was idle, and a new connection needed its place.
    Full,
}

/// How many reasons there are.
const REASONS: usize = CloseReason::Full as usize + 1;

/// The counts since the last line.
#[derive(Debug)]
pub(super) struct ClosedLog {
    closed: [AtomicU64; REASONS],
    refused: [AtomicU64; KINDS],
    interval: Interval,
    /// What visitors request.
    pages: &'static str,
}

impl Default for ClosedLog {
    fn default() -> Self {
        let (closed, refused) =
            ([const { AtomicU64::new(0) }; REASONS], [const { AtomicU64::new(0) }; KINDS]);
        Self { closed, refused, interval: Interval::new(LOG_EVERY_SECONDS), pages: "/auth" }
    }
}

impl ClosedLog {
    /// For the operations listener.
    pub(super) fn of_operations() -> Self {
        Self { pages: "the console", ..Self::default() }
    }

    pub(super) fn closed(&self, reason: CloseReason) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, kind: RequestKind) {
        self.refused[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Logs the counts, if there are any and the last line is a minute old.
    pub(super) fn log(&self, now: i64, connections: usize) {
        if let Some(line) = self.due_line(now, connections) {
            log::warn!("{line}");
        }
    }

    fn due_line(&self, now: i64, connections: usize) -> Option<String> {
        let is_zero = |count: &AtomicU64| count.load(Ordering::Relaxed) == 0;
        let logged = &self.closed[CloseReason::Idle as usize + 1..];
        if logged.iter().chain(&self.refused).all(is_zero) || !self.interval.is_due(now) {
            return None;
        }
        self.line(connections)
    }

    /// Resets the counts and returns them as a line; `None` if nothing happened.
    fn line(&self, connections: usize) -> Option<String> {
        let closed = |reason: CloseReason| self.closed[reason as usize].swap(0, Ordering::Relaxed);
        let refused = |kind: RequestKind| self.refused[kind as usize].swap(0, Ordering::Relaxed);
        closed(CloseReason::Idle);
        let full = format!("connections closed: idle while all {connections} were in use");
        let pages = format!("requests refused with 503: too many of {} at once", self.pages);
        let counts = [
            (closed(CloseReason::Head), "connections closed: the head of a request took too long"),
            (
                closed(CloseReason::Unsent),
                "connections closed: the client did not read the response",
            ),
            (
                closed(CloseReason::Rest),
                "connections closed: the body of a refused request did not end",
            ),
            (closed(CloseReason::Full), full.as_str()),
            (
                refused(RequestKind::Login),
                "requests refused with 503: too many of /login and /logout at once",
            ),
            (refused(RequestKind::Visitor), pages.as_str()),
            (refused(RequestKind::Api), "requests refused with 503: too many of /api at once"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        (!parts.is_empty()).then(|| format!("{}; {ADVICE}", parts.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_all_counts_since_the_one_before() {
        let counts = ClosedLog::default();
        counts.closed(CloseReason::Idle);
        assert_eq!(counts.line(1024), None, "idle connections are closed every day");
        for reason in [
            CloseReason::Head,
            CloseReason::Unsent,
            CloseReason::Rest,
            CloseReason::Full,
            CloseReason::Full,
        ] {
            counts.closed(reason);
        }
        for kind in [RequestKind::Login, RequestKind::Visitor, RequestKind::Api] {
            counts.refused(kind);
        }
        let line = "1 connections closed: the head of a request took too long; \
            1 connections closed: the client did not read the response; \
            1 connections closed: the body of a refused request did not end; \
            2 connections closed: idle while all 1024 were in use; \
            1 requests refused with 503: too many of /login and /logout at once; \
            1 requests refused with 503: too many of /auth at once; \
            1 requests refused with 503: too many of /api at once; ";
        assert_eq!(counts.line(1024), Some(format!("{line}{ADVICE}")));
        assert_eq!(counts.line(1024), None);
    }

    #[test]
    fn the_line_of_the_operations_listener_names_the_console() {
        let counts = ClosedLog::of_operations();
        counts.refused(RequestKind::Visitor);
        let line = "1 requests refused with 503: too many of the console at once; ";
        assert_eq!(counts.line(64), Some(format!("{line}{ADVICE}")));
    }

    #[test]
    fn it_is_logged_at_once_and_then_once_a_minute() {
        let counts = ClosedLog::default();
        let is_logged_at = |now| counts.due_line(now, 1024).is_some();
        counts.closed(CloseReason::Idle);
        assert!(!is_logged_at(5), "there is nothing to log");
        counts.closed(CloseReason::Head);
        assert!(is_logged_at(7));
        counts.closed(CloseReason::Head);
        assert_eq!([66, 67, 200].map(is_logged_at), [false, true, false]);
    }
}
