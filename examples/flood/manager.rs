//! The service manager of the servers, in place of systemd. With `--watchdog` it receives their
//! messages and discards them.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::Failure;

/// `WatchdogSec=` of the packaged unit, in microseconds.
const WATCHDOG_USEC: &str = "60000000";
const MESSAGE_BYTES_MAX: usize = 4096;

/// A socket that takes messages for as long as this program runs.
pub struct Manager(PathBuf);

impl Manager {
    /// Makes the socket in this directory.
    pub fn start(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path)?;
        thread::spawn(move || {
            let mut message = [0; MESSAGE_BYTES_MAX];
            while socket.recv(&mut message).is_ok() {}
        });
        Ok(Self(path))
    }

    /// The server that this command starts has this manager.
    pub fn manage(&self, command: &mut Command) {
        command.env("NOTIFY_SOCKET", &self.0).env("WATCHDOG_USEC", WATCHDOG_USEC);
    }
}
