//! Whether a member has lapsed: whether the noted expiry is reached. Decided here for every engine
//! and every reader. [`super::Engine::expire_due`] moves rows in bulk by the same rule.

use crate::action::Standing;
use crate::clock::Moment;
use crate::member::{Former, Reason};

/// How an expiry stands to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// There is none, or it is ahead.
    None,
    /// It is reached by a clock that may be wrong: the member counts as gone, and the row stays
    /// until the jump of the clock is confirmed.
    Unconfirmed,
    /// It is reached: the member is a former member since this instant.
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

/// What a standing in the database is at this moment.
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
