//! `nats-userman`: parses the command line, runs the command, prints its error.

use std::alloc::System;
use std::io::{Write as _, stderr};
use std::process::ExitCode;

use nats_userman::cli::{Cli, Failure, run};
use nats_userman::logging::flush;
use nats_userman::logging::priority::of_failure;
use nats_userman::undumped::forbid_dumps;
use zeroizing_alloc::ZeroAlloc;

/// The allocator wipes all memory when it is freed: passwords pass through buffers of libraries
/// too, which do not wipe them.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

/// Exit codes: 0 done, 1 failed, 2 wrong usage (clap uses 2 as well).
fn main() -> ExitCode {
    if let Err(error) = forbid_dumps() {
        let _ = writeln!(
            stderr(),
            "nats-userman: cannot disable core dumps, which would contain secrets: {error}"
        );
    }
    let done = run(Cli::of_process());
    flush();
    let (lines, code) = match done {
        Ok(()) | Err(Failure::OutputClosed) => return ExitCode::SUCCESS,
        Err(Failure::Failed(line)) => (vec![line], 1),
        Err(Failure::Usage(lines)) => (lines, 2),
    };
    for line in lines.iter().flat_map(|lines| lines.split('\n')) {
        // If stderr is a closed terminal, the write fails, and `eprintln` would panic. Each further
        // line of a failure has its own beginning.
        let beginning = if line.starts_with("nats-userman: ") { "" } else { "nats-userman: " };
        let _ = writeln!(stderr(), "{}{beginning}{line}", of_failure());
    }
    ExitCode::from(code)
}
