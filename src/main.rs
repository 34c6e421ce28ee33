//! `nats-userman`: parse, run, say what went wrong.

use std::io::{Write as _, stderr};
use std::process::ExitCode;

use nats_userman::cli::{Cli, Failure, run};
use nats_userman::logging::flush;

/// The exit codes of the contract: 0 done, 1 failed, 2 wrong usage (clap uses 2 as well).
fn main() -> ExitCode {
    let done = run(Cli::of_process());
    flush();
    let (lines, code) = match done {
        Ok(()) | Err(Failure::OutputClosed) => return ExitCode::SUCCESS,
        Err(Failure::Failed(line)) => (vec![line], 1),
        Err(Failure::Usage(lines)) => (lines, 2),
    };
    for line in lines {
        // Where stderr is a terminal that was closed, there is nowhere to say it; `eprintln` panics.
        let _ = writeln!(stderr(), "nats-userman: {line}");
    }
    ExitCode::from(code)
}
