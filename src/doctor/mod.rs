//! Checks of a service, its database and its machine, for `nats-userman doctor`. They change
//! nothing, and they work whether the service runs or not.
//!
//! One file per topic. Each has a function that adds findings to a report.

mod alarms;
mod backlog;
mod backups;
mod callers;
mod clock;
mod content;
mod context;
mod disk;
mod fastcgi;
mod hashes;
mod keys;
mod logins;
mod machine;
mod names;
mod operations;
mod permissions;
pub(crate) mod places;
mod report;
mod running;
mod sandbox;
mod tokens;
mod unit;
mod units;
mod unread;
mod wal;

pub use context::{Context, Depth};
pub use keys::problems as key_problems;
pub use machine::Machine;
pub use names::exact_alone;
pub use report::{Finding, Level};

use crate::clock::Clock;
use crate::config::BadSetting;
use context::Known;
use report::Report;
use sandbox::Sandbox;

/// Runs all checks.
pub fn examine(context: &Context<'_>) -> Vec<Finding> {
    let now = context.clock.now();
    (context.progress)("database");
    let known = Known::read(context.config, now);
    let sandbox = Sandbox::of(context.config, context.machine);
    let mut report = Report::new();
    let mut topic = |name: &'static str, check: &dyn Fn(&mut Report)| {
        (context.progress)(name);
        report.begin(name);
        check(&mut report);
    };
    topic("service", &|report| running::check(context, &known, report));
    topic("operations", &|report| operations::check(context.config, &known, report));
    topic("unit", &|report| unit::check(context.machine, report));
    topic("clock", &|report| clock::check(context, &known, now, report));
    topic("permissions", &|report| permissions::check(context.config, &sandbox, report));
    let is_file = context.config.location.file().is_some();
    topic("disk", &|report| disk::check(context.config, &known, now, report));
    topic("database", &|report| content::check(context, &known, report));
    if is_file {
        topic("wal", &|report| wal::check(context.machine, &known, report));
    }
    topic("passwords", &|report| backlog::check(context, &known, now, report));
    topic("hashes", &|report| hashes::check(context.config, &known, now, report));
    topic("backup", &|report| backups::check(context.config, now, report));
    topic("alarms", &|report| alarms::check(context.config, &sandbox, report));
    topic("tokens", &|report| tokens::check(context, report));
    topic("logins", &|report| logins::check(context.config, now, report));
    topic("callers", &|report| callers::check(context.config, &known, now, report));
    report.into_findings()
}

/// Runs the checks that a running service can do of itself. None opens the file of the database,
/// because closing it would end the locks of this process, and none reads a table.
pub fn examine_running(context: &Context<'_>) -> Vec<Finding> {
    let (config, now) = (context.config, context.clock.now());
    let known = Known::nothing();
    let sandbox = Sandbox::of(config, context.machine);
    let mut report = Report::new();
    report.begin("clock");
    clock::check_machine(context.machine, now, &mut report);
    clock::check_zone(context, now, &mut report);
    report.begin("permissions");
    permissions::check_files(config, &sandbox, &mut report);
    report.begin("disk");
    disk::check(config, &known, now, &mut report);
    report.begin("backup");
    backups::check(config, now, &mut report);
    report.begin("alarms");
    alarms::check(config, &sandbox, &mut report);
    report.begin("tokens");
    tokens::check(context, &mut report);
    report.begin("logins");
    logins::check(config, now, &mut report);
    report.begin("callers");
    callers::check_settings(config, &mut report);
    report.into_findings()
}

/// The checks that need no settings, and the settings that cannot be used.
pub fn examine_settings(bad: &[BadSetting], machine: &Machine, clock: &Clock) -> Vec<Finding> {
    let mut report = Report::new();
    report.begin("settings");
    for setting in bad {
        report.add(
            Level::Serious,
            "setting",
            setting.to_string(),
            "correct the setting and run `nats-userman doctor` again, which then checks the rest",
        );
    }
    report.begin("unit");
    unit::check(machine, &mut report);
    report.begin("clock");
    clock::check_machine(machine, clock.now(), &mut report);
    report.into_findings()
}
