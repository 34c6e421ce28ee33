//! The requirements of every connection. Without them, acknowledged postbacks are lost or members
//! are admitted by old rows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql::Conn;
use mysql::prelude::Queryable as _;

use super::fault;
use super::identity::{GaleraNode, ServerIdentity};
use super::server::Server;
use crate::clock::Clock;

/// The smallest longest packet: the records of a few long postbacks.
const PACKET_MIN: usize = 1 << 20;
/// Nodes of a cluster below which the loss of one ends the service.
const NODES_MIN: u64 = 3;
/// Clocks that are set by NTP differ by less. The answer of a server may take some seconds.
const CLOCK_SECONDS_MAX: i64 = 30;

/// What was found out about a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verified {
    /// A node of a Galera cluster.
    pub(super) is_cluster: bool,
    /// MySQL, and not MariaDB.
    pub(super) is_mysql: bool,
    /// The longest packet that it takes, in bytes.
    pub(super) packet_max: usize,
    /// The nodes of a cluster, if there are so few that the loss of one can stop the service.
    pub(super) too_few_nodes: Option<u64>,
    /// By how many seconds its clock is ahead of that of this machine, if that is much. Negative:
    /// it is behind.
    pub(super) clock_ahead: Option<i64>,
    /// Which process of which server it is.
    pub(super) identity: ServerIdentity,
}

/// Whether it was logged that the cluster has too few nodes.
static HAS_TOO_FEW_NODES: AtomicBool = AtomicBool::new(false);

/// Warns of a small cluster, once until it has grown.
pub(super) fn warn_of_too_few_nodes(verified: &Verified) {
    let had = HAS_TOO_FEW_NODES.swap(verified.too_few_nodes.is_some(), Ordering::Relaxed);
    match verified.too_few_nodes {
        Some(nodes) if !had => log::warn!(
            "the Galera cluster has {nodes} of at least {NODES_MIN} nodes: the loss of one more \
             can stop the service"
        ),
        None if had => log::info!("the Galera cluster has {NODES_MIN} nodes or more"),
        Some(_) | None => {}
    }
}

/// Warns of clocks that differ, once until they agree: members expire by the clock of the receiver
/// that has the lease, for all receivers.
pub(super) fn warn_of_clock(verified: &Verified) {
    static DIFFERS: AtomicBool = AtomicBool::new(false);
    let differed = DIFFERS.swap(verified.clock_ahead.is_some(), Ordering::Relaxed);
    match verified.clock_ahead {
        Some(seconds) if !differed => log::warn!(
            "the clock of the database server is {}: members expire by the clock of one receiver, \
             for all: set the clocks of all machines by NTP",
            clock_words(seconds)
        ),
        None if differed => log::info!("the clock of the database server agrees again"),
        Some(_) | None => {}
    }
}

/// As in `7200 s ahead of the clock of this machine`.
pub(super) fn clock_words(ahead: i64) -> String {
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    format!("{} s {side} the clock of this machine", ahead.unsigned_abs())
}

/// Warns once where reads go to another server that is no node of the same cluster.
pub(super) fn warn_of_replica(server: &Server, verified: &Verified) {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    if server.reads_elsewhere() && !verified.is_cluster && !IS_TOLD.swap(true, Ordering::Relaxed) {
        log::warn!(
            "--database-read names another server: if it is a replica that lags, members who have \
             left are let in until it has caught up"
        );
    }
}

/// Variables and states of a server, by name in lower case.
type Values = HashMap<String, String>;

/// The state of a server, by its own variables.
#[derive(Clone, Debug, Default)]
struct Facts {
    variables: Values,
    states: Values,
    started_at: Option<i64>,
    /// Its clock less that of this machine, in seconds.
    clock_ahead: i64,
    /// The session must have the number of the handshake. If not, a proxy between both may run the
    /// statements of one connection in several sessions, of several servers.
    is_direct: bool,
}

impl Facts {
    fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    fn state(&self, name: &str) -> &str {
        self.states.get(name).map_or("", String::as_str)
    }
}

/// Checks a server on which a session reads, or also writes.
///
/// # Errors
///
/// A sentence that says what is wrong, why that matters, and what to do.
pub(super) fn verify(conn: &mut Conn, writes: bool) -> Result<Verified, String> {
    let failed =
        |error: mysql::Error| format!("cannot read its settings: {}", fault::words(&error));
    judge(&facts(conn).map_err(failed)?, writes)
}

