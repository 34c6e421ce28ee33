//! One node: a mariadbd with Galera in a directory of its own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mysql::prelude::Queryable as _;
use mysql::{Conn, OptsBuilder};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::galera::{ADMIN, DATABASE};

const SERVER: &str = "/usr/sbin/mariadbd";
const PROVIDERS: [&str; 2] = ["/usr/lib/galera/libgalera_smm.so", "/usr/lib/libgalera_smm.so"];

/// The ports of a node.
#[derive(Clone, Copy)]
pub struct Ports {
    pub sql: u16,
    /// Between the nodes.
    pub group: u16,
    /// Incremental and whole state transfers.
    pub ist: u16,
    pub sst: u16,
}

/// How much a server keeps in memory and in its log.
#[derive(Clone, Copy)]
pub struct Room {
    pub pool: &'static str,
    pub log: &'static str,
}

impl Room {
    /// For a few thousand members.
    pub const SMALL: Self = Self { pool: "48M", log: "16M" };
}

pub struct Node {
    /// From 1.
    number: usize,
    dir: PathBuf,
    pub ports: Ports,
    /// The group's ports of all nodes; empty for a server without a cluster.
    group: Vec<u16>,
    room: Room,
    /// `None`: killed.
    process: Option<Child>,
}

impl Node {
    pub fn new(number: usize, dir: PathBuf, ports: Ports, group: Vec<u16>, room: Room) -> Self {
        make_dir(&dir);
        make_dir(&dir.join("data"));
        Self { number, dir, ports, group, room, process: None }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn command(&self) -> Command {
        let path = |name: &str| self.dir.join(name).display().to_string();
        let mut command = as_server(SERVER);
        // A server that starts removes the temporary tables of others from their directory.
        command.env("TMPDIR", &self.dir);
        command.arg("--no-defaults").args([
            format!("--datadir={}", path("data")),
            format!("--socket={}", path("socket")),
            format!("--pid-file={}", path("pid")),
            format!("--log-error={}", path("error.log")),
            format!("--port={}", self.ports.sql),
            "--bind-address=127.0.0.1".into(),
            "--skip-name-resolve".into(),
            "--binlog-format=ROW".into(),
            "--default-storage-engine=InnoDB".into(),
            "--innodb-autoinc-lock-mode=2".into(),
            "--innodb-flush-log-at-trx-commit=1".into(),
            format!("--innodb-buffer-pool-size={}", self.room.pool),
            format!("--innodb-log-file-size={}", self.room.log),
            "--performance-schema=OFF".into(),
        ]);
        if !self.group.is_empty() {
            command.args(self.galera());
        }
        let log = fs::File::options().append(true).create(true).open(self.dir.join("out.log"));
        let log = log.unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        // With its helpers for a state transfer, to kill all of them.
        command.process_group(0);
        command
    }

    /// The options of a node.
    fn galera(&self) -> [String; 10] {
        let provider = PROVIDERS.into_iter().find(|file| Path::new(file).exists());
        let provider = provider.expect("galera-4 is not installed");
        let group: Vec<String> =
            self.group.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let Ports { sql, group: own, ist, sst } = self.ports;
        [
            "--wsrep-on=ON".into(),
            format!("--wsrep-provider={provider}"),
            "--wsrep-cluster-name=userman".into(),
            format!("--wsrep-cluster-address=gcomm://{}", group.join(",")),
            format!("--wsrep-node-name=node{}", self.number),
            "--wsrep-node-address=127.0.0.1".into(),
            format!("--wsrep-node-incoming-address=127.0.0.1:{sql}"),
            "--wsrep-sst-method=rsync".into(),
            format!("--wsrep-sst-receive-address=127.0.0.1:{sst}"),
            format!(
                "--wsrep-provider-options=base_port={own};\
                 gmcast.listen_addr=tcp://127.0.0.1:{own};ist.recv_addr=127.0.0.1:{ist};\
                 gcache.size=32M"
            ),
        ]
    }

    /// Starts a server without a cluster.
    pub fn start_alone(&mut self, extra: &[String]) {
        self.start(extra, "");
    }

    /// Begins a cluster with this node.
    pub fn start_cluster(&mut self, extra: &[String]) {
        let file = self.data().join("grastate.dat");
        if let Ok(state) = fs::read_to_string(&file) {
            // What an operator writes after they have found the newest node.
            fs::write(&file, state.replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))
                .unwrap();
        }
        let position = self.position();
        self.start(&[&["--wsrep-new-cluster".to_owned()], extra].concat(), &position);
    }

