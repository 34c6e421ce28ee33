//! How many files the process may have open, and how many connections fit into that.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::connection_limits::{ConnectionLimits, server_threads};

/// Files that are no connections: database, log, locks, the pool's readers, calls to NATS.
const FILES: u64 = 96;
/// Files of each thread that serves requests: its events and its reader of the database.
const FILES_OF_THREAD: u64 = 16;

/// Sees that as many files may be open as these connections need: the soft limit, which is for
/// programs of long ago, is raised as far as the hard one allows. Beyond that there are fewer
/// connections, and the log says so: a socket that cannot be opened would else stop all of them.
pub fn fit(limits: ConnectionLimits) -> ConnectionLimits {
    let others = FILES + FILES_OF_THREAD * server_threads() as u64;
    let wanted = others + limits.sockets() as u64;
    let allowed = raise(wanted);
    if allowed >= wanted {
        return limits;
    }
    let fitting =
        limits.with_sockets(usize::try_from(allowed.saturating_sub(others)).unwrap_or(usize::MAX));
    log::warn!(
        "at most {allowed} files may be open, so at most {} connections are held in place of {}; set LimitNOFILE={wanted} \
         in the unit, or `ulimit -n {wanted}`",
        fitting.connections,
        limits.connections
    );
    fitting
}

/// Raises the soft limit to this, or as near as can be; the limit then.
fn raise(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is no limit.
    let Some(soft) = current.filter(|soft| *soft < wanted) else { return wanted };
    let raised = maximum.map_or(wanted, |hard| hard.min(wanted));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => soft,
    }
}
