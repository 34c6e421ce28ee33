//! `member logout`: ends the cookie logins of one member, or of all members.
//!
//! No cache of a running service has to be cleared: the cookie and the row are compared at every
//! request, and the cache of verified passwords is not used for cookies.

use std::io::{Write as _, stdout};

use super::operator::{change, print, rules_without_key};
use crate::action::Standing;
use crate::apply::in_transaction;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::database;
use crate::identity::Key;
use crate::member_change::MemberChange;
use crate::replay::end_all_logins;
use crate::store::Engine;

/// Ends one member's logins: raises the row's `login_version`, which is in each cookie.
pub(super) fn one(config: &Config, key: Key) -> Result<(), Failure> {
    let Key { site, member } = key;
    match database::open(config)?.standing(key, Clock::System.now())? {
        Standing::Here(_) | Standing::Lapsed(_) => {}
        Standing::Former(_) => {
            writeln!(
                stdout(),
                "member {member} of site {site} is not a member now and has no logins to end"
            )?;
            return Ok(());
        }
        Standing::Unknown => {
            return Err(Failure::Failed(format!(
                "member {member} of site {site} was never a member"
            )));
        }
    }
    change(config, &MemberChange::EndLogins, key, &rules_without_key(config))?;
    let line = "all browsers that were logged in as this member must log in again";
    Ok(writeln!(stdout(), "{line}; {PASSWORDS_STAY}")?)
}

const PASSWORDS_STAY: &str =
    "passwords stay valid, also where browsers send them by themselves (HTTP Basic)";

/// Ends all logins.
pub(super) fn all(config: &Config) -> Result<(), Failure> {
    database::check(config)?;
    let end = |engine: &mut dyn Engine| end_all_logins(engine, Clock::System.now());
    print(&database::with_writer(config, |engine| in_transaction(engine, end))??)?;
    let line = "within a second all browsers must log in again";
    Ok(writeln!(stdout(), "{line}; {PASSWORDS_STAY}")?)
}
