//! `member restore`: puts one former member back.

use super::operator::change;
use crate::action::Standing;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::database;
use crate::identity::Key;

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
    change(config, "ACTIVATE", key, Some(username.unwrap_or(former.member.username.as_str())))
}
