//! Opens connections: the nodes in their order, the first one on which everything that must hold
//! does hold.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;
use mysql::{Conn, OptsBuilder, SslOpts};

use super::connection::Connection;
use super::fault;
use super::lookup;
use super::server::{Host, Server, Tls};
use super::verify::{self, Verified};
use crate::store::{Cause, Fault};

/// How long a node may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the writer waits for an answer. A COMMIT of Galera takes 6.4 s when a node dies. With
/// the look-up of an outcome after it, it is less than a sender waits.
const WRITE_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a node may take to send the first packet on a new connection, where there are others.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the look-up of a commit waits for an answer before it tries another node.
const LOOK_UP_ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a reader waits for an answer: as long as a visitor waits.
const READ_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a command waits for an answer: some read the whole journal.
const COMMAND_ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// Statements that stay prepared on a connection: more than the program has.
const STATEMENTS_MAX: usize = 1024;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Transactions of the writer.
    Write,
    /// Looking up whether a commit took place.
    LookUp,
    /// Reading of committed rows for visitors.
    Read,
    /// Reading of committed rows for a command, which may take long.
    Command,
    /// Making or upgrading tables, which takes long.
    Schema,
    /// Reading a table of another program. Its server has no requirements to meet.
    OtherTable,
}

/// What is set for a session, whatever the server's own settings are. Rows that are only read do
/// not depend on a lock, so the writer's transactions need no gap locks; a reader sees one moment.
const ALWAYS: [&str; 4] = [
    // A server may ignore the character set that the driver names, or change it by `init_connect`:
    // names would be stored otherwise than they were sent. The collation is the driver's.
    "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
    "SET SESSION autocommit = 1",
    // Global limits would cut off the rows of every read, or refuse it. These are the defaults. The
    // comments are statements for MariaDB, and for MySQL.
    "SET SESSION sql_select_limit = 18446744073709551615, SESSION sql_big_selects = 1
     /*M!100101 , SESSION max_statement_time = 0 */ /*!50708 , SESSION max_execution_time = 0 */",
];
const FOR_WRITING: [&str; 6] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION TRANSACTION READ WRITE",
    "SET SESSION sql_safe_updates = 0",
    // Each key of a batch finds few rows. Without this, the server looks up each key twice: first
    // to estimate how many rows it finds.
    "SET SESSION eq_range_index_dive_limit = 1",
    // For those that make or fold the tables: longer than a COMMIT of another receiver takes when a
    // node dies.
    "SET SESSION innodb_lock_wait_timeout = 8",
    "SET SESSION lock_wait_timeout = 8",
];
/// For transactions of the writer. Another receiver holds a lock for some milliseconds.
pub(super) const LOCK_WAIT: &str =
    "SET SESSION innodb_lock_wait_timeout = 1, SESSION lock_wait_timeout = 1";
/// The lock timeout for some time after the usual one was too short. A row that is locked by a
/// receiver that has died, or by an operator's transaction, must not stop the postbacks of other
/// members.
pub(super) const NO_LOCK_WAIT: &str =
    "SET SESSION innodb_lock_wait_timeout = 0, SESSION lock_wait_timeout = 0";
/// The server ends the transaction of a receiver that ended without closing the connection, such as
/// one whose machine lost its power: its locks would stop the other receivers for hours. MySQL has
/// no limit for transactions, only for sessions; the writer's is used every second.
const IDLE_LIMIT: &str = "SET SESSION idle_transaction_timeout = 15";
const IDLE_LIMIT_OF_MYSQL: &str = "SET SESSION wait_timeout = 15";
/// The server ends a query that no visitor waits for any more.
const QUERY_LIMIT: &str = "SET SESSION max_statement_time = 5";
const QUERY_LIMIT_OF_MYSQL: &str = "SET SESSION max_execution_time = 5000";
const FOR_READING: [&str; 1] = ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"];

/// A connection and what was found out about its server.
pub(super) struct Connected {
    pub(super) connection: Connection,
    pub(super) verified: Verified,
    pub(super) host: Host,
}

/// Which nodes are tried first and last, and for how long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempt<'a> {
    pub(super) first: Option<&'a Host>,
    pub(super) last: Option<&'a Host>,
    /// From then on no further node is tried.
    pub(super) until: Option<Instant>,
}

