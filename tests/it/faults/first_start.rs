//! A first start is killed by SIGKILL before each system call that changes a file. The next start
//! must work, and must not change a complete file.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{add, added};
use crate::shim::{EIO, ENOSPC, EROFS, KILLED, Shim};
use crate::support::{DATA_FILES, NO_CONFIG, Program, eventually, post_to, real_program, temp_dir};

/// System calls that create, change, rename or sync a file.
const CALLS: &str = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,\
    unlink,unlinkat,mkdir,mkdirat,chmod,fchmod,fchmodat,chown,fchown,fchownat,ftruncate,fallocate";
/// Of this number of written pages, one is chosen for a kill.
const PAGES_EACH: usize = 12;
/// The files that only a first start creates.
const SECRETS: [&str; 3] = ["seal.key", "cookie.key", "postback-token"];

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

fn names(data: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The existing files of secrets.
fn secrets(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = SECRETS.iter().map(|name| data.join(name));
    all.filter_map(|path| fs::read(&path).ok().map(|content| (path, content))).collect()
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
        let before = secrets(&data);
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
        assert_eq!(names(&data), DATA_FILES, "{call} {turn}");
    }
    let seen = |name: &str| calls.iter().any(|(call, _)| call == name);
    assert!(
        calls.len() > 40 && ["openat", "write", "pwrite64", "fsync"].into_iter().all(seen),
        "{calls:?}"
    );
}

/// As release 0.2.0 left it after a kill of its first start between the creation of the file and
/// the writing of the key.
#[test]
fn an_empty_key_that_no_release_ever_used_is_made_anew_and_any_other_is_refused_as_before() {
    for key in ["seal.key", "cookie.key"] {
        let dir = temp_dir();
        let data = dir.path().join("data");
        assert!(Program::serve(&data, &[]).terminate().success());
        let whole = fs::read(data.join(key)).unwrap();
        fs::write(data.join(key), "").unwrap();
        if key == "seal.key" {
            // The id of the key is stored after the key is created.
            let conn = rusqlite::Connection::open(data.join("userman.db")).unwrap();
            let (code, said) = super::damage::start(crate::support::program(), &data);
            assert!(
                code == 2 && said.contains("found 0 bytes that are not"),
                "a key that was in use: {said}"
            );
            conn.execute("DELETE FROM seal_key", []).unwrap();
        }
        let mut service = Program::serve(&data, &[]);
        let line = format!(
            "the key file {} was empty, as a first start leaves it that was cut short",
            data.join(key).display()
        );
        assert!(service.stderr().contains(&line), "{}", service.stderr());
        let new = fs::read(data.join(key)).unwrap();
        assert!(new.len() == whole.len() && new != whole);
        // After the first member, an empty key means that the key was lost.
        assert_eq!(service.post(&add(1)).unwrap().body, added(1));
        assert!(service.terminate().success());
        fs::write(data.join(key), "").unwrap();
        let (code, said) = super::damage::start(crate::support::program(), &data);
        let refused =
            "expected 64 lower-case hex digits and a line break, found 0 bytes that are not";
        assert!(code == 2 && said.contains(refused), "{said}");
        assert_eq!(fs::read(data.join(key)).unwrap(), b"");
    }
}

/// The disk is full or fails at each step of replacing a file. The earlier file stays complete.
#[test]
fn a_fault_while_a_file_is_written_leaves_the_one_before_as_it_was() {
    let Some(shim) = Shim::new() else { return };
    let dir = temp_dir();
    let data = dir.path().canonicalize().unwrap().join("data");
    let start = |command: Command| {
        let mut command = command;
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .stdout(Stdio::null());
        Program::spawn(command)
    };
    assert!(start(crate::support::program()).unwrap().terminate().success());
    let run = |args: &[&str], fault: Option<(&str, i32)>| {
        if let Some((call, errno)) = fault {
            shim.fail(call, errno, 0);
        }
        let output =
            shim.program(&data, false).args(args).arg("--data-dir").arg(&data).output().unwrap();
        if let Some((call, _)) = fault {
            shim.heal(call);
        }
        (
            output.status.code().unwrap(),
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        )
    };
    assert_eq!(run(&["token", "add"], None).0, 0);
    let before = secrets(&data);
    let draft = data.join("postback-token.new");
    for fault in [("open", ENOSPC), ("write", ENOSPC), ("sync", EIO), ("write", EROFS)] {
        for command in [["token", "add"].as_slice(), &["token", "retire", "1"]] {
            let (code, said) = run(command, Some(fault));
            assert!(code == 1 && said.contains("cannot use the token file"), "{fault:?}: {said}");
            assert!(secrets(&data) == before && !draft.exists(), "{fault:?} {command:?}");
        }
    }
    // A token that a killed `token add` left was never valid. The next start removes its file.
    shim.fail("sync", KILLED, 0);
    assert!(
        shim.program(&data, false)
            .args(["token", "add", "--data-dir"])
            .arg(&data)
            .status()
            .unwrap()
            .code()
            .is_none()
    );
    shim.heal("sync");
    assert!(secrets(&data) == before && draft.exists());
    assert!(start(crate::support::program()).unwrap().terminate().success());
    assert!(secrets(&data) == before && !draft.exists());

    // If all keys exist, a start writes only the file that it makes for commands.
    let served = fs::read(data.join("served.json")).unwrap();
    fs::create_dir(data.join("served.json.new")).unwrap();
    let mut service = start(crate::support::program()).unwrap();
    eventually("it says so", || {
        service.stderr().contains("served.json, so `token show` may print another URL")
    });
    assert!(service.terminate().success());
    assert_eq!(fs::read(data.join("served.json")).unwrap(), served);
    fs::remove_dir(data.join("served.json.new")).unwrap();
    assert_eq!(names(&data), DATA_FILES);
}
