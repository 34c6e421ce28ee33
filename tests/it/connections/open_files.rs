//! The limit of open files determines the maximum number of connections.

use std::net::TcpStream;
use std::process::Command;

use crate::support::{NO_CONFIG, Program, Request, TOKEN, eventually, program, send_raw, temp_dir};

/// The program with this soft and this hard limit of open files.
fn limited(soft: u64, hard: u64) -> Command {
    let own = program();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"")])
        .arg(own.get_program())
        .envs([NO_CONFIG]);
    command
}

fn soft_limit(program: &Program) -> u64 {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

/// The number of files that the program needs on this machine: two sockets for each of 1,024
/// connections, 96 files, and 16 for each processor.
fn needed() -> u64 {
    2 * 1024
        + 96
        + 16 * std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64)
}

#[test]
fn a_low_soft_limit_of_open_files_is_raised_without_a_word() {
    let dir = temp_dir();
    let program = Program::run(limited(256, needed()), dir.path(), &[]).unwrap();
    assert_eq!(soft_limit(&program), needed());
    assert!(!program.stderr().contains("LimitNOFILE"), "{}", program.stderr());
}

#[test]
fn a_limit_that_is_high_already_stays() {
    let dir = temp_dir();
    let program = Program::run(limited(needed() + 7, needed() + 7), dir.path(), &[]).unwrap();
    assert_eq!(soft_limit(&program), needed() + 7);
    assert!(!program.stderr().contains("LimitNOFILE"), "{}", program.stderr());
}

/// Regression: a service that could not open more files accepted no connection.
#[test]
fn a_low_hard_limit_is_said_and_more_clients_than_it_allows_hold_up_no_postback() {
    let dir = temp_dir();
    let hard = needed() - 2 * 1024 + 2 * 40;
    let program = Program::run(limited(hard, hard), dir.path(), &[]).unwrap();
    let warning = format!(
        "at most {hard} files may be open, so at most 40 connections are held in place of 1024"
    );
    assert!(program.stderr().contains(&warning), "{}", program.stderr());
    assert!(
        program.stderr().contains(&format!("set LimitNOFILE={}", needed())),
        "{}",
        program.stderr()
    );

    let held: Vec<TcpStream> =
        (0..400).map(|_| TcpStream::connect(program.address).unwrap()).collect();
    let add = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
    assert_eq!(program.post(add).unwrap().body, "OK|member 71 \"bob\" added to site 1");
    eventually("the operator is told", || {
        program.stderr().contains(
            "connections closed: idle while all 40 were in use; let the \
            proxy buffer whole requests",
        )
    });
    assert_eq!(
        program.stderr().matches("connections closed").count(),
        1,
        "once a minute: {}",
        program.stderr()
    );
    let path = format!("/postback/{TOKEN}?action=CHECK&siteid=1&username=bob");
    assert_eq!(
        send_raw(program.address, Request::get(&path)).unwrap().body,
        "OK|username \"bob\" is taken on site 1"
    );
    drop(held);
}