fn facts(conn: &mut Conn) -> Result<Facts, mysql::Error> {
    // The settings of the server, which a session that began before may not show.
    let variables = values(
        conn,
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'hostname', 'port', 'datadir', \
         'server_uid', 'server_uuid', 'max_allowed_packet', 'innodb_flush_log_at_trx_commit', \
         'binlog_format', 'log_bin', 'sync_binlog', 'read_only', 'super_read_only', 'wsrep_on', \
         'wsrep_provider', 'wsrep_provider_options', 'wsrep_dirty_reads', 'bind_address', \
         'wsrep_node_address', 'wsrep_node_incoming_address')",
    )?;
    let states = values(
        conn,
        "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status', \
         'wsrep_cluster_size', 'wsrep_cluster_state_uuid', 'wsrep_local_state_uuid', \
         'wsrep_incoming_addresses')",
    )?;
    let started_at = started_at(conn, is_mysql(&variables))?;
    let clock: Option<i64> = conn.query_first("SELECT UNIX_TIMESTAMP()")?;
    let clock_ahead = clock.map_or(0, |there| there.saturating_sub(Clock::System.now()));
    let session: Option<u64> = conn.query_first("SELECT CONNECTION_ID()")?;
    let is_direct = session == Some(conn.connection_id().into());
    Ok(Facts { variables, states, started_at, clock_ahead, is_direct })
}

/// Both numbers are of one statement, so that the server computes them from one reading of its
/// clock, and the difference is always the same.
fn started_at(conn: &mut Conn, is_mysql: bool) -> Result<Option<i64>, mysql::Error> {
    let query = if is_mysql {
        "SELECT CAST(UNIX_TIMESTAMP() - variable_value AS SIGNED)
         FROM performance_schema.global_status WHERE variable_name = 'Uptime'"
    } else {
        "SELECT CAST(UNIX_TIMESTAMP() - variable_value AS SIGNED)
         FROM information_schema.global_status WHERE variable_name = 'UPTIME'"
    };
    match conn.query_first(query) {
        // A server without this table, such as TiDB.
        Err(mysql::Error::MySqlError(_)) => Ok(None),
        other => other,
    }
}

fn is_mysql(variables: &Values) -> bool {
    !variables.get("version").is_some_and(|text| text.to_ascii_lowercase().contains("mariadb"))
}

fn is_on(value: &str) -> bool {
    value.eq_ignore_ascii_case("on") || value == "1"
}

