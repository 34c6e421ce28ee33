//! A bounded load generator for this machine alone: how fast is the program, and how fast could it
//! be here?
//!
//! ```text
//! cargo build --release && cargo run --release --example flood
//! cargo run --release --example flood -- --only add-64 --scale 0.2 --json flood.json
//! ```
//!
//! It starts `nats-userman serve` itself, with default settings, on a free port of the loopback
//! address and a data directory that is removed at the end, and sends it postbacks: the whole
//! record that NATS4 sends, a new member each. Any reply but the expected one is a failure, and
//! failures make the exit code 1; a missed target does not, because a figure of a busy machine is
//! no test.
//!
//! In the same run and the same directory, it measures the limits of the program: the disk's own
//! fdatasync, and a ceiling, which is this program started again as a plain actix-web server that
//! decodes the form and answers a fixed line. Where two are compared their runs alternate, the one
//! not measured is stopped (SIGSTOP), and the medians of the rounds count. A round's latency
//! includes the time a reply waits for this generator, which shares the processors with the server.
//! The table shows the processor time of this generator, of the server and of all else. If the last
//! one is high, the figures mean little.
//!
//! The NATS that authstrings come from is a double on loopback: a second ceiling, which answers at
//! once with a string.
//!
//! With the database on a server, for which it starts a MariaDB of its own, or which is given and
//! must be empty:
//!
//! ```text
//! cargo run --release --example flood -- --mariadb --only on-server,two-receivers
//! cargo run --release --example flood -- --database mysql://USER:PASSWORD@HOST/DATABASE
//! ```
//!
//! Beside the program it then measures `php/postback.php`, which does the same work in one
//! transaction for each postback, in PHP-FPM behind nginx. With `--database` twice the second of
//! two receivers uses the second address, as of another node of one cluster.
//!
//! Galera with three nodes on loopback, beside one MariaDB with the same settings; as root:
//!
//! ```text
//! cargo run --release --example flood -- --galera --only galera
//! ```
//!
//! It takes about ten minutes and two gigabytes of disk. All of it is below `target/`, because
//! `/tmp` may be memory, where a sync costs nothing.

// Progress and a table are this program's work.
#![allow(clippy::print_stdout)]

mod apache;
mod ceiling;
mod client;
mod cluster;
mod disk;
mod expected;
mod manager;
mod mariadb;
mod php;
mod process;
mod report;
mod request;
mod scenarios;

use std::error::Error;
use std::fs;
use std::io::stdout;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use scenarios::{Bench, Scenario};

/// An error as a sentence. No code here depends on its kind.
type Failure = Box<dyn Error + Send + Sync>;

/// The open files of a server beside its connections, with a margin.
const OPEN_FILES_BESIDE: u64 = 200;

/// Measures nats-userman on this machine
#[derive(Debug, Parser)]
struct Options {
    /// Only this scenario (repeatable)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Multiply all counts, the million members too
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Write the figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// The program to measure [default: the one built beside this]
    #[arg(long)]
    server: Option<PathBuf>,
    /// One more argument for `serve` (repeatable), as in --server-arg=--log=warn
    #[arg(long, allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// Start the servers as systemd does, with its watchdog
    #[arg(long)]
    watchdog: bool,
    /// Keep the database on a MariaDB that is started for this run
    #[arg(long, conflicts_with = "database")]
    mariadb: bool,
    /// Keep the database on this server, mysql://USER:PASSWORD@HOST[:PORT]/DATABASE: the database
    /// must be empty, and is emptied again and again (repeatable: the second receiver's address)
    #[arg(long)]
    database: Vec<String>,
    /// Start a Galera cluster of three nodes, as root, for the scenario galera
    #[arg(long)]
    galera: bool,
    /// Connections of the overload, each with one request under way: with fewer than the program
    /// queues it need not refuse
    #[arg(long, default_value_t = 1024)]
    overload_connections: usize,
    /// Where to make the temporary directory [default: beside the program]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Measure a debug build, whose figures mean nothing
    #[arg(long)]
    allow_debug: bool,
    /// Be the ceiling
    #[arg(long, hide = true)]
    ceiling: bool,
}

fn main() -> ExitCode {
    match start(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flood: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: Options) -> Result<(), Failure> {
    if options.ceiling {
        return Ok(ceiling::serve()?);
    }
    let binary = program(&options)?;
    let beside = binary.parent().unwrap_or(Path::new("."));
    let dir = tempfile::Builder::new()
        .prefix("flood-")
        .tempdir_in(options.dir.as_deref().unwrap_or(beside))?;
    raise_open_files(options.overload_connections as u64 + OPEN_FILES_BESIDE)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(flood(options, binary, &dir.path().canonicalize()?))
}

async fn flood(options: Options, binary: PathBuf, dir: &Path) -> Result<(), Failure> {
    let (json, file_system) = (options.json.clone(), disk::file_system(dir));
    let mut bench = Bench::new(options, binary, dir)?;
    if ["tmpfs", "ramfs"].iter().any(|memory| file_system.starts_with(memory)) {
        bench.report.note(format!(
            "the data is on {file_system}: nothing is synced to any disk, choose another --dir"
        ));
    }
    // Interrupted, the servers are stopped and the directory is removed like at the end.
    let ended = tokio::select! {
        ended = bench.run() => ended,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    // Figures that were measured before a fault are shown too.
    let machine = report::machine(&file_system);
    bench.report.table(&machine, &mut stdout().lock())?;
    if let Some(path) = json {
        fs::write(path, format!("{:#}\n", bench.report.json(&machine)))?;
    }
    ended?;
    match bench.report.failures {
        0 => Ok(()),
        failures => Err(format!("{failures} replies were not the expected ones").into()),
    }
}

/// The program to measure: a release build that is not older than its sources' last one.
fn program(options: &Options) -> Result<PathBuf, Failure> {
    if let Some(given) = &options.server {
        let found =
            given.canonicalize().map_err(|error| format!("no {}: {error}", given.display()))?;
        return check_build(found, options.allow_debug);
    }
    // This is target/release/examples/flood.
    let own = std::env::current_exe()?;
    let release = own.parent().and_then(Path::parent).ok_or("cannot tell where this program is")?;
    let binary = release.join("nats-userman");
    let built = fs::metadata(&binary).and_then(|data| data.modified());
    let built = built.map_err(|error| {
        format!("no {} ({error}): run `cargo build --release` first", binary.display())
    })?;
    // Building an example builds the library again, but not the program.
    if newest_library(&release.join("deps")).is_some_and(|library| library > built) {
        return Err(format!(
            "{} is older than its library: run `cargo build --release` first",
            binary.display()
        )
        .into());
    }
    check_build(binary, options.allow_debug)
}

fn check_build(binary: PathBuf, allow_debug: bool) -> Result<PathBuf, Failure> {
    let is_debug =
        cfg!(debug_assertions) || binary.components().any(|part| part.as_os_str() == "debug");
    if is_debug && !allow_debug {
        return Err("a debug build's figures mean nothing: build with --release, or insist with \
            --allow-debug"
            .into());
    }
    Ok(binary)
}

fn newest_library(deps: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(deps).ok()?.flatten();
    let ours = entries.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("libnats_userman-")
            && name.to_string_lossy().ends_with(".rlib")
    });
    ours.filter_map(|entry| entry.metadata().ok()?.modified().ok()).max()
}

/// Each connection is an open file, here and in the server, which inherits the limit.
fn raise_open_files(wanted: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })?;
    }
    Ok(())
}
