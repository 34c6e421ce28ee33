//! The token in the path, and its rotation without a restart.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use super::{CHECK, FREE};
use crate::support::{App, Program, TOKEN, eventually, post_to, program};

fn status(address: SocketAddr, token: &str) -> u16 {
    post_to(address, token, CHECK.as_bytes()).unwrap().status
}

#[test]
fn two_tokens_are_good_during_a_rotation() {
    let (second, third) = ("second-token-0123456789abcdef-01234567", "third_token_0123456789ABCDEF_012345678");
    let app = App::start_with(&["--postback-token", &format!("{second},{third}")]);
    for token in [TOKEN, second, third] {
        assert_eq!(post_to(app.address, token, CHECK.as_bytes()).unwrap().body, FREE);
    }
    assert_eq!(status(app.address, &second.replace('s', "z")), 403);
    assert_eq!(status(app.address, &format!("{second},{third}")), 403);
}

#[test]
fn a_running_service_takes_up_what_token_add_and_token_retire_did() {
    let dir = tempfile::tempdir().unwrap();
    let command = |args: &[&str]| -> Command {
        let mut command = program();
        command.args(args).arg("--data-dir").arg(dir.path());
        command
    };
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0"]);
    serve.stdout(Stdio::null());
    let program = Program::spawn(serve).unwrap();
    let file = dir.path().join("postback-token");
    let tokens = || -> Vec<String> { fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect() };
    let old = tokens().remove(0);
    assert_eq!(post_to(program.address, &old, CHECK.as_bytes()).unwrap().body, FREE);

    assert!(command(&["token", "add"]).output().unwrap().status.success());
    let new = tokens().remove(1);
    eventually("the new token is good", || status(program.address, &new) == 200);
    assert_eq!(status(program.address, &old), 200, "the old one still is");

    assert!(command(&["token", "retire", "1"]).output().unwrap().status.success());
    eventually("the old token is out of use", || status(program.address, &old) == 403);
    assert_eq!(status(program.address, &new), 200);
    assert_eq!(tokens(), [new.as_str()]);

    // A file that cannot be read changes nothing, and is said so.
    fs::write(&file, "too short\n").unwrap();
    eventually("the broken file is logged", || program.stderr().contains("the tokens stay as they were: "));
    assert_eq!(status(program.address, &new), 200);
    fs::write(&file, format!("{new}\n{old}\n")).unwrap();
    eventually("the mended file is read", || status(program.address, &old) == 200);
    let said = program.stderr();
    assert!(!said.contains(&new) && !said.contains(&old) && !said.contains("too short"), "{said}");
}
