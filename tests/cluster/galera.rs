//! Three nodes in a temporary directory, on free ports of the loopback address.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::eventually;
use super::node::{Node, Ports, Room, as_server};

pub const ADMIN: &str = "tests";
pub const USER: &str = "userman";
pub const DATABASE: &str = "userman";
const NODES: usize = 3;

pub struct Galera {
    pub nodes: Vec<Node>,
    /// After the nodes: they are killed before their files are removed.
    _dir: TempDir,
}

impl Galera {
    /// A cluster for stories, in the usual place for temporary directories.
    pub fn start() -> Self {
        Self::start_in(dir(), Room::SMALL)
    }

    /// A cluster in this directory, which the user of the servers can reach.
    pub fn start_in(dir: TempDir, room: Room) -> Self {
        let ports = [(); NODES].map(|()| free_ports());
        let group: Vec<u16> = ports.iter().map(|ports| ports.group).collect();
        let nodes = ports.into_iter().enumerate().map(|(at, ports)| {
            let dir = dir.path().join(format!("node{}", at + 1));
            Node::new(at + 1, dir, ports, group.clone(), room)
        });
        let first = first_statements(dir.path());
        let mut galera = Self { nodes: nodes.collect(), _dir: dir };
        install(&galera.nodes[0]);
        galera.nodes[0].start_cluster(&[first]);
        galera.wait_for(&[0]);
        for node in &mut galera.nodes[1..] {
            node.join();
        }
        galera.wait_for_all();
        galera
    }

    /// Their ports for receivers, the node `first` before the others.
    pub fn ports(&self, first: usize) -> Vec<u16> {
        (0..NODES).map(|at| self.nodes[(first + at) % NODES].ports.sql).collect()
    }

    /// Waits until these nodes take part in the working cluster.
    pub fn wait_for(&mut self, numbers: &[usize]) -> Duration {
        eventually("nodes are synced", || {
            for &at in numbers {
                let node = &mut self.nodes[at];
                assert!(!node.has_ended(), "node {} has ended:\n{}", at + 1, node.log());
            }
            numbers.iter().all(|&at| self.nodes[at].is_synced())
        })
    }

    /// Waits until there is one cluster of all nodes.
    pub fn wait_for_all(&mut self) -> Duration {
        let all: Vec<usize> = (0..NODES).collect();
        let time = self.wait_for(&all);
        let whole = NODES.to_string();
        time + eventually("the cluster is whole", || {
            self.nodes
                .iter()
                .all(|node| node.status("wsrep_cluster_size").as_deref() == Some(whole.as_str()))
        })
    }

    /// Kills all nodes at once, and begins the cluster with the newest one, as an operator does.
    pub fn kill_all_and_recover(&mut self) {
        for node in &mut self.nodes {
            node.kill();
        }
        let newest = (0..NODES).max_by_key(|&at| self.nodes[at].seqno()).unwrap();
        self.nodes[newest].start_cluster(&[]);
        self.wait_for(&[newest]);
        for at in (0..NODES).filter(|&at| at != newest) {
            self.nodes[at].join();
        }
        self.wait_for_all();
    }
}

/// A server without a cluster, and its directory.
pub fn start_one() -> (Node, TempDir) {
    start_one_in(dir(), Room::SMALL)
}

/// A server without a cluster in this directory.
pub fn start_one_in(dir: TempDir, room: Room) -> (Node, TempDir) {
    let first = first_statements(dir.path());
    let mut node = Node::new(1, dir.path().join("server"), free_ports(), Vec::new(), room);
    install(&node);
    node.start_alone(&[first]);
    eventually("the server answers", || node.is_up());
    (node, dir)
}

fn dir() -> TempDir {
    let permissions = fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("userman-cluster").permissions(permissions).tempdir().unwrap()
}

fn free_ports() -> Ports {
    Ports { sql: free_port(), group: free_port(), ist: free_port(), sst: free_port() }
}

/// Makes the tables of MariaDB.
fn install(node: &Node) {
    let mut command = as_server("mariadb-install-db");
    command
        .env("TMPDIR", node.data())
        .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
        .arg("--innodb-log-file-size=16M")
        .arg(format!("--datadir={}", node.data().display()));
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Writes what the first node runs at its start, and returns the option that says so.
fn first_statements(dir: &Path) -> String {
    let file = dir.join("first.sql");
    let statements = format!(
        "CREATE DATABASE {DATABASE};\n\
         CREATE USER {ADMIN}@'127.0.0.1';\n\
         GRANT ALL ON *.* TO {ADMIN}@'127.0.0.1' WITH GRANT OPTION;\n\
         CREATE USER {USER}@'127.0.0.1';\n\
         GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON {DATABASE}.* \
             TO {USER}@'127.0.0.1';\n"
    );
    fs::write(&file, statements).unwrap();
    format!("--init-file={}", file.display())
}

/// A port that no program uses, each time another one. Below those that the system gives to
/// outgoing connections, so that no program takes it while its node is down.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 28_000 + u16::try_from(std::process::id() % 80).unwrap() * 50;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
