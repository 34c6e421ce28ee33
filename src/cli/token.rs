//! `token show`, `token add`, `token retire`: the secret in the URL, and its rotation. A running
//! service accepts a new token at its first use, and refuses a retired one within a second.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _, stdout};
use std::path::PathBuf;

use clap::Subcommand;

use super::failure::Failure;
use crate::config::Config;
use crate::data_dir::served::Served;
use crate::token::Token;
use crate::token_file::{self, TokenError};

/// Characters that are shown of a token: enough to tell it from others, too few to use it.
const SHOWN_CHARS: usize = 4;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Show the tokens; on a terminal as whole URLs
    Show,
    /// Create another token, for rotation: paste the new URL into NATS, then retire the old token
    Add,
    /// Retire a token: it is no longer accepted
    Retire {
        /// Its number in `token show`
        number: usize,
    },
}

impl TokenCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        if !config.postback_tokens.is_empty() {
            let place = "the tokens come from the settings (--postback-token or \
                --postback-token-file): change them there; a changed file takes effect at a \
                reload, anything else at a restart";
            return Err(Failure::Failed(place.into()));
        }
        match self {
            TokenCommand::Show => show(config, &read(config)?),
            TokenCommand::Add => {
                let _lock = lock(config)?;
                add(config)
            }
            TokenCommand::Retire { number } => {
                let _lock = lock(config)?;
                retire(config, *number)
            }
        }
    }
}

fn read(config: &Config) -> Result<Vec<Token>, Failure> {
    read_file(config)?.map_err(|error| Failure::of(&error))
}

/// The outer error: there is no file. The inner one: the file cannot be read.
fn read_file(config: &Config) -> Result<Result<Vec<Token>, TokenError>, Failure> {
    Ok(token_file::read(&existing_file(config)?))
}

/// Locks the token file while it is changed.
fn lock(config: &Config) -> Result<File, Failure> {
    if config.data_dir.is_being_restored(config.location.file()) {
        return Err(Failure::Failed("a restore is running: wait until it is done".into()));
    }
    token_file::lock(&existing_file(config)?).map_err(|error| Failure::of(&error))
}

fn existing_file(config: &Config) -> Result<PathBuf, Failure> {
    let path = config.data_dir.token_file();
    match token_file::is_there(&path).map_err(|error| Failure::of(&error))? {
        true => Ok(path),
        false => {
            let place = path.display();
            Err(Failure::Failed(match Served::load(&config.data_dir) {
                Some(Served { tokens_of_settings: false, .. }) => format!(
                    "there is no token at {place}, and the service has run here: put the file back \
                     from a backup; a restart creates a new token, whose URL NATS needs then"
                ),
                Some(Served { tokens_of_settings: true, .. }) => format!(
                    "there is no token at {place}: the service has its token from \
                     --postback-token-file or --postback-token"
                ),
                None => {
                    format!("there is no token yet at {place}: `nats-userman serve` creates it")
                }
            }))
        }
    }
}

/// The URL up to the token, and whether it is public: from the settings, else from the service as
/// it runs or last ran, else from the listen address.
fn front(config: &Config) -> (String, bool) {
    match (&config.public_url, Served::load(&config.data_dir)) {
        (None, Some(served)) => (served.url_front, served.is_public),
        _ => (config.postback_url_base(config.listen), config.public_url.is_some()),
    }
}

fn show(config: &Config, tokens: &[Token]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let (front, is_public) = front(config);
    for (index, token) in tokens.iter().enumerate() {
        let number = index + 1;
        if out.is_terminal() {
            writeln!(out, "{number}  {front}{}", token.expose())?;
        } else {
            writeln!(out, "{number}  {front}{}...", &token.expose()[..SHOWN_CHARS])?;
        }
    }
    if !out.is_terminal() {
        writeln!(out, "the full tokens are in {}", config.data_dir.token_file().display())?;
    }
    if !is_public {
        let then = "if NATS cannot reach it, set --public-url (USERMAN_PUBLIC_URL)";
        writeln!(out, "{front} is the address where the service listens: {then}")?;
    }
    Ok(())
}

fn add(config: &Config) -> Result<(), Failure> {
    let is_running = config.data_dir.is_in_use();
    if is_running && Served::load(&config.data_dir).is_some_and(|served| served.tokens_of_settings)
    {
        let then = "change them there; tokens in the data directory are not used";
        return Err(Failure::Failed(format!(
            "the running service takes its tokens from its settings: {then}"
        )));
    }
    let mut tokens = match read_file(config)? {
        // That error names this command as the remedy.
        Err(TokenError::Empty(_)) => Vec::new(),
        tokens => tokens.map_err(|error| Failure::of(&error))?,
    };
    tokens.push(Token::random().map_err(|error| Failure::of(&error))?);
    write(config, &tokens)?;
    show(config, &tokens)?;
    let when = match is_running {
        true => "the running service accepts the last URL now: paste it into NATS",
        false => "the service does not run: start it, and then paste the last URL into NATS",
    };
    writeln!(stdout(), "{when}; then retire the old one with `nats-userman token retire 1`")?;
    Ok(())
}

fn retire(config: &Config, number: usize) -> Result<(), Failure> {
    let mut tokens = read(config)?;
    if !(1..=tokens.len()).contains(&number) {
        return Err(Failure::usage(format!(
            "token retire: expected a number from 1 to {}, found {number}",
            tokens.len()
        )));
    }
    if tokens.len() == 1 {
        return Err(Failure::Failed(
            "this is the only token: create another with `nats-userman token add` first".into(),
        ));
    }
    tokens.remove(number - 1);
    write(config, &tokens)?;
    let when = if config.data_dir.is_in_use() { " within a second" } else { "" };
    writeln!(stdout(), "token {number} is retired{when}; {} left", tokens.len())?;
    Ok(())
}

fn write(config: &Config, tokens: &[Token]) -> Result<(), Failure> {
    let path = config.data_dir.token_file();
    token_file::write(&path, tokens).map_err(|error: TokenError| Failure::of(&error))
}
