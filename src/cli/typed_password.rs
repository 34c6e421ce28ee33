//! Reads a password that a person types: twice and without echo on a terminal, or as one line of
//! standard input. It is never an argument, which others on the machine could read.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _, stderr, stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::failure::Failure;

/// The most bytes that are read: more than the longest password, so that a longer one is refused
/// and not cut off.
const BYTES_MAX: u64 = 4_096;
/// What Ctrl-C writes while it sends no signal.
const CTRL_C: u8 = 3;

/// Reads the password. `command` begins the errors.
///
/// # Errors
///
/// If none can be read, or the two that were typed differ.
pub(super) fn read(command: &str) -> Result<Zeroizing<String>, Failure> {
    if !stdin().is_terminal() {
        return piped(command);
    }
    let first = typed(command, "New password: ")?;
    let second = typed(command, "The same again: ")?;
    if *first != *second {
        return Err(Failure::Failed(format!(
            "{command}: the two passwords differ; nothing was changed"
        )));
    }
    Ok(first)
}

/// The one line of standard input.
fn piped(command: &str) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX as usize));
    stdin().lock().take(BYTES_MAX).read_to_end(&mut bytes)?;
    let line = text_of(command, &bytes)?;
    if line.contains('\n') {
        return Err(Failure::usage(format!(
            "{command}: expected one line with the password on standard input, found several; \
             nothing was changed"
        )));
    }
    Ok(line)
}

/// A line from the terminal, which does not show it.
fn typed(command: &str, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX as usize));
    {
        let _silent = Silent::begin()?;
        write!(stderr(), "{prompt}")?;
        stderr().flush()?;
        stdin().lock().take(BYTES_MAX).read_until(b'\n', &mut bytes)?;
    }
    if bytes.contains(&CTRL_C) {
        return Err(Failure::Failed(format!("{command}: interrupted; nothing was changed")));
    }
    text_of(command, &bytes)
}

/// The text without the line break at its end.
fn text_of(command: &str, bytes: &[u8]) -> Result<Zeroizing<String>, Failure> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::usage(format!(
            "{command}: expected a password in UTF-8; nothing was changed"
        ))),
    }
}

/// A terminal without echo, until it is dropped. Ctrl-C sends no signal meanwhile, because a
/// program that it ends would leave the terminal without echo.
struct Silent(Termios);

impl Silent {
    fn begin() -> Result<Self, Failure> {
        let before = tcgetattr(stdin()).map_err(std::io::Error::from)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(stdin(), OptionalActions::Flush, &silent).map_err(std::io::Error::from)?;
        Ok(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // If it fails, the terminal is gone.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
