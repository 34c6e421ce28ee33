//! Logs a long read transaction that keeps the engine from reclaiming its log: when it is noticed,
//! every few minutes while it lasts, and when it is over. The log can fill the disk meanwhile, and
//! nothing else reports that.

use std::time::{Duration, Instant};

use crate::store::LongRead;

const REPEAT_AFTER: Duration = Duration::from_secs(300);
const MIB: u64 = 1 << 20;

/// When such a read transaction was last logged.
#[derive(Debug, Default)]
pub(super) struct ReaderLog {
    logged: Option<(Instant, &'static str)>,
}

impl ReaderLog {
    /// Logs what the engine finds at `now`, if a line is due.
    pub(super) fn report(&mut self, held: Option<LongRead>, now: Instant) {
        match (self.line(held, now), held) {
            (Some(line), Some(_)) => log::warn!("{line}"),
            (Some(line), None) => log::info!("{line}"),
            (None, _) => {}
        }
    }

    fn line(&mut self, held: Option<LongRead>, now: Instant) -> Option<String> {
        let Some(LongRead { since, bytes, log, suspects }) = held else {
            return self.logged.take().map(|(_, log)| {
                format!("no read transaction prevents the {log} from being truncated any more")
            });
        };
        let is_recent = |logged| now.saturating_duration_since(logged) < REPEAT_AFTER;
        if self.logged.is_some_and(|(logged, _)| is_recent(logged)) {
            return None;
        }
        self.logged = Some((now, log));
        let (age, mib) = (age(now.saturating_duration_since(since)), bytes / MIB);
        Some(format!(
            "a read transaction that is at least {age} old prevents the {log} from being \
             truncated: it has {mib} MiB and grows; look for {suspects}"
        ))
    }
}

fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7_200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reader_is_told_when_it_is_noticed_every_five_minutes_and_when_it_is_gone() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let held = |mib: u64| {
            Some(LongRead { since: start, bytes: mib * MIB, log: "LOG", suspects: "a reader" })
        };
        let line = |age: &str, mib: u64| {
            Some(format!(
                "a read transaction that is at least {age} old prevents the LOG from being \
                 truncated: it has {mib} MiB and grows; look for a reader"
            ))
        };
        let mut log = ReaderLog::default();
        let story = [
            (0, None, None),
            (40, held(130), line("40 seconds", 130)),
            (41, held(131), None),
            (339, held(140), None),
            (340, held(150), line("5 minutes", 150)),
            (9_000, held(900), line("2 hours", 900)),
            (
                9_010,
                None,
                Some("no read transaction prevents the LOG from being truncated any more".into()),
            ),
            (9_020, None, None),
            (9_030, held(140), line("2 hours", 140)),
        ];
        for (second, held, expected) in story {
            assert_eq!(log.line(held, at(second)), expected, "at second {second}");
        }
    }
}