/// Connects to the first node that can be used.
///
/// # Errors
///
/// [`Fault::Unusable`] with what was found at each node.
pub(super) fn connect(
    server: &Server,
    purpose: Purpose,
    attempt: Attempt<'_>,
) -> Result<Connected, Fault> {
    let is_read = matches!(purpose, Purpose::Read | Purpose::Command);
    // Where no node for reading answers, those for writing do.
    let for_reading = if is_read { server.read_hosts() } else { &[] };
    let mut order: Vec<&Host> = for_reading.iter().collect();
    order.extend(server.hosts().iter().filter(|host| !for_reading.contains(host)));
    let has_others = order.len() > 1;
    // Stable: the others keep the order of the setting.
    order.sort_by_key(|&host| {
        if attempt.first == Some(host) { -1 } else { i32::from(attempt.last == Some(host)) }
    });
    let mut problems = Vec::new();
    for host in order {
        if attempt.until.is_some_and(|until| Instant::now() >= until) {
            problems.push("no time was left for the other nodes".to_owned());
            break;
        }
        server.heartbeat().progress();
        match connect_to(server, host, purpose, has_others) {
            Ok(connected) => return Ok(connected),
            Err(problem) => problems.push(format!("{host}: {problem}")),
        }
    }
    Err(Fault::Unusable(Cause::new(problems.join("; "), None)))
}

fn connect_to(
    server: &Server,
    host: &Host,
    purpose: Purpose,
    has_others: bool,
) -> Result<Connected, String> {
    let is_read = matches!(purpose, Purpose::Read | Purpose::Command);
    let mut addresses = lookup::addresses(host)?;
    if has_others && !is_read {
        addresses = vec![greeting(&addresses)?];
    }
    let mut conn = open(server, host, &addresses, purpose)?;
    let set = |conn: &mut Conn, statement: &str| {
        conn.query_drop(statement).map_err(|error| in_words(&error, purpose))
    };
    ALWAYS.iter().try_for_each(|statement| set(&mut conn, statement))?;
    // A replica lags, so that it is read only where the operator names it for reading.
    let may_be_replica = is_read && server.reads_elsewhere();
    let verified = verify::verify(&mut conn, !may_be_replica)?;
    let limit = match (purpose, verified.is_mysql) {
        (Purpose::Read, false) => Some(QUERY_LIMIT),
        (Purpose::Read, true) => Some(QUERY_LIMIT_OF_MYSQL),
        (Purpose::Write, false) => Some(IDLE_LIMIT),
        (Purpose::Write, true) => Some(IDLE_LIMIT_OF_MYSQL),
        (Purpose::Command | Purpose::LookUp | Purpose::Schema | Purpose::OtherTable, _) => None,
    };
    let extra = if is_read { &FOR_READING[..] } else { &FOR_WRITING[..] };
    extra.iter().chain(&limit).try_for_each(|statement| set(&mut conn, statement))?;
    if verified.is_cluster {
        // A transaction begins only when this node has applied what was acknowledged before:
        // whether it begins with a query (1), UPDATE or DELETE (2), INSERT or REPLACE (4).
        set(&mut conn, "SET SESSION wsrep_sync_wait = 7")?;
    }
    let packet_max = verified.packet_max;
    Ok(Connected { connection: Connection::new(conn, packet_max), verified, host: host.clone() })
}

/// Connects to the first node on which another program's tables can be read.
///
/// # Errors
///
/// What was found at each node.
pub(super) fn connect_to_other(server: &Server) -> Result<Conn, String> {
    let purpose = Purpose::OtherTable;
    let mut problems = Vec::new();
    for host in server.hosts() {
        let opened = lookup::addresses(host)
            .and_then(|addresses| open(server, host, &addresses, purpose))
            .and_then(|mut conn| {
                let mut set = |statement| conn.query_drop(statement);
                let done = ALWAYS.into_iter().try_for_each(&mut set);
                done.map(|()| conn).map_err(|error| in_words(&error, purpose))
            });
        match opened {
            Ok(conn) => return Ok(conn),
            Err(problem) if server.hosts().len() == 1 => return Err(problem),
            Err(problem) => problems.push(format!("{host}: {problem}")),
        }
    }
    Err(problems.join("; "))
}

/// An error of reading another program's table, and what to do.
pub(super) fn read_in_words(error: &mysql::Error) -> String {
    in_words(error, Purpose::OtherTable)
}

/// The error of the driver or the server, and what to do.
fn in_words(error: &mysql::Error, purpose: Purpose) -> String {
    let remedy = match purpose {
        Purpose::OtherTable => fault::remedy_of_other(error),
        _ => fault::remedy(error),
    };
    match (fault::words(error), remedy) {
        (words, None) => words,
        (words, Some(remedy)) => format!("{words}: {remedy}"),
    }
}

