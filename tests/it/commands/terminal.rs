//! A terminal for a test, and what is printed only on a terminal.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::PATIENCE;

/// A pseudo-terminal: programs write to it, and the test reads.
pub struct Terminal {
    user: File,
    program: File,
}

impl Terminal {
    pub fn new() -> Self {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let name = ptsname(&user, Vec::new()).unwrap();
        // It must not become the controlling terminal of the test process, which its end would
        // kill.
        let no_ctty = OpenptFlags::NOCTTY.bits() as i32;
        let name = name.to_str().unwrap();
        let program = OpenOptions::new().read(true).write(true).custom_flags(no_ctty).open(name);
        Self { user: user.into(), program: program.unwrap() }
    }

    /// A further handle for a program.
    pub fn stdio(&self) -> Stdio {
        self.program.try_clone().unwrap().into()
    }

    /// Connects a command's standard input and output to the terminal.
    pub fn take(&self, command: &mut Command) {
        command.stdin(self.stdio()).stdout(self.stdio());
    }

    /// Reads what was printed, up to and including this text.
    pub fn read_until(&self, end: &str) -> String {
        let patience = PATIENCE.try_into().unwrap();
        let (mut said, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&said).replace("\r\n", "\n");
            if text.contains(end) {
                return text;
            }
            let ready = poll(&mut [PollFd::new(&self.user, PollFlags::IN)], Some(&patience));
            assert_eq!(ready, Ok(1), "not on the terminal: {end}\n{text}");
            let length = (&self.user).read(&mut piece).unwrap();
            said.extend_from_slice(&piece[..length]);
        }
    }

    /// Types a line, as a user does.
    pub fn type_line(&self, line: &str) {
        (&self.user).write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Closes the terminal, as a user does who closes its window.
    pub fn close(self) {}
}
