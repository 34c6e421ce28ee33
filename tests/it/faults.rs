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
mod held_locks;
mod locked;
mod long_reader;
mod memory;
mod replaced;
mod steps;
mod stopping;

use std::net::SocketAddr;
use std::path::Path;

use crate::support::faults::{NOTHING_CHANGED, PASSWORD, add, added, assert_unavailable, members};
use crate::support::{Program, Request, send_raw, temp_dir};

const OUTCOME_UNKNOWN: &str = "ERROR|temporarily unavailable, outcome unknown, send it again";

/// Status and body of `GET /health`.
fn health(address: SocketAddr) -> (u16, String) {
    let response = send_raw(address, Request::get("/health")).unwrap();
    (response.status, response.body)
}

fn is_healthy(address: SocketAddr) -> bool {
    health(address) == (200, "ok".to_owned())
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
