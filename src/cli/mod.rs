//! The command line: one file per command.

mod authstring;
mod block;
mod check_config;
mod journal;
mod member;
mod replay;
mod serve;
mod set_wal_aside;
mod token;

use std::io;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::apply::empty_wal;
use crate::config::{
    BadSetting, Config, Settings, bad_variables, exposed, without_unusable_variables,
};
use crate::data_dir::is_served;
use crate::identity::{ID_EXPECTED, SiteId};
use crate::store::{Engine, OpenError, with_engine};

/// Receives NATS (Too Much Media) user management postbacks, keeps member_auth, and says who may
/// enter the members area.
///
/// Start with `nats-userman serve`: it makes what it needs under ./data and, on a terminal, prints
/// the URL to paste into NATS.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    settings: Settings,
    /// Variables that cannot be used, told with the settings that cannot.
    #[arg(skip)]
    bad_variables: Vec<BadSetting>,
    /// Warnings of secrets that were given as flags.
    #[arg(skip)]
    exposed: Vec<String>,
}

impl Cli {
    /// Reads the arguments and variables of this process, or ends it: with the help that was asked
    /// for, or where they are no command.
    pub fn of_process() -> Self {
        let command = Self::command();
        let bad_variables = bad_variables(&command, std::env::vars_os());
        let matches = without_unusable_variables(command).get_matches();
        let cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        Self { bad_variables, exposed: exposed(&matches), ..cli }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service; the first start makes data directory, keys, token and schema
    Serve,
    /// Put captured postbacks into the database, or send them to a URL with --to
    Replay(replay::Replay),
    /// List or export postbacks
    Journal(journal::Journal),
    /// Show, list, remove or restore members, or end their logins
    #[command(subcommand)]
    Member(member::Member),
    /// Show, add or retire tokens of the URL
    #[command(subcommand)]
    Token(token::Token),
    /// Show or lift the blocks of those who guess passwords
    #[command(subcommand)]
    Block(block::Block),
    /// Ask NATS, or a running nats-userman, for a string that authorises a link
    #[command(name = "authstring")]
    AuthString(authstring::AuthString),
    /// Set the WAL of another database aside, after a backup was put back while it lay there; it is
    /// renamed, not deleted
    SetWalAside,
    /// Say what would be used, secrets hidden, and what is wrong with it
    CheckConfig,
}

/// Why a command ended badly. What it prints is one clear line each.
#[derive(Debug)]
pub enum Failure {
    /// Settings that cannot be used: exit code 2.
    Usage(Vec<String>),
    /// Something failed: exit code 1.
    Failed(String),
    /// The reader of our output went away (`| head`): no failure.
    OutputClosed,
}

impl Failure {
    /// With the error's whole cause.
    fn of(error: &dyn std::error::Error) -> Self {
        Self::Failed(crate::chain::chain(error))
    }

    /// The same with the place of an input where it happened. Where output had to be read to the
    /// end, a closed one is a failure.
    fn at(self, place: &str) -> Self {
        match self {
            Self::Failed(line) => Self::Failed(format!("{place}: {line}")),
            Self::OutputClosed => Self::Failed(format!("{place}: the output was closed")),
            usage @ Self::Usage(_) => usage,
        }
    }

    /// A wrong use in a sentence.
    fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(vec![sentence.into()])
    }
}

impl From<io::Error> for Failure {
    /// For what is written to stdout; other input and output has errors of its own.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::of(&error),
        }
    }
}

impl From<Vec<BadSetting>> for Failure {
    fn from(bad: Vec<BadSetting>) -> Self {
        Self::Usage(bad.iter().map(BadSetting::to_string).collect())
    }
}

impl From<crate::store::Fault> for Failure {
    fn from(fault: crate::store::Fault) -> Self {
        Self::of(&fault)
    }
}

impl From<crate::store::OpenError> for Failure {
    fn from(error: crate::store::OpenError) -> Self {
        Self::of(&error)
    }
}

/// A siteid or memberid, in clap's form.
fn id(text: &str) -> Result<i64, &'static str> {
    SiteId::parse(text).map(SiteId::get).ok_or(ID_EXPECTED)
}

/// All that is wrong at once: variables that are no settings, and settings that cannot be used.
fn read_config(settings: &Settings, mut bad: Vec<BadSetting>) -> Result<Config, Failure> {
    match Config::read(settings) {
        Ok(config) if bad.is_empty() => return Ok(config),
        Ok(_) => {}
        Err(more) => bad.extend(more),
    }
    Err(bad.into())
}

/// Lends the database to a command that writes, beside a running service or without one. Without
/// one, the command leaves what a clean stop leaves: everything in the database file, nothing in
/// its WAL.
fn with_writer<T>(
    config: &Config,
    work: impl FnOnce(&mut dyn Engine) -> T,
) -> Result<T, OpenError> {
    with_engine(&config.location, false, |engine| {
        let done = work(engine);
        if !is_served(config.location.path()) {
            empty_wal(engine);
        }
        done
    })
}

/// Runs the command.
///
/// # Errors
///
/// What to print, and with which exit code to end.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let mut settings = cli.settings;
    if let Command::AuthString(_) = cli.command {
        // Where the service takes its strings from does not matter to whoever asks.
        settings.api.stand_in = "no".into();
    }
    let config = read_config(&settings, cli.bad_variables)?;
    if let Command::CheckConfig = cli.command {
        return check_config::run(&settings, &config, &cli.exposed);
    }
    crate::logging::start(&config.log, config.log_format);
    cli.exposed.iter().for_each(|sentence| log::warn!("{sentence}"));
    match cli.command {
        Command::Serve => serve::run(&config),
        Command::Replay(replay) => replay.run(&config),
        Command::Journal(journal) => journal.run(&config),
        Command::Member(member) => member.run(&config),
        Command::Token(token) => token.run(&config),
        Command::Block(block) => block.run(&config),
        Command::AuthString(authstring) => authstring.run(&config),
        Command::SetWalAside => set_wal_aside::run(&config),
        Command::CheckConfig => Ok(()),
    }
}
