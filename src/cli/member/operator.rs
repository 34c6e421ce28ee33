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
use crate::password::Vault;
use crate::replay::operator_postback;
use crate::reply::{Reply, Word};

/// Applies a postback of the operator in a transaction of its own, beside a running service.
pub(super) fn change(
    config: &Config,
    action: &str,
    key: Key,
    username: Option<&str>,
) -> Result<(), Failure> {
    // There is no password in it: nothing is sealed, so any key will do.
    let rules = Rules {
        vault: Vault::from_key([0; 32]),
        keep_cryptpass: config.keep_cryptpass,
        expiry: config.expiry.clone(),
        stale_guard: false,
    };
    let postback = operator_postback(action, key.site, key.member, username, None, &rules);
    let last = database::open(config)?.last_seen(Clock::System.now())?;
    let moment = || moment_of_command(Clock::System.now(), last);
    let replies = database::with_writer(config, |engine| {
        transact(engine, &rules.vault, &[&postback], moment)
    })??;
    for reply in replies {
        print(&reply?)?;
    }
    Ok(())
}

/// Prints an OK reply. Any other reply is a failure.
pub(super) fn print(reply: &Reply) -> Result<(), Failure> {
    if reply.word() != Word::Ok {
        return Err(Failure::Failed(reply.as_str().to_owned()));
    }
    Ok(writeln!(stdout(), "{}", reply.as_str())?)
}
