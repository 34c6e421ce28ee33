//! The unit, the socket, the clock and the time zone of the machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nats_userman::doctor::Level;

use super::Patient;
use crate::support::temp_dir;

const PACKAGED: &str = "/usr/lib/systemd/system/nats-userman.service";
const BY_HAND: &str = "/etc/systemd/system/nats-userman.service";

/// A machine with systemd. Its `systemctl` gives these answers, by the arguments.
fn booted(answers: &[(&str, &str)]) -> Patient {
    let patient = Patient::in_dir(temp_dir());
    fs::create_dir_all(patient.root().join("run/systemd/system")).unwrap();
    let cases: String =
        answers.iter().map(|(args, answer)| format!("\"{args}\") echo {answer};;\n")).collect();
    for program in ["systemctl", "timedatectl"] {
        let file = patient.put(
            &format!("/usr/bin/{program}"),
            &format!("#!/bin/sh\ncase \"$*\" in\n{cases}esac\n"),
        );
        fs::set_permissions(file, Permissions::from_mode(0o755)).unwrap();
    }
    patient
}

/// The answers on a machine without faults.
const WELL: [(&str, &str); 5] = [
    ("is-enabled nats-userman.service", "enabled"),
    ("is-enabled nats-userman.socket", "enabled"),
    ("is-active nats-userman.service", "active"),
    ("is-active nats-userman.socket", "active"),
    ("show -p NeedDaemonReload --value nats-userman.service", "no"),
];

fn booted_but(args: &str, answer: &str) -> Patient {
    let answers: Vec<_> =
        WELL.iter().map(|pair| if pair.0 == args { (args, answer) } else { *pair }).collect();
    let patient = booted(&answers);
    patient.put(PACKAGED, "");
    patient.put("/usr/lib/systemd/system/nats-userman.socket", "");
    patient
}

#[test]
fn the_packaged_unit_that_runs_is_ok_in_every_point() {
    let patient = booted_but("", "");
    patient.expect_ok("unit", &format!("{PACKAGED} is installed"));
    patient.expect_ok("unit_enabled", "the service starts with the machine");
    patient.expect_ok("unit_active", "nats-userman.service is active");
    patient.expect_ok("socket", "nats-userman.socket keeps connections during a restart");
    assert!(patient.findings("unit_loaded").is_empty());
}

#[test]
fn a_unit_that_is_disabled_failed_stopped_or_changed_is_told_with_the_command() {
    for (args, answer, name, level, found, remedy) in [
        (
            "is-enabled nats-userman.socket",
            "disabled",
            "unit_enabled",
            Level::Ok,
            "the service starts with the machine",
            "",
        ),
        (
            "is-active nats-userman.service",
            "failed",
            "unit_active",
            Level::Serious,
            "nats-userman.service has failed",
            "read why with `journalctl -u nats-userman -n 50`, correct it, and run `systemctl \
             restart nats-userman`",
        ),
        (
            "is-active nats-userman.service",
            "inactive",
            "unit_active",
            Level::Warning,
            "nats-userman.service is inactive",
            "run `systemctl start nats-userman`",
        ),
        (
            "is-active nats-userman.service",
            "activating",
            "unit_active",
            Level::Note,
            "nats-userman.service is activating",
            "wait, and run `nats-userman doctor` again; if it stays so, read `journalctl -u \
             nats-userman -n 50`",
        ),
        (
            "is-active nats-userman.socket",
            "inactive",
            "socket",
            Level::Note,
            "nats-userman.socket is not active: a restart of the service refuses connections",
            "run `systemctl stop nats-userman`, then `systemctl enable --now nats-userman.socket` \
             and `systemctl start nats-userman`",
        ),
        (
            "show -p NeedDaemonReload --value nats-userman.service",
            "yes",
            "unit_loaded",
            Level::Warning,
            "nats-userman.service was changed since systemd read it",
            "run `systemctl daemon-reload`, then `systemctl restart nats-userman`",
        ),
    ] {
        let patient = booted_but(args, answer);
        match level {
            Level::Ok => patient.expect_ok(name, found),
            level => patient.expect(name, level, found, remedy),
        }
    }
    let patient = booted(&[
        ("is-enabled nats-userman.service", "disabled"),
        ("is-active nats-userman.service", "active"),
    ]);
    patient.put(PACKAGED, "");
    patient.expect(
        "unit_enabled",
        Level::Warning,
        "the service does not start with the machine: nats-userman.service is disabled",
        "run `systemctl enable nats-userman`",
    );
    patient.expect(
        "socket",
        Level::Note,
        "there is no nats-userman.socket: a restart of the service refuses connections",
        "install the package, which has it, or the file from packaging/",
    );
}

/// As where systemd itself hangs, or where there is no systemctl.
#[test]
fn a_unit_of_which_systemctl_says_nothing_is_not_called_disabled_or_stopped() {
    let silent = booted(&[]);
    silent.put(PACKAGED, "");
    silent.put("/usr/lib/systemd/system/nats-userman.socket", "");
    for name in ["unit_enabled", "unit_active", "socket"] {
        silent.expect(
            name,
            Level::Note,
            "not checked: systemctl does not answer",
            "run `systemctl status nats-userman.socket nats-userman.service`",
        );
    }
}

