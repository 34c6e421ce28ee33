//! Signals that must not kill the service, and their effects.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use super::terminal::Terminal;
use crate::support::{
    NO_CONFIG, Program, TOKEN, check_invariants, eventually, post_to, program, temp_dir,
};

fn add(member: u32) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username=bob{member}&password=secret")
}

#[test]
fn signals_that_would_kill_are_told_once_and_the_service_goes_on() {
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &[]);
    let pid = Pid::from_child(&program.child);
    let named = [
        ("SIGUSR1", Signal::USR1),
        ("SIGUSR2", Signal::USR2),
        ("SIGALRM", Signal::ALARM),
        ("SIGVTALRM", Signal::VTALARM),
        ("SIGPROF", Signal::PROF),
        ("SIGIO", Signal::IO),
        ("SIGPWR", Signal::POWER),
        ("SIGSTKFLT", Signal::STKFLT),
        ("SIGXCPU", Signal::XCPU),
        ("SIGXFSZ", Signal::XFSZ),
    ];
    for (name, signal) in named {
        kill_process(pid, signal).unwrap();
        let line = format!(" WARN  {name} is ignored; SIGTERM stops the program\n");
        eventually(&line, || program.stderr().contains(&line));
        kill_process(pid, signal).unwrap();
    }
    let shell = format!("for number in 34 50 64; do kill -$number {}; done", pid.as_raw_pid());
    assert!(Command::new("bash").args(["-c", &shell]).status().unwrap().success());
    for number in [34, 50, 64] {
        let line = format!("signal {number} is ignored");
        eventually(&line, || program.stderr().contains(&line));
    }
    assert_eq!(program.post(&add(71)).unwrap().body, "OK|member 71 \"bob71\" added to site 1");
    assert_eq!(program.terminate().code(), Some(0));
    for (name, _) in named {
        assert_eq!(program.stderr().matches(&format!("{name} is ignored")).count(), 1);
    }
}

/// By default, the signal of this limit kills the process.
#[test]
fn a_limit_of_file_size_is_a_fault_that_ends_when_the_limit_does() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -S -f 800; exec \"$0\" \"$@\""])
        .arg(program().get_program())
        .envs([NO_CONFIG]);
    let mut program = Program::run(limited, &data, &[]).unwrap();
    let mut member = 0;
    eventually("the limit is reached", || {
        member += 1;
        program.post(&add(member)).unwrap().status == 503
    });
    let none = Rlimit { current: None, maximum: None };
    prlimit(Some(Pid::from_child(&program.child)), Resource::Fsize, none).unwrap();
    eventually("a postback is done again", || program.post(&add(member)).unwrap().status == 200);
    assert_eq!(program.terminate().code(), Some(0), "{}", program.stderr());
    check_invariants(&data.join("userman.db"));
}

/// A terminal that is closed sends SIGHUP. Nothing can be written to it afterwards.
#[test]
fn a_service_goes_on_when_its_terminal_is_closed() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(program().get_program()).envs([NO_CONFIG]);
    command.args(["serve", "--listen", "127.0.0.1:0", "--postback-token", TOKEN, "--data-dir"]);
    let allowed = dir.path().join("allowed");
    std::fs::write(&allowed, "192.0.2.1\n").unwrap();
    command.arg(&data).arg("--allow-ip-file").arg(&allowed);
    let terminal = Terminal::new();
    terminal.take(&mut command);
    command.stderr(terminal.stdio());
    let mut child = command.spawn().unwrap();
    drop(command);
    let said = terminal.read_until("--public-url.");
    let address = said.split_once("listens on ").unwrap().1.split_once(',').unwrap().0;
    let address = address.parse().unwrap();
    let status = |member| post_to(address, TOKEN, add(member).as_bytes()).unwrap().status;
    assert_eq!(status(71), 403);
    std::fs::write(&allowed, "127.0.0.1\n").unwrap();
    terminal.close();
    eventually("its SIGHUP has come", || status(71) == 200);
    for member in 1..=50 {
        assert_eq!(status(member), 200);
    }
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    check_invariants(&data.join("userman.db"));
}

/// The start itself fails, and its message cannot be written. The exit code is still the right one.
#[test]
fn a_failure_without_a_reader_of_stderr_keeps_its_exit_code() {
    let dir = temp_dir();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = program();
    command.args(["member", "list", "--data-dir"]).arg(dir.path().join("none"));
    command.stdout(Stdio::null()).stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(1));
}
