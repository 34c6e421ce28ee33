//! Parsers that several settings share.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

const MINUTE_SECONDS: i64 = 60;
const HOUR_SECONDS: i64 = 60 * MINUTE_SECONDS;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
/// The longest interval.
const INTERVAL_MAX: i64 = 366 * DAY_SECONDS;
/// What [`interval`] accepts, for error messages.
pub(super) const INTERVAL_EXPECTED: &str =
    "expected minutes, hours or days up to a year, as in 90m, 24h or 7d";

/// A path as it is: clap's own parser refuses an empty one.
pub(super) fn any_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Reads a switch in the forms that are usual in variables.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "t" | "y" => Some(true),
        "false" | "no" | "off" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// A parser of whole numbers within these bounds.
pub(super) fn number(least: u32, most: u32) -> impl Fn(&str) -> Option<u32> {
    move |text| text.parse().ok().filter(|number| (least..=most).contains(number))
}

/// Seconds of a time such as `24h`.
pub(super) fn interval(text: &str) -> Option<i64> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => MINUTE_SECONDS,
        "h" => HOUR_SECONDS,
        "d" => DAY_SECONDS,
        _ => return None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = is_number
        .then(|| digits.parse().ok())
        .flatten()
        .and_then(|count: i64| count.checked_mul(unit))?;
    (MINUTE_SECONDS..=INTERVAL_MAX).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_a_unit_and_is_at_most_a_year() {
        for (text, seconds) in
            [("1m", 60), ("90m", 5_400), ("24h", 86_400), ("7d", 604_800), ("366d", INTERVAL_MAX)]
        {
            assert_eq!(interval(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "m",
            "0m",
            "24",
            "24 h",
            "+24h",
            "-1d",
            "1.5h",
            "24H",
            "1w",
            "24hours",
            "367d",
            "8785h",
            "9223372036854775807d",
            "\u{b2}4h",
            "24\u{e9}",
        ] {
            assert_eq!(interval(text), None, "{text}");
        }
    }
}
