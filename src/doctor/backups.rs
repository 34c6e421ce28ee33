//! The last backup.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::report::{Level, Report};
use crate::backup::{newest, newest_until};
use crate::clock::format_utc;
use crate::config::Config;
use crate::counted::age;

/// Without a schedule, an older backup is a warning, seconds.
const OLD_SECONDS: i64 = 8 * 86_400;
/// A scheduled backup is overdue after this many times its interval.
const OVERDUE: i64 = 2;

/// A backup dated later than this was made under another clock, seconds.
const AHEAD_SECONDS: i64 = 60;
/// The beginning of each database of SQLite.
const HEADER: &[u8] = b"SQLite format 3\0";

const MAKE_ONE: &str = "run `nats-userman backup`, and set --backup-every for later ones";
const READ_LOG: &str = "look for the error of the last backup in the log, then run `nats-userman \
    backup`";

pub(super) fn check(config: &Config, now: i64, report: &mut Report) {
    let name = "backup";
    if config.location.file().is_none() {
        report.add(
            Level::Note,
            name,
            "the database is on a server, whose backups are not checked here",
            "back it up with the tools of the server, and keep seal.key and cookie.key apart: \
             docs/cluster.md",
        );
        return;
    }
    let dir = config.backup.wishes.dir.display();
    let every = config.backup.every;
    let until = now.saturating_add(AHEAD_SECONDS);
    let found = newest(&config.backup.wishes.dir)
        .and_then(|last| Ok((last, newest_until(&config.backup.wishes.dir, until)?)));
    let (last, newest) = match found {
        Ok(found) => found,
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
    if let Some(last) = last.filter(|last| last.at > until) {
        report.add(
            Level::Warning,
            "backup_date",
            format!("{} is dated {}, in the future", last.path.display(), format_utc(last.at)),
            "check the clock, then make a new backup and move this one elsewhere",
        );
    }
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
    match is_database(&newest.path) {
        Ok(true) => {}
        Ok(false) => {
            report.add(
                Level::Serious,
                name,
                format!("{} has the name of a backup and is no database", newest.path.display()),
                "move it elsewhere, then run `nats-userman backup`",
            );
            return;
        }
        Err(error) => {
            report.add(
                Level::Warning,
                name,
                format!("cannot read {}: {error}", newest.path.display()),
                "correct the owner and mode of the file, then run this again",
            );
            return;
        }
    }
    let found = format!("the last backup, {}, is {} old", newest.path.display(), {
        age(now.saturating_sub(newest.at))
    });
    let limit = every.map_or(OLD_SECONDS, |every| every.saturating_mul(OVERDUE));
    if now.saturating_sub(newest.at) <= limit {
        report.ok(name, found);
    } else if every.is_some() {
        report.add(Level::Serious, name, format!("{found}: it is overdue"), READ_LOG);
    } else {
        report.add(Level::Warning, name, found, MAKE_ONE);
    }
}

/// Whether the file begins as a database does. All of it is checked when the backup is made.
fn is_database(file: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(file)?.take(HEADER.len() as u64).read_to_end(&mut beginning)?;
    Ok(beginning == HEADER)
}
