//! A time zone of the IANA database, which is part of the program: it means the same on every
//! machine, also where no such database is installed.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// A time zone with a name, as in `Europe/Berlin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// No time zone has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time zone has this name")]
pub struct UnknownZone;

impl Zone {
    /// Without clock changes, and the default.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The first instant at which clocks in the zone show this time, unix seconds. If a clock
    /// change skips the time: the first instant after the change.
    pub(super) fn first_instant(&self, time: NaiveDateTime) -> i64 {
        let utc = time.and_utc().timestamp();
        let Some(shown) = civil(time) else { return utc };
        let offset = match self.0.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Fold { before, .. } => before,
            AmbiguousOffset::Gap { before, after } => {
                // This instant is before the change, by less than the gap.
                let earlier = Timestamp::from_second(utc - i64::from(after.seconds())).ok();
                let change = earlier.and_then(|earlier| self.0.following(earlier).next());
                if let Some(change) = change {
                    return change.timestamp().as_second();
                }
                before
            }
        };
        utc - i64::from(offset.seconds())
    }

    /// How far the zone is east of UTC at the instant (unix seconds), in seconds. `None` for an
    /// instant outside the years -9999 to 9999.
    pub fn seconds_east_of_utc(&self, instant: i64) -> Option<i32> {
        let instant = Timestamp::from_second(instant).ok()?;
        Some(self.0.to_offset(instant).seconds())
    }
}

/// `None` for a year outside -9999 to 9999.
fn civil(time: NaiveDateTime) -> Option<DateTime> {
    let year = i16::try_from(time.year()).ok()?;
    // Months, days, hours, minutes and seconds are below 61.
    let [month, day, hour, minute, second] =
        [time.month(), time.day(), time.hour(), time.minute(), time.second()]
            .map(|number| i8::try_from(number).unwrap_or(i8::MAX));
    DateTime::new(year, month, day, hour, minute, second, 0).ok()
}

impl FromStr for Zone {
    type Err = UnknownZone;

    /// Takes a name of the IANA database, in upper or lower case.
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZone::get(name).map_err(|_| UnknownZone)?;
        // `Etc/Unknown` is no place.
        if zone.iana_name().is_some() { Ok(Self(zone)) } else { Err(UnknownZone) }
    }
}

impl fmt::Display for Zone {
    /// The name as the IANA database has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_in_any_case_and_printed_as_the_database_has_it() {
        for (given, printed) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("UTC", "UTC"),
            ("Etc/UTC", "Etc/UTC"),
            ("EST5EDT", "EST5EDT"),
        ] {
            assert_eq!(given.parse::<Zone>().unwrap().to_string(), printed);
        }
        assert_eq!(Zone::UTC.to_string(), "UTC");
        assert_eq!("UTC".parse(), Ok(Zone::UTC));
    }

    #[test]
    fn what_names_no_place_is_no_zone() {
        for other in ["", "Mars", "Etc/Unknown", "localtime", "posixrules", "CEST", "+01:00"] {
            assert_eq!(other.parse::<Zone>(), Err(UnknownZone), "{other}");
        }
    }

    #[test]
    fn the_distance_from_utc_follows_the_clock_changes_of_any_year() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        for (instant, seconds) in [
            (1_782_864_000, Some(7_200)), // 2026-07-01
            (1_796_083_200, Some(3_600)), // 2026-12-01
            (7_273_670_400, Some(7_200)), // 2200-06-29
            (i64::MAX, None),
        ] {
            assert_eq!(berlin.seconds_east_of_utc(instant), seconds, "{instant}");
        }
    }
}
