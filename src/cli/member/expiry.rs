//! `member expiry`: lets a membership end at another time, or never.

use std::io::{Write as _, stdout};

use super::operator::{change, print, rules_without_key};
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::database;
use crate::identity::Key;
use crate::member_change::{MemberChange, NEW_EXPIRY_EXPECTED, NewExpiry};
use crate::replay::DryRun;

pub(super) fn run(config: &Config, key: Key, when: &str, is_dry: bool) -> Result<(), Failure> {
    let expiry = NewExpiry::parse(when, &config.expiry.zone).ok_or_else(|| {
        Failure::usage(format!(
            "member expiry: WHEN: {NEW_EXPIRY_EXPECTED}, found \"{}\"",
            when.escape_debug()
        ))
    })?;
    database::check(config)?;
    let expiry = MemberChange::Expiry(expiry);
    let rules = rules_without_key(config);
    if !is_dry {
        return change(config, &expiry, key, &rules);
    }
    let reader = database::open(config)?;
    let postback = expiry.postback(key, &rules, None);
    let reply = DryRun::new(Some(&*reader), &rules).next(&postback, Clock::System.now())?;
    print(&reply.record.reply)?;
    Ok(writeln!(stdout(), "nothing was changed (--dry-run)")?)
}