/// The first address where a server speaks. A machine that hangs accepts connections and sends
/// nothing, and the driver would wait for as long as a COMMIT may take. A working server sends the
/// first packet.
fn greeting(addresses: &[SocketAddr]) -> Result<SocketAddr, String> {
    let mut problems = Vec::new();
    for address in addresses {
        let greeted =
            TcpStream::connect_timeout(address, CONNECT_TIMEOUT).and_then(|mut stream| {
                stream.set_read_timeout(Some(GREETING_TIMEOUT))?;
                stream.read_exact(&mut [0])
            });
        match greeted {
            Ok(()) => return Ok(*address),
            Err(error) => problems.push(no_answer(*address, &error)),
        }
    }
    Err(problems.join(", "))
}

/// Whether a server sends a packet at this host.
pub(super) fn speaks(host: &Host) -> bool {
    lookup::addresses(host).is_ok_and(|addresses| greeting(&addresses).is_ok())
}

/// Why each host that is named for reading cannot be used, if so.
pub(super) fn problems_of_read_hosts(server: &Server) -> Vec<String> {
    if !server.reads_elsewhere() {
        return Vec::new();
    }
    let hosts = server.read_hosts().iter();
    let problem = |host: &Host| {
        connect_to(server, host, Purpose::Read, true).err().map(|why| format!("{host}: {why}"))
    };
    hosts.filter_map(problem).collect()
}

/// The system's error for a connection without an answer, in words that do not depend on the
/// system.
fn no_answer(address: SocketAddr, error: &std::io::Error) -> String {
    use std::io::ErrorKind::{ConnectionRefused, TimedOut, UnexpectedEof, WouldBlock};
    match error.kind() {
        ConnectionRefused => {
            format!("no server listens at {address}: start it, and check its port and bind_address")
        }
        TimedOut => format!(
            "{address} takes no connection within {} seconds: check that the machine is up, and \
             the firewalls between",
            CONNECT_TIMEOUT.as_secs()
        ),
        WouldBlock => format!(
            "{address} takes connections and says nothing within {} seconds: the server or its \
             machine hangs",
            GREETING_TIMEOUT.as_secs()
        ),
        UnexpectedEof => format!(
            "{address} ends each connection at once: the server is stopping, or something else \
             listens there"
        ),
        _ => format!("{address} does not answer: {error}"),
    }
}

fn open(
    server: &Server,
    host: &Host,
    addresses: &[SocketAddr],
    purpose: Purpose,
) -> Result<Conn, String> {
    let answer = match purpose {
        Purpose::Write => Some(WRITE_ANSWER_TIMEOUT),
        Purpose::LookUp => Some(LOOK_UP_ANSWER_TIMEOUT),
        Purpose::Read => Some(READ_ANSWER_TIMEOUT),
        Purpose::Command | Purpose::OtherTable => Some(COMMAND_ANSWER_TIMEOUT),
        Purpose::Schema => None,
    };
    let tls = match server.tls() {
        Tls::Off => None,
        Tls::Verified(authority) => Some(SslOpts::default().with_root_cert_path(authority.clone())),
    };
    let is_secure = tls.is_some();
    // There is no handler for LOCAL INFILE, so no server can ask for a file of this machine.
    let mut options = OptsBuilder::new()
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
    let connect = |options: &OptsBuilder, name: String| {
        let conn = Conn::new(options.clone().ip_or_hostname(Some(name)));
        conn.map_err(|error| in_words(&error, purpose))
    };
    if is_secure {
        // The driver compares the certificate with the name that it connects to, so that it must
        // look up the name itself.
        lookup::can_be_looked_up(host)?;
        let answers = match addresses {
            [address] => *address,
            several => greeting(several)?,
        };
        options = options.bind_address(Some(any_address_like(answers)));
        return connect(&options, host.name.clone());
    }
    let mut problems = Vec::new();
    for address in addresses {
        match connect(&options, address.ip().to_string()) {
            Ok(conn) => return Ok(conn),
            Err(problem) if addresses.len() == 1 => problems.push(problem),
            Err(problem) => problems.push(format!("{address}: {problem}")),
        }
    }
    Err(problems.join(", "))
}

/// Any address of this machine in the family of the server's. The driver stops at the first address
/// of a name that does not answer, unless it has an address of this machine to use: then it tries
/// all addresses of that family.
fn any_address_like(server: SocketAddr) -> SocketAddr {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    (any, 0).into()
}