    /// Starts the node where it ended. Without its position in the order of all transactions, it
    /// would need a state transfer.
    pub fn join(&mut self) {
        let position = self.position();
        self.start(&[], &position);
    }

    fn start(&mut self, extra: &[String], position: &str) {
        let mut command = self.command();
        command.args(extra);
        if !position.is_empty() {
            command.arg(format!("--wsrep-start-position={position}"));
        }
        self.process = Some(command.spawn().unwrap());
    }

    /// The position that InnoDB has after its recovery, as `UUID:NUMBER`; empty for a new node.
    pub fn position(&self) -> String {
        if !self.data().join("ibdata1").exists() {
            return String::new();
        }
        let log = self.dir.join("recover.log");
        let _ = fs::remove_file(&log);
        let done = self
            .command()
            .arg("--wsrep-recover")
            .arg(format!("--log-error={}", log.display()))
            .status()
            .unwrap();
        let log = fs::read_to_string(&log).unwrap();
        assert!(done.success(), "recovery of node {} failed:\n{log}", self.number);
        let mut positions = log.lines().filter_map(|line| line.split_once("Recovered position: "));
        let found = positions.next_back();
        found.map_or_else(String::new, |(_, position)| position.trim().to_owned())
    }

    /// Where the recovered node ended, as a number.
    pub fn seqno(&self) -> i64 {
        let position = self.position();
        position.rsplit_once(':').and_then(|(_, number)| number.parse().ok()).unwrap_or(-1)
    }

    /// A connection of a user who may do everything.
    pub fn connect(&self) -> Result<Conn, mysql::Error> {
        let second = std::time::Duration::from_secs(1);
        Conn::new(
            OptsBuilder::new()
                .ip_or_hostname(Some("127.0.0.1"))
                .tcp_port(self.ports.sql)
                .prefer_socket(false)
                .user(Some(ADMIN))
                .tcp_connect_timeout(Some(second))
                .read_timeout(Some(30 * second)),
        )
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.connect().is_ok()
    }

    /// A connection to the receivers' database.
    pub fn rows(&self) -> Conn {
        let mut conn = self.connect().unwrap();
        conn.query_drop(format!("USE {DATABASE}")).unwrap();
        conn.query_drop("SET SESSION wsrep_sync_wait = 1").unwrap();
        conn
    }

    /// A state of the server; `None` if it does not answer.
    pub fn status(&self, name: &str) -> Option<String> {
        let mut conn = self.connect().ok()?;
        let row: Option<(String, String)> =
            conn.query_first(format!("SHOW GLOBAL STATUS LIKE '{name}'")).ok()?;
        row.map(|(_, value)| value)
    }

    /// Whether it takes part in the working cluster.
    pub fn is_synced(&self) -> bool {
        self.status("wsrep_ready").as_deref() == Some("ON")
            && self.status("wsrep_local_state_comment").as_deref() == Some("Synced")
            && self.status("wsrep_cluster_status").as_deref() == Some("Primary")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.process.as_ref().unwrap())
    }

    /// SIGKILL, also for what it started.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = kill_process_group(Pid::from_child(&process), Signal::KILL);
            process.wait().unwrap();
        }
    }

    pub fn stop(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    pub fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some())
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.dir.join("error.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

/// A command as the user who runs the server. rsync, started by root, would write as nobody. Should
/// the test be killed, the process is too.
pub fn as_server(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid=mysql", "--regid=mysql", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// Makes a directory that the server may write to.
fn make_dir(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    if rustix::process::geteuid().is_root() {
        let user = fs::metadata("/var/lib/mysql").unwrap();
        std::os::unix::fs::chown(dir, Some(user.uid()), Some(user.gid())).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
