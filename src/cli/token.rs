//! `token show`, `token add`, `token retire`: the secret in the URL, and its rotation. A running service reads the file again within
//! a second.

use std::io::{IsTerminal as _, Write as _, stdout};

use clap::Subcommand;

use super::Failure;
use crate::config::Config;
use crate::http::tokens::{self, Token as Secret, TokenError};

/// How much of a token tells it from others without giving it away.
const SHOWN_CHARS: usize = 4;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Show the tokens; on a terminal as whole URLs
    Show,
    /// Make a further token, for a rotation: paste the new URL into NATS, then retire the old token
    Add,
    /// Take a token out of use
    Retire {
        /// Its number in `token show`
        number: usize,
    },
}

impl Token {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        if !config.postback_tokens.is_empty() {
            let place = "the tokens come from the settings (--postback-token); change them there and restart the service";
            return Err(Failure::Failed(place.into()));
        }
        match self {
            Token::Show => show(config, &read(config)?),
            Token::Add => add(config),
            Token::Retire { number } => retire(config, *number),
        }
    }
}

fn read(config: &Config) -> Result<Vec<Secret>, Failure> {
    let path = config.data_dir.token_file();
    if !path.exists() {
        return Err(Failure::Failed(format!("there is no token yet at {}: `nats-userman serve` makes it", path.display())));
    }
    tokens::read_file(&path).map_err(|error| Failure::of(&error))
}

fn show(config: &Config, tokens: &[Secret]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let front = config.postback_url_front(config.listen);
    for (index, token) in tokens.iter().enumerate() {
        let number = index + 1;
        if out.is_terminal() {
            writeln!(out, "{number}  {front}{}", token.expose())?;
        } else {
            writeln!(out, "{number}  {front}{}...", &token.expose()[..SHOWN_CHARS])?;
        }
    }
    if !out.is_terminal() {
        writeln!(out, "the whole tokens are in {}", config.data_dir.token_file().display())?;
    }
    Ok(())
}

fn add(config: &Config) -> Result<(), Failure> {
    let mut tokens = read(config)?;
    tokens.push(Secret::random().map_err(|error| Failure::of(&error))?);
    write(config, &tokens)?;
    show(config, &tokens)?;
    writeln!(stdout(), "paste the last URL into NATS, then take the old one out of use with `nats-userman token retire 1`")?;
    Ok(())
}

fn retire(config: &Config, number: usize) -> Result<(), Failure> {
    let mut tokens = read(config)?;
    if !(1..=tokens.len()).contains(&number) {
        return Err(Failure::usage(format!("token retire: expected a number from 1 to {}, found {number}", tokens.len())));
    }
    if tokens.len() == 1 {
        return Err(Failure::Failed("this is the only token: make another with `nats-userman token add` first".into()));
    }
    tokens.remove(number - 1);
    write(config, &tokens)?;
    writeln!(stdout(), "token {number} is out of use; {} left", tokens.len())?;
    Ok(())
}

fn write(config: &Config, tokens: &[Secret]) -> Result<(), Failure> {
    let path = config.data_dir.token_file();
    tokens::write_file(&path, tokens).map_err(|error: TokenError| Failure::of(&error))
}
