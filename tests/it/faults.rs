//! Faults outside of the program: of the disk, the lock, the files and the callers. Each answer is
//! the promised one. Nothing acknowledged is lost, nothing refused is done, and the service
//! continues by itself when the cause is gone.

mod callers;
mod conversion;
mod damage;
mod disk;
mod first_start;
mod foreign_wal;
mod health;
mod locked;
mod long_reader;
mod memory;
mod replaced;
mod steps;
mod stopping;

use std::net::SocketAddr;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::support::{Program, Request, Response, rows, send_raw, temp_dir};

const NOTHING_CHANGED: &str = "ERROR|temporarily unavailable, nothing was changed";
const OUTCOME_UNKNOWN: &str = "ERROR|temporarily unavailable, outcome unknown, send it again";

/// A secret that no log may contain.
const PASSWORD: &str = "sesame-7f3a";

/// An ADD of a member, whose name contains the number.
fn add(member: usize) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username=name-{member}&password={PASSWORD}")
}

fn added(member: usize) -> String {
    format!("OK|member {member} \"name-{member}\" added to site 1")
}

/// Checks the whole response of a 503.
fn assert_unavailable(response: &Response, body: &str) {
    assert_eq!((response.status, response.body.as_str()), (503, body));
    assert_eq!(response.header("retry-after"), Some("5"));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
}

/// Status and body of `GET /health`.
fn health(address: SocketAddr) -> (u16, String) {
    let response = send_raw(address, Request::get("/health")).unwrap();
    (response.status, response.body)
}

fn is_healthy(address: SocketAddr) -> bool {
    health(address) == (200, "ok".to_owned())
}

/// The memberids in member_auth, in order.
fn members(database: &Path) -> Vec<usize> {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let ids = "SELECT memberid FROM member_auth ORDER BY memberid";
    let recorded = "SELECT memberid FROM journal WHERE action = 'ADD' AND reply LIKE 'OK|%' GROUP \
        BY memberid ORDER BY memberid";
    let members = rows(&conn, ids);
    assert_eq!(members, rows(&conn, recorded), "rows and journal differ");
    members.iter().map(|id| id.parse().unwrap()).collect()
}

/// The members that a restart after a kill would find now: the files are copied, and the copy is
/// opened. The program writes nothing meanwhile, except hashes, which only extend the WAL.
fn members_after_a_crash(data: &Path) -> Vec<usize> {
    let copy = temp_dir();
    for file in ["userman.db", "userman.db-wal"] {
        std::fs::copy(data.join(file), copy.path().join(file)).unwrap();
    }
    members(&copy.path().join("userman.db"))
}

/// The lines of the log at ERROR.
fn errors(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| line.contains(" ERROR ")).collect()
}

/// Checks what must hold for every log.
fn assert_log_is_clean(program: &Program) {
    let log = program.stderr();
    assert!(!log.contains("panicked") && !log.contains(PASSWORD), "{log}");
}
