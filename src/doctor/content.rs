//! The database: its version, its settings, its schema, its pages, and the keys that belong to it.

use super::context::{Context, Depth, Known};
use super::report::{Level, Report};
use super::units::size;
use super::{keys, names, places};
use crate::chain::chain;
use crate::database;
use crate::store::{
    DatabaseState, Diagnosis, Fault, Location, OpenError, SchemaDifference, UpgradeError,
    check_content, check_content_within, planned_upgrade,
};

const RESTORE: &str = "stop the service, then restore the last backup: docs/backup-restore.md";
const ON_SERVER: &str = "do what the finding says; if nothing answers, check that the server runs, \
    and that --database, the password and --database-tls are right: docs/cluster.md";
const MISSING_ON_SERVER: &str = "stop the receivers and make it again as schema.mysql.sql has it, \
    or restore a backup with the tools of the server: docs/cluster.md";
const AS_FOUND: &str = "do what the finding says";
const NOT_DAMAGED: &str = "correct owner or mode as the finding says, or the file system: the \
    database need not be damaged";

/// What to do about a database that cannot be used. A backup helps only against damage.
fn remedy(location: &Location, error: &OpenError) -> &'static str {
    match error {
        OpenError::Fault(..) | OpenError::Create(..) | OpenError::Unreadable(..)
            if location.file().is_none() =>
        {
            ON_SERVER
        }
        OpenError::Damaged(..)
        | OpenError::BrokenPages(..)
        | OpenError::NotWhole(..)
        | OpenError::Empty(_) => RESTORE,
        OpenError::Upgrade(_, UpgradeError::Foreign) => "check --data-dir and --database",
        OpenError::Fault(_, fault) | OpenError::Upgrade(_, UpgradeError::Fault(fault)) => {
            remedy_of_fault(fault)
        }
        OpenError::Create(..) | OpenError::Unreadable(..) => NOT_DAMAGED,
        OpenError::Missing(_)
        | OpenError::Lost(_)
        | OpenError::Begun(_)
        | OpenError::InDoubt(_)
        | OpenError::Inconsistent(_)
        | OpenError::Upgrade(..) => AS_FOUND,
    }
}

/// What to do about a database that cannot be read.
pub(super) fn remedy_of_fault(fault: &Fault) -> &'static str {
    match fault {
        Fault::Damaged(_) => RESTORE,
        Fault::Full(_) => "free some room in its file system",
        Fault::Busy(_) => "wait until the other process has ended, then run this again",
        Fault::NeedsWriter(_) => "start the service, which completes the interrupted transaction",
        _ => NOT_DAMAGED,
    }
}

pub(super) fn check(context: &Context<'_>, known: &Known, report: &mut Report) {
    let location = &context.config.location;
    match &known.state {
        Ok(DatabaseState::Current) => {
            report.ok("database", format!("{location} has version {}", location.schema_version()));
        }
        Ok(DatabaseState::Missing) if database::is_lost(context.config) => report.add(
            Level::Serious,
            "database",
            format!("there is no database at {location}, and the service has run here"),
            "stop the service and restore the last backup (docs/backup-restore.md): a start makes \
             an empty database; or check --data-dir and --database",
        ),
        Ok(DatabaseState::Missing | DatabaseState::Begun) => report.add(
            Level::Warning,
            "database",
            format!("there is no database at {location} yet"),
            "start the service, which creates it; if there was one, check --data-dir and \
             --database",
        ),
        Ok(DatabaseState::Older(_)) => match planned_upgrade(location) {
            Ok(Some(plan)) if plan.is_refused() => {
                report.add(
                    Level::Serious,
                    "database",
                    plan.to_string(),
                    "free some room; if you have a backup, --no-upgrade-copy upgrades without one",
                );
            }
            Ok(Some(plan)) => report.add(
                Level::Note,
                "database",
                plan.to_string(),
                "make a backup, then restart the service: docs/upgrade.md",
            ),
            Ok(None) => report.ok("database", format!("{location} was upgraded just now")),
            Err(error) => {
                report.add(Level::Serious, "database", chain(&error), remedy(location, &error))
            }
        },
        // Reported as the access to the database.
        Err(error) if places::is_among(error, &places::no_access(context.config)) => {}
        Err(error) => report.add(Level::Serious, "database", chain(error), remedy(location, error)),
    }
    for problem in keys::problems(context.config, known.reader()) {
        report.add(Level::Serious, "keys", problem, "put the right file back from the backup");
    }
    if let Some(Err(error)) = &known.diagnosis {
        report.add(Level::Serious, "readable", chain(error), remedy(location, error));
    }
    if let Some(diagnosis) = known.diagnosis() {
        check_settings(diagnosis, report);
        check_schema(location, diagnosis, report);
    }
    if matches!(known.state, Ok(DatabaseState::Current | DatabaseState::Older(_))) {
        check_pages(context, known, report);
    }
    if let Some(reader) = known.reader() {
        for sentence in names::exact_alone(reader).unwrap_or_default() {
            report.add(Level::Note, "exact_names", sentence, "see what was found");
        }
    }
}