fn values(conn: &mut Conn, query: &str) -> Result<Values, mysql::Error> {
    let rows: Vec<(String, String)> = conn.query(query)?;
    Ok(rows.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
}

/// Checks the variables of a server.
fn judge(facts: &Facts, writes: bool) -> Result<Verified, String> {
    let variable = |name: &str| facts.variable(name);
    let number = |value: &str| value.parse::<u64>().unwrap_or(0);
    if variable("innodb_flush_log_at_trx_commit") != "1" {
        return Err(format!(
            "innodb_flush_log_at_trx_commit is {}, so a power failure loses acknowledged \
             postbacks: set it to 1",
            variable("innodb_flush_log_at_trx_commit")
        ));
    }
    // With a binary log, it decides after a crash which transactions are kept.
    if is_on(variable("log_bin")) && variable("sync_binlog") != "1" {
        return Err(format!(
            "log_bin is ON and sync_binlog is {}, so a power failure loses acknowledged \
             postbacks: set sync_binlog to 1",
            variable("sync_binlog")
        ));
    }
    let packet_max = usize::try_from(number(variable("max_allowed_packet"))).unwrap_or(0);
    if packet_max < PACKET_MIN {
        return Err(format!(
            "max_allowed_packet is {packet_max}, and long postbacks need {PACKET_MIN} or more: \
             raise it"
        ));
    }
    if is_on(variable("log_bin")) && variable("binlog_format").eq_ignore_ascii_case("statement") {
        return Err("binlog_format is STATEMENT, which cannot log READ COMMITTED transactions: \
                    set it to ROW or MIXED"
            .into());
    }
    if writes {
        check_writable(facts)?;
    }
    let is_cluster = !matches!(variable("wsrep_provider"), "" | "none");
    let (mut too_few_nodes, mut node) = (None, None);
    if is_cluster {
        node = Some(check_node(facts)?);
        let nodes = number(facts.state("wsrep_cluster_size"));
        too_few_nodes = Some(nodes).filter(|&nodes| nodes < NODES_MIN);
    }
    let server = ["hostname", "port", "datadir", "server_uid", "server_uuid"];
    let server = server.map(|name| variable(name).to_owned()).into();
    let identity = match facts.is_direct {
        true => ServerIdentity::new(server, facts.started_at, node),
        // Then it cannot be found out whether a session has ended.
        false => ServerIdentity::default(),
    };
    Ok(Verified {
        is_cluster,
        is_mysql: is_mysql(&facts.variables),
        packet_max,
        too_few_nodes,
        clock_ahead: Some(facts.clock_ahead).filter(|ahead| ahead.abs() > CLOCK_SECONDS_MAX),
        identity,
    })
}

/// A replica only reads. Another host may be the one that writes.
fn check_writable(facts: &Facts) -> Result<(), String> {
    for name in ["super_read_only", "read_only"] {
        if !matches!(facts.variable(name), "" | "OFF" | "0") {
            return Err(format!(
                "{name} is {}, so no postback can be written here: name the server that writes in \
                 --database, or set {name} to OFF",
                facts.variable(name)
            ));
        }
    }
    Ok(())
}

/// Checks a node of a Galera cluster.
fn check_node(facts: &Facts) -> Result<GaleraNode, String> {
    let (variable, state) = (|name: &str| facts.variable(name), |name: &str| facts.state(name));
    if !is_on(variable("wsrep_on")) {
        return Err(
            "wsrep_on is OFF, so what is written here reaches no other node: set it to ON".into()
        );
    }
    if is_on(variable("wsrep_dirty_reads")) {
        return Err("wsrep_dirty_reads is ON, so a node without the cluster shows old rows: set \
                    it to OFF"
            .into());
    }
    // As in `pc.ignore_quorum = false; pc.ignore_sb = false`.
    let options = variable("wsrep_provider_options");
    let ignored =
        options.split(';').filter_map(|option| option.split_once('=')).find(|(name, value)| {
            name.trim().starts_with("pc.ignore_") && !matches!(value.trim(), "false" | "no" | "0")
        });
    if let Some((name, _)) = ignored {
        return Err(format!(
            "{} is set, so two halves of the cluster could both take postbacks: remove it from \
             wsrep_provider_options",
            name.trim()
        ));
    }
    if state("wsrep_cluster_status") != "Primary" || !is_on(state("wsrep_ready")) {
        return Err(format!(
            "this node is not part of the working cluster (wsrep_cluster_status {}, wsrep_ready \
             {}): wait until it is, or look at its log",
            state("wsrep_cluster_status"),
            state("wsrep_ready")
        ));
    }
    let cluster = state("wsrep_cluster_state_uuid");
    let is_zero = cluster.chars().all(|c| c == '0' || c == '-');
    if is_zero || cluster != state("wsrep_local_state_uuid") {
        return Err("this node does not have the state of the cluster (its state UUID is zero or \
                    another one): let it join again by a state transfer"
            .into());
    }
    Ok(GaleraNode::new(cluster, state("wsrep_incoming_addresses"), &own_addresses(facts)))
}

/// The forms that the node's address may have in the list of all nodes. By default MariaDB makes it
/// of the address on which it listens, or else of its address for other nodes.
fn own_addresses(facts: &Facts) -> Vec<String> {
    let port = facts.variable("port");
    let given = facts.variable("wsrep_node_incoming_address");
    if !matches!(given, "" | "AUTO") {
        return vec![given.to_owned(), format!("{given}:{port}")];
    }
    let for_nodes = facts.variable("wsrep_node_address");
    // Without the port of the group; an IPv6 address is in brackets then.
    let host = match for_nodes.rsplit_once(':') {
        Some((host, _)) if for_nodes.matches(':').count() == 1 || host.ends_with(']') => host,
        _ => for_nodes,
    };
    [facts.variable("bind_address"), host]
        .into_iter()
        .filter(|host| !host.is_empty())
        .flat_map(|host| [format!("{host}:{port}"), format!("[{host}]:{port}")])
        .collect()
}

#[cfg(test)]
mod tests;
