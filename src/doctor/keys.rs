//! The keys and tokens of the data directory, and whether they belong to the database.

use crate::chain::chain;
use crate::config::Config;
use crate::database::{DatabaseError, other_keys};
use crate::login::cookie::Signer;
use crate::password::Vault;
use crate::seals::foreign_seals;
use crate::store::Read;
use crate::token_file;

/// What is wrong with them. `reader` reads the database, if there is one of this release.
pub fn problems(config: &Config, reader: Option<&dyn Read>) -> Vec<String> {
    let mut problems = Vec::new();
    let file = config.data_dir.token_file();
    if config.postback_tokens.is_empty() && file.exists() {
        problems.extend(token_file::read(&file).err().map(|error| chain(&error)));
    }
    let cookie_key = config.data_dir.cookie_key();
    if cookie_key.exists() {
        problems.extend(Signer::load(&cookie_key).err().map(|error| chain(&error)));
    }
    let key = config.data_dir.seal_key();
    let vault = if key.exists() { Vault::load(&key).map(Some) } else { Ok(None) };
    problems.extend(vault.as_ref().err().map(|error| chain(error)));
    if let Some(reader) = reader {
        match other_keys(config, reader) {
            Ok(others) => problems.extend(others.iter().map(ToString::to_string)),
            Err(fault) => problems.push(chain(&fault)),
        }
    }
    problems.extend(reader.and_then(|reader| seals(config, reader, vault.as_ref().ok())));
    problems
}

/// What is wrong with sealed passwords. `None` also if the key cannot be read, which was reported
/// before.
fn seals(config: &Config, reader: &dyn Read, vault: Option<&Option<Vault>>) -> Option<String> {
    let key = config.data_dir.seal_key();
    let found = reader.backlog().and_then(|backlog| match vault {
        None => Ok(None),
        Some(_) if backlog == 0 => Ok(None),
        Some(None) => Ok(Some(DatabaseError::KeyMissing(backlog, key))),
        Some(Some(vault)) => {
            Ok((foreign_seals(vault, reader)? > 0).then(|| DatabaseError::KeyForeign(backlog, key)))
        }
    });
    found.map_or_else(
        |fault| Some(chain(&fault)),
        |problem| problem.map(|problem| problem.to_string()),
    )
}
