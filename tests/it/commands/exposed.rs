//! Secrets on the command line are visible in the list of processes.

use super::{end, run_on};
use crate::support::{Program, TOKEN, program, temp_dir};

const KEY: &str = "0123456789abcdef";

fn warning(flag: &str) -> String {
    format!("{flag} is visible in the process list to every user of this machine: use {flag}-file")
}

#[test]
fn every_command_warns_of_a_secret_that_was_given_as_a_flag_and_of_none_in_a_variable() {
    let dir = temp_dir();
    let mut service = Program::serve(
        dir.path(),
        &["--api-key", &format!("shop:{KEY}"), "--postback-token", TOKEN],
    );
    assert!(service.stderr().contains(&warning("--postback-token")), "{}", service.stderr());
    assert!(service.stderr().contains(&warning("--api-key")), "{}", service.stderr());
    let list = run_on(dir.path(), &["member", "list", "--postback-token", TOKEN]);
    assert!(list.code == Some(0) && list.err.contains(&warning("--postback-token")), "{list:?}");
    let mut before = program();
    before.args(["--postback-token", TOKEN, "member", "list", "--data-dir"]).arg(dir.path());
    assert!(end(before).err.contains(&warning("--postback-token")), "before the command");
    assert!(
        !(list.err + &list.out + &service.stderr()).contains(TOKEN),
        "which shows it to nobody else"
    );
    let mut by_variable = program();
    by_variable
        .args(["member", "list", "--data-dir"])
        .arg(dir.path())
        .env("USERMAN_POSTBACK_TOKEN", TOKEN);
    assert_eq!(end(by_variable).err, "");
    assert!(service.terminate().success());
}

#[test]
fn check_config_says_which_and_that_nothing_else_is_wrong() {
    let dir = temp_dir();
    let nats = [
        "--nats-url",
        "https://nats.example.com",
        "--nats-api-username",
        "tmm",
        "--nats-api-key",
        KEY,
    ];
    let flags = [
        &["check-config", "--postback-token", TOKEN, "--api-key", "shop:0123456789abcdef"][..],
        &nats,
    ]
    .concat();
    let printed = run_on(&dir.path().join("data"), &flags).printed();
    let said = ["--postback-token", "--api-key", "--nats-api-key"]
        .map(|flag| warning(flag) + "\n")
        .concat();
    assert!(printed.ends_with(&format!("{said}otherwise, configuration OK\n")), "{printed}");
}
