//! Formats an error and its causes as one line, for the log and for the error of a command.

use std::error::Error;

/// `error: cause: cause of the cause`.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
