//! Which receiver does the work that one receiver does for all. A lease is a written row: on a
//! cluster a lock on one node protects nothing on another.
//!
//! The holder renews the lease every second. Another receiver takes it over when it has seen no
//! renewal for some time by its own steady clock, because the clocks of two nodes may differ. If
//! two receivers do the work at once nevertheless, it is done once: both write the same rows.

use std::time::{Duration, Instant};

use mysql::Value;

use super::connection::Connection;
use super::rows::get;
use crate::store::Fault;

/// How long another receiver waits without a renewal before it takes the lease over.
const UNRENEWED_MAX: Duration = Duration::from_secs(10);
/// Seconds after a renewal until the lease counts as ended for who sees it for the first time, by
/// the clock of the server.
const LEASE_SECONDS: i64 = 10;
/// Seconds that are added, because the clock of another node wrote the time.
const CLOCKS_APART_SECONDS: i64 = 10;

/// The state of the lease in one receiver.
pub(super) struct Lease {
    receiver: [u8; 16],
    /// The last renewal that it read, and when.
    seen: Option<(Renewal, Instant)>,
}

/// The state of the lease that each renewal changes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Renewal {
    holder: Vec<u8>,
    number: i64,
}

/// The row of the lease.
struct Found {
    renewal: Renewal,
    is_given_back: bool,
    /// It ended long ago, by the clock of the server.
    is_old: bool,
}

impl Lease {
    pub(super) fn new(receiver: [u8; 16]) -> Self {
        Self { receiver, seen: None }
    }

    /// Takes or renews the lease. Returns whether this receiver has it now.
    pub(super) fn take(&mut self, connection: &mut Connection) -> Result<bool, Fault> {
        let found = connection.first(
            "SELECT holder, renewals, until = 0, until + ? < UNIX_TIMESTAMP() FROM lease
             WHERE name = 'background'",
            vec![CLOCKS_APART_SECONDS.into()],
        )?;
        let Some(mut row) = found else { return Ok(false) };
        let renewal = Renewal { holder: get(&mut row, 0)?, number: get(&mut row, 1)? };
        let (is_given_back, is_old) = (get(&mut row, 2)?, get(&mut row, 3)?);
        let found = Found { renewal, is_given_back, is_old };
        if !self.may_take(&found, Instant::now()) {
            return Ok(false);
        }
        let Renewal { holder, number } = found.renewal;
        // Only if no receiver has renewed or taken the lease meanwhile.
        let changed = connection.run(
            "UPDATE lease SET holder = ?, until = UNIX_TIMESTAMP() + ?, renewals = renewals + 1
             WHERE name = 'background' AND holder = ? AND renewals = ?",
            vec![
                Value::Bytes(self.receiver.to_vec()),
                LEASE_SECONDS.into(),
                Value::Bytes(holder),
                number.into(),
            ],
        )?;
        Ok(changed > 0)
    }

    fn may_take(&mut self, found: &Found, now: Instant) -> bool {
        if found.renewal.holder == self.receiver || found.is_given_back {
            self.seen = None;
            return true;
        }
        match &self.seen {
            Some((seen, since)) if *seen == found.renewal => {
                now.saturating_duration_since(*since) >= UNRENEWED_MAX
            }
            seen => {
                let is_first = seen.is_none();
                self.seen = Some((found.renewal.clone(), now));
                is_first && found.is_old
            }
        }
    }

    /// Ends the lease, if this receiver has it.
    pub(super) fn give_back(&self, connection: &mut Connection) -> Result<(), Fault> {
        connection.run(
            "UPDATE lease SET until = 0 WHERE name = 'background' AND holder = ?",
            vec![Value::Bytes(self.receiver.to_vec())],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [u8; 16] = [1; 16];

    fn found(holder: u8, number: i64) -> Found {
        let renewal = Renewal { holder: vec![holder; 16], number };
        Found { renewal, is_given_back: false, is_old: false }
    }

    #[test]
    fn a_lease_is_taken_over_when_no_renewal_is_seen_for_ten_seconds_whatever_the_clocks_say() {
        let (mut lease, begin) = (Lease::new(OWN), Instant::now());
        for (second, number, takes) in
            [(0, 1, false), (5, 2, false), (14, 2, false), (15, 2, true), (16, 3, false)]
        {
            let now = begin + Duration::from_secs(second);
            // The clock of this receiver's node is a day ahead.
            let found = Found { is_old: second > 0, ..found(2, number) };
            assert_eq!(lease.may_take(&found, now), takes, "second {second}");
        }
    }

    #[test]
    fn a_lease_is_taken_at_once_where_it_is_the_own_was_given_back_or_ended_long_ago() {
        let now = Instant::now();
        for (found, takes, why) in [
            (found(1, 7), true, "it is the own"),
            (found(2, 7), false, "another one has it"),
            (Found { is_given_back: true, ..found(2, 7) }, true, "given back"),
            (Found { is_old: true, ..found(2, 7) }, true, "of a receiver of yesterday"),
        ] {
            assert_eq!(Lease::new(OWN).may_take(&found, now), takes, "{why}");
        }
    }
}
