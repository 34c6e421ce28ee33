//! The time of day, and the instant that NATS means by `expire`.
//!
//! Everywhere else time is an argument: the clock is read once per postback, where the postback
//! comes in.

pub mod jump;
pub mod zone;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};
use parking_lot::Mutex;

pub use zone::Zone;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The clock of the machine.
    System,
    /// Unix seconds that only a test or a replay changes.
    Fixed(Arc<AtomicI64>),
    /// Two fixed times, for tests in which the clock is set.
    Set(Arc<Mutex<Reading>>),
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// See [`Clock::now`].
    pub wall: i64,
    /// See [`Clock::steady`].
    pub steady: i64,
}

impl Reading {
    /// Constant until the clock is set.
    fn difference(self) -> i64 {
        self.wall.saturating_sub(self.steady)
    }
}

/// The time at which a change takes effect, unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The current time, for comparisons and records.
    pub now: i64,
    /// Members whose expiry is before this time are moved to `former_member`, and what is old by it
    /// is deleted. Usually it equals `now`. It is earlier while a jump of the clock is being
    /// confirmed ([`jump`]). It is later if members were moved by a clock that was set back since;
    /// then the next journal record says so.
    pub moved_until: i64,
}

impl Moment {
    /// The instant up to which members may be moved and rows deleted now.
    pub fn sure(self) -> i64 {
        self.moved_until.min(self.now)
    }

    /// The moment for what follows the first record of a transaction.
    pub fn then(self) -> Self {
        Self { moved_until: self.sure(), ..self }
    }
}

impl From<i64> for Moment {
    fn from(now: i64) -> Self {
        Self { now, moved_until: now }
    }
}

impl Clock {
    /// The current time in unix seconds.
    pub fn now(&self) -> i64 {
        match self {
            Clock::System => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                // A machine whose clock was never set may show a time shortly before 1970.
                Err(_) => 0,
            },
            // No other data is published through the clock, so that no memory ordering is needed.
            Clock::Fixed(seconds) => seconds.load(Ordering::Relaxed),
            Clock::Set(reading) => read_set(reading).wall,
        }
    }

    /// Seconds since some instant in the past, for intervals: nobody can set this clock. Unlike
    /// [`std::time::Instant`] it also runs while the machine is suspended. A fixed clock returns
    /// [`Clock::now`].
    pub fn steady(&self) -> i64 {
        match self {
            Clock::System => rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec,
            Clock::Fixed(_) => self.now(),
            Clock::Set(reading) => read_set(reading).steady,
        }
    }

    /// Reads both clocks at one moment.
    pub fn read(&self) -> Reading {
        if let Clock::Set(reading) = self {
            return read_set(reading);
        }
        loop {
            let (before, wall, steady) = (self.steady(), self.now(), self.steady());
            // If the process was suspended between the two reads, the difference would look like a
            // jump.
            if steady - before <= 1 {
                return Reading { wall, steady };
            }
        }
    }
}

/// Reads both times under the lock.
fn read_set(reading: &Mutex<Reading>) -> Reading {
    *reading.lock()
}

/// What [`ExpiryRule::instant`] accepts, for error messages.
pub const EXPIRE_EXPECTED: &str =
    "expected YYYY-MM-DD, YYYY-MM-DD hh:mm:ss or unix seconds of 9 to 11 digits";

/// The last second of the year 9999, unix seconds. Later years have more than four digits.
pub const YEAR_9999_ENDS: i64 = 253_402_300_799;

/// 1970-01-03, unix seconds. An earlier time means "no date": a PHP without a date prints second 0
/// or -1, or a year before Christ, in its own time zone: 1969-12-31, 1970-01-01, -0001-11-30.
const FIRST_DATE: i64 = 2 * 86_400;

/// Seconds of an hour of grace.
const HOUR_SECONDS: i64 = 3_600;

/// How the text of an `expire` is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryRule {
    /// The time zone of dates and times.
    pub zone: Zone,
    /// Added to every expiry.
    pub grace_hours: u32,
}

