//! The end of a membership, as an operator types it.

use crate::action::NEVER;
use crate::clock::{Zone, parse_moment};

/// What [`NewExpiry::parse`] accepts, for error messages.
pub const NEW_EXPIRY_EXPECTED: &str = "expected YYYY-MM-DD, \"YYYY-MM-DD hh:mm\", with :ss or \
     not, unix seconds of 9 to 11 digits, or never";

/// When a membership ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewExpiry(Option<i64>);

impl NewExpiry {
    /// Reads a date, which means its beginning, or a date and a time, in the zone of the operator;
    /// or `never`. A browser writes `T` between date and time, and may leave out the seconds.
    pub fn parse(text: &str, zone: &Zone) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case(NEVER) {
            return Some(Self(None));
        }
        let mut text = match text.split_once('T') {
            Some((date, time)) => format!("{date} {time}"),
            None => text.to_owned(),
        };
        if text.len() == "YYYY-MM-DD hh:mm".len() {
            text.push_str(":00");
        }
        parse_moment(&text, zone).map(|instant| Self(Some(instant)))
    }

    /// The instant, unix seconds; `None` for never.
    pub fn instant(self) -> Option<i64> {
        self.0
    }
}

impl std::fmt::Display for NewExpiry {
    /// As unix seconds or `never`, so that a record does not depend on a time zone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(instant) => write!(f, "{instant}"),
            None => f.write_str(NEVER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::format_utc;

    #[test]
    fn an_operator_types_a_date_a_time_or_never() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        for (text, instant) in [
            ("2026-12-01", Some("2026-11-30T23:00:00Z")),
            ("2026-12-01 12:30", Some("2026-12-01T11:30:00Z")),
            ("2026-12-01 12:30:15", Some("2026-12-01T11:30:15Z")),
            ("2026-12-01T12:30", Some("2026-12-01T11:30:00Z")),
            ("2026-12-01T12:30:15", Some("2026-12-01T11:30:15Z")),
            (" 1796083200 ", Some("2026-12-01T00:00:00Z")),
            ("never", None),
            (" Never", None),
        ] {
            let read = NewExpiry::parse(text, &berlin).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.instant().map(format_utc).as_deref(), instant, "{text}");
        }
        for other in [
            "",
            "0",
            "0000-00-00",
            "tomorrow",
            "2026-02-30",
            "2026-12-01 25:00",
            "1-12-2026",
            "2026-12-01TT2:00",
            "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}T12:00",
            "neve",
        ] {
            assert_eq!(NewExpiry::parse(other, &berlin), None, "{other}");
        }
    }
}
