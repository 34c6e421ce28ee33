//! EXPIRE: the member leaves on a date, which "might be in the past".
//!
//! NATS3 sends memberid, username, siteid, biller, expire (YYYY-MM-DD); NATS4 the whole record plus
//! expire. A future date is noted in the row, and the row moves at that instant. ADD, MANUALADD,
//! ACTIVATE and TRIALTOFULL remove a noted expiry, CHANGE does not.

use super::decision::{Change, Decision, Known, Standing};
use super::read::Parameters;
use crate::clock::{Moment, format_utc};
use crate::identity::{Key, Username};
use crate::member::{Former, Member, Reason};
use crate::reply::Refusal;

/// EXPIRE.
#[derive(Clone, Debug)]
pub struct Expire {
    /// Required: memberid and siteid.
    pub key: Key,
    /// The name that NATS has for the member. It identifies a provisional member only.
    pub username: Option<Username>,
    /// Required: the instant, computed when the postback arrived, unix seconds. `None` from an
    /// operator who lets the membership go on without an end.
    pub instant: Option<i64>,
}

impl Expire {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        let key = parameters.key()?;
        Ok(Self { key, username: parameters.name_of_member(), instant: parameters.expiry()? })
    }

    pub(super) fn decide(&self, known: &Known<'_>, moment: Moment) -> Decision {
        let Key { site, member } = self.key;
        let Some(instant) = self.instant else { return self.lift(known) };
        let reached = instant <= moment.now;
        let when = format_utc(instant);
        match known.standing {
            Standing::Here(row) | Standing::Lapsed(row) if reached => {
                let change = if instant <= moment.sure() {
                    Change::Leave(Former::new(row.clone(), Reason::Expired, instant))
                } else {
                    // The clock may be wrong: the row moves when its time is confirmed.
                    self.note(row)
                };
                Decision::ok(
                    change,
                    format_args!(
                        "member {member} \"{}\" of site {site} expired at {when}",
                        row.username
                    ),
                )
            }
            Standing::Here(row) => Decision::ok(
                self.note(row),
                format_args!(
                    "member {member} \"{}\" of site {site} will expire at {when}",
                    row.username
                ),
            ),
            Standing::Former(_) | Standing::Unknown if reached => Decision::ok(
                Change::None,
                format_args!(
                    "member {member} is not a member of site {site} now, nothing to expire"
                ),
            ),
            Standing::Lapsed(_) | Standing::Former(_) | Standing::Unknown => {
                Decision::refuse(format_args!(
                    "member {member} is not a member of site {site} now, an expiry at {when} \
                     cannot be noted"
                ))
            }
        }
    }

    /// Removes a noted expiry.
    fn lift(&self, known: &Known<'_>) -> Decision {
        let Key { site, member } = self.key;
        match known.standing {
            Standing::Here(row) => Decision::ok(
                self.note(row),
                format_args!(
                    "member {member} \"{}\" of site {site} has no expiry now",
                    row.username
                ),
            ),
            Standing::Lapsed(_) | Standing::Former(_) | Standing::Unknown => {
                Decision::refuse(format_args!(
                    "member {member} is not a member of site {site} now, nothing was changed"
                ))
            }
        }
    }

    fn note(&self, row: &Member) -> Change {
        let mut noted = row.clone();
        noted.expire_at = self.instant;
        if noted == *row { Change::None } else { Change::Update(noted) }
    }
}