fn check_settings(diagnosis: &Diagnosis, report: &mut Report) {
    let mut good = Vec::new();
    for setting in &diagnosis.settings {
        if setting.found == setting.expected {
            good.push(format!("{} {}", setting.name, setting.found));
        } else {
            report.add(
                Level::Warning,
                "database_settings",
                format!("{}: expected {}, found {}", setting.name, setting.expected, setting.found),
                setting.remedy,
            );
        }
    }
    if good.len() == diagnosis.settings.len() {
        report.ok("database_settings", good.join(", "));
    }
}

fn check_schema(location: &Location, diagnosis: &Diagnosis, report: &mut Report) {
    let name = "schema";
    let missing = if location.file().is_some() { RESTORE } else { MISSING_ON_SERVER };
    if diagnosis.schema.is_empty() {
        report.ok(name, "all tables, indexes and views exist, and no others");
    }
    for difference in &diagnosis.schema {
        match difference {
            SchemaDifference::Missing(what) => {
                report.add(Level::Serious, name, format!("{what} is missing"), missing);
            }
            SchemaDifference::Trigger(what) => report.add(
                Level::Warning,
                name,
                format!("{what} is not of this program: it can change or refuse what is written"),
                "find out who made it; the statement DROP TRIGGER removes it",
            ),
            SchemaDifference::Foreign(what) => report.add(
                Level::Note,
                name,
                format!("{what} is not of this program"),
                "keep such things in a database of their own: an upgrade does not change them",
            ),
        }
    }
}

/// Reads the pages, as far as the caller wants.
fn check_pages(context: &Context<'_>, known: &Known, report: &mut Report) {
    let name = "pages";
    let location = &context.config.location;
    if location.file().is_none() {
        report.ok(name, "not checked: the database is on a server, which checks its own pages");
        return;
    }
    let checked = match context.depth {
        Depth::Quick => {
            report.ok(name, "not checked: --quick");
            return;
        }
        Depth::Within(most) => check_content_within(location, most),
        Depth::Full => check_content(location).map(|()| true),
    };
    match checked {
        Ok(true) => report.ok(name, "no page of the database is damaged"),
        Ok(false) => {
            let bytes = known.diagnosis().map_or(0, |diagnosis| diagnosis.bytes);
            report.add(
                Level::Note,
                name,
                format!(
                    "not checked to the end, because the database is large ({}); no damage so far",
                    size(bytes)
                ),
                "check all of it at a quiet time: `nats-userman doctor --full`",
            );
        }
        // Reported as the state of the database.
        Err(_) if known.state.is_err() => {}
        Err(error) => report.add(Level::Serious, name, chain(&error), remedy(location, &error)),
    }
}
