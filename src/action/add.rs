//! ADD and MANUALADD: a new membership.
//!
//! NATS3 sends memberid, username, password, email, siteid, biller, trial (MANUALADD without
//! email); later NATS4 sends the member's whole record. A past `expires` in that record is
//! bookkeeping and locks nobody out. (An import is a MANUALADD of the operator. It may note an
//! expiry, and leaves one that NATS has noted.) NATS may send ADD for a current member. Then the
//! given values are taken over, because the member has just paid and must get in.

use super::decision::{Change, Decision, Known, Standing, UPDATED_ON};
use super::read::{Details, Parameters};
use crate::identity::{Key, Username};
use crate::member::{Credential, FIRST_LOGIN_VERSION};
use crate::reply::Refusal;

/// ADD or MANUALADD.
#[derive(Clone, Debug)]
pub struct Add {
    /// Required: memberid and siteid.
    pub key: Key,
    /// Required: the login name.
    pub username: Username,
    /// Required: from password or cryptpass.
    pub credential: Credential,
    /// The optional values. Their own credential is always `None`.
    pub details: Details,
}

impl Add {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        let key = parameters.key()?;
        let username = parameters.username()?;
        let mut details = parameters.details(key);
        let credential =
            details.credential.take().ok_or_else(|| parameters.credential_refusal())?;
        details.expire_at = parameters.noted_expiry();
        details.keeps_expiry = parameters.is_import() && details.expire_at.is_none();
        Ok(Self { key, username, credential, details })
    }

    pub(super) fn decide(&self, known: &Known<'_>) -> Decision {
        let name = match known.take_name(self.key, "username", &self.username) {
            Ok(name) => name,
            Err(refused) => return Decision::refused(refused),
        };
        let new_row = |version| self.details.new_row(self.key, name, &self.credential, version);
        let change = match known.standing {
            Standing::Here(row) => {
                let mut new = self.details.over(row, name);
                // Once, if the name is another one too.
                let is_ended = new.login_version > row.login_version;
                let is_other_hash =
                    self.details.is_hashed && row.credential.stored != self.credential.stored;
                new.login_version += i64::from(is_other_hash && !is_ended);
                new.take_credential(self.credential.clone());
                return Decision::update(row, new, UPDATED_ON);
            }
            Standing::Former(former) => Change::Restore(new_row(former.member.login_version)),
            Standing::Lapsed(row) => Change::Restore(new_row(row.login_version + 1)),
            Standing::Unknown => Change::Insert(new_row(FIRST_LOGIN_VERSION)),
        };
        let Key { site, member } = self.key;
        Decision::ok(
            change,
            format_args!("member {member} \"{}\" added to site {site}", self.username),
        )
    }
}
