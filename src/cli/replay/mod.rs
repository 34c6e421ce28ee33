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

/// The exit codes, for `--help`.
const EXIT_CODES: &str = "Exit code 1: a postback was answered ERROR (it changed nothing; the \
    others are applied), or a FILE is not a capture or has no postback (then nothing is applied). \
    With --journal, an ERROR in the journal is no failure: every record must give its recorded \
    reply, or nothing is applied.";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ReplayCommand {
    /// Captures: urlencoded bodies, one a line, or TMM's layout; with --journal, the output of
    /// `journal --json`; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Send the postbacks to this URL instead, in order
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
