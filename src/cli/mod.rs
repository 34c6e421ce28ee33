//! The command line: one file per command.

mod authstring;
mod block;
mod check_config;
mod failure;
mod journal;
mod member;
mod replay;
mod serve;
mod set_wal_aside;
mod token;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use failure::Failure;

use crate::config::{
    BadSetting, Config, Settings, bad_variables, exposed, without_unusable_variables,
};

/// Receives NATS (Too Much Media) user management postbacks, keeps member_auth, and says who may
/// enter the members area.
///
/// Start with `nats-userman serve`: it makes what it needs under ./data and, on a terminal, prints
/// the URL to paste into NATS.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: CliCommand,
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
enum CliCommand {
    /// Run the service; the first start makes data directory, keys, token and schema
    Serve,
    /// Put captured postbacks into the database, or send them to a URL with --to
    Replay(replay::ReplayCommand),
    /// List or export postbacks
    Journal(journal::JournalCommand),
    /// Show, list, remove or restore members, or end their logins
    #[command(subcommand)]
    Member(member::MemberCommand),
    /// Show, add or retire tokens of the URL
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Show or lift the blocks of those who guess passwords
    #[command(subcommand)]
    Block(block::BlockCommand),
    /// Ask NATS, or a running nats-userman, for a string that authorises a link
    #[command(name = "authstring")]
    AuthString(authstring::AuthStringCommand),
    /// Set the WAL of another database aside, after a backup was put back while it lay there; it is
    /// renamed, not deleted
    SetWalAside,
    /// Say what would be used, secrets hidden, and what is wrong with it
    CheckConfig,
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

/// Runs the command.
///
/// # Errors
///
/// What to print, and with which exit code to end.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let mut settings = cli.settings;
    if let CliCommand::AuthString(_) = cli.command {
        // Where the service takes its strings from does not matter to whoever asks.
        settings.api.stand_in = "no".into();
    }
    let config = read_config(&settings, cli.bad_variables)?;
    if let CliCommand::CheckConfig = cli.command {
        return check_config::run(&settings, &config, &cli.exposed);
    }
    crate::logging::start(&config.log, config.log_format);
    cli.exposed.iter().for_each(|sentence| log::warn!("{sentence}"));
    match cli.command {
        CliCommand::Serve => serve::run(&config),
        CliCommand::Replay(replay) => replay.run(&config),
        CliCommand::Journal(journal) => journal.run(&config),
        CliCommand::Member(member) => member.run(&config),
        CliCommand::Token(token) => token.run(&config),
        CliCommand::Block(block) => block.run(&config),
        CliCommand::AuthString(authstring) => authstring.run(&config),
        CliCommand::SetWalAside => set_wal_aside::run(&config),
        CliCommand::CheckConfig => Ok(()),
    }
}
