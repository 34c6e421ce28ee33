//! Whether the facts are known on which a rule decides. Soon after a start some are not: then there
//! is no cause in them, and an alarm of before the start is not over either.

use super::super::cause::Cause;
use super::super::facts::{Facts, Limits};
use super::backup_limit;

/// Whether this cause can be judged now. A rule that is off is judged: its alarm ends.
pub fn is_known(cause: Cause, facts: &Facts, limits: &Limits) -> bool {
    let snapshot = &facts.snapshot;
    match cause {
        Cause::ReadOnly => facts.can_write.is_some(),
        Cause::Errors => snapshot.complete_since.is_some(),
        // While nothing can be written, a postback does not end a silence.
        Cause::Silence(_) => snapshot.complete_since.is_some() && facts.can_write != Some(false),
        Cause::Backlog => limits.backlog == 0 || snapshot.backlog_before.is_some(),
        Cause::Backup => facts.backups.is_none_or(|backups| {
            let limit = backup_limit(backups.every, limits.backup_age);
            // Without any backup, only the time since the start counts.
            limit == 0 || backups.age.is_some() || backups.running > limit
        }),
        Cause::Disk => {
            // A database on a server has no disk here.
            let is_elsewhere =
                snapshot.complete_since.is_some() && snapshot.sizes.database.is_none();
            limits.disk_mib == 0 || snapshot.sizes.free.is_some() || is_elsewhere
        }
        Cause::Differences => {
            limits.differences == 0 || !facts.is_comparing || facts.differences.is_some()
        }
        Cause::Test => true,
    }
}
