//! TRIALTOFULL: a trial became a full membership.
//!
//! NATS3 sends memberid, username, siteid, biller; NATS4 the whole record. "Might be run more than
//! once for a conversion", so it is OK also where trial is 0 already. A person who is not a member
//! now has paid too, and is restored as by ACTIVATE.

use super::activate::{refuse_without_credential, restore};
use super::decision::{Decision, Known, Standing};
use super::read::{Details, Parameters};
use crate::identity::{Key, Username};
use crate::reply::Refusal;

/// TRIALTOFULL.
#[derive(Clone, Debug)]
pub struct TrialToFull {
    /// Required: memberid and siteid.
    pub key: Key,
    /// Required only where the member has to be restored. Otherwise a refusal has no effect.
    pub username: Result<Username, Refusal>,
    /// Used only where the member has to be restored. trial is always 0.
    pub details: Details,
}

impl TrialToFull {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        let key = parameters.key()?;
        let details = Details { trial: Some(false), ..parameters.details(key) };
        Ok(Self { key, username: parameters.optional_username(), details })
    }

    pub(super) fn decide(&self, known: &Known<'_>) -> Decision {
        let Key { site, member } = self.key;
        if let Standing::Here(row) = known.standing {
            let mut full = row.clone();
            full.trial = false;
            full.expire_at = None;
            return Decision::update(row, full, "became a full member of");
        }
        let username = match &self.username {
            Ok(username) => username,
            Err(refusal) => return Decision::refused(refusal.reply()),
        };
        let name = match known.take_name(self.key, "username", username) {
            Ok(name) => name,
            Err(refused) => return Decision::refused(refused),
        };
        match restore(known.standing, self.key, name, &self.details) {
            Some(change) => Decision::ok(
                change,
                format_args!(
                    "member {member} \"{username}\" is back as a full member of site {site}"
                ),
            ),
            None => refuse_without_credential(self.key),
        }
    }
}
