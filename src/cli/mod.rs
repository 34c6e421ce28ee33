//! The command line: one file per command.

mod alarm;
mod authstring;
mod backup;
mod block;
mod check_config;
mod config;
mod destination;
mod doctor;
mod export;
mod failure;
mod health;
mod import;
mod journal;
mod key;
mod lift;
mod member;
mod migrate_store;
mod operator;
mod progress;
mod reconcile;
mod replay;
mod report;
mod restore;
mod serve;
mod set_wal_aside;
mod sharing;
mod signals;
mod token;
mod try_out;
mod typed_password;

use std::ffi::OsString;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::exit;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use failure::Failure;

use crate::config::{
    BadSetting, Config, FileSetting, SYSTEM_FILE, Settings, Sources, bad_variables, exposed,
    exposed_by, without_unusable_variables,
};
use crate::denied;
use crate::logging::priority::of_failure;

/// The exit code of clap for arguments that are no command.
const WRONG_USAGE: i32 = 2;
/// The exit code of a command that has failed.
const FAILED: i32 = 1;

/// Receives the user management postbacks of NATS (Too Much Media), maintains the table
/// member_auth, and authenticates members for the members area.
///
/// Start with `nats-userman serve`: it creates what it needs under ./data and, on a terminal,
/// prints the URL to paste into NATS.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: CliCommand,
    #[command(flatten)]
    file: FileSetting,
    #[command(flatten)]
    settings: Settings,
    /// Where the settings come from; `None` if the configuration file cannot be used.
    #[arg(skip)]
    sources: Option<Arc<Sources>>,
    /// Variables and entries of the configuration file that cannot be used, reported together with
    /// bad settings.
    #[arg(skip)]
    bad: Vec<BadSetting>,
    /// Warnings of secrets that were given as flags.
    #[arg(skip)]
    exposed: Vec<String>,
}

impl Cli {
    /// Reads the arguments and variables of this process, and the configuration file. Ends the
    /// process for `--help` and where the arguments are no command, before the file is read.
    pub fn of_process() -> Self {
        let command = Self::command();
        let mut bad = bad_variables(&command, std::env::vars_os());
        let command = without_unusable_variables(command);
        let matches =
            matches(command, std::env::args_os().collect()).unwrap_or_else(|error| end(&error));
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let CliCommand::Serve = cli.command {
            denied::in_the_service();
        }
        match Sources::read(&matches, cli.file.config.as_deref(), Path::new(SYSTEM_FILE)) {
            Ok((sources, more)) => {
                bad.extend(more);
                cli.settings = sources.settings();
                cli.sources = Some(Arc::new(sources));
            }
            Err(more) => bad.extend(more),
        }
        Self { bad, exposed: exposed(&matches), ..cli }
    }
}

/// Matches the arguments. Each setting is a flag of every command, so that the definition of all
/// commands has thousands of flags, which take longer than all other work of a short command. The
/// commands whose names are among the arguments suffice, unless there is a mistake to explain or a
/// help to print.
fn matches(whole: clap::Command, args: Vec<OsString>) -> Result<ArgMatches, clap::Error> {
    let is_named = |command: &&clap::Command| args.iter().any(|arg| arg == command.get_name());
    let named = clap::Command::new("nats-userman")
        .args(whole.get_arguments().cloned())
        .subcommands(whole.get_subcommands().filter(is_named).cloned())
        .subcommand_required(true);
    named.try_get_matches_from(&args).or_else(|_| whole.try_get_matches_from(&args))
}

/// Ends the process: with the help, or because the arguments are no command.
fn end(error: &clap::Error) -> ! {
    let is_health = || {
        let tolerant = without_unusable_variables(Cli::command()).ignore_errors(true);
        let matches = tolerant.try_get_matches();
        matches.is_ok_and(|matches| matches.subcommand_name() == Some("health"))
    };
    // If stderr is closed, nobody reads it.
    let _ = match of_failure() {
        "" => error.print(),
        priority => {
            let text = error.render().to_string();
            let lines = text.lines().filter(|line| !line.is_empty());
            lines
                .map(|line| format!("{priority}{line}\n"))
                .try_for_each(|line| stderr().write_all(line.as_bytes()))
        }
    };
    match error.exit_code() {
        WRONG_USAGE if is_health() => exit(FAILED),
        code => exit(code),
    }
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run the service; the first start creates the data directory, keys, token and database
    Serve,
    /// Apply captured postbacks to the database, or send them to a URL with --to
    Replay(replay::ReplayCommand),
    /// Play NATS against a receiver at its URL with a test member, and say what is wrong
    Try(try_out::TryCommand),
    /// Import members of another program from a file or a MySQL table, also while the service runs
    Import(import::ImportCommand),
    /// List or export journal records
    Journal(journal::JournalCommand),
    /// Write all members into a file, once or whenever they change: CSV, JSON lines or .htpasswd
    Export(export::ExportCommand),
    /// Compare the members with NATS's list of active members, and mend the differences
    Reconcile(reconcile::ReconcileCommand),
    /// Show, list, remove, restore, export or forget members, end their logins, or set a password
    /// or an expiry
    #[command(subcommand)]
    Member(member::MemberCommand),
    /// Add, list or remove operators of the console, or set their passwords
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    /// Show, add or retire tokens of the URL
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Show the keys of passwords and logins, or rotate them while the service runs
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// List or lift login blocks
    #[command(subcommand)]
    Block(block::BlockCommand),
    /// List members whose login several people seem to use, or let one in again
    #[command(subcommand)]
    Sharing(sharing::SharingCommand),
    /// Request an authstring, which authorises a link to NATS, from NATS or a running nats-userman
    #[command(name = "authstring")]
    AuthString(authstring::AuthStringCommand),
    /// Test the way of alarms to the operator
    #[command(subcommand)]
    Alarm(alarm::AlarmCommand),
    /// Back up the database, also while the service runs
    Backup(backup::BackupCommand),
    /// Put a backup in the place of the database, while the service is stopped; the former files
    /// are renamed, not deleted
    Restore(restore::RestoreCommand),
    /// Copy a database to another location, of SQLite, MariaDB or MySQL, while no service uses them
    MigrateStore(migrate_store::MigrateStoreCommand),
    /// Set aside the WAL of another database that was left beside a restored backup; it is renamed,
    /// not deleted
    SetWalAside,
    /// Ask the running service whether it can commit a postback; ends with exit code 0 or 1
    Health,
    /// Print each setting with its origin: flag, variable, line of the configuration file, default
    Config(config::ConfigCommand),
    /// Check the settings and what they name, and the whole database; `config` prints where each
    /// setting comes from
    CheckConfig,
    /// Check the service, its database and its machine, and say what to do about what is wrong
    Doctor(doctor::DoctorCommand),
}

