//! The clock of the machine, and its time zone.

use super::context::{Context, Known};
use super::machine::Machine;
use super::report::{Level, Report};
use crate::clock::jump::is_behind;
use crate::clock::{Zone, format_utc};
use crate::counted::age;

/// 2026-01-01: no earlier time can be right.
const EARLIEST: i64 = 1_767_225_600;
/// 2100-01-01: no clock that is right shows a later time to this program.
const LATEST: i64 = 4_102_444_800;
/// A longer time without any activity is unusual, seconds.
const QUIET_SECONDS: i64 = 7 * 86_400;

const TIMEDATECTL: &str = "/usr/bin/timedatectl";
/// systemd-timesyncd creates it once the clock is synchronised.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

const SET_CLOCK: &str = "set the clock: `timedatectl set-ntp true` if the machine reaches a time \
    server, else `timedatectl set-time`; then restart the service";

pub(super) fn check(context: &Context<'_>, known: &Known, now: i64, report: &mut Report) {
    check_machine(context.machine, now, report);
    check_against_database(known, now, report);
    check_zone(context, now, report);
}

/// The checks that need no database and no settings.
pub(super) fn check_machine(machine: &Machine, now: i64, report: &mut Report) {
    if (EARLIEST..LATEST).contains(&now) {
        report.ok("clock", format!("the clock shows {}", format_utc(now)));
    } else {
        report.add(
            Level::Serious,
            "clock",
            format!("the clock shows {}, which cannot be right", format_utc(now)),
            SET_CLOCK,
        );
    }
    let asked = || machine.ask(TIMEDATECTL, &["show", "--property=NTPSynchronized", "--value"]);
    if machine.has(SYNCHRONISED) {
        report.ok("clock_synchronised", "a time service has synchronised the clock");
    } else if !machine.has_systemd() {
        let found = if machine.is_container() {
            "not applicable: the host of this container sets the clock"
        } else {
            "not checked: this machine has no systemd to query"
        };
        report.ok("clock_synchronised", found);
    } else {
        match asked().as_deref() {
            Some("yes") => {
                report.ok("clock_synchronised", "a time service has synchronised the clock");
            }
            Some("no") => report.add(
                Level::Warning,
                "clock_synchronised",
                "no time service has synchronised the clock",
                "run `timedatectl set-ntp true`, or install chrony",
            ),
            _ => report.add(
                Level::Note,
                "clock_synchronised",
                "not checked: timedatectl does not answer",
                "see `timedatectl` or `chronyc tracking`",
            ),
        }
    }
}

fn check_against_database(known: &Known, now: i64, report: &mut Report) {
    let Some(last) = known.reader().and_then(|reader| reader.last_seen(now).ok().flatten()) else {
        return;
    };
    let name = "clock_against_journal";
    let quiet = now.saturating_sub(last);
    if let Some(line) = is_behind(now, last) {
        report.add(Level::Serious, name, line, SET_CLOCK);
    } else if quiet > QUIET_SECONDS {
        report.add(
            Level::Note,
            name,
            format!(
                "the last activity in the database was at {}, {} ago",
                format_utc(last),
                age(quiet)
            ),
            "check that the clock is right and that NATS still posts here",
        );
    } else {
        report.ok(name, format!("the last activity in the database was {} ago", age(quiet)));
    }
}

pub(super) fn check_zone(context: &Context<'_>, now: i64, report: &mut Report) {
    let ours = &context.config.expiry.zone;
    let name = "time_zone";
    let Some(system) = context.machine.time_zone() else {
        report.ok(name, format!("dates of an EXPIRE are in {ours}; the machine names no zone"));
        return;
    };
    let is_same = system.parse::<Zone>().is_ok_and(|zone| offset(&zone, now) == offset(ours, now));
    if is_same {
        report.ok(name, format!("dates of an EXPIRE are in {ours}, as the machine's zone is"));
    } else {
        report.add(
            Level::Note,
            name,
            format!("dates of an EXPIRE are in {ours}, and the machine's zone is {system}"),
            "check which zone NATS uses, and set it with --time-zone",
        );
    }
}

/// Seconds east of UTC, now and half a year later: two zones may differ in summer only.
fn offset(zone: &Zone, now: i64) -> [Option<i32>; 2] {
    [now, now.saturating_add(182 * 86_400)].map(|at| zone.seconds_east_of_utc(at))
}
