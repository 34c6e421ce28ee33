//! What must hold on every connection, because acknowledged postbacks are lost or members are
//! admitted by old rows where it does not.

use std::collections::HashMap;

use mysql::Conn;
use mysql::prelude::Queryable as _;

/// The smallest longest packet: the records of a few long postbacks.
const PACKET_MIN: usize = 1 << 20;
/// Nodes of a cluster below which the loss of one ends the service.
const NODES_MIN: u64 = 3;

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
    /// The name, port and start of the server, which distinguish it from others and from itself
    /// before a restart.
    pub(super) identity: ServerIdentity,
}

/// Which process of which server answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerIdentity {
    name: String,
    port: String,
    /// Unix seconds. Computed from its age, so it may differ by one.
    started_at: i64,
}

impl ServerIdentity {
    /// Whether both are the same process.
    pub(super) fn is_same_process(&self, other: &Self) -> bool {
        self.is_same_server(other) && (self.started_at - other.started_at).abs() <= 1
    }

    /// Whether both are the same server, perhaps with a restart in between.
    pub(super) fn is_same_server(&self, other: &Self) -> bool {
        self.name == other.name && self.port == other.port
    }
}

/// Variables and states of a server, by name in lower case.
type Values = HashMap<String, String>;

/// Checks a server.
///
/// # Errors
///
/// A sentence that says what is wrong, why that matters, and what to do.
pub(super) fn verify(conn: &mut Conn) -> Result<Verified, String> {
    let failed = |error: mysql::Error| format!("cannot read its settings: {error}");
    let variables = values(
        conn,
        "SHOW VARIABLES WHERE Variable_name IN ('version', 'hostname', 'port', \
         'max_allowed_packet', 'innodb_flush_log_at_trx_commit', 'innodb_doublewrite', \
         'binlog_format', 'log_bin', 'read_only', 'super_read_only', 'wsrep_on', \
         'wsrep_provider', 'wsrep_provider_options', 'wsrep_dirty_reads')",
    )
    .map_err(failed)?;
    let states = values(
        conn,
        "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'wsrep_ready', \
         'wsrep_cluster_status', 'wsrep_cluster_size', 'wsrep_cluster_state_uuid', \
         'wsrep_local_state_uuid')",
    )
    .map_err(failed)?;
    let now: i64 = conn.query_first("SELECT UNIX_TIMESTAMP()").map_err(failed)?.unwrap_or(0);
    judge(&variables, &states, now)
}

fn values(conn: &mut Conn, query: &str) -> Result<Values, mysql::Error> {
    let rows: Vec<(String, String)> = conn.query(query)?;
    Ok(rows.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
}

/// Judges what a server says of itself.
fn judge(variables: &Values, states: &Values, now: i64) -> Result<Verified, String> {
    let variable = |name: &str| variables.get(name).map_or("", String::as_str);
    let state = |name: &str| states.get(name).map_or("", String::as_str);
    let is_on = |value: &str| value.eq_ignore_ascii_case("on") || value == "1";
    let number = |value: &str| value.parse::<u64>().unwrap_or(0);

    if variable("innodb_flush_log_at_trx_commit") != "1" {
        return Err(format!(
            "innodb_flush_log_at_trx_commit is {}, so a power failure loses acknowledged \
             postbacks: set it to 1",
            variable("innodb_flush_log_at_trx_commit")
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
    let is_cluster = !matches!(variable("wsrep_provider"), "" | "none");
    let mut too_few_nodes = None;
    if is_cluster {
        check_node(variables, states)?;
        let nodes = number(state("wsrep_cluster_size"));
        too_few_nodes = Some(nodes).filter(|&nodes| nodes < NODES_MIN);
    }
    let started_at = now - i64::try_from(number(state("uptime"))).unwrap_or(0);
    Ok(Verified {
        is_cluster,
        is_mysql: !variable("version").to_ascii_lowercase().contains("mariadb"),
        packet_max,
        too_few_nodes,
        identity: ServerIdentity {
            name: variable("hostname").to_owned(),
            port: variable("port").to_owned(),
            started_at,
        },
    })
}

/// Judges a node of a Galera cluster.
fn check_node(variables: &Values, states: &Values) -> Result<(), String> {
    let variable = |name: &str| variables.get(name).map_or("", String::as_str);
    let state = |name: &str| states.get(name).map_or("", String::as_str);
    let is_on = |value: &str| value.eq_ignore_ascii_case("on") || value == "1";
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
    let zero = |uuid: &str| uuid.is_empty() || uuid.chars().all(|c| c == '0' || c == '-');
    if zero(state("wsrep_cluster_state_uuid"))
        || state("wsrep_cluster_state_uuid") != state("wsrep_local_state_uuid")
    {
        return Err("this node does not have the state of the cluster (its state UUID is zero or \
                    another one): let it join again by a state transfer"
            .into());
    }
    Ok(())
}