/// The meaning of an `expire`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryText {
    /// Empty, `0`, a date of zeros, or a date before 1970-01-03, which PHP prints for "no date".
    NotGiven,
    /// The member expires at this instant, unix seconds.
    At(i64),
    /// The text has none of the forms of [`EXPIRE_EXPECTED`].
    Malformed,
}

impl ExpiryRule {
    /// Reads an `expire`: unix seconds, or a time or the beginning of a date in the operator's time
    /// zone. Adds the grace.
    pub fn instant(&self, text: &str) -> ExpiryText {
        if is_no_date(text) {
            return ExpiryText::NotGiven;
        }
        match moment(text, &self.zone) {
            ExpiryText::At(instant) => {
                ExpiryText::At(instant + i64::from(self.grace_hours) * HOUR_SECONDS)
            }
            other => other,
        }
    }
}

/// Reads a moment that the operator gives, in the forms of an `expire`, without grace. `None` for
/// another form.
pub fn parse_moment(text: &str, zone: &Zone) -> Option<i64> {
    match moment(text, zone) {
        ExpiryText::At(instant) => Some(instant),
        ExpiryText::NotGiven | ExpiryText::Malformed => None,
    }
}

fn moment(text: &str, zone: &Zone) -> ExpiryText {
    if matches!(text, "" | "0" | "0000-00-00" | "0000-00-00 00:00:00") {
        return ExpiryText::NotGiven;
    }
    let seconds = || (9..=11).contains(&text.len()).then(|| number(text)).flatten();
    let instant = seconds().or_else(|| local_time(text).map(|time| zone.first_instant(time)));
    instant.map_or(ExpiryText::Malformed, ExpiryText::At)
}

/// Whether the text means "no date": a number or date before [`FIRST_DATE`], or a date of zeros
/// with any time.
fn is_no_date(text: &str) -> bool {
    let (sign, rest) = text.split_at(usize::from(text.starts_with('-')));
    if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()) {
        // A number that overflows is not an early one.
        return !sign.is_empty() || rest.parse().is_ok_and(|seconds: i64| seconds < FIRST_DATE);
    }
    // February 30 does not exist, so another day of that year is read instead.
    let rest = rest
        .strip_prefix("0000-00-00")
        .map_or_else(|| rest.into(), |time| format!("0000-01-01{time}"));
    local_time(&rest)
        .is_some_and(|time| !sign.is_empty() || time.and_utc().timestamp() < FIRST_DATE)
}

