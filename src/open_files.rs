//! How many files the process may have open, and how many connections fit into that.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::connection_limits::{ConnectionLimits, server_threads};

/// Files that are not connections: database, log, locks, the readers of the login pool, calls to
/// NATS.
const FILES: u64 = 96;
/// Files of each thread that serves requests: its event queue and its reader of the database.
const FILES_OF_THREAD: u64 = 16;
/// Files of the operations listener: twice its 64 connections, and those of its two threads.
const FILES_OF_OPERATIONS: u64 = 2 * 64 + 2 * FILES_OF_THREAD;

/// Raises the soft limit of open files to what these connections need, as far as the hard limit
/// allows. If that is not enough, it lowers the number of connections and logs a warning. Otherwise
/// a socket that cannot be opened would stop all connections.
pub fn fit(limits: ConnectionLimits, has_operations: bool) -> ConnectionLimits {
    let operations = if has_operations { FILES_OF_OPERATIONS } else { 0 };
    let others = FILES + FILES_OF_THREAD * server_threads() as u64 + operations;
    let wanted = others + limits.sockets() as u64;
    let allowed = raise(wanted);
    if allowed >= wanted {
        return limits;
    }
    let fitting =
        limits.with_sockets(usize::try_from(allowed.saturating_sub(others)).unwrap_or(usize::MAX));
    log::warn!(
        "at most {allowed} files may be open, so at most {} connections are held in place of {}; \
         set LimitNOFILE={wanted} in the unit, or `ulimit -n {wanted}`",
        fitting.connections,
        limits.connections
    );
    fitting
}

/// Raises the soft limit towards this number. Returns the limit that is in force then.
fn raise(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` means that there is no limit.
    let Some(soft) = current.filter(|soft| *soft < wanted) else { return wanted };
    let raised = maximum.map_or(wanted, |hard| hard.min(wanted));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => soft,
    }
}
