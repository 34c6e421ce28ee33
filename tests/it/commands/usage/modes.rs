//! The modes of files with secrets.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::super::run_on;
use super::write;
use crate::support::{Program, TOKEN, temp_dir};

/// Regression: a restored key was readable for all users, and there was no warning.
#[test]
fn files_that_are_open_to_others_are_told_and_a_start_tightens_the_secrets() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    // Killed, so that the WAL has content: SQLite gives an empty one the mode of the database.
    Program::serve(&data, &[]).kill();
    write(&data, "postback-token", 0o640, &format!("{TOKEN}\n"));
    let modes = [
        ("", 0o777),
        ("seal.key", 0o644),
        ("userman.db", 0o646),
        ("userman.db-wal", 0o660),
        ("userman.db-shm", 0o604),
    ];
    for (name, mode) in modes {
        fs::set_permissions(data.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o7777;
    let at = data.display();
    let secrets = [
        format!("{at}/seal.key: expected mode 0600, found 0644"),
        format!("{at}/postback-token: expected mode 0600, found 0640"),
    ];
    let rest = [
        format!(
            "{at}: expected mode 0750, found 0777: other users can access it; run `chmod o= {at}`"
        ),
        format!(
            "{at}/userman.db: expected mode 0640, found 0646: other users can access it; run \
             `chmod o= {at}/userman.db`"
        ),
        format!(
            "{at}/userman.db-shm: expected mode 0640, found 0604: other users can access it; run \
             `chmod o= {at}/userman.db-shm`"
        ),
    ];
    let lines = |secret: &str, front: &str| {
        let secrets = secrets.iter().map(|line| format!("{front}{line}{secret}\n"));
        secrets.chain(rest.iter().map(|line| format!("{front}{line}\n"))).collect::<String>()
    };
    run_on(&data, &["check-config"]).ended(1, &lines("; `serve` will fix it", "nats-userman: "));
    assert_eq!(modes.map(|(name, _)| (name, mode(name))), modes, "it changes nothing");

    let mut program = Program::serve(&data, &[]);
    program.terminate();
    let warned: String = program
        .stderr()
        .lines()
        .filter_map(|line| Some(format!("WARN{}\n", line.split_once(" WARN ")?.1)))
        .collect();
    assert_eq!(warned, lines("; fixed, but other users may have read it before", "WARN "));
    assert_eq!(["seal.key", "postback-token"].map(mode), [0o600; 2]);
    assert_eq!(["", "userman.db"].map(mode), [0o777, 0o646], "the operator's to decide");
}

#[test]
fn files_of_secrets_that_settings_name_are_told_when_they_are_open_to_others() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let keys = dir.path().join("api-keys");
    let at = keys.display().to_string();
    write(dir.path(), "api-keys", 0o640, "# pages\n\nshop:0123456789abcdef site=1\n");
    let args = ["check-config", "--api-key-file", &at];
    assert!(run_on(&data, &args).printed().contains("API keys          of shop site=1\n"));
    fs::set_permissions(&keys, Permissions::from_mode(0o644)).unwrap();
    let said = format!(
        "{at}: expected mode 0640, found 0644: other users can access it; run `chmod o= {at}`"
    );
    run_on(&data, &args).ended(1, &format!("nats-userman: {said}\n"));
    let mut program = Program::serve(&data, &["--api-key-file", &at]);
    program.terminate();
    assert!(program.stderr().contains(&format!(" WARN  {said}\n")), "{}", program.stderr());
    write(dir.path(), "api-keys", 0o600, "shop:0123456789abcdef\nshop 1\n");
    let line = "expected USERNAME:KEY with a KEY of at least 16 characters and no comma, then \
        site=SITEID and ip=CIDR as often as wanted, with blanks between";
    run_on(&data, &args).ended(2, &format!("nats-userman: --api-key-file: {at}, line 2: {line}\n"));
}

#[test]
fn a_key_that_its_owner_may_only_read_stays_so() {
    let dir = temp_dir();
    Program::serve(dir.path(), &[]).terminate();
    for (before, after) in [(0o400, 0o400), (0o444, 0o400)] {
        fs::set_permissions(dir.path().join("seal.key"), Permissions::from_mode(before)).unwrap();
        Program::serve(dir.path(), &[]).terminate();
        assert_eq!(
            fs::metadata(dir.path().join("seal.key")).unwrap().permissions().mode() & 0o7777,
            after
        );
    }
}
