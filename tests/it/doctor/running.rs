//! The real command, beside a running service and without one: exit codes, text, JSON.

use std::process::Command;

use nats_userman::doctor::Level;
use serde_json::Value;

use super::Patient;
use crate::commands::{run, run_on};
use crate::support::{Program, program, real_program, temp_dir};

#[test]
fn health_that_is_not_ok_is_serious_while_the_service_runs() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut service = Program::serve(&data, &[]);
    let mut patient = Patient::in_dir(dir);
    patient.expect_ok("running", &format!("a service uses {}", data.display()));
    patient.expect_ok("health", "ok");
    patient.health = Err("127.0.0.1:8080: connection refused".into());
    patient.expect(
        "health",
        Level::Serious,
        "127.0.0.1:8080: connection refused",
        "read the log (`journalctl -u nats-userman -n 50`) and find its message in \
         docs/troubleshooting.md",
    );
    assert!(service.terminate().success());
    assert!(patient.findings("health").is_empty(), "nobody is asked who is not there");
}

#[test]
fn the_command_asks_the_real_service_and_ends_with_0_and_with_1_once_it_is_in_trouble() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let service = Program::serve(&data, &[]);
    let address = service.address.to_string();
    let ran = run_on(&data, &["doctor", "--listen", &address]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert!(ran.out.starts_with(&format!(
        "service\n  ok       running: a service uses {}\n  ok       health: {address}: ok\n",
        data.display()
    )));
    let last = ran.out.lines().last().unwrap();
    assert!(last.starts_with("0 serious, ") && last.ends_with(" ok"), "{last}");

    let key = data.join("seal.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let ran = run_on(&data, &["doctor", "--json", "--listen", &address]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (Some(1), "nats-userman: 1 serious finding: see above\n")
    );
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["level"], "serious");
    let findings = json["findings"].as_array().unwrap();
    let modes: Vec<&Value> = findings.iter().filter(|found| found["name"] == "modes").collect();
    assert_eq!(
        modes,
        [&serde_json::json!({
            "topic": "permissions",
            "name": "modes",
            "level": "serious",
            "found": format!(
                "{}: expected mode 0600, found 0644: other users can read it", key.display()
            ),
            "remedy": format!(
                "run `chmod go= {}`; a start of the service does so too; if others have read it, \
                 replace it", key.display()
            ),
        })]
    );
    assert!(findings.iter().all(|found| found["remedy"].is_null() == (found["level"] == "ok")));
}

#[test]
fn a_setting_that_cannot_be_used_is_a_serious_finding_like_any_other() {
    let ran = run(&["doctor", "--time-zone", "Mars"]);
    let said = "--time-zone: expected a name as in Europe/Berlin or UTC, found \"Mars\"";
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (Some(1), "nats-userman: 1 serious finding: see above\n")
    );
    assert!(
        ran.out.starts_with(&format!(
            "settings\n  serious  setting: {said}\n           -> correct the setting and run \
             `nats-userman doctor` again, which then checks the rest\nunit\n"
        )),
        "{}",
        ran.out
    );
    let ran = run(&["doctor", "--json", "--time-zone", "Mars"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, json["findings"][0]["found"].as_str()), (Some(1), Some(said)));
    assert_eq!(json["level"], "serious");
}

#[test]
fn a_file_of_settings_that_cannot_be_used_is_a_serious_finding_too() {
    let dir = temp_dir();
    let file = dir.path().join("settings.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [["doctor", "--config", file], ["--config", file, "doctor"]] {
        let ran = run(&arguments);
        let finding = format!("settings\n  serious  setting: {file}, line 2: ");
        assert_eq!((ran.code, ran.out.starts_with(&finding)), (Some(1), true), "{ran:?}");
    }
}

#[test]
fn a_wrong_call_ends_with_2_and_checks_nothing() {
    for arguments in [["doctor", "--quack"], ["doctor", "everything"]] {
        let ran = run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    }
}

/// Runs as the service's user, which is not root here, and as a user without access.
#[test]
fn the_services_user_and_a_stranger_can_run_it() {
    let Some(runuser) = real_program("runuser") else { return };
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var("REQUIRE_REAL").as_deref() != Ok("1"), "not root and REQUIRE_REAL=1");
        eprintln!("\n*** NOT ROOT: this test proves nothing here ***\n");
        return;
    }
    let dir = temp_dir();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), mode).unwrap();
    let data = dir.path().join("data");
    let mut service = Program::serve(&data, &[]);
    let as_nobody = || {
        let mut command = Command::new(&runuser);
        command.args(["-u", "nobody", "--"]).arg(program().get_program());
        command.args(["doctor", "--listen", &service.address.to_string(), "--data-dir"]);
        let output = command.arg(&data).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, out) = as_nobody();
    assert_eq!(code, Some(1), "{out}");
    let shown = data.display();
    for line in [
        format!("  note     running: not checked: no access to {shown}\n"),
        format!("  ok       health: {}: ok\n", service.address),
        format!("  serious  access: the data directory {shown} cannot be written: Permission "),
    ] {
        assert!(out.contains(&line), "{line}\n{out}");
    }
    for file in std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()) {
        std::os::unix::fs::chown(file, Some(65_534), Some(65_534)).unwrap();
    }
    std::os::unix::fs::chown(&data, Some(65_534), Some(65_534)).unwrap();
    let (code, out) = as_nobody();
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains(&format!("  ok       running: a service uses {shown}\n")), "{out}");
    assert!(out.contains("  ok       owners: nobody owns the data directory"), "{out}");
    assert!(service.terminate().success());
}
