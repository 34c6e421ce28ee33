//! `member restore`: puts one former member back.

use super::operator::{change, rules_without_key};
use crate::action::Standing;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::database;
use crate::identity::{Key, USERNAME_EXPECTED, Username};
use crate::member_change::MemberChange;

pub(super) fn run(config: &Config, key: Key, username: Option<&str>) -> Result<(), Failure> {
    let former = match database::open(config)?.standing(key, Clock::System.now())? {
        Standing::Former(former) => former,
        Standing::Here(_) | Standing::Lapsed(_) => {
            return Err(Failure::Failed(format!(
                "member {} of site {} is a member now, nothing to restore",
                key.member, key.site
            )));
        }
        Standing::Unknown => {
            return Err(Failure::Failed(format!(
                "member {} of site {} was never a member",
                key.member, key.site
            )));
        }
    };
    let username = match username {
        None => former.member.username,
        Some(text) => Username::typed(text).ok_or_else(|| {
            Failure::usage(format!(
                "--username: {USERNAME_EXPECTED}, found \"{}\"",
                text.escape_debug()
            ))
        })?,
    };
    change(config, &MemberChange::Restore(username), key, &rules_without_key(config))
}
