//! The servers under load: child processes, stopped when they go out of scope, also after a panic.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nats_userman::data_dir::DataDir;
use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::manager::Manager;
use crate::request::TOKEN;

/// The upgrade of a large database comes before.
const START_TIME_MAX: Duration = Duration::from_secs(60);
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Linux counts processor time in hundredths of a second, on every machine this runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// A running server.
pub struct Server {
    child: Child,
    log: PathBuf,
    dir: PathBuf,
    pub address: SocketAddr,
    /// Whether every request gets the same answer.
    pub is_ceiling: bool,
    /// The number of the next member to add.
    pub next_member: u64,
}

impl Server {
    /// Starts `nats-userman serve` with default settings on a data directory of its own below
    /// `dir`.
    pub fn program(
        binary: &Path,
        dir: &Path,
        extra: &[String],
        manager: Option<&Manager>,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--postback-token", TOKEN, "--data-dir"])
            .arg(data(dir));
        // Variables that the shell has set for a real service must not apply to this one.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("USERMAN_"))
        {
            command.env_remove(name);
        }
        if let Some(manager) = manager {
            manager.manage(&mut command);
        }
        Self::start(command.args(extra).env_remove("RUST_LOG").stdin(Stdio::null()), dir, false)
    }

    /// Where its FastCGI authorizer listens.
    pub fn fastcgi(&self) -> Option<SocketAddr> {
        let log = fs::read_to_string(&self.log).ok()?;
        let (_, rest) = log.split_once("FastCGI authorizer listening on ")?;
        rest.lines().next()?.trim().parse().ok()
    }

    /// Its database.
    pub fn database(&self) -> PathBuf {
        Self::database_in(&self.dir)
    }

    /// The database of a server that is started in this directory.
    pub fn database_in(dir: &Path) -> PathBuf {
        DataDir::new(data(dir)).database()
    }

    /// Copies the keys of its data directory to that of another receiver, which has not started.
    pub fn share_keys(&self, other: &Path) -> Result<(), Failure> {
        fs::create_dir_all(data(other))?;
        for name in ["seal.key", "cookie.key"] {
            fs::copy(data(&self.dir).join(name), data(other).join(name))?;
        }
        Ok(())
    }

    /// The key with which it signs cookies.
    pub fn cookie_key(&self) -> PathBuf {
        DataDir::new(data(&self.dir)).cookie_key()
    }

    /// Starts this program again as the ceiling.
    pub fn ceiling(dir: &Path) -> Result<Self, Failure> {
        Self::start(
            Command::new(std::env::current_exe()?).arg("--ceiling").stdin(Stdio::piped()),
            dir,
            true,
        )
    }

    /// Starts a server that does not print its address: it listens on this one.
    pub fn of_another_program(
        command: &mut Command,
        dir: &Path,
        address: SocketAddr,
    ) -> Result<Self, Failure> {
        let log = dir.join("stderr.log");
        let child = command.stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
        let dir = dir.to_owned();
        let mut server = Self { child, log, dir, address, is_ceiling: false, next_member: 0 };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if server.child.try_wait()?.is_some() || begun.elapsed() > START_TIME_MAX {
                let log = fs::read_to_string(&server.log)?;
                return Err(format!("a server does not listen at {address}:\n{log}").into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(server)
    }

    fn start(command: &mut Command, dir: &Path, is_ceiling: bool) -> Result<Self, Failure> {
        fs::create_dir_all(dir)?;
        let log = dir.join("stderr.log");
        // A file, because a pipe that is not read in time would stop the server.
        let child = command.stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server =
            Self { child, log, dir: dir.to_owned(), address: nowhere, is_ceiling, next_member: 0 };
        let begun = Instant::now();
        while begun.elapsed() < START_TIME_MAX {
            let ended = server.child.try_wait()?;
            let log = fs::read_to_string(&server.log)?;
            if let Some(address) = listening_on(&log) {
                server.address = address;
                return Ok(server);
            }
            if let Some(status) = ended {
                return Err(format!("the server ended at once, {status}:\n{log}").into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(format!("no line `listening on` within {START_TIME_MAX:?}").into())
    }

    /// Stops the whole process where it is, so that its background work does not disturb what is
    /// measured beside it.
    pub fn freeze(&self) -> Result<(), Failure> {
        Ok(kill_process(self.pid(), Signal::STOP)?)
    }

    /// Continues the process.
    pub fn thaw(&self) -> Result<(), Failure> {
        Ok(kill_process(self.pid(), Signal::CONT)?)
    }

    /// Stops it by SIGTERM, and requires exit code 0.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.thaw()?;
        kill_process(self.pid(), Signal::TERM)?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_TIME_MAX {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(format!(
                        "the server ended with {status}, see {}",
                        self.log.display()
                    )
                    .into());
                }
                None => std::thread::sleep(LOOK_EVERY),
            }
        }
        Err(format!("the server did not stop within {STOP_TIME_MAX:?}").into())
    }

    /// Processor seconds used so far, of all its threads.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(&self.child.id().to_string())
    }

    /// Resident memory now, in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory it ever had, in KiB.
    pub fn resident_kib_max(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor seconds of a process (`self` or its id): user and system time, fields 14 and 15 of its
/// stat line.
pub fn cpu_seconds(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field is the name in brackets and may hold blanks.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum();
    ticks / TICKS_A_SECOND
}

/// Processor seconds of the whole machine: all of the first line of /proc/stat but idle time
/// (fields 4 and 5) and guests' time, which is counted as user time already.
pub fn machine_cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    let busy = fields.enumerate().filter(|(index, _)| ![3, 4].contains(index));
    busy.filter_map(|(_, ticks)| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
}

/// The data directory of a server that is started in this directory.
pub fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

fn listening_on(log: &str) -> Option<SocketAddr> {
    // Only whole lines: the last one may be under way.
    let lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines
        .filter_map(|line| line.split_once("listening on "))
        .find_map(|(_, address)| address.trim().parse().ok())
}
