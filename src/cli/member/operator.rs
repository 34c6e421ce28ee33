//! Changes of members as postbacks of the operator.

use std::io::{Write as _, stdout};

use crate::action::Rules;
use crate::apply::transact;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::clock::jump::moment_of_command;
use crate::config::Config;
use crate::database;
use crate::identity::Key;
use crate::member_change::MemberChange;
use crate::password::Vault;
use crate::reply::{Reply, Word};

/// Makes a change in a transaction of its own, beside a running service.
pub(super) fn change(
    config: &Config,
    change: &MemberChange,
    key: Key,
    rules: &Rules,
) -> Result<(), Failure> {
    let postback = change.postback(key, rules, None);
    let last = database::open(config)?.last_seen(i64::MAX)?;
    let moment = || moment_of_command(Clock::System.now(), last);
    let replies = database::with_writer(config, |engine| {
        transact(engine, &rules.vault, &[&postback], moment)
    })??;
    for reply in replies {
        print(&reply?)?;
    }
    Ok(())
}

/// What an operator's change depends on.
pub(super) fn rules(config: &Config, vault: Vault) -> Rules {
    Rules {
        vault,
        keep_cryptpass: config.keep_cryptpass,
        expiry: config.expiry.clone(),
        stale_guard: false,
    }
}

/// The rules of a change without a password: nothing is sealed, so any key will do.
pub(super) fn rules_without_key(config: &Config) -> Rules {
    rules(config, Vault::from_key([0; 32]))
}

/// Prints an OK reply. Any other reply is a failure.
pub(super) fn print(reply: &Reply) -> Result<(), Failure> {
    if reply.word() != Word::Ok {
        return Err(Failure::Failed(reply.as_str().to_owned()));
    }
    Ok(writeln!(stdout(), "{}", reply.as_str())?)
}
