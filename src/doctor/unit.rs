//! The systemd unit and its socket: whether they are installed, enabled and active.

use std::fs;
use std::path::Path;

use super::machine::Machine;
use super::report::{Level, Report};

pub(super) const SYSTEMCTL: &str = "/usr/bin/systemctl";
pub(super) const SERVICE: &str = "nats-userman.service";
const SOCKET: &str = "nats-userman.socket";
/// Where an administrator puts units. They take precedence over those of packages.
const BY_HAND: &str = "/etc/systemd/system";
/// Where units are until the next boot.
const UNTIL_BOOT: &str = "/run/systemd/system";
/// Where packages put units. The second is the same directory under its older name.
const OF_PACKAGES: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

pub(super) fn check(machine: &Machine, report: &mut Report) {
    if !machine.has_systemd() {
        report.ok("unit", "not applicable: systemd does not manage this machine");
        return;
    }
    if !check_file(machine, report) {
        return;
    }
    check_enabled(machine, report);
    check_active(machine, report);
    check_socket(machine, report);
}

/// The variables that the unit has in `Environment=`, if systemd manages the machine.
pub(super) fn variables(machine: &Machine) -> Option<String> {
    let args = ["show", "-p", "Environment", "--value", SERVICE];
    machine.has_systemd().then(|| machine.ask(SYSTEMCTL, &args)).flatten()
}

/// Whether there is a unit for the service.
pub(super) fn is_installed(machine: &Machine) -> bool {
    machine.has(&format!("{BY_HAND}/{SERVICE}")) || packaged(machine, SERVICE).is_some()
}

/// The packaged file of a unit.
fn packaged(machine: &Machine, unit: &str) -> Option<String> {
    OF_PACKAGES.iter().map(|dir| format!("{dir}/{unit}")).find(|path| machine.has(path))
}

/// The command that ends the mask of a unit; `None` if it is not masked. A masked unit can neither
/// be enabled nor started.
fn unmask(machine: &Machine, unit: &str) -> Option<String> {
    let is_masked = |dir: &str| {
        let file = machine.path(&format!("{dir}/{unit}"));
        fs::read_link(file).is_ok_and(|target| target == Path::new("/dev/null"))
    };
    let masks = [(BY_HAND, ""), (UNTIL_BOOT, "--runtime ")];
    let (_, flag) = masks.into_iter().find(|(dir, _)| is_masked(dir))?;
    Some(format!("systemctl unmask {flag}{unit}"))
}

/// Whether the unit is installed and not masked.
fn check_file(machine: &Machine, report: &mut Report) -> bool {
    let by_hand = format!("{BY_HAND}/{SERVICE}");
    if let Some(unmask) = unmask(machine, SERVICE) {
        report.add(
            Level::Serious,
            "unit",
            format!("{SERVICE} is masked, so that it cannot be started"),
            format!("run `{unmask}`"),
        );
        return false;
    }
    match (machine.has(&by_hand), packaged(machine, SERVICE)) {
        (false, None) => {
            report.add(
                Level::Warning,
                "unit",
                format!("there is no {SERVICE}: the service does not start with the machine"),
                "install the package, or the unit as docs/install.md shows",
            );
            return false;
        }
        (true, Some(package)) => report.add(
            Level::Warning,
            "unit",
            format!("{by_hand} replaces {package}, so that upgrades do not change the unit"),
            format!(
                "compare both; keep your changes with `systemctl edit nats-userman`, remove \
                 {by_hand} and run `systemctl daemon-reload`"
            ),
        ),
        (true, None) => report.ok("unit", format!("{by_hand} is installed")),
        (false, Some(package)) => report.ok("unit", format!("{package} is installed")),
    }
    if machine.ask(SYSTEMCTL, &["show", "-p", "NeedDaemonReload", "--value", SERVICE]).as_deref()
        == Some("yes")
    {
        report.add(
            Level::Warning,
            "unit_loaded",
            format!("{SERVICE} was changed since systemd read it"),
            "run `systemctl daemon-reload`, then `systemctl restart nats-userman`",
        );
    }
    true
}

fn check_enabled(machine: &Machine, report: &mut Report) {
    let state = |unit| machine.ask(SYSTEMCTL, &["is-enabled", unit]).unwrap_or_default();
    let is_on = |state: &str| state.starts_with("enabled") || state == "static";
    let (service, socket) = (state(SERVICE), state(SOCKET));
    if service.is_empty() {
        no_answer("unit_enabled", report);
    } else if is_on(&service) {
        report.ok("unit_enabled", "the service starts with the machine");
    } else if is_on(&socket) {
        report.ok("unit_enabled", "the first connection after a boot starts the service");
    } else {
        report.add(
            Level::Warning,
            "unit_enabled",
            format!("the service does not start with the machine: {SERVICE} is {service}"),
            "run `systemctl enable nats-userman`",
        );
    }
}

fn check_active(machine: &Machine, report: &mut Report) {
    let state = machine.ask(SYSTEMCTL, &["is-active", SERVICE]).unwrap_or_default();
    match state.as_str() {
        "active" => report.ok("unit_active", format!("{SERVICE} is active")),
        "failed" => report.add(
            Level::Serious,
            "unit_active",
            format!("{SERVICE} has failed"),
            "read why with `journalctl -u nats-userman -n 50`, correct it, and run `systemctl \
             restart nats-userman`",
        ),
        "activating" | "deactivating" | "reloading" => report.add(
            Level::Note,
            "unit_active",
            format!("{SERVICE} is {state}"),
            "wait, and run `nats-userman doctor` again; if it stays so, read `journalctl -u \
             nats-userman -n 50`",
        ),
        "" => no_answer("unit_active", report),
        _ => report.add(
            Level::Warning,
            "unit_active",
            format!("{SERVICE} is {state}"),
            "run `systemctl start nats-userman`",
        ),
    }
}

fn no_answer(name: &'static str, report: &mut Report) {
    report.add(
        Level::Note,
        name,
        "not checked: systemctl does not answer",
        "run `systemctl status nats-userman.socket nats-userman.service`",
    );
}

/// The socket keeps connections while the service restarts.
fn check_socket(machine: &Machine, report: &mut Report) {
    if let Some(unmask) = unmask(machine, SOCKET) {
        report.add(
            Level::Note,
            "socket",
            format!("{SOCKET} is masked: a restart of the service refuses connections"),
            format!(
                "leave it so if the service opens the address itself; else run `{unmask}` and \
                 `systemctl stop nats-userman`, then `systemctl enable --now {SOCKET}` and \
                 `systemctl start nats-userman`"
            ),
        );
        return;
    }
    let is_there =
        machine.has(&format!("{BY_HAND}/{SOCKET}")) || packaged(machine, SOCKET).is_some();
    let state = machine.ask(SYSTEMCTL, &["is-active", SOCKET]).unwrap_or_default();
    if !is_there {
        report.add(
            Level::Note,
            "socket",
            format!("there is no {SOCKET}: a restart of the service refuses connections"),
            "install the package, which has it, or the file from packaging/",
        );
    } else if state.is_empty() {
        no_answer("socket", report);
    } else if state != "active" {
        report.add(
            Level::Note,
            "socket",
            format!("{SOCKET} is not active: a restart of the service refuses connections"),
            "run `systemctl stop nats-userman`, then `systemctl enable --now \
             nats-userman.socket` and `systemctl start nats-userman`",
        );
    } else {
        report.ok("socket", format!("{SOCKET} keeps connections during a restart"));
    }
}
