//! The passwords that wait to be hashed.

use std::time::{Duration, Instant};

use super::context::{Context, Known};
use super::report::{Level, Report};
use crate::counted::{age, counted};

/// A backlog that is younger is normal, seconds.
const YOUNG_SECONDS: i64 = 60;
/// An older one is not explained by an import, seconds.
const OLD_SECONDS: i64 = 86_400;
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) fn check(context: &Context<'_>, known: &Known, now: i64, report: &mut Report) {
    let Some(reader) = known.reader() else { return };
    let name = "backlog";
    let count = || reader.backlog().unwrap_or(0);
    let before = count();
    if before == 0 {
        report.ok(name, "no password waits to be hashed");
        return;
    }
    let oldest = known.diagnosis().and_then(|diagnosis| diagnosis.oldest_sealed_at).unwrap_or(now);
    let waits = now.saturating_sub(oldest);
    let verb = if before == 1 { "waits" } else { "wait" };
    let passwords = counted(before, "password");
    let found = format!("{passwords} {verb} to be hashed, the oldest for {}", age(waits));
    if !known.is_served {
        report.add(
            Level::Note,
            name,
            found,
            "start the service, which hashes them; members can log in meanwhile",
        );
        return;
    }
    if waits < YOUNG_SECONDS {
        report.ok(name, found);
        return;
    }
    let began = Instant::now();
    let mut after = before;
    while after == before && began.elapsed() < context.patience {
        std::thread::sleep(LOOK_EVERY.min(context.patience));
        after = count();
    }
    if after < before {
        report.add(
            Level::Note,
            name,
            format!("{found}; now the number is {after}"),
            "wait: the service hashes when it has nothing else to do; members can log in meanwhile",
        );
        return;
    }
    report.add(
        if waits > OLD_SECONDS { Level::Serious } else { Level::Warning },
        name,
        format!("{found}, and there were not fewer {} later", seconds(began.elapsed())),
        "look for errors of `hardening` in the log, and for a busy processor; restart the service \
         if it has neither",
    );
}

fn seconds(time: Duration) -> String {
    age(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