#[test]
fn a_unit_by_hand_that_replaces_the_packaged_one_and_a_masked_one_are_found() {
    let patient = booted(&WELL);
    patient.expect(
        "unit",
        Level::Warning,
        "there is no nats-userman.service: the service does not start with the machine",
        "install the package, or the unit as docs/install.md shows",
    );
    assert!(patient.findings("unit_active").is_empty());
    let by_hand = patient.put(BY_HAND, "");
    patient.expect_ok("unit", &format!("{BY_HAND} is installed"));
    patient.put(PACKAGED, "");
    patient.expect(
        "unit",
        Level::Warning,
        &format!("{BY_HAND} replaces {PACKAGED}, so that upgrades do not change the unit"),
        &format!(
            "compare both; keep your changes with `systemctl edit nats-userman`, remove {BY_HAND} \
             and run `systemctl daemon-reload`"
        ),
    );
    fs::remove_file(&by_hand).unwrap();
    symlink("/dev/null", &by_hand).unwrap();
    patient.expect(
        "unit",
        Level::Serious,
        "nats-userman.service is masked, so that it cannot be started",
        "run `systemctl unmask nats-userman.service`",
    );
}

/// As docs/systemd.md shows for a service that opens the address by itself.
#[test]
fn a_unit_that_is_masked_is_unmasked_before_anything_else() {
    for (dir, unmask) in [("etc", "unmask "), ("run", "unmask --runtime ")] {
        let patient = booted_but("is-active nats-userman.socket", "inactive");
        let units = patient.root().join(dir).join("systemd/system");
        fs::create_dir_all(&units).unwrap();
        symlink("/dev/null", units.join("nats-userman.socket")).unwrap();
        patient.expect(
            "socket",
            Level::Note,
            "nats-userman.socket is masked: a restart of the service refuses connections",
            &format!(
                "leave it so if the service opens the address itself; else run `systemctl \
                 {unmask}nats-userman.socket` and `systemctl stop nats-userman`, then `systemctl \
                 enable --now nats-userman.socket` and `systemctl start nats-userman`"
            ),
        );
        symlink("/dev/null", units.join("nats-userman.service")).unwrap();
        patient.expect(
            "unit",
            Level::Serious,
            "nats-userman.service is masked, so that it cannot be started",
            &format!("run `systemctl {unmask}nats-userman.service`"),
        );
    }
}

#[test]
fn a_clock_that_cannot_be_right_is_serious() {
    let mut patient = Patient::in_dir(temp_dir());
    for (now, shown) in [(0, "1970-01-01T00:00:00Z"), (4_102_444_800, "2100-01-01T00:00:00Z")] {
        patient.now = now;
        let finding = patient.finding("clock");
        assert_eq!(finding.level, Level::Serious);
        assert_eq!(finding.found, format!("the clock shows {shown}, which cannot be right"));
        assert!(finding.remedy.unwrap().starts_with("set the clock: `timedatectl set-ntp true`"));
    }
    patient.now = 1_781_524_800;
    patient.expect_ok("clock", "the clock shows 2026-06-15T12:00:00Z");
}

#[test]
fn a_clock_behind_the_journal_is_serious_and_a_long_quiet_time_is_a_note() {
    let add = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
    let mut patient = Patient::after(&[add]);
    let conn = rusqlite::Connection::open(patient.database()).unwrap();
    conn.execute_batch("UPDATE journal SET at = 1781524800; UPDATE health SET probed_at = 0")
        .unwrap();
    drop(conn);
    patient.now = 1_781_524_810;
    patient
        .expect_ok("clock_against_journal", "the last activity in the database was 10 seconds ago");
    patient.now = 1_781_524_800 - 3_600;
    let finding = patient.finding("clock_against_journal");
    assert_eq!(finding.level, Level::Serious);
    assert!(
        finding.found.starts_with(
            "the clock shows 2026-06-15T11:00:00Z, before the newest record of the journal \
             (2026-06-15T12:00:00Z): "
        ),
        "{finding:?}"
    );
    patient.now = 1_781_524_800 + 30 * 86_400;
    patient.expect(
        "clock_against_journal",
        Level::Note,
        "the last activity in the database was at 2026-06-15T12:00:00Z, 30 days ago",
        "check that the clock is right and that NATS still posts here",
    );
}

#[test]
fn whether_the_clock_is_synchronised_is_asked_where_somebody_knows() {
    let name = "clock_synchronised";
    let patient = Patient::in_dir(temp_dir());
    patient.expect_ok(name, "not checked: this machine has no systemd to query");
    patient.put("/run/.containerenv", "");
    patient.expect_ok(name, "not applicable: the host of this container sets the clock");
    patient.put("/run/systemd/timesync/synchronized", "");
    patient.expect_ok(name, "a time service has synchronised the clock");
    let args = "show --property=NTPSynchronized --value";
    booted(&[(args, "yes")]).expect_ok(name, "a time service has synchronised the clock");
    booted(&[(args, "no")]).expect(
        name,
        Level::Warning,
        "no time service has synchronised the clock",
        "run `timedatectl set-ntp true`, or install chrony",
    );
    booted(&[]).expect(
        name,
        Level::Note,
        "not checked: timedatectl does not answer",
        "see `timedatectl` or `chronyc tracking`",
    );
}

#[test]
fn a_time_zone_that_is_not_the_machines_is_a_note() {
    let patient = Patient::in_dir(temp_dir());
    patient.expect_ok("time_zone", "dates of an EXPIRE are in UTC; the machine names no zone");
    patient.put("/etc/timezone", "Etc/UTC\n");
    patient.expect_ok("time_zone", "dates of an EXPIRE are in UTC, as the machine's zone is");
    symlink("/usr/share/zoneinfo/Europe/Berlin", patient.root().join("etc/localtime")).unwrap();
    patient.expect(
        "time_zone",
        Level::Note,
        "dates of an EXPIRE are in UTC, and the machine's zone is Europe/Berlin",
        "check which zone NATS uses, and set it with --time-zone",
    );
    // Paris and Berlin have the same time all year round.
    let patient = patient.with(&["--time-zone", "Europe/Paris"]);
    patient
        .expect_ok("time_zone", "dates of an EXPIRE are in Europe/Paris, as the machine's zone is");
}
