//! The value of `--max-changes`.

use std::fmt;
use std::str::FromStr;

/// How many members may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Number(u64),
    PerCent(u64),
}

impl Limit {
    /// The number for so many members. One member may always be changed.
    pub(super) fn of(self, members: u64) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::PerCent(per_cent) => (members.saturating_mul(per_cent) / 100).max(1),
        }
    }
}

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_suffix('%').unwrap_or(text);
        let number = Some(digits)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        match (number, text.ends_with('%')) {
            (Some(number), false) => Ok(Self::Number(number)),
            (Some(number @ 0..=100), true) => Ok(Self::PerCent(number)),
            _ => Err("expected a number, or a percentage up to 100%"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::PerCent(number) => write!(f, "{number}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_percentage_and_one_member_may_be_changed_at_a_small_site() {
        for (text, members, most) in [
            ("5", 1_000, 5),
            ("0", 1_000, 0),
            ("2%", 1_000, 20),
            ("2%", 149, 2),
            ("2%", 10, 1),
            ("0%", 1_000, 1),
            ("100%", 7, 7),
        ] {
            let limit: Limit = text.parse().unwrap();
            assert_eq!((limit.of(members), limit.to_string().as_str()), (most, text), "{text}");
        }
        for text in ["", "%", "-1", "+1", "1.5%", "101%", "2 %", "99999999999999999999"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
