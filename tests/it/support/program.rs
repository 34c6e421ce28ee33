//! The real program as a process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use super::{PATIENCE, Response, TOKEN, post_to};

/// The real program as a process of its own.
pub struct Program {
    pub address: SocketAddr,
    pub child: Child,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// Without a configuration file: one of the machine's must not matter. Also for commands that start
/// the program by way of another one.
pub const NO_CONFIG: (&str, &str) = ("USERMAN_CONFIG", "/dev/null");

/// Where cargo put the program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nats-userman"));
    command.stdin(Stdio::null()).envs([NO_CONFIG]);
    command
}

impl Program {
    /// `serve` in this data directory, on a free port, with [`TOKEN`].
    pub fn serve(data: &Path, flags: &[&str]) -> Self {
        Self::run(program(), data, flags)
            .unwrap_or_else(|stderr| panic!("the program did not start:\n{stderr}"))
    }

    /// Runs `serve` by a command of the caller's (an environment, a limit). What it said if it
    /// ended instead.
    pub fn run(mut command: Command, data: &Path, flags: &[&str]) -> Result<Self, String> {
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(flags);
        // As a flag it would be warned of in each log.
        command.env("USERMAN_POSTBACK_TOKEN", TOKEN);
        command.stdout(Stdio::null());
        Self::spawn(command)
    }

    /// Runs a command of which all arguments, and the place of stdout, are the caller's.
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

    /// All that it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn post(&self, body: &str) -> std::io::Result<Response> {
        post_to(self.address, TOKEN, body.as_bytes())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its exit status.
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
