//! What a start opens before anything runs: the data directory, the database and the tokens.

use super::agreement;
use super::error::StartError;
use crate::apply::in_transaction;
use crate::backup::restore;
use crate::chain::chain;
use crate::clock::Clock;
use crate::clock::jump::{self, Watch};
use crate::config::Config;
use crate::data_dir::{Lock, modes};
use crate::database::{self, DatabaseError};
use crate::password::Vault;
use crate::store::{CurrentDatabase, Engine, Read, with_engine};
use crate::token::Token;
use crate::token_file;
use crate::token_file::current::Tokens;

/// What a start has opened.
pub(super) struct Opened {
    /// Of the data directory and of the database.
    pub(super) locks: Vec<Lock>,
    pub(super) vault: Vault,
    /// What the clock is compared with.
    pub(super) jumps: Watch,
    /// Until when members were moved before, if the clock was set back since.
    pub(super) moved_until: Option<i64>,
    pub(super) tokens: Tokens,
    /// The token that this start created, if it created one.
    pub(super) new_token: Option<Token>,
}

impl Opened {
    /// Locks, creates, completes, upgrades and opens what the settings name.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub(super) fn open(
        config: &Config,
        file: &CurrentDatabase,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        database::refuse_network(config).map_err(DatabaseError::from)?;
        config.data_dir.make()?;
        let locks = config.data_dir.lock(config.location.file())?;
        if restore::complete(&config.data_dir, &config.location)? {
            log::warn!("completed a restore that was interrupted");
        }
        config.data_dir.remove_drafts();
        modes::tighten(&config.data_dir, &config.location.files(), &config.secret_files);
        let is_lost = database::is_lost(config);
        let had_keys = config.data_dir.seal_key().exists();
        let vault = database::open_or_make(config)?;
        if is_lost {
            warn_of_lost_database(config, had_keys);
        }
        if !config.location.is_shared() {
            let index = |engine: &mut dyn Engine| engine.index_emails(config.area.by_email);
            with_engine(&config.location, false, |engine| in_transaction(engine, index))?
                .map_err(DatabaseError::Write)?;
        }
        // It may just have been created, or upgraded.
        file.resume();
        // The writer opens its own reader; this one is closed after the check.
        let reader = file.open()?;
        let jumps = watch_for_jumps(config, clock, &*reader);
        let moved_until = moved_until(clock, &*reader);
        let (tokens, new_token) = open_tokens(config)?;
        if new_token.is_some() {
            agreement::warn_of_new_token(config, &*reader);
        }
        drop(reader);
        Ok(Self { locks, vault, jumps, moved_until, tokens, new_token })
    }
}

/// Compares the clock with the last activity in the database, and warns if it is behind that.
fn watch_for_jumps(config: &Config, clock: &Clock, reader: &dyn Read) -> Watch {
    let now = clock.read();
    // A start does not check for damaged pages, and one that is found here is no reason to fail.
    let last = reader.last_seen(now.wall).unwrap_or_else(|fault| {
        log::warn!("could not compare the clock with the newest journal record: {}", chain(&fault));
        None
    });
    if let Some(line) = last.and_then(|last| jump::is_behind(now.wall, last)) {
        log::warn!("{line}");
    }
    Watch::new(now, last, config.clock_jump_minutes)
}

/// Until when members were moved before this start, if the clock was set back since: within a
/// second, the service moves all who have expired by the time of a record, a probe or a move.
fn moved_until(clock: &Clock, reader: &dyn Read) -> Option<i64> {
    // A fault was logged by the comparison of the clock just before.
    let last = reader.last_seen(i64::MAX).ok().flatten();
    last.filter(|&last| last > clock.now())
}

fn warn_of_lost_database(config: &Config, had_keys: bool) {
    let why = if had_keys { "but there are keys" } else { "and the service has run here" };
    log::warn!(
        "there was no database at {}, {why}: an empty database was created; if it was lost, stop \
         the service and restore the backup",
        config.location
    );
}

/// The tokens of the settings, else those of the file, else a new one in a new file.
fn open_tokens(config: &Config) -> Result<(Tokens, Option<Token>), StartError> {
    if !config.postback_tokens.is_empty() {
        return Ok((Tokens::given(config.postback_tokens.clone()), None));
    }
    let path = config.data_dir.token_file();
    token_file::remove_draft(&path);
    if token_file::is_there(&path)? {
        return Ok((Tokens::from_file(&path)?, None));
    }
    let token = Token::random()?;
    token_file::write(&path, std::slice::from_ref(&token))?;
    Ok((Tokens::from_file(&path)?, Some(token)))
}
