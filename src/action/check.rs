//! CHECK: is this username taken?
//!
//! The join form sends a CHECK before it sells a name: "OK means it exists (is taken), NOTOK means
//! it does not exist (is free)". Other receivers confuse the two. It changes nothing, is not
//! journalled, and uses a read-only connection.

use super::decision::{Change, Decision, Known, unseen};
use super::read::Parameters;
use crate::identity::{SiteId, Username};
use crate::reply::{Refusal, Reply};

/// CHECK.
#[derive(Clone, Debug)]
pub struct Check {
    /// Required: names are unique within a site only.
    pub site: SiteId,
    /// Required: the name.
    pub username: Username,
}

impl Check {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        Ok(Self { site: parameters.site()?, username: parameters.username()? })
    }

    pub(super) fn decide(&self, known: &Known<'_>) -> Decision {
        let Self { site, username } = self;
        let reply = match known.holder {
            Some(_) => Reply::ok(format_args!("username \"{username}\" is taken on site {site}")),
            None if username.folded().is_empty() => unseen("username", username),
            None => Reply::not_ok(format_args!("username \"{username}\" is free on site {site}")),
        };
        Decision { change: Change::None, reply }
    }
}
