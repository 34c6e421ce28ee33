//! Opens connections: the nodes in their order, the first one on which everything that must hold
//! does hold.

use std::time::Duration;

use mysql::prelude::Queryable as _;
use mysql::{Conn, OptsBuilder, SslOpts};

use super::connection::Connection;
use super::fault;
use super::server::{Host, Server, Tls};
use super::verify::{self, Verified};
use crate::store::{Cause, Fault};

/// How long a node may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the writer waits for an answer. A COMMIT of Galera takes 6.4 s when a node dies.
const WRITE_ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a reader waits for an answer: as long as a visitor waits.
const READ_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that stay prepared on a connection: more than the program has.
const STATEMENTS_MAX: usize = 1024;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Transactions of the writer.
    Write,
    /// Reading of committed rows.
    Read,
    /// Making or upgrading tables, which takes long.
    Schema,
}

/// What is set for a session. Rows that are only read do not depend on a lock, so the writer's
/// transactions need no gap locks; a reader sees one moment.
const ALWAYS: [&str; 2] = [
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
    "SET SESSION autocommit = 1",
];
const FOR_WRITING: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    // Longer than a COMMIT of another receiver takes when a node dies.
    "SET SESSION innodb_lock_wait_timeout = 10",
];
const FOR_READING: [&str; 1] = ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"];

/// A connection and what was found out about its server.
pub(super) struct Connected {
    pub(super) connection: Connection,
    pub(super) verified: Verified,
}

/// Connects to the first node that can be used.
///
/// # Errors
///
/// [`Fault::Unusable`] with what was found at the last node.
pub(super) fn connect(server: &Server, purpose: Purpose) -> Result<Connected, Fault> {
    let hosts = if purpose == Purpose::Read { server.read_hosts() } else { server.hosts() };
    let mut problems = Vec::new();
    for host in hosts {
        match connect_to(server, host, purpose) {
            Ok(connected) => return Ok(connected),
            Err(problem) => problems.push(format!("{host}: {problem}")),
        }
    }
    Err(Fault::Unusable(Cause::new(problems.join("; "), None)))
}

fn connect_to(server: &Server, host: &Host, purpose: Purpose) -> Result<Connected, String> {
    let in_words = |error: mysql::Error| fault::words(&error);
    let mut conn = open(server, host, purpose).map_err(in_words)?;
    let verified = verify::verify(&mut conn)?;
    let extra = match purpose {
        Purpose::Read => &FOR_READING[..],
        Purpose::Write | Purpose::Schema => &FOR_WRITING[..],
    };
    for statement in ALWAYS.iter().chain(extra) {
        conn.query_drop(statement).map_err(in_words)?;
    }
    if verified.is_cluster {
        // A transaction begins only when this node has applied what was acknowledged before.
        conn.query_drop("SET SESSION wsrep_sync_wait = 1").map_err(in_words)?;
    }
    let packet_max = verified.packet_max;
    Ok(Connected { connection: Connection::new(conn, packet_max), verified })
}

fn open(server: &Server, host: &Host, purpose: Purpose) -> Result<Conn, mysql::Error> {
    let answer = match purpose {
        Purpose::Write => Some(WRITE_ANSWER_TIMEOUT),
        Purpose::Read => Some(READ_ANSWER_TIMEOUT),
        Purpose::Schema => None,
    };
    let tls = match server.tls() {
        Tls::Off => None,
        Tls::Verified(authority) => Some(SslOpts::default().with_root_cert_path(authority.clone())),
    };
    // There is no handler for LOCAL INFILE, so no server can ask for a file of this machine.
    let options = OptsBuilder::new()
        .ip_or_hostname(Some(host.name.clone()))
        .tcp_port(host.port)
        .user(Some(server.user()))
        .pass(server.password().map(|password| password.expose()))
        .db_name(Some(server.database()))
        .prefer_socket(false)
        .tcp_nodelay(true)
        .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
        .read_timeout(answer)
        .write_timeout(answer)
        .stmt_cache_size(STATEMENTS_MAX)
        .ssl_opts(tls);
    Conn::new(options)
}
