//! Times in words.

use crate::counted::counted;

/// A time in words, in its two largest units.
pub(super) fn lasting(seconds: i64) -> String {
    let minutes = (seconds / 60).unsigned_abs();
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let parts = match (days, hours) {
        (0, 0) => vec![(minutes, "minute")],
        (0, _) => vec![(hours, "hour"), (minutes, "minute")],
        (_, _) => vec![(days, "day"), (hours, "hour")],
    };
    let first = parts[0];
    let shown = parts.into_iter().filter(|part| part.0 > 0 || *part == first);
    shown.map(|(count, unit)| counted(count, unit).to_string()).collect::<Vec<_>>().join(" ")
}