/// Reads digits only, because `str::parse` also accepts a sign.
fn number(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Reads exactly `YYYY-MM-DD` or `YYYY-MM-DD hh:mm:ss`. chrono's own parser also accepts single
/// digits, signs and more spaces.
fn local_time(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = match text.len() {
        10 => (text, None),
        19 => text.split_once(' ').map(|(date, time)| (date, Some(time)))?,
        _ => return None,
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let [hour, minute, second] = time.map_or(Some([0; 3]), |time| numbers(time, ':', [2; 3]))?;
    Some(date.and_time(NaiveTime::from_hms_opt(hour, minute, second)?))
}

/// Reads three numbers of exactly these many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[u32; 3]> {
    let mut pieces = text.split(separator);
    let mut numbers = [0; 3];
    for (found, digits) in numbers.iter_mut().zip(digits) {
        let piece = pieces.next().filter(|piece| piece.len() == digits)?;
        *found = u32::try_from(number(piece)?).ok()?;
    }
    pieces.next().is_none().then_some(numbers)
}

/// The instant as `2026-11-23T20:00:00Z`, or as `unix N` if no calendar contains it.
pub fn format_utc(unix: i64) -> String {
    match DateTime::from_timestamp(unix, 0) {
        // Formatted by hand, because every log line has a time, and chrono's formatter parses its
        // pattern each time.
        Some(instant) => {
            let (date, time) = (instant.date_naive(), instant.time());
            let (year, month, day) = (date.year(), date.month(), date.day());
            let (hour, minute, second) = (time.hour(), time.minute(), time.second());
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
        }
        None => format!("unix {unix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTC: &str = "UTC";

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    fn read(text: &str, name: &str, grace_hours: u32) -> ExpiryText {
        ExpiryRule { zone: zone(name), grace_hours }.instant(text)
    }

    #[test]
    fn an_expire_means_an_instant_in_the_operators_zone() {
        let table = [
            ("2026-11-23", UTC, "2026-11-23T00:00:00Z", "the beginning of the date"),
            ("2026-11-23 23:59:59", UTC, "2026-11-23T23:59:59Z", "the time"),
            ("2024-02-29", UTC, "2024-02-29T00:00:00Z", "a leap day"),
            ("1970-01-03", UTC, "1970-01-03T00:00:00Z", "the first date"),
            (
                "1970-01-03 00:00:00",
                "Asia/Tokyo",
                "1970-01-02T15:00:00Z",
                "the first date, east of Greenwich",
            ),
            ("000172800", UTC, "1970-01-03T00:00:00Z", "the same in seconds"),
            ("9999-12-31 23:59:59", UTC, "9999-12-31T23:59:59Z", "the last one"),
            (
                "999999999",
                "Asia/Tokyo",
                "2001-09-09T01:46:39Z",
                "unix seconds of 9 digits, no zone",
            ),
            ("1499470416", UTC, "2017-07-07T23:33:36Z", "of 10"),
            ("99999999999", UTC, "5138-11-16T09:46:39Z", "of 11"),
            ("2026-07-01", "America/New_York", "2026-07-01T04:00:00Z", "summer time"),
            ("2026-12-01", "America/New_York", "2026-12-01T05:00:00Z", "winter time"),
            (
                "2026-03-29 02:30:00",
                "Europe/Berlin",
                "2026-03-29T01:00:00Z",
                "skipped: the change itself",
            ),
            (
                "2026-03-29 01:59:59",
                "Europe/Berlin",
                "2026-03-29T00:59:59Z",
                "the last second before it",
            ),
            (
                "2026-03-29 03:00:00",
                "Europe/Berlin",
                "2026-03-29T01:00:00Z",
                "the first one after it",
            ),
            ("2026-10-25 02:30:00", "Europe/Berlin", "2026-10-25T00:30:00Z", "doubled: the first"),
            (
                "2018-11-04",
                "America/Sao_Paulo",
                "2018-11-04T03:00:00Z",
                "a midnight that was skipped",
            ),
            ("2026-04-24", "Africa/Cairo", "2026-04-23T22:00:00Z", "another"),
            ("2024-10-06", "America/Asuncion", "2024-10-06T04:00:00Z", "another"),
            ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z", "a day that was skipped"),
            ("2011-12-30 23:59:59", "Pacific/Apia", "2011-12-30T10:00:00Z", "its last second"),
            ("2011-12-31", "Pacific/Apia", "2011-12-30T10:00:00Z", "the day after it"),
            ("1994-12-31 12:00:00", "Pacific/Kiritimati", "1994-12-31T10:00:00Z", "another"),
            (
                "2026-10-04 02:15:00",
                "Australia/Lord_Howe",
                "2026-10-03T15:30:00Z",
                "a change of half an hour",
            ),
        ];
        for (text, name, instant, why) in table {
            let ExpiryText::At(unix) = read(text, name, 0) else { panic!("{text} {why}") };
            assert_eq!(format_utc(unix), instant, "{text} {name}: {why}");
            assert_eq!(parse_moment(text, &zone(name)), Some(unix), "{text}");
            assert_eq!(
                read(text, name, 36),
                ExpiryText::At(unix + 36 * 3_600),
                "{text}: the grace is added to every form"
            );
        }
    }

    #[test]
    fn zeros_nothing_and_what_php_prints_for_no_date_are_not_given() {
        let table = [
            ("", "nothing"),
            ("0", "no unix seconds"),
            ("00000", "the same, padded"),
            ("0000-00-00", "MySQL's zero date"),
            ("0000-00-00 00:00:00", "with its time"),
            ("0000-00-00 23:59:59", "at any time"),
            ("-0001-11-30", "the zero date, read and written again by PHP"),
            ("-0001-11-30 00:00:00", "with its time"),
            ("0000-01-01", "the year 0"),
            ("0001-01-01", "the first date of other languages"),
            ("1969-12-31", "second 0 west of Greenwich"),
            ("1969-12-31 16:00:00", "with its time"),
            ("1970-01-01", "second 0"),
            ("1970-01-01 00:00:00", "with its time"),
            ("1970-01-01 14:00:00", "far east of Greenwich"),
            ("1970-01-02 23:59:59", "the last second before the first date"),
            ("-1", "the time of an error"),
            ("-62169984000", "the zero date in seconds"),
            ("-99999999999999999999", "a number that has no end"),
            ("1", "the second after none"),
            ("86399", "the last second of the first day"),
            ("172799", "of the second"),
            ("000000000", "9 digits"),
        ];
        for (text, why) in table {
            for name in [UTC, "Pacific/Kiritimati", "America/Los_Angeles"] {
                assert_eq!(read(text, name, 24), ExpiryText::NotGiven, "{text} in {name}: {why}");
            }
        }
    }

    /// The operator's `--since 1970-01-01` means 1970, and not "no date".
    #[test]
    fn a_moment_of_the_operator_may_be_any_but_zero() {
        for text in ["", "0", "0000-00-00", "0000-00-00 00:00:00"] {
            assert_eq!(parse_moment(text, &Zone::UTC), None, "{text}");
        }
        assert_eq!(
            (parse_moment("1970-01-01", &Zone::UTC), parse_moment("0001-01-01", &Zone::UTC)),
            (Some(0), Some(-62_135_596_800))
        );
    }

    #[test]
    fn nothing_but_the_three_forms_is_taken() {
        let forms = "2026-1-1|2026-011-1|26-01-01|20260101|2026/01/01|01.01.2026\
            |2026-01-01T00:00:00|2026-01-01 00:00|2026-01-01 0:00:00|2026-01-01  00:00:0\
            |0000-00-00 24:00:00|0000-00-00T00:00:00|0000-00-00 |--1|-|-1.0|0.0|172800\
            |99999999|-026-1-1|1970-01-32|31/12/1969|1969-12-31T23:59:59Z\
            |2026-01-01 00:00:00Z|2026-01-01 00:00:00.0| 2026-01-01|2026-01-01 \
            |+026-01-01|2026-+1-01|-026-01-01|2026-00-01|2026-13-01|2026-02-29\
            |2100-02-29|2026-04-31|2026-01-00|0000-00-01|2026-01-01 24:00:00\
            |2026-01-01 23:60:00|2026-01-01 23:59:60|2026-01-01 00-00-00|12345678\
            |123456789012|+123456789|1234567890.|1e9|+0|٢٠٢٦-01-01|tomorrow|\0";
        for text in forms.split('|') {
            assert_eq!(read(text, UTC, 0), ExpiryText::Malformed, "{text}");
            assert_eq!(parse_moment(text, &Zone::UTC), None, "{text}");
        }
    }

    #[test]
    fn the_largest_grace_is_taken() {
        assert_eq!(
            read("99999999999", UTC, u32::MAX),
            ExpiryText::At(99_999_999_999 + 4_294_967_295 * 3_600)
        );
    }

    #[test]
    fn any_instant_can_be_written() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (253_402_300_800, "10000-01-01T00:00:00Z"),
            (i64::MAX, "unix 9223372036854775807"),
            (i64::MIN, "unix -9223372036854775808"),
        ];
        for (unix, text) in table {
            assert_eq!(format_utc(unix), text);
        }
    }

    #[test]
    fn a_fixed_clock_moves_when_it_is_moved() {
        let seconds = Arc::new(AtomicI64::new(5));
        let clock = Clock::Fixed(Arc::clone(&seconds));
        assert_eq!(clock.now(), 5);
        seconds.store(6, Ordering::Relaxed);
        assert_eq!(clock.clone().now(), 6);
    }
}
