//! Tokens that are easy to guess, visible to others, or left from a rotation.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use nats_userman::doctor::Level;
use nats_userman::token::Token;

use super::Patient;
use crate::support::temp_dir;

const GOOD: &str = "Zq0-k3_fV9sLw1XyTb7uNc5RjGdHmPaE";
const OTHER: &str = "8f14e45fceea167a5a36dedd4bea2543";
const REPLACE: &str = "run `nats-userman token add`, paste the new URL into NATS, then run \
    `nats-userman token retire`";

fn with_file(lines: &str) -> Patient {
    let patient = Patient::in_dir(temp_dir());
    fs::create_dir(patient.data()).unwrap();
    let file = patient.data().join("postback-token");
    fs::write(&file, lines).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    patient
}

#[test]
fn a_token_that_the_program_would_make_is_ok() {
    assert!(Token::parse(GOOD).is_some());
    let patient = with_file(&format!("{GOOD}\n"));
    patient.expect_ok("token", "every token is long and has no pattern");
    patient.expect_ok("token_count", "one token is valid");
    patient.expect_ok("token_visible", "neither arguments of processes nor the unit show a token");
    let patient = Patient::in_dir(temp_dir());
    patient.expect_ok("token", "there is no token yet: the first start makes one");
}

#[test]
fn a_token_with_a_pattern_is_serious_and_is_not_shown() {
    let weak = "changeme-changeme-changeme-changeme";
    let patient = with_file(&format!("{GOOD}\n{weak}\n"));
    patient.expect(
        "token",
        Level::Serious,
        "token 2 is easy to guess: it has a pattern or few characters",
        REPLACE,
    );
    let all = format!("{:?}", patient.examine());
    assert!(!all.contains("changeme") && !all.contains(GOOD), "{all}");
}

#[test]
fn more_than_one_token_is_a_rotation_that_is_not_complete() {
    with_file(&format!("{GOOD}\n{OTHER}\n")).expect(
        "token_count",
        Level::Note,
        "2 tokens are valid, as during a rotation",
        "once NATS has the new URL, run `nats-userman token retire` for the old one",
    );
    with_file(&format!("{GOOD}\n{OTHER}\n{GOOD}\n")).expect(
        "token_count",
        Level::Note,
        "token 3 is in the file twice",
        "remove the second one",
    );
}

#[test]
fn a_token_in_the_arguments_of_a_process_is_visible_to_all() {
    let patient = with_file(&format!("{GOOD}\n"));
    patient.put("/proc/71/cmdline", &format!("nats-userman\0serve\0--postback-token\0{GOOD}\0"));
    patient.put("/proc/self/cmdline", "");
    patient.expect(
        "token_visible",
        Level::Serious,
        "a token is in the arguments of process 71, which every user can see",
        &format!("put it into a file that --postback-token-file names; then {REPLACE}"),
    );
}

#[test]
fn a_token_in_the_variables_of_the_unit_is_visible_to_all() {
    let patient = with_file(&format!("{GOOD}\n"));
    fs::create_dir_all(patient.root().join("run/systemd/system")).unwrap();
    let systemctl = patient.put(
        "/usr/bin/systemctl",
        &format!(
            "#!/bin/sh\n[ \"$*\" = 'show -p Environment --value nats-userman.service' ] && \
             echo USERMAN_LOG=info USERMAN_POSTBACK_TOKEN={GOOD}\n"
        ),
    );
    fs::set_permissions(systemctl, Permissions::from_mode(0o755)).unwrap();
    patient.expect(
        "token_visible",
        Level::Serious,
        "a token is in `Environment=` of the unit, which every user can see",
        &format!("put it into a file that only the service can read; then {REPLACE}"),
    );
}

#[test]
fn a_token_that_is_an_api_key_as_well_is_a_warning() {
    let patient = with_file(&format!("{GOOD}\n{OTHER}\n"));
    let patient = patient.with(&["--api-key", &format!("shop:{OTHER}")]);
    patient.expect(
        "token_shared",
        Level::Warning,
        "token 2 is also the API key of \"shop\"",
        REPLACE,
    );
}

#[test]
fn a_secret_on_the_command_line_of_the_doctor_is_told_too() {
    let mut patient = with_file(&format!("{GOOD}\n"));
    let sentence = "--api-key is visible in the process list to every user of this machine: use \
        --api-key-file";
    patient.exposed.push(sentence.to_owned());
    patient.expect("command_line", Level::Warning, sentence, "use the file of that setting");
}
