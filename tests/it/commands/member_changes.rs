//! `member expiry` and `member password`, beside a running service.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use super::terminal::Terminal;
use super::{Ran, run_on, without_times};
use crate::support::{Program, Request, eventually, program, send_raw, temp_dir};

/// A service in Berlin with bob (71) and the former member cleo (73) on site 1. Expiries of NATS
/// have a grace of two days.
fn service() -> (tempfile::TempDir, Program) {
    let dir = temp_dir();
    let program =
        Program::serve(dir.path(), &["--time-zone", "Europe/Berlin", "--expire-grace-hours", "48"]);
    for body in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret",
        "action=ADD&siteid=1&memberid=73&username=cleo&password=secret",
        "action=DELETE&siteid=1&memberid=73",
    ] {
        assert!(program.post(body).unwrap().body.starts_with("OK|"), "{body}");
    }
    (dir, program)
}

fn expiry(data: &Path, args: &[&str]) -> Ran {
    run_on(data, &[&["member", "expiry", "--time-zone", "Europe/Berlin"], args].concat())
}

fn listed(data: &Path) -> String {
    run_on(data, &["member", "list"]).printed().lines().skip(1).collect()
}

#[test]
fn a_membership_gets_another_end_at_a_time_of_the_operator_s_zone_or_none() {
    let (dir, _program) = service();
    let expiry = |args: &[&str]| expiry(dir.path(), args);
    let will = "OK|member 71 \"bob\" of site 1 will expire at 2099-11-30T23:00:00Z\n";
    assert_eq!(
        expiry(&["1", "71", "2099-12-01", "--dry-run"]).printed(),
        format!("{will}nothing was changed (--dry-run)\n")
    );
    assert_eq!(listed(dir.path()), "1\t71\tbob\t0\t-");
    assert_eq!(expiry(&["1", "71", "2099-12-01"]).printed(), will, "without the grace of NATS's");
    assert_eq!(listed(dir.path()), "1\t71\tbob\t0\t2099-11-30T23:00:00Z");
    assert_eq!(
        expiry(&["1", "71", "2099-12-01 12:30"]).printed(),
        "OK|member 71 \"bob\" of site 1 will expire at 2099-12-01T11:30:00Z\n"
    );
    assert_eq!(
        expiry(&["1", "71", "never"]).printed(),
        "OK|member 71 \"bob\" of site 1 has no expiry now\n"
    );
    assert_eq!(listed(dir.path()), "1\t71\tbob\t0\t-");
    assert_eq!(
        expiry(&["1", "71", "2026-01-01"]).printed(),
        "OK|member 71 \"bob\" of site 1 expired at 2025-12-31T23:00:00Z\n"
    );
    assert_eq!(listed(dir.path()), "", "a time that is over ends the membership at once");

    let gone = "ERROR|member 73 is not a member of site 1 now";
    expiry(&["1", "73", "never", "--dry-run"])
        .ended(1, &format!("nats-userman: {gone}, nothing was changed\n"));
    expiry(&["1", "73", "2099-12-01"]).ended(
        1,
        &format!("nats-userman: {gone}, an expiry at 2099-11-30T23:00:00Z cannot be noted\n"),
    );
    expiry(&["1", "99", "never"]).ended(
        1,
        "nats-userman: ERROR|member 99 is not a member of site 1 now, nothing was changed\n",
    );
    for wrong in ["tomorrow", "0", "2026-02-30", ""] {
        expiry(&["1", "71", wrong]).ended(
            2,
            &format!(
                "nats-userman: member expiry: WHEN: expected YYYY-MM-DD, \"YYYY-MM-DD hh:mm\", \
                 with :ss or not, unix seconds of 9 to 11 digits, or never, found \"{wrong}\"\n"
            ),
        );
    }
    expiry(&["x", "71", "never"]).ended(
        2,
        "nats-userman: SITE: expected a number from 1 to 9223372036854775807, found \"x\"\n",
    );
    let journal = run_on(dir.path(), &["journal", "--action", "EXPIRE", "--member", "71"]);
    let journal = without_times(&journal.printed());
    let first = "TIME  EXPIRE      4  OK|member 71 \"bob\" of site 1 will expire at TIME\n    from \
                 operator: action=EXPIRE&siteid=1&memberid=71&expire=4099762800\n";
    assert!(journal.starts_with(first), "{journal}");
    assert!(journal.contains("from operator: action=EXPIRE&siteid=1&memberid=71&expire=never\n"));
}

