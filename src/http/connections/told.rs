//! Connections that were closed and requests that were refused, in the log as counts: whoever opens
//! connections by the thousand shall not fill the log.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::connection::Cut;
use super::share::{KINDS, Kind};

/// How often it is said.
const AGAIN_AFTER_SECONDS: i64 = 60;
/// What an operator does about it.
const ADVICE: &str = "let the proxy read requests whole before it hands them on, and keep senders who hold connections away \
                      there or in the firewall";

/// How many reasons to close there are.
const CUTS: usize = Cut::Full as usize + 1;

/// The counts since they were said last.
#[derive(Debug)]
pub(super) struct Told {
    cuts: [AtomicU64; CUTS],
    refused: [AtomicU64; KINDS],
    /// When they were said, in seconds of a clock that is never set back.
    last: AtomicI64,
}

impl Default for Told {
    fn default() -> Self {
        let (cuts, refused) =
            ([const { AtomicU64::new(0) }; CUTS], [const { AtomicU64::new(0) }; KINDS]);
        Self { cuts, refused, last: AtomicI64::new(i64::MIN) }
    }
}

impl Told {
    pub(super) fn cut(&self, cut: Cut) {
        self.cuts[cut as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, kind: Kind) {
        self.refused[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Says them, if a minute is over and there are any.
    pub(super) fn look(&self, now: i64, connections: usize) {
        if now.saturating_sub(self.last.load(Ordering::Relaxed)) < AGAIN_AFTER_SECONDS {
            return;
        }
        if let Some(line) = self.line(connections) {
            self.last.store(now, Ordering::Relaxed);
            log::warn!("{line}");
        }
    }

    /// The counts as a line, taken; none where nothing happened.
    fn line(&self, connections: usize) -> Option<String> {
        let cut = |cut: Cut| self.cuts[cut as usize].swap(0, Ordering::Relaxed);
        let refused = |kind: Kind| self.refused[kind as usize].swap(0, Ordering::Relaxed);
        cut(Cut::Idle);
        let full = format!("waited while all {connections} were in use");
        let counts = [
            (cut(Cut::Head), "connections closed: the head of a request took too long"),
            (cut(Cut::Unsent), "connections closed: the answer was not taken"),
            (cut(Cut::Rest), "connections closed: the body of a refused request did not end"),
            (cut(Cut::Full), &format!("connections closed: they {full}")),
            (
                refused(Kind::Login),
                "requests refused with 503: too many of /login and /logout at once",
            ),
            (refused(Kind::Visitor), "requests refused with 503: too many of /auth at once"),
            (refused(Kind::Api), "requests refused with 503: too many of /api at once"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let said: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        (!said.is_empty()).then(|| format!("{}; {ADVICE}", said.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_all_counts_since_the_one_before() {
        let told = Told::default();
        told.cut(Cut::Idle);
        assert_eq!(told.line(1024), None, "idle connections are closed every day");
        for cut in [Cut::Head, Cut::Unsent, Cut::Rest, Cut::Full, Cut::Full] {
            told.cut(cut);
        }
        for kind in [Kind::Login, Kind::Visitor, Kind::Api] {
            told.refused(kind);
        }
        let line = "1 connections closed: the head of a request took too long; \
            1 connections closed: the answer was not taken; \
            1 connections closed: the body of a refused request did not end; \
            2 connections closed: they waited while all 1024 were in use; \
            1 requests refused with 503: too many of /login and /logout at once; \
            1 requests refused with 503: too many of /auth at once; \
            1 requests refused with 503: too many of /api at once; ";
        assert_eq!(told.line(1024), Some(format!("{line}{ADVICE}")));
        assert_eq!(told.line(1024), None);
    }

    #[test]
    fn it_is_said_at_once_and_then_once_a_minute() {
        let told = Told::default();
        let said = |now| {
            told.look(now, 1024);
            told.last.load(Ordering::Relaxed)
        };
        assert_eq!(said(5), i64::MIN, "there is nothing to say");
        told.cut(Cut::Head);
        assert_eq!(said(7), 7);
        told.cut(Cut::Head);
        assert_eq!((said(66), said(67), said(200)), (7, 67, 67));
    }
}
