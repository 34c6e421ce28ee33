//! The database of the servers under load, if it is on a server: one that is given, or a MariaDB of
//! this run's own.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;
use mysql::{Conn, Opts};

use crate::Failure;

const START_TIME_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where the tables are. Nothing else is in that database.
pub struct Database {
    /// For each receiver; the last one is that of all further ones.
    urls: Vec<String>,
    /// A server of this run's own.
    _own: Option<Own>,
}

/// Stopped when it goes out of scope.
struct Own(Child);

impl Drop for Own {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Database {
    /// A database that is given, at one address or several, and that is empty.
    pub fn given(urls: Vec<String>) -> Result<Self, Failure> {
        let database = Self { urls, _own: None };
        let tables = database.tables()?;
        if tables.is_empty() {
            Ok(database)
        } else {
            Err(format!(
                "the database has {} tables: give one that is empty, because its tables are \
                 dropped",
                tables.len()
            )
            .into())
        }
    }

    /// An empty database of servers that this run has started, one address for each receiver.
    pub fn at(urls: Vec<String>) -> Self {
        Self { urls, _own: None }
    }

    /// A MariaDB in this directory, with Debian's settings and a buffer pool for the members.
    pub fn start(dir: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(dir)?;
        let data = dir.join("data");
        let is_root = rustix::process::geteuid().is_root();
        let user: &[&str] = if is_root { &["--user=root"] } else { &[] };
        let log = File::create(dir.join("install.log"))?;
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal"]).args(user);
        install.arg(format!("--datadir={}", data.display()));
        let installed = install.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).status();
        if !installed.map_err(|error| format!("mariadb-install-db: {error}"))?.success() {
            return Err(format!("mariadb-install-db failed: see {}", dir.display()).into());
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut server = Command::new(program("mariadbd"));
        server.arg("--no-defaults").args(user).args([
            format!("--datadir={}", data.display()),
            format!("--socket={}", dir.join("socket").display()),
            format!("--pid-file={}", dir.join("pid").display()),
            format!("--log-error={}", dir.join("error.log").display()),
            format!("--port={port}"),
        ]);
        server.args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-size=1G",
            "--innodb-log-file-size=512M",
        ]);
        let child = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut own = Own(child.map_err(|error| format!("mariadbd: {error}"))?);
        let root = format!("mysql://root@127.0.0.1:{port}/mysql");
        let begun = Instant::now();
        let mut conn = loop {
            match connect(&root) {
                Ok(conn) => break conn,
                Err(error) if begun.elapsed() > START_TIME_MAX => return Err(error),
                Err(_) => std::thread::sleep(LOOK_EVERY),
            }
            if let Some(status) = own.0.try_wait()? {
                return Err(format!("mariadbd ended with {status}: see {}", dir.display()).into());
            }
        };
        for statement in [
            "CREATE DATABASE flood",
            "CREATE USER flood@'127.0.0.1' IDENTIFIED BY 'flood'",
            "GRANT ALL ON flood.* TO flood@'127.0.0.1'",
        ] {
            conn.query_drop(statement)?;
        }
        let url = format!("mysql://flood:flood@127.0.0.1:{port}/flood");
        Ok(Self { urls: vec![url], _own: Some(own) })
    }

    /// The setting of a receiver, which is one of several.
    pub fn url(&self, receiver: usize) -> &str {
        // There is at least one.
        self.urls.get(receiver).or(self.urls.last()).map_or("", String::as_str)
    }

    fn tables(&self) -> Result<Vec<String>, Failure> {
        Ok(connect(self.url(0))?.query("SHOW TABLES")?)
    }

    /// Drops all tables, for a new program.
    pub fn clear(&self) -> Result<(), Failure> {
        let mut conn = connect(self.url(0))?;
        let tables: Vec<String> = conn.query("SHOW TABLES")?;
        for table in tables {
            conn.query_drop(format!("DROP TABLE `{table}`"))?;
        }
        Ok(())
    }
}

fn connect(url: &str) -> Result<Conn, Failure> {
    let opts = Opts::from_url(&format!("{url}?prefer_socket=false"))?;
    Ok(Conn::new(opts)?)
}

/// A program in a directory that only root has in its PATH.
pub fn program(name: &str) -> PathBuf {
    let place = Path::new("/usr/sbin").join(name);
    if place.is_file() { place } else { name.into() }
}
