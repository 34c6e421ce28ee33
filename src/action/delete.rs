//! DELETE: the member leaves now.
//!
//! NATS3 sends memberid, username, siteid, biller; NATS4 the whole record, with the password, of
//! which nothing is used. It is the normal end of a membership, and members do come back, so the
//! row is kept in `former_member`. The memberid decides: a username that now belongs to another
//! member removes nobody else, except a provisional member, who gets this memberid. Of the member
//! of `try` no row is kept.

use super::decision::{Change, Decision, Known, Standing};
use super::read::Parameters;
use crate::identity::{Key, Username};
use crate::member::{Former, Reason};
use crate::reply::Refusal;

/// DELETE.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Required: memberid and siteid.
    pub key: Key,
    /// The name that NATS has for the member. It identifies a provisional member only.
    pub username: Option<Username>,
}

impl Delete {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: parameters.key()?, username: parameters.name_of_member() })
    }

    pub(super) fn decide(&self, known: &Known<'_>, now: i64) -> Decision {
        let Key { site, member } = self.key;
        match known.standing {
            // Also where a clock that may be wrong says that they have expired: the row must not
            // exist when the clock is right again.
            Standing::Here(row) | Standing::Lapsed(row) => {
                let change = match member.is_test() {
                    true => Change::Erase(self.key),
                    false => Change::Leave(Former::new(row.clone(), Reason::Deleted, now)),
                };
                Decision::ok(
                    change,
                    format_args!("member {member} \"{}\" removed from site {site}", row.username),
                )
            }
            Standing::Former(_) if member.is_test() => Decision::ok(
                Change::Erase(self.key),
                format_args!("the test member {member} of site {site} is not kept"),
            ),
            Standing::Former(_) | Standing::Unknown => Decision::ok(
                Change::None,
                format_args!(
                    "member {member} is not a member of site {site} now, nothing to remove"
                ),
            ),
        }
    }
}
