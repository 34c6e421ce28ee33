//! Runs the operator's program with a message. No shell reads the command; what the program prints
//! is bounded, and so is its time.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::child::{Limits, wait};

/// The longest time that the program may take.
pub(super) const TIME_MAX: Duration = Duration::from_secs(10);
/// The most bytes of its error output that are shown. The rest is read and dropped.
const SHOWN_BYTES_MAX: usize = 500;
/// Variables that the program gets. The service's own may have secrets.
const VARIABLES: [&str; 4] = ["PATH", "LANG", "LC_ALL", "TZ"];

/// Why the program did not take the message.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It was not started.
    #[error("{0} cannot be run: {1}")]
    NotRun(String, io::Error),
    /// It did not end in time, and was killed.
    #[error("{0} did not end within {1} seconds and was killed")]
    TooSlow(String, u64),
    /// It still ran when the service stopped, and was killed.
    #[error("{0} was killed, because the service stops")]
    Stopped(String),
    /// It ended with an error.
    #[error("{program} ended with {end}{said}")]
    Failed {
        /// The program.
        program: String,
        /// The exit code, or the signal.
        end: String,
        /// What it wrote to its error output.
        said: String,
    },
}

/// Runs the program with these arguments, and writes the message to its standard input. Waits for
/// its end, for at most `time_max`, and then kills it with its children.
///
/// # Errors
///
/// See [`CommandError`].
pub fn run(command: &[String], message: &str, time_max: Duration) -> Result<(), CommandError> {
    run_unless(command, message, time_max, &AtomicBool::new(false))
}

/// Runs the program as [`run`] does, and kills it earlier if `is_over` becomes true.
pub(super) fn run_unless(
    command: &[String],
    message: &str,
    time_max: Duration,
    is_over: &AtomicBool,
) -> Result<(), CommandError> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let not_run = |error| CommandError::NotRun(program.clone(), error);
    let own = VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(own)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(not_run)?;
    if let Some(mut input) = child.stdin.take() {
        // It fits into the pipe. A program that does not read it has closed it, which is no error.
        let _ = input.write_all(message.as_bytes()).and_then(|()| input.write_all(b"\n"));
    }
    let output = child.stderr.take().map(OwnedFd::from);
    let limits = Limits { time: time_max, bytes: SHOWN_BYTES_MAX };
    let (ended, said) = wait(&mut child, output, limits, is_over).map_err(not_run)?;
    match ended {
        None if is_over.load(Ordering::Relaxed) => Err(CommandError::Stopped(program.clone())),
        None => Err(CommandError::TooSlow(program.clone(), time_max.as_secs())),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(CommandError::Failed {
            program: program.clone(),
            end: end(status),
            said: shown(&said),
        }),
    }
}

fn end(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

/// The output in one line, without what a terminal would obey.
fn shown(said: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(said)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match text.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}
