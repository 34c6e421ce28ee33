//! The rules: pure functions from facts and limits to the causes that there are.

mod known;
mod lasting;
mod silence;

pub use known::is_known;
use lasting::lasting;

use super::cause::Cause;
use super::facts::{Backups, Differences, Facts, Limits};
use super::ledger::Found;
use crate::counted::counted;
use crate::statistics::{Recent, Snapshot};

const MIB: u64 = 1 << 20;
/// Fewer ERROR replies in an hour are single mistakes, however few postbacks there are.
const ERRORS_MIN: u64 = 5;
/// Without a limit in the settings, a backup is too old after this many times the time between two.
const BACKUP_TIMES: i64 = 2;

/// The causes that there are. `is_raised` says whether a cause has an alarm already.
pub fn find(facts: &Facts, limits: &Limits, is_raised: impl Fn(Cause) -> bool) -> Vec<Found> {
    let snapshot = &facts.snapshot;
    let mut found = Vec::new();
    found.extend(read_only(facts.can_write));
    found.extend(errors(snapshot.recent, limits.error_percent));
    found.extend(silence::find(facts, limits.silence_postbacks, is_raised));
    found.extend(backlog(snapshot, limits.backlog));
    found.extend(backup(facts.backups, limits.backup_age));
    found.extend(disk(snapshot.sizes.free, limits.disk_mib));
    found.extend(differences(facts.differences, limits.differences));
    found
}

fn read_only(can_write: Option<bool>) -> Option<Found> {
    (can_write == Some(false)).then(|| {
        Found::new(
            Cause::ReadOnly,
            "the database cannot be written: postbacks are answered 503, and NATS must \
             send them again; the log says why (journalctl -p err)",
        )
    })
}

fn errors(recent: Recent, percent: u32) -> Option<Found> {
    let Recent { postbacks, errors } = recent;
    let is_much = errors >= ERRORS_MIN && errors * 100 > postbacks * u64::from(percent);
    (percent > 0 && is_much).then(|| {
        let share = errors * 100 / postbacks.max(1);
        Found::new(
            Cause::Errors,
            format!(
                "{errors} of {} of the last hour were answered with ERROR: {share} %, more than \
                 {percent} % (--alarm-error-percent); `nats-userman journal --reply ERROR` lists \
                 them",
                counted(postbacks, "postback")
            ),
        )
    })
}

fn backlog(snapshot: &Snapshot, limit: u32) -> Option<Found> {
    let (now, before) = (snapshot.backlog, snapshot.backlog_before?);
    (limit > 0 && now > u64::from(limit) && now >= before).then(|| {
        Found::new(
            Cause::Backlog,
            format!(
                "{now} credentials wait to be hashed, more than {limit} (--alarm-backlog), and a \
                 quarter of an hour ago there were {before}: the machine is too busy, or the \
                 hashing has stopped (see the log)"
            ),
        )
    })
}

fn backup(backups: Option<Backups>, limit: Option<i64>) -> Option<Found> {
    let Backups { every, age, running } = backups?;
    let limit = backup_limit(every, limit);
    let is_late = age.unwrap_or(running) > limit;
    (limit > 0 && is_late).then(|| {
        let newest = match age {
            Some(age) => format!("the newest backup is {} old", lasting(age)),
            None => "there is no backup".to_owned(),
        };
        Found::new(
            Cause::Backup,
            format!(
                "{newest}, and one is made every {} (--backup-every); the log says why the last \
                 ones failed",
                lasting(every)
            ),
        )
    })
}

/// From which age on a backup is too old, in seconds.
fn backup_limit(every: i64, limit: Option<i64>) -> i64 {
    limit.unwrap_or(every.saturating_mul(BACKUP_TIMES))
}

fn disk(free: Option<u64>, limit_mib: u32) -> Option<Found> {
    let free_mib = free? / MIB;
    (free_mib < u64::from(limit_mib)).then(|| {
        Found::new(
            Cause::Disk,
            format!(
                "the disk of the database has {free_mib} MiB left, less than {limit_mib} MiB \
                 (--alarm-disk-mib); when it is full, postbacks are answered 503: free room, or \
                 move the data directory"
            ),
        )
    })
}

fn differences(last: Option<Differences>, limit: u32) -> Option<Found> {
    let count = last?.count;
    (limit > 0 && count >= u64::from(limit)).then(|| {
        Found::new(
            Cause::Differences,
            format!(
                "{} from NATS's list (--reconcile-every); `nats-userman reconcile --from-nats` \
                 lists them",
                if count == 1 {
                    "1 member differs".to_owned()
                } else {
                    format!("{count} members differ")
                }
            ),
        )
    })
}

#[cfg(test)]
mod tests;
