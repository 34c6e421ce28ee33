//! A Galera cluster of three nodes, and a MariaDB with the same settings beside it, as the stories
//! of `cargo test --test cluster` start them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Failure;
use crate::mariadb::Database;

#[allow(dead_code, clippy::unwrap_used, reason = "shared with the stories, which use all of it")]
#[path = "../../tests/cluster/galera.rs"]
mod galera;
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the stories, which use all of it")]
#[path = "../../tests/cluster/node.rs"]
mod node;

use galera::{DATABASE, Galera, USER};
use node::{Node, Room};

/// For the members of a run.
const ROOM: Room = Room { pool: "512M", log: "256M" };
/// The timeout of each wait, long enough for a busy machine.
const EVENTUALLY: Duration = Duration::from_secs(120);

/// Both, until this goes out of scope.
pub struct Cluster {
    galera: Galera,
    single: Node,
    _dir: TempDir,
}

impl Cluster {
    /// Starts all servers in this directory.
    pub fn start(dir: &Path) -> Result<Self, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Err("the nodes run as MariaDB's own user, so start this as root".into());
        }
        // That user needs access to the directories in it.
        fs::set_permissions(dir, Permissions::from_mode(0o711))?;
        let (one, three) = (place(dir)?, place(dir)?);
        let started = catch_unwind(move || {
            let (single, dir) = galera::start_one_in(one, ROOM);
            (Galera::start_in(three, ROOM), single, dir)
        });
        let (galera, single, dir) = started.map_err(|_| "the servers did not start")?;
        Ok(Self { galera, single, _dir: dir })
    }

    /// The server without a cluster.
    pub fn single(&self) -> Database {
        Database::at(vec![url(self.single.ports.sql)])
    }

    /// The first node for the first receiver, the second one for the second.
    pub fn nodes(&self) -> Database {
        Database::at(self.galera.nodes.iter().map(|node| url(node.ports.sql)).collect())
    }
}

fn url(port: u16) -> String {
    format!("mysql://{USER}@127.0.0.1:{port}/{DATABASE}")
}

fn place(dir: &Path) -> Result<TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    Ok(builder.prefix("nodes").permissions(Permissions::from_mode(0o755)).tempdir_in(dir)?)
}

/// Waits until a condition is met. Returns how long that took.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < EVENTUALLY, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    began.elapsed()
}
