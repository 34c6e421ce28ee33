//! The unit and the socket in `packaging/`, as systemd reads them.

use std::fs;
use std::process::Command;

use crate::support::pages::root;
use crate::support::real_program;

/// The maximum of the exposure level, in tenths, in which `systemd-analyze` counts.
const EXPOSURE_MAX: &str = "15";

#[test]
fn the_unit_is_exposed_by_1_5_at_most() {
    let Some(analyze) = real_program("systemd-analyze") else { return };
    let output = Command::new(analyze)
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={EXPOSURE_MAX}"))
        .arg(root("packaging/nats-userman.service"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Overall exposure level for nats-userman.service: "), "{said}");
    assert!(output.status.success(), "{said}");
}

/// If the name or the value of a directive is wrong, a machine only logs a warning.
#[test]
fn systemd_has_nothing_to_say_about_the_unit_and_the_socket() {
    let Some(analyze) = real_program("systemd-analyze") else { return };
    let dir = crate::support::temp_dir();
    let service = fs::read_to_string(root("packaging/nats-userman.service")).unwrap();
    let program = env!("CARGO_BIN_EXE_nats-userman");
    // The packaged program and its man page are not installed here.
    let service = service.replace("/usr/bin/nats-userman", program);
    let lines = service.lines().filter(|line| !line.starts_with("Documentation="));
    let service: String = lines.map(|line| format!("{line}\n")).collect();
    fs::write(dir.path().join("nats-userman.service"), service).unwrap();
    fs::copy(root("packaging/nats-userman.socket"), dir.path().join("nats-userman.socket"))
        .unwrap();
    let output = Command::new(analyze)
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(["nats-userman.service", "nats-userman.socket"])
        .current_dir(dir.path())
        .env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("nats-userman."), "{said}");
}