/// Runs `member password` with this standard input.
fn password(data: &Path, member: &str, input: &[u8]) -> Ran {
    let mut command = program();
    command.args(["member", "password", "1", member, "--data-dir"]).arg(data);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read it may have ended.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
        made_database: false,
    }
}

/// The status of `/auth` with this password of bob's.
fn auth(program: &Program, password: &str) -> u16 {
    send_raw(program.address, Request::get("/auth?site=1").basic("bob", password)).unwrap().status
}

#[test]
fn a_password_of_one_line_of_standard_input_is_valid_at_once_and_is_hashed_by_the_service() {
    let (dir, program) = service();
    let password = |member, input: &[u8]| password(dir.path(), member, input);
    assert_eq!(
        password("71", b"correct horse\n").printed(),
        "OK|member 71 \"bob\" changed on site 1\n"
    );
    assert_eq!((auth(&program, "correct horse"), auth(&program, "secret")), (200, 401));
    let show = || run_on(dir.path(), &["member", "show", "1", "71"]).printed();
    eventually("it is hashed", || show().contains("password   hashed"));
    assert_eq!(auth(&program, "correct horse"), 200);
    assert!(show().contains("from operator: action=CHANGE&siteid=1&memberid=71&new_password=***"));
    assert!(!show().contains("correct horse"));
    assert_eq!(
        password("71", b"windows\r\n").printed(),
        "OK|member 71 \"bob\" changed on site 1\n"
    );
    assert_eq!(auth(&program, "windows"), 200);

    password("73", b"x\n").ended(
        1,
        "nats-userman: ERROR|member 73 is not a member of site 1 now, nothing was changed\n",
    );
    let expected = "expected 1 to 1024 bytes";
    password("71", b"\n").ended(
        2,
        &format!(
            "nats-userman: member password: the password: {expected}, found 0 bytes; nothing was \
             changed\n"
        ),
    );
    let long = "x".repeat(1_025);
    password("71", long.as_bytes()).ended(
        2,
        &format!(
            "nats-userman: member password: the password: {expected}, found 1025 bytes; nothing \
             was changed\n"
        ),
    );
    password("71", b"one\ntwo\n").ended(
        2,
        "nats-userman: member password: expected one line with the password on standard input, \
         found several; nothing was changed\n",
    );
    password("71", b"\xff\n").ended(
        2,
        "nats-userman: member password: expected a password in UTF-8; nothing was changed\n",
    );
    assert_eq!(auth(&program, "windows"), 200, "nothing was changed");
}

#[test]
fn on_a_terminal_a_password_is_typed_twice_and_never_shown() {
    let (dir, service) = service();
    let typed = |first: &str, second: &str| {
        let (terminal, mut command) = (Terminal::new(), program());
        command.args(["member", "password", "1", "71", "--data-dir"]).arg(dir.path());
        terminal.take(&mut command);
        command.stderr(terminal.stdio());
        let mut child = command.spawn().unwrap();
        terminal.read_until("New password: ");
        terminal.type_line(first);
        terminal.read_until("The same again: ");
        terminal.type_line(second);
        let said = terminal.read_until("site 1\n");
        assert!(!said.contains(first), "{said}");
        child.wait().unwrap().code()
    };
    assert_eq!(typed("correct horse", "correct horse"), Some(0));
    assert_eq!(auth(&service, "correct horse"), 200);

    let (terminal, mut command) = (Terminal::new(), program());
    command.args(["member", "password", "1", "71", "--data-dir"]).arg(dir.path());
    terminal.take(&mut command);
    command.stderr(terminal.stdio());
    let mut child = command.spawn().unwrap();
    terminal.read_until("New password: ");
    terminal.type_line("one");
    terminal.read_until("The same again: ");
    terminal.type_line("two");
    terminal.read_until("member password: the two passwords differ; nothing was changed\n");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(auth(&service, "correct horse"), 200);
}
