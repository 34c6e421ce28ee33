//! Numbers with their noun, as in "1 member" and "2 members", and durations.

/// The number and the noun. Unless the number is 1, the noun gets an s, and "ry" becomes "ries".
pub(crate) fn counted(number: impl Into<u64>, noun: &str) -> String {
    match (number.into(), noun.strip_suffix("ry")) {
        (1, _) => format!("1 {noun}"),
        (other, Some(start)) => format!("{other} {start}ries"),
        (other, None) => format!("{other} {noun}s"),
    }
}

/// A duration in seconds in words, as in "3 minutes", rounded down.
pub(crate) fn age(seconds: i64) -> String {
    let (count, unit) = match seconds.max(0) {
        seconds @ ..120 => (seconds, "second"),
        seconds @ 120..7_200 => (seconds / 60, "minute"),
        seconds @ 7_200..172_800 => (seconds / 3_600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    counted(count.unsigned_abs(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_the_unit_that_a_person_would_use() {
        for (seconds, text) in [
            (-5, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (150, "2 minutes"),
            (7_200, "2 hours"),
            (172_800, "2 days"),
            (200_000, "2 days"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn only_1_has_the_noun_in_the_singular() {
        assert_eq!(counted(0_u64, "former member"), "0 former members");
        assert_eq!(counted(1_u64, "former member"), "1 former member");
        assert_eq!(counted(2_u64, "former member"), "2 former members");
        assert_eq!(
            [1_u64, 2].map(|number| counted(number, "country")),
            ["1 country", "2 countries"]
        );
    }
}
