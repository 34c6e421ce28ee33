//! The last backup.

use super::report::{Level, Report};
use super::units::age;
use crate::backup::newest;
use crate::clock::format_utc;
use crate::config::Config;

/// Without a schedule, an older backup is a warning, seconds.
const OLD_SECONDS: i64 = 8 * 86_400;
/// A scheduled backup is overdue after this many times its interval.
const OVERDUE: i64 = 2;

const MAKE_ONE: &str = "run `nats-userman backup`, and set --backup-every for later ones";
const READ_LOG: &str = "look for the error of the last backup in the log, then run `nats-userman \
    backup`";

pub(super) fn check(config: &Config, now: i64, report: &mut Report) {
    let name = "backup";
    let dir = config.backup.wishes.dir.display();
    let every = config.backup.every;
    let newest = match newest(&config.backup.wishes.dir) {
        Ok(newest) => newest,
        Err(error) => {
            report.add(
                Level::Warning,
                name,
                format!("cannot read {dir}: {error}"),
                "correct --backup-dir, or the owner and mode of the directory",
            );
            return;
        }
    };
    let Some(newest) = newest else {
        match every {
            Some(_) => report.add(
                Level::Warning,
                name,
                format!("there is no backup in {dir}, although --backup-every is set"),
                READ_LOG,
            ),
            None => report.add(
                Level::Note,
                name,
                format!("there is no backup in {dir}"),
                "if nothing else makes backups, set --backup-every: docs/backup-restore.md",
            ),
        }
        return;
    };
    let found = format!("the last backup, {}, is {} old", newest.path.display(), {
        age(now.saturating_sub(newest.at))
    });
    let limit = every.map_or(OLD_SECONDS, |every| every.saturating_mul(OVERDUE));
    if newest.at > now.saturating_add(OLD_SECONDS) {
        report.add(
            Level::Warning,
            name,
            format!("the last backup is dated {}, in the future", format_utc(newest.at)),
            "check the clock, then make a new backup",
        );
    } else if now.saturating_sub(newest.at) <= limit {
        report.ok(name, found);
    } else if every.is_some() {
        report.add(Level::Serious, name, format!("{found}: it is overdue"), READ_LOG);
    } else {
        report.add(Level::Warning, name, found, MAKE_ONE);
    }
}
