//! `nats-userman`: parse, run, say what went wrong.

use std::alloc::System;
use std::io::{Write as _, stderr};
use std::process::ExitCode;

use nats_userman::cli::{Cli, Failure, run};
use nats_userman::logging::flush;
use nats_userman::undumped::forbid_dumps;
use zeroizing_alloc::ZeroAlloc;

/// Wipes all memory that is given back: passwords pass through buffers of libraries too, which wipe
/// nothing.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

/// The exit codes of the contract: 0 done, 1 failed, 2 wrong usage (clap uses 2 as well).
fn main() -> ExitCode {
    if let Err(error) = forbid_dumps() {
        let _ = writeln!(
            stderr(),
            "nats-userman: a core dump of this process would show secrets: {error}"
        );
    }
    let done = run(Cli::of_process());
    flush();
    let (lines, code) = match done {
        Ok(()) | Err(Failure::OutputClosed) => return ExitCode::SUCCESS,
        Err(Failure::Failed(line)) => (vec![line], 1),
        Err(Failure::Usage(lines)) => (lines, 2),
    };
    for line in lines {
        // Where stderr is a terminal that was closed, there is nowhere to say it; `eprintln`
        // panics.
        let _ = writeln!(stderr(), "nats-userman: {line}");
    }
    ExitCode::from(code)
}
