//! Whether a member has lapsed: whether the noted expiry is reached. Decided here for every engine
//! and every reader. [`super::Engine::expire_due`] moves rows in bulk by the same rule.

use crate::action::Standing;
use crate::clock::Moment;
use crate::member::{Former, Reason};

/// How a noted expiry compares with a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// There is no expiry, or it is ahead.
    None,
    /// The expiry is reached by a clock that may be wrong. The member counts as expired, and the
    /// row stays until the jump of the clock is confirmed.
    Unconfirmed,
    /// The expiry is reached: the member is a former member since this instant.
    Since(i64),
}

impl Lapse {
    /// Compares a noted expiry with a moment.
    pub fn of(expire_at: Option<i64>, moment: Moment) -> Self {
        match expire_at.filter(|&instant| instant <= moment.now) {
            None => Self::None,
            Some(instant) if instant > moment.moved_until => Self::Unconfirmed,
            Some(instant) => Self::Since(instant),
        }
    }
}

/// The member's standing at this moment, from the standing in the database.
pub fn standing_at(standing: Standing, moment: impl Into<Moment>) -> Standing {
    match standing {
        Standing::Here(row) | Standing::Lapsed(row) => {
            match Lapse::of(row.expire_at, moment.into()) {
                Lapse::None => Standing::Here(row),
                Lapse::Unconfirmed => Standing::Lapsed(row),
                Lapse::Since(instant) => {
                    Standing::Former(Former::new(row, Reason::Expired, instant))
                }
            }
        }
        gone @ (Standing::Former(_) | Standing::Unknown) => gone,
    }
}
