//! ACTIVATE: a member comes back.
//!
//! NATS3 sends it after a DELETE (username, password, siteid, trial, biller, email, memberid);
//! NATS4 also when a member has rebilled or was activated manually. It may come without a
//! credential: then the one of the former row is valid again.

use super::decision::{Change, Decision, Known, Standing, Taken};
use super::read::{Details, Parameters};
use crate::identity::{Key, Username};
use crate::member::FIRST_LOGIN_VERSION;
use crate::reply::Refusal;

/// ACTIVATE.
#[derive(Clone, Debug)]
pub struct Activate {
    /// Required: memberid and siteid.
    pub key: Key,
    /// Required: the login name.
    pub username: Username,
    /// The optional values, with the credential.
    pub details: Details,
    /// From an operator who restores a former member: a member who is here is not changed.
    pub restores_only: bool,
}

impl Activate {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        let key = parameters.key()?;
        let (username, details) = (parameters.username()?, parameters.details(key));
        Ok(Self { key, username, details, restores_only: false })
    }

    pub(super) fn decide(&self, known: &Known<'_>) -> Decision {
        if let (true, Standing::Here(_)) = (self.restores_only, known.standing) {
            let Key { site, member } = self.key;
            return Decision::refuse(format_args!(
                "member {member} is a member of site {site} now, nothing was restored"
            ));
        }
        let name = match known.take_name(self.key, "username", &self.username) {
            Ok(name) => name,
            Err(refused) => return Decision::refused(refused),
        };
        if let Standing::Here(row) = known.standing {
            return Decision::update(row, self.details.over(row, name), "activated on");
        }
        match restore(known.standing, self.key, name, &self.details) {
            Some(change) => {
                let Key { site, member } = self.key;
                Decision::ok(
                    change,
                    format_args!("member {member} \"{}\" activated on site {site}", self.username),
                )
            }
            None => refuse_without_credential(self.key),
        }
    }
}

/// Restores a person who is not a member now: with the given credential, or else with the one kept
/// in `former_member`. `None` if neither is known.
pub(super) fn restore(
    standing: &Standing,
    key: Key,
    name: Taken<'_>,
    details: &Details,
) -> Option<Change> {
    match standing {
        Standing::Former(former) => {
            Some(Change::Restore(details.over_former(&former.member, name)))
        }
        Standing::Lapsed(row) => {
            let mut row = row.clone();
            row.login_version += 1;
            Some(Change::Restore(details.over_former(&row, name)))
        }
        Standing::Here(_) | Standing::Unknown => {
            let credential = details.credential.as_ref()?;
            Some(Change::Insert(details.new_row(key, name, credential, FIRST_LOGIN_VERSION)))
        }
    }
}

/// The ERROR for a member without a known credential.
pub(super) fn refuse_without_credential(Key { site, member }: Key) -> Decision {
    Decision::refuse(format_args!(
        "member {member} was never a member of site {site}, and neither password nor cryptpass was \
         given to add the member with"
    ))
}
