//! `nats-userman operator`, on both engines, and what the first start says.

use std::fs;
use std::path::Path;

use crate::commands::{run, run_on};
use crate::engines::operators::typed;
use crate::support::{Console, OPERATOR_PASSWORD, Program, eventually, program, temp_dir};

#[test]
fn what_is_no_name_role_or_password_is_refused_in_one_line_and_nothing_is_added() {
    let dir = temp_dir();
    drop(Program::serve(dir.path(), &[]));
    let data = dir.path().to_str().unwrap();
    let add = |arguments: &[&str], input: &str| {
        let all = [&["operator", "add"], arguments, &["--data-dir", data]].concat();
        typed(&all, input)
    };
    for (arguments, input, said) in [
        (
            &["Anna"][..],
            "",
            "operator add: the name: expected 1 to 64 characters of a-z, 0-9, '.', '_', '-' and \
             '@', the first a letter or digit, found \"Anna\"\n",
        ),
        (
            &["anna", "--role", "root"],
            "",
            "operator add: --role: expected support or admin, found \"root\"\n",
        ),
        (
            &["anna"],
            "eleven char\n",
            "operator add: expected a password of at least 12 characters and at most 256 bytes, \
             without control characters, found 11 characters; nothing was changed\n",
        ),
        (
            &["anna"],
            "",
            "operator add: expected a password of at least 12 characters and at most 256 bytes, \
             without control characters, found 0 characters; nothing was changed\n",
        ),
    ] {
        add(arguments, input).ended(2, &format!("nats-userman: {said}"));
    }
    let listed = run_on(Path::new(data), &["operator", "list"]).printed();
    assert!(listed.starts_with("there are no operators"), "{listed}");
    let missing = temp_dir();
    let nowhere = run_on(&missing.path().join("data"), &["operator", "list"]);
    assert!(nowhere.err.contains("`nats-userman serve` creates it"), "{}", nowhere.err);
}

#[test]
fn a_login_has_one_line_in_the_log_which_names_the_operator() {
    let dir = temp_dir();
    let service = Program::serve(dir.path(), &["--ops-listen", "127.0.0.1:0"]);
    let arguments = ["operator", "add", "anna", "--data-dir", dir.path().to_str().unwrap()];
    assert_eq!(typed(&arguments, &format!("{OPERATOR_PASSWORD}\n")).code, Some(0));
    Console::log_in(service.operations(), "anna");
    eventually("the login is in the log", || {
        service.stderr().contains("operator login operator=anna role=support address=127.0.0.1")
    });
    assert!(!service.stderr().contains("refused"), "{}", service.stderr());
}

#[test]
fn the_first_start_prints_the_line_that_makes_the_first_operator() {
    let dir = temp_dir();
    let out = dir.path().join("out");
    let start = || {
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        command.args(["--postback-token", crate::support::TOKEN, "--data-dir"]);
        command.arg(dir.path().join("data")).stdout(fs::File::create(&out).unwrap());
        let mut service = Program::spawn(command).unwrap();
        eventually("it has said all", || {
            fs::read_to_string(&out).unwrap().contains("put a TLS proxy in front")
        });
        let address = format!("http://{}", service.operations());
        assert!(service.terminate().success());
        (fs::read_to_string(&out).unwrap(), address)
    };
    let (said, address) = start();
    // Each program of a test has an empty configuration file.
    let line = format!(
        "Make the first operator of the console at {address}/: nats-userman operator add NAME \
         --role admin --config /dev/null --data-dir {}\n",
        dir.path().join("data").display()
    );
    assert!(said.contains(&line), "{said}");
    let data = dir.path().join("data");
    let arguments = ["operator", "add", "anna", "--data-dir", data.to_str().unwrap()];
    assert_eq!(typed(&arguments, &format!("{OPERATOR_PASSWORD}\n")).code, Some(0));
    assert!(!start().0.contains("operator"));
}

#[test]
fn a_listener_that_others_reach_without_a_proxy_is_warned_of() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let check = |flags: &[&str]| {
        let flags = [&["check-config", "--data-dir", data.to_str().unwrap()], flags].concat();
        run(&flags).out
    };
    let warning = "--ops-listen can be reached from other machines and has no TLS: passwords of \
                   operators travel unencrypted unless a proxy of --trusted-proxy is in front\n";
    assert!(check(&["--ops-listen", "0.0.0.0:9180"]).contains(warning));
    for fine in [
        &["--ops-listen", "127.0.0.1:9180"][..],
        &["--ops-listen", "[::1]:9180"],
        &["--ops-listen", "0.0.0.0:9180", "--trusted-proxy", "192.0.2.1"],
    ] {
        assert!(!check(fine).contains("unencrypted"), "{fine:?}");
    }
}
