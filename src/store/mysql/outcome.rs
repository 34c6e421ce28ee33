//! A COMMIT that ended without an answer: whether it happened is looked up by the id of the batch,
//! which each of its journal records has.
//!
//! A missing row counts only when the session that ran the COMMIT has certainly ended. Before that
//! it could still commit.

use std::time::{Duration, Instant};

use super::connect::{Attempt, Connected, Purpose, connect};
use super::identity::{Past, ServerIdentity};
use super::server::{Host, Server};
use crate::store::Fault;

/// How long the outcome is looked up. The receiver takes no other postback meanwhile. Galera needs
/// 6.4 s to exclude a node that died, and the sender has an answer after 20 s.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(9);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// The session that ran a COMMIT.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The number at the server.
    pub(super) id: u32,
    pub(super) host: Host,
    pub(super) server: ServerIdentity,
}

/// What a transaction wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing, or what may be written again.
    Nothing,
    /// Journal records.
    Records {
        /// How many.
        count: usize,
        /// The id of the first one.
        first: i64,
    },
    /// Rows of another database. The table `migration` has the id of the batch.
    Copies,
}

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitOutcome {
    /// The transaction is committed.
    Committed,
    /// It is not, and will not be.
    Absent,
    /// The outcome cannot be determined yet.
    Unknown,
}

/// Looks up whether a batch was committed. Calls `progress` between attempts.
pub(super) fn look_up(
    server: &Server,
    session: &Session,
    (written, batch): (Written, i64),
    mut progress: impl FnMut(),
) -> CommitOutcome {
    let until = Instant::now() + LOOK_UP_TIME_MAX;
    loop {
        // A fault here is the same outage; the caller logs it.
        match look_once(server, session, (written, batch), until) {
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

fn look_once(
    server: &Server,
    session: &Session,
    (written, batch): (Written, i64),
    until: Instant,
) -> Result<CommitOutcome, Fault> {
    // Its own node shows at once whether the session has ended.
    let attempt = Attempt { first: Some(&session.host), last: None, until: Some(until) };
    let Connected { mut connection, verified, .. } = connect(server, Purpose::LookUp, attempt)?;
    // First whether the session has ended, then whether there is a row: an ended session adds none.
    let past = verified.identity.past_of(&session.server);
    let is_gone = match past {
        Past::Gone => true,
        Past::Elsewhere => false,
        Past::Here => {
            let running = "SELECT id FROM information_schema.processlist WHERE id = ?";
            let is_gone = connection.first(running, vec![session.id.into()])?.is_none();
            if !is_gone {
                // The session waits for a client that has disconnected.
                connection.kill(session.id)?;
            }
            is_gone
        }
    };
    // A server shows a commit before it is on its disk. It is there once the session has ended; on
    // another node of the cluster it is in the memory of both.
    let is_settled = is_gone || verified.is_cluster && past == Past::Elsewhere;
    let found = match written {
        // Not by this id alone: the member of that record may have been forgotten meanwhile.
        Written::Records { first, .. } => connection.first(
            "SELECT 1 FROM journal WHERE id >= ? AND batch = ? ORDER BY id LIMIT 1",
            vec![first.into(), batch.into()],
        )?,
        Written::Nothing | Written::Copies => {
            connection.first("SELECT 1 FROM migration WHERE batch = ?", vec![batch.into()])?
        }
    };
    Ok(match found {
        Some(_) if is_settled => CommitOutcome::Committed,
        None if is_gone => CommitOutcome::Absent,
        _ => CommitOutcome::Unknown,
    })
}
