//! A COMMIT that ended without an answer: whether it happened is looked up by the id of the batch.
//!
//! "It is not there" is believed only when the session that ran the COMMIT is known to be gone.
//! Before that it could still commit.

use std::time::{Duration, Instant};

use super::connect::{Connected, Purpose, connect};
use super::rows::get;
use super::server::Server;
use super::verify::ServerIdentity;
use crate::store::Fault;

/// How long it is looked up. The receiver takes no other postback meanwhile. Galera needs 6.4 s to
/// exclude a node that died.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(8);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// The session that ran a COMMIT.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The number at the server.
    pub(super) id: u32,
    pub(super) server: ServerIdentity,
}

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitOutcome {
    /// The transaction is committed.
    Committed,
    /// It is not, and will not be.
    Absent,
    /// Nobody can tell yet.
    Unknown,
}

/// Looks up whether a batch was committed. Calls `progress` between attempts.
pub(super) fn look_up(
    server: &Server,
    session: &Session,
    batch: i64,
    mut progress: impl FnMut(),
) -> CommitOutcome {
    let until = Instant::now() + LOOK_UP_TIME_MAX;
    loop {
        // A fault here is the same outage; the caller logs it.
        match look_once(server, session, batch) {
            Ok(CommitOutcome::Unknown) | Err(_) => {}
            Ok(outcome) => return outcome,
        }
        if Instant::now() >= until {
            return CommitOutcome::Unknown;
        }
        progress();
        std::thread::sleep(PAUSE);
    }
}

fn look_once(server: &Server, session: &Session, batch: i64) -> Result<CommitOutcome, Fault> {
    let Connected { mut connection, verified } = connect(server, Purpose::Write)?;
    // First whether the session is gone, then whether there is a row: a session that is gone adds
    // none.
    let mut is_gone = false;
    if session.server.is_same_process(&verified.identity) {
        let running = "SELECT id FROM information_schema.processlist WHERE id = ?";
        is_gone = connection.first(running, vec![session.id.into()])?.is_none();
        if !is_gone {
            // It waits for a client that is no longer there.
            connection.kill(session.id)?;
        }
    } else if session.server.is_same_server(&verified.identity) {
        // Restarted: no session of before is left, and its recovery is done.
        is_gone = true;
    }
    let found = connection.first("SELECT records FROM batch WHERE id = ?", vec![batch.into()])?;
    Ok(match found {
        Some(mut row) => {
            get::<i64>(&mut row, 0)?;
            CommitOutcome::Committed
        }
        None if is_gone => CommitOutcome::Absent,
        None => CommitOutcome::Unknown,
    })
}
