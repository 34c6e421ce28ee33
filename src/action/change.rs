//! CHANGE: a new name, password, e-mail address or trial flag.
//!
//! NATS3 sends memberid, username, siteid, biller, new_username, new_password; later versions pass
//! a new value only where there is one, add new_cryptpass, and from 4.1.18.1 on send CHANGE also
//! when details changed that are not used here. memberid decides: the old `username` only
//! identifies a provisional member, who gets this memberid.

use super::decision::{Decision, Known, Standing};
use super::read::{Credentials, Parameters};
use crate::identity::{Key, Username};
use crate::member::Credential;
use crate::reply::Refusal;

/// CHANGE.
#[derive(Clone, Debug)]
pub struct ChangeMember {
    /// Required: memberid and siteid.
    pub key: Key,
    /// The old name. It identifies a provisional member only.
    pub username: Option<Username>,
    /// new_username.
    pub new_username: Option<Username>,
    /// From new_password, or else new_cryptpass.
    pub credential: Option<Credential>,
    /// new_email, or else email.
    pub email: Option<String>,
    /// new_trial.
    pub trial: Option<bool>,
    /// From a journal record: whether it ended the member's logins. `Some(true)` from the operator,
    /// who ends the logins and changes nothing else.
    pub logins_ended: Option<bool>,
    /// An unreadable new_cryptpass beside a readable new_password: the reply names it.
    pub not_taken: Vec<Refusal>,
}

impl ChangeMember {
    /// The operator's command to end a member's logins. Its journal record is a CHANGE without new
    /// values that ended the logins. Every release can replay that.
    pub fn ending_logins(key: Key) -> Self {
        let logins_ended = Some(true);
        Self {
            key,
            username: None,
            new_username: None,
            credential: None,
            email: None,
            trial: None,
            logins_ended,
            not_taken: Vec::new(),
        }
    }

    pub(super) fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        let key = parameters.key()?;
        let (new_username, trial) = (parameters.new_username()?, parameters.new_trial()?);
        let Credentials { taken, not_taken } = parameters.new_credentials(key)?;
        Ok(Self {
            key,
            username: parameters.name_of_member(),
            new_username,
            trial,
            credential: taken,
            not_taken,
            email: parameters.email(&["new_email", "email"]),
            logins_ended: parameters.recorded_end_of_logins(),
        })
    }

    pub(super) fn decide(&self, known: &Known<'_>) -> Decision {
        let Key { site, member } = self.key;
        if let Some(Err(refused)) =
            self.new_username.as_ref().map(|username| known.seen("new_username", username))
        {
            return Decision::refused(refused);
        }
        let Standing::Here(row) = known.standing else {
            return Decision::refuse(format_args!(
                "member {member} is not a member of site {site} now, nothing was changed"
            ));
        };
        let mut new = row.clone();
        if let Some(username) = &self.new_username {
            match known.take_name(self.key, "new_username", username) {
                Ok(name) => name.put_into(&mut new),
                Err(refused) => return Decision::refused(refused),
            }
        }
        new.trial = self.trial.unwrap_or(new.trial);
        new.email = self.email.clone().or(new.email);
        if let Some(credential) = &self.credential {
            new.take_credential(credential.clone());
        }
        // At once, before it is known whether the sealed password differs from the hash before it:
        // a member may change their password because another person knows it.
        let differs =
            new.username != row.username || new.credential.stored != row.credential.stored;
        let done = if self.logins_ended == Some(true) && new == *row {
            "logged out of"
        } else {
            "changed on"
        };
        new.login_version += i64::from(self.logins_ended.unwrap_or(differs));
        Decision::update(row, new, done)
    }
}
