//! What an operator changes of one member, in the form of postbacks of the source `operator`. The
//! console and the commands of `member` make the same ones.
//!
//! Each is decided with the rows of the moment at which it is written, and none brings back a
//! member who has left meanwhile.

mod expiry;
pub mod lift;

pub use expiry::{NEW_EXPIRY_EXPECTED, NewExpiry};

use crate::action::{Action, Expire, Rules, Stamp};
use crate::apply::Postback;
use crate::identity::{Key, Username};
use crate::operator::OperatorName;
use crate::password::Password;
use crate::replay::{operator_logout, operator_postback_with, operator_received};

/// A change of one member.
#[derive(Debug)]
pub enum MemberChange {
    /// Remove, as a DELETE does.
    Remove,
    /// Restore a former member under this name with the kept credential, as an ACTIVATE does. A
    /// member who is here is not changed.
    Restore(Username),
    /// End the logins by cookie.
    EndLogins,
    /// Let the membership end at another time, or never.
    Expiry(NewExpiry),
    /// Set a password, as a CHANGE does. It also ends the logins.
    Password(Password),
}

impl MemberChange {
    /// The postback that makes the change. `by` is who makes it in the console.
    pub fn postback(&self, key: Key, rules: &Rules, by: Option<&OperatorName>) -> Postback {
        let mut postback = self.read(key, rules);
        postback.received.operator = by.cloned();
        postback
    }

    fn read(&self, key: Key, rules: &Rules) -> Postback {
        let (site, member) = (key.site.to_string(), key.member.to_string());
        let with = |action, more: &[(&'static str, &str)]| {
            let ids =
                [("action", action), ("siteid", site.as_str()), ("memberid", member.as_str())];
            operator_postback_with(&[&ids[..], more].concat(), rules)
        };
        match self {
            Self::Remove => with("DELETE", &[]),
            Self::Restore(username) => {
                let mut postback = with("ACTIVATE", &[("username", username.as_str())]);
                if let Ok(Action::Activate(activate)) = &mut postback.action {
                    activate.restores_only = true;
                }
                postback
            }
            Self::EndLogins => operator_logout(key),
            Self::Expiry(expiry) => {
                // The operator names an instant: there is no grace.
                let received = operator_received(&[
                    ("action", "EXPIRE"),
                    ("siteid", &site),
                    ("memberid", &member),
                    ("expire", &expiry.to_string()),
                ]);
                let action =
                    Action::Expire(Expire { key, username: None, instant: expiry.instant() });
                Postback { action: Ok(action), received, stamp: Stamp::default(), is_quiet: false }
            }
            Self::Password(password) => with("CHANGE", &[("new_password", password.expose())]),
        }
    }
}
