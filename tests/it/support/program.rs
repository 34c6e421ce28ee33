//! The real program as a process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use super::{PATIENCE, Response, TOKEN, eventually, post_to};

/// A process of the real program.
pub struct Program {
    pub address: SocketAddr,
    pub child: Child,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// Disables the configuration file, so that one of the machine does not matter. Also for commands
/// that run the program through another one.
pub const NO_CONFIG: (&str, &str) = ("USERMAN_CONFIG", "/dev/null");

/// The program that cargo has built.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nats-userman"));
    // The tests may run in a unit of systemd.
    command.stdin(Stdio::null()).envs([NO_CONFIG]).env_remove("INVOCATION_ID");
    command
}

impl Program {
    /// Runs `serve` in this data directory, on a free port, with [`TOKEN`].
    pub fn serve(data: &Path, flags: &[&str]) -> Self {
        Self::run(program(), data, flags)
            .unwrap_or_else(|stderr| panic!("the program did not start:\n{stderr}"))
    }

    /// Runs `serve` by a command of the caller, for example with an environment or a limit. The
    /// error is its output, if it has ended instead.
    pub fn run(mut command: Command, data: &Path, flags: &[&str]) -> Result<Self, String> {
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(flags);
        // With a flag, each log would have a warning about it.
        command.env("USERMAN_POSTBACK_TOKEN", TOKEN);
        command.stdout(Stdio::null());
        Self::spawn(command)
    }

    /// Where the operations listener listens, once the log says so.
    pub fn operations(&self) -> SocketAddr {
        let mut address = None;
        eventually("the operations listener runs", || {
            address = operations_in(&self.stderr());
            address.is_some()
        });
        address.unwrap()
    }

    /// Runs a command with the caller's arguments and stdout.
    pub fn spawn(mut command: Command) -> Result<Self, String> {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (said, address) = mpsc::channel();
        let (lines, kept) =
            (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&stderr));
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on ") {
                    let _ = said.send(
                        address.trim_end_matches('"').split('"').next().unwrap().parse().unwrap(),
                    );
                }
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        match address.recv_timeout(PATIENCE) {
            Ok(address) => Ok(Self { address, child, stderr, reader: Some(reader) }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                reader.join().unwrap();
                Err(stderr.lock().unwrap().clone())
            }
        }
    }

    /// Its output on stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn post(&self, body: &str) -> std::io::Result<Response> {
        post_to(self.address, TOKEN, body.as_bytes())
    }

    /// Sends SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM, waits for the end, and returns the exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the operations listener listens, as a log in either format says; `None` until it does.
pub fn operations_in(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("operations listener on http://")?;
    let end = rest.find(|c: char| !matches!(c, '0'..='9' | '.' | ':'))?;
    rest[..end].parse().ok()
}
