//! A first start is killed by SIGKILL before each system call that changes a file. The next start
//! must work, and must not change a complete file.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::faults::{add, added, file_names, secret_files};
use crate::support::{DATA_FILES, NO_CONFIG, Program, eventually, post_to, real_program, temp_dir};

/// System calls that create, change, rename or sync a file.
const CALLS: &str = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,\
    unlink,unlinkat,mkdir,mkdirat,chmod,fchmod,fchmodat,chown,fchown,fchownat,ftruncate,fallocate";
/// Of this number of written pages, one is chosen for a kill.
const PAGES_EACH: usize = 12;

/// Runs `serve` for the first time, under strace.
fn traced(strace: &Path, options: &[&str], trace: &Path, data: &Path) -> Command {
    let mut command = Command::new(strace);
    command
        .args(["-f", "-qq", "-o"])
        .arg(trace)
        .args(options)
        .arg(env!("CARGO_BIN_EXE_nats-userman"))
        .envs([NO_CONFIG]);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// The calls of the first thread that may change something: name and number of each, in their
/// order.
fn calls(strace: &Path) -> Vec<(String, usize)> {
    let dir = temp_dir();
    let trace = dir.path().join("trace");
    let mut program = Program::spawn(traced(
        strace,
        &["-e", &format!("trace={CALLS}")],
        &trace,
        &dir.path().join("data"),
    ))
    .unwrap();
    signal_traced(&program.child, Signal::TERM);
    program.child.wait().unwrap();
    let (mut turns, mut calls, mut first) = (HashMap::new(), Vec::new(), None);
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let (pid, call) = line.split_once(' ').unwrap();
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        if *first.get_or_insert_with(|| pid.to_owned()) != pid || name.contains(' ') {
            continue;
        }
        let turn = turns.entry(name.to_owned()).or_insert(0);
        *turn += 1;
        let reads = name == "openat" && !rest.contains("O_CREAT");
        // Most writes are SQLite's, one for each page of a transaction.
        let inner = name == "pwrite64" && *turn % PAGES_EACH != 0;
        if !reads && !inner && !rest.starts_with("2, ") {
            calls.push((name.to_owned(), *turn));
        }
    }
    calls
}

/// strace does not pass signals on to the traced program, its child.
fn signal_traced(strace: &Child, signal: Signal) {
    let children =
        fs::read_to_string(format!("/proc/{0}/task/{0}/children", strace.id())).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().unwrap())) {
        let _ = kill_process(child, signal);
    }
}

#[test]
fn a_first_start_that_is_killed_at_any_system_call_is_made_good_by_the_next() {
    let Some(strace) = real_program("strace") else { return };
    let calls = calls(&strace);
    // A kill at each call takes a quarter of a second.
    let every = if std::env::var_os("EVERY_CALL").is_some() { 1 } else { 4 };
    for (call, turn) in calls.iter().step_by(every) {
        let dir = temp_dir();
        let (data, trace) = (dir.path().join("data"), dir.path().join("trace"));
        let inject = format!("inject={call}:signal=KILL:when={turn}");
        let mut first =
            traced(&strace, &["-e", &format!("trace={call}"), "-e", &inject], &trace, &data);
        let mut first = first.stderr(Stdio::null()).spawn().unwrap();
        eventually("it is killed", || {
            // The number of pages that SQLite writes varies. If the chosen write never happens, the
            // program has started, and is killed then.
            if data.join("served.json").exists() {
                signal_traced(&first, Signal::KILL);
            }
            first.try_wait().unwrap().is_some()
        });
        let before = secret_files(&data);
        let service = Program::spawn({
            let mut command = crate::support::program();
            command
                .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
                .arg(&data)
                .stdout(Stdio::null());
            command
        });
        let mut service = service.unwrap_or_else(|said| panic!("{call} {turn}: {said}"));
        let token = fs::read_to_string(data.join("postback-token")).unwrap();
        assert_eq!(
            post_to(service.address, token.trim_end(), add(1).as_bytes()).unwrap().body,
            added(1),
            "{call} {turn}"
        );
        for (path, content) in before {
            assert!(
                fs::read(&path).unwrap() == content,
                "{call} {turn}: {} was changed",
                path.display()
            );
        }
        assert!(service.terminate().success());
        assert_eq!(file_names(&data), DATA_FILES, "{call} {turn}");
    }
    let seen = |name: &str| calls.iter().any(|(call, _)| call == name);
    assert!(
        calls.len() > 40 && ["openat", "write", "pwrite64", "fsync"].into_iter().all(seen),
        "{calls:?}"
    );
}
