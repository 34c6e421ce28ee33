//! A web server as a process.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::eventually;

/// A web server that runs until it is dropped.
pub struct WebServer {
    child: Child,
    pub port: u16,
    errors: PathBuf,
}

impl WebServer {
    /// Starts a server, and waits until it listens at this port.
    pub fn start(mut command: Command, port: u16, errors: PathBuf) -> Self {
        let said = fs::File::create(errors.with_extension("stderr")).unwrap();
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        let mut server = Self { child, port, errors };
        eventually("the web server listens", || {
            let ended = server.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the web server ended with {}: {}",
                ended.unwrap(),
                server.errors()
            );
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }

    /// The content of its error log and its output on stderr.
    pub fn errors(&self) -> String {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        read(&self.errors) + &read(&self.errors.with_extension("stderr"))
    }
}

/// Sends SIGTERM, with which a parent process also ends its children.
impl Drop for WebServer {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the web server's errors:\n{}", self.errors());
        }
    }
}
