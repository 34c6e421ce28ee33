//! A machine that is short of memory for some time, simulated by a limit on the data of the running
//! program.

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::PASSWORD;
use crate::support::{Program, Request, eventually, rows, send_raw, temp_dir};

/// Enough memory for everything except a hash, which needs 19 MiB.
const ROOM_BYTES: u64 = 8 * 1024 * 1024;

fn limit(program: &Program, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(Pid::from_child(&program.child)), Resource::Data, limit).unwrap();
}

/// The memory that the program uses, in bytes.
fn taken(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Regression: a seal that could not be hashed for lack of memory was not tried again until the
/// next start, and a login that could not be verified counted as a wrong password.
#[test]
fn what_cannot_be_hashed_for_want_of_memory_is_hashed_when_there_is_some() {
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &["--trusted-proxy", "127.0.0.1"]);
    let login = |password: &str| {
        let request = Request::get("/auth?site=1").from("198.51.100.1").basic("bob", password);
        send_raw(program.address, request).unwrap().status
    };
    limit(&program, Some(taken(&program) + ROOM_BYTES));
    let added =
        program.post(&format!("action=ADD&siteid=1&memberid=71&username=bob&password={PASSWORD}"));
    assert_eq!(added.unwrap().body, "OK|member 71 \"bob\" added to site 1");
    let waits = "hashing is paused: argon2id: out of memory";
    eventually("the worker has tried", || program.stderr().contains(waits));
    assert_eq!(login(PASSWORD), 200, "a sealed password opens without a hash");
    for number in 0..12 {
        assert_eq!(login(&format!("wrong {number}")), 503, "nobody knows");
    }
    limit(&program, None);
    let conn = rusqlite::Connection::open(dir.path().join("userman.db")).unwrap();
    let hashed = "SELECT password IS NOT NULL FROM member_auth";
    eventually("it is hashed", || rows(&conn, hashed) == ["1"]);
    assert_eq!(login("wrong"), 401);
    assert_eq!(login(PASSWORD), 200, "none of the twelve was counted");
    assert!(program.terminate().success());
    let said = program.stderr();
    assert!(!said.contains("cannot be hashed") && !said.contains("cannot log in"), "{said}");
    assert_eq!(
        said.matches("logins cannot be verified now and are answered 503: argon2id: ").count(),
        1,
        "{said}"
    );
}
