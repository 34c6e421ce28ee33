//! `replay`: captured postbacks into the database, to a URL, or as a dry run; or the journal of
//! another database.

mod apply;
mod captures;
mod counts;
mod dry_run;
mod journal;
mod send;
mod target;

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::config::Config;

/// What the exit code says, for --help.
const EXIT_CODES: &str = "Ends with code 1 where a postback was answered ERROR (it changed nothing; the others are applied), \
    and where a FILE is no capture or has no postback (then nothing is done). With --journal an ERROR that the journal records is \
    none: each record must give the reply that it has, or nothing is taken.";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ReplayCommand {
    /// Captures: urlencoded bodies, one a line, or TMM's layout; with --journal, what `journal
    /// --json` wrote; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Send them to this URL instead, in their order
    #[arg(long, value_name = "URL", conflicts_with_all = ["dry_run", "journal"])]
    to: Option<String>,
    /// Show replies and changes, and change nothing
    #[arg(long, conflicts_with = "journal")]
    dry_run: bool,
    /// The files are journals; the database must be empty
    #[arg(long)]
    journal: bool,
}

impl ReplayCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        match (&self.to, self.dry_run, self.journal) {
            (Some(url), _, _) => send::run(&self.files, url),
            (None, true, _) => dry_run::run(&self.files, config),
            (None, false, true) => journal::run(&self.files, config),
            (None, false, false) => apply::run(&self.files, config),
        }
    }
}
