//! The unit and the socket in `packaging/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::real_program;

/// The maximum of the exposure level, in tenths, in which `systemd-analyze` counts.
const EXPOSURE_MAX: &str = "15";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

#[test]
fn the_unit_is_exposed_by_1_5_at_most() {
    let Some(analyze) = real_program("systemd-analyze") else { return };
    let output = Command::new(analyze)
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={EXPOSURE_MAX}"))
        .arg(file("nats-userman.service"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Overall exposure level for nats-userman.service: "), "{said}");
    assert!(output.status.success(), "{said}");
}

/// The value of the only line with this key.
fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    let values: Vec<&str> =
        unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect();
    assert_eq!(values.len(), 1, "{key}: {values:?}");
    values[0]
}

#[test]
fn the_socket_listens_where_the_service_does_by_default() {
    let socket = fs::read_to_string(file("nats-userman.socket")).unwrap();
    let settings = fs::read_to_string(file("../docs/settings.md")).unwrap();
    let address = value(&socket, "ListenStream");
    assert!(settings.contains(&format!("`{address}`")), "{address}");
}

/// If the name or the value of a directive is wrong, a machine only logs a warning.
#[test]
fn systemd_has_nothing_to_say_about_the_unit_and_the_socket() {
    let Some(analyze) = real_program("systemd-analyze") else { return };
    let dir = crate::support::temp_dir();
    let service = fs::read_to_string(file("nats-userman.service")).unwrap();
    let program = env!("CARGO_BIN_EXE_nats-userman");
    // The packaged program and its man page are not installed here.
    let service = service.replace("/usr/bin/nats-userman", program);
    let lines = service.lines().filter(|line| !line.starts_with("Documentation="));
    let service: String = lines.map(|line| format!("{line}\n")).collect();
    fs::write(dir.path().join("nats-userman.service"), service).unwrap();
    fs::copy(file("nats-userman.socket"), dir.path().join("nats-userman.socket")).unwrap();
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
