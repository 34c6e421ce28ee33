//! A receiver: the built program, on a port that it keeps over a restart.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::galera::{DATABASE, USER, free_port};
use super::http::{Request, send_raw};
use super::proxy::Proxy;
use super::{TOKEN, eventually};

pub struct Receiver {
    name: &'static str,
    dir: PathBuf,
    setting: String,
    pub address: SocketAddr,
    /// To each node, in the order of `setting`.
    pub proxies: Vec<Proxy>,
    process: Option<Child>,
    /// How often it was killed.
    pub kills: usize,
}

/// A command of the program, without settings of the machine.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nats-userman"));
    command.stdin(Stdio::null()).env("USERMAN_CONFIG", "/dev/null");
    command
}

impl Receiver {
    /// Starts one that uses the servers at these ports, in this order, through a proxy to each.
    pub fn start(
        name: &'static str,
        dir: &Path,
        servers: &[u16],
        keys_of: Option<&Receiver>,
    ) -> Self {
        let dir = dir.join(name);
        fs::DirBuilder::new().mode(0o750).create(&dir).unwrap();
        if let Some(other) = keys_of {
            // As docs/cluster.md has it.
            for key in ["seal.key", "cookie.key"] {
                fs::copy(other.dir.join(key), dir.join(key)).unwrap();
            }
        }
        let proxies: Vec<Proxy> = servers.iter().map(|&port| Proxy::start(port)).collect();
        let hosts: Vec<String> =
            proxies.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port)).collect();
        let setting = format!("mysql://{USER}@{}/{DATABASE}", hosts.join(","));
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut receiver = Self { name, dir, setting, address, proxies, process: None, kills: 0 };
        receiver.start_again();
        receiver
    }

    pub fn start_again(&mut self) {
        let log = fs::File::options().append(true).create(true).open(self.log_file()).unwrap();
        let mut command = program();
        command
            .args(["serve", "--listen", &self.address.to_string(), "--data-dir"])
            .arg(&self.dir)
            .args(["--database", &self.setting, "--login-limit-pair", "0"])
            .args(["--login-limit-network", "0", "--login-limit-name", "0"])
            .args(["--log", "info,store::mysql::engine=debug"])
            .env("USERMAN_POSTBACK_TOKEN", TOKEN)
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(command.spawn().unwrap());
        eventually("a receiver listens", || {
            assert!(!self.has_ended(), "receiver {} did not start:\n{}", self.name, self.log());
            let health = send_raw(self.address, Request::get("/health"));
            health.is_ok_and(|response| response.status == 200)
        });
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
            self.kills += 1;
        }
    }

    /// SIGTERM.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        process.wait().unwrap()
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some())
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("stderr.log")
    }

    /// The batches that it was going to commit, and their numbers of records.
    pub fn batches(&self) -> Vec<(i64, i64)> {
        let log = fs::read_to_string(self.log_file()).unwrap();
        let batch = |line: &str| {
            let (batch, rest) = line.split_once("commit of batch ")?.1.split_once(" with ")?;
            let (records, _) = rest.split_once(' ')?;
            Some((batch.parse().unwrap(), records.parse().unwrap()))
        };
        log.lines().filter_map(batch).collect()
    }

    /// All that it logged, without the lines of postbacks and batches.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines = log
            .lines()
            .filter(|line| ![" INFO ", " DEBUG "].iter().any(|level| line.contains(level)));
        lines.map(|line| format!("{}: {line}\n", self.name)).collect()
    }

    pub fn setting(&self) -> &str {
        &self.setting
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("SHOW_LOGS").is_some() {
            println!("{}", self.log());
        }
        self.kill();
    }
}