/// Reads the settings. An error lists everything that is wrong: variables that are no settings,
/// entries of the configuration file, and settings that cannot be used.
fn read_config(
    settings: &Settings,
    sources: &Arc<Sources>,
    mut bad: Vec<BadSetting>,
) -> Result<Config, Vec<BadSetting>> {
    match Config::read(settings) {
        Ok(config) if bad.is_empty() => return Ok(config.with_sources(Arc::clone(sources))),
        Ok(_) => {}
        Err(more) => bad.extend(more.into_iter().map(|bad| sources.locate(bad))),
    }
    Err(bad)
}

/// Checks that keys, tokens and salts can be drawn. Without this check the first one that cannot
/// be drawn would panic.
fn has_random_bytes() -> Result<(), Failure> {
    getrandom::fill(&mut [0; 1]).map_err(|error| {
        Failure::Failed(format!(
            "the system gives no random bytes: {error}; provide /dev/urandom, or allow the system \
             call getrandom"
        ))
    })
}

/// Runs the command.
///
/// # Errors
///
/// The output, and the exit code.
pub fn run(cli: Cli) -> Result<(), Failure> {
    // Without the file, the settings are not known.
    let Some(sources) = cli.sources else {
        return match &cli.command {
            CliCommand::Doctor(doctor) => doctor.run_without_settings(&cli.bad),
            CliCommand::Health => Err(Failure::from(cli.bad).without_code_2()),
            _ => Err(cli.bad.into()),
        };
    };
    let mut settings = cli.settings;
    if let CliCommand::Health = cli.command {
        return health::run(&settings, &sources, cli.bad).map_err(Failure::without_code_2);
    }
    has_random_bytes()?;
    if let CliCommand::AuthString(_) = cli.command {
        // The source of the service's own strings does not matter to this command.
        settings.api.stand_in = "no".into();
    }
    let mut server = None;
    if let CliCommand::MigrateStore(_) = cli.command {
        // They are about the databases of this command, not about that of the service.
        server = Some(std::mem::take(&mut settings.server));
    }
    if let CliCommand::Config(command) = &cli.command {
        // Also bad ones, with their origin; the errors come behind them.
        command.run(&sources)?;
    }
    let config: Config = match (read_config(&settings, &sources, cli.bad), &cli.command) {
        (Err(bad), CliCommand::Doctor(doctor)) => return doctor.run_without_settings(&bad),
        (config, _) => config?,
    };
    let mut exposed = cli.exposed;
    exposed.extend(exposed_by(&config));
    match &cli.command {
        CliCommand::CheckConfig => {
            return check_config::run(&settings, &config, sources.file(), &exposed);
        }
        CliCommand::Doctor(doctor) => return doctor.run(&config, &exposed),
        _ => {}
    }
    crate::logging::start(&config.log, config.log_format);
    exposed.iter().for_each(|sentence| log::warn!("{sentence}"));
    match cli.command {
        CliCommand::Serve => serve::run(&config),
        CliCommand::Replay(replay) => replay.run(&config),
        CliCommand::Try(try_out) => try_out.run(),
        CliCommand::Import(import) => import.run(&config),
        CliCommand::Journal(journal) => journal.run(&config),
        CliCommand::Export(export) => export.run(&config),
        CliCommand::Reconcile(reconcile) => reconcile.run(&config),
        CliCommand::Member(member) => member.run(&config),
        CliCommand::Operator(operator) => operator.run(&config),
        CliCommand::Token(token) => token.run(&config),
        CliCommand::Key(key) => key.run(&config),
        CliCommand::Block(block) => block.run(&config),
        CliCommand::Sharing(sharing) => sharing.run(&config),
        CliCommand::AuthString(authstring) => authstring.run(&config),
        CliCommand::Alarm(alarm) => alarm.run(&config),
        CliCommand::Backup(backup) => backup.run(&config),
        CliCommand::Restore(restore) => restore.run(&config),
        CliCommand::MigrateStore(migrate) => migrate.run(&config, &server.unwrap_or_default()),
        CliCommand::SetWalAside => set_wal_aside::run(&config),
        CliCommand::Health
        | CliCommand::Config(_)
        | CliCommand::CheckConfig
        | CliCommand::Doctor(_) => Ok(()),
    }
}
