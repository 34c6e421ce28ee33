//! DELETE: the member leaves now.
//!
//! NATS3 sends memberid, username, siteid, biller; NATS4 the whole record, password and all, of
//! which nothing is taken. It is the normal end of a membership, and members do come back: the row
//! is kept in `former_member`. A username that belongs to somebody else meanwhile removes nobody:
//! memberid decides.

use super::decision::{Change, Decision, Known, Standing};
use super::read::Parameters;
use crate::identity::Key;
use crate::member::{Former, Reason};
use crate::reply::Refusal;

/// DELETE.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Needed: memberid and siteid.
    pub key: Key,
}

impl Delete {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        Ok(Self { key: parameters.key()? })
    }

    pub(super) fn decide(&self, known: &Known<'_>, now: i64) -> Decision {
        let Key { site, member } = self.key;
        match known.standing {
            // Also of somebody whose time is over by a clock that may be wrong: the row shall not
            // be there when it is right again.
            Standing::Here(row) | Standing::Lapsed(row) => {
                let change = Change::Leave(Former::new(row.clone(), Reason::Deleted, now));
                Decision::ok(
                    change,
                    format_args!("member {member} \"{}\" removed from site {site}", row.username),
                )
            }
            Standing::Former(_) | Standing::Unknown => Decision::ok(
                Change::None,
                format_args!(
                    "member {member} is not a member of site {site} now, nothing to remove"
                ),
            ),
        }
    }
}
