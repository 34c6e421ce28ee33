//! Whether the service runs, and whether it can commit a postback.

use std::fs::File;
use std::io::ErrorKind;

use super::context::{Context, Known};
use super::fastcgi;
use super::report::{Level, Report};
use crate::whole_file::parent;

pub(super) fn check(context: &Context<'_>, known: &Known, report: &mut Report) {
    let config = context.config;
    let dir = config.data_dir.path().display();
    // The lock of the directory says whether a service runs, and it needs access to the directory.
    let locked = config.location.file().map_or(config.data_dir.path(), parent);
    let denied = File::open(locked).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    if denied {
        report.add(
            Level::Note,
            "running",
            format!("not checked: no access to {dir}"),
            "run `nats-userman doctor` as root or as the service's user",
        );
    } else if known.is_served {
        report.ok("running", format!("a service uses {dir}"));
    } else {
        report.add(
            Level::Warning,
            "running",
            format!("no service uses {dir}"),
            "start it: `systemctl start nats-userman`, or `nats-userman serve`",
        );
        return;
    }
    match (context.health)() {
        Ok(answer) => report.ok("health", answer),
        Err(why) if denied => report.add(
            Level::Warning,
            "health",
            why,
            "check that the service runs: `systemctl status nats-userman`",
        ),
        Err(why) => report.add(
            Level::Serious,
            "health",
            why,
            "read the log (`journalctl -u nats-userman -n 50`) and find its message in \
             docs/troubleshooting.md",
        ),
    }
    fastcgi::check_answer(config, report);
}
