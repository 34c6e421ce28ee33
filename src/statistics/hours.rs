//! The number of postbacks in each hour of the last thirty days.

use std::collections::VecDeque;

pub(super) const HOUR_SECONDS: i64 = 3_600;
/// The hours that are kept: four weeks, and two days for a silence that lasts now.
pub(super) const HOURS_KEPT: usize = 30 * 24;

/// Counts by hour. An hour is the number of hours since 1970.
#[derive(Clone, Debug, Default)]
pub(super) struct Hours {
    /// The newest hour; the last in `counts`.
    newest: i64,
    counts: VecDeque<u32>,
}

impl Hours {
    /// Counts one postback at this time, unix seconds. One that is too old is left out.
    pub(super) fn add(&mut self, at: i64) {
        let hour = at.div_euclid(HOUR_SECONDS);
        if self.counts.is_empty() {
            self.newest = hour;
            self.counts.push_back(0);
        }
        while self.newest < hour {
            if hour - self.newest > HOURS_KEPT as i64 {
                self.counts.clear();
                self.newest = hour - 1;
            }
            self.newest += 1;
            self.counts.push_back(0);
            if self.counts.len() > HOURS_KEPT {
                self.counts.pop_front();
            }
        }
        let back = (self.newest - hour) as usize;
        if back >= HOURS_KEPT {
            return;
        }
        while self.counts.len() <= back {
            self.counts.push_front(0);
        }
        let at = self.counts.len() - 1 - back;
        self.counts[at] = self.counts[at].saturating_add(1);
    }

    /// The postbacks between two times, unix seconds. Of an hour that is only partly between them,
    /// that part is taken.
    pub(super) fn between(&self, from: i64, to: i64) -> f64 {
        if to <= from {
            return 0.0;
        }
        let (first, last) = (from.div_euclid(HOUR_SECONDS), (to - 1).div_euclid(HOUR_SECONDS));
        let oldest = self.newest - self.counts.len() as i64 + 1;
        (first.max(oldest)..=last.min(self.newest))
            .map(|hour| {
                let begin = (hour * HOUR_SECONDS).max(from);
                let end = ((hour + 1) * HOUR_SECONDS).min(to);
                let count = self.counts[(hour - oldest) as usize];
                f64::from(count) * (end - begin) as f64 / HOUR_SECONDS as f64
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday, 00:00 UTC.
    const MONDAY: i64 = 1_781_481_600;

    #[test]
    fn hours_are_counted_in_any_order_and_parts_of_an_hour_in_proportion() {
        let mut hours = Hours::default();
        for (minutes, count) in [(600, 6), (30, 4), (90, 2), (59, 2)] {
            (0..count).for_each(|_| hours.add(MONDAY + minutes * 60));
        }
        for (from, to, expected) in [
            (0, 60, 6.0),
            (30, 60, 3.0),
            (0, 90, 7.0),
            (0, 600, 8.0),
            (0, 6_000, 14.0),
            (630, 640, 1.0),
            (-600, 0, 0.0),
            (60, 60, 0.0),
            (90, 60, 0.0),
        ] {
            let found = hours.between(MONDAY + from * 60, MONDAY + to * 60);
            assert!((found - expected).abs() < 1e-9, "{from} to {to}: {found}");
        }
    }

    #[test]
    fn what_is_older_than_thirty_days_is_dropped_and_a_year_is_no_long_loop() {
        let mut hours = Hours::default();
        let kept = HOURS_KEPT as i64 * HOUR_SECONDS;
        hours.add(MONDAY);
        hours.add(MONDAY + kept - HOUR_SECONDS);
        assert_eq!((hours.between(MONDAY, MONDAY + 1), hours.counts.len()), (1.0 / 3_600.0, 720));
        hours.add(MONDAY + kept);
        assert_eq!((hours.between(0, MONDAY + kept), hours.counts.len()), (1.0, 720));
        hours.add(MONDAY);
        assert_eq!(hours.between(0, MONDAY + 2 * kept), 2.0, "too old");
        hours.add(MONDAY + 1_000 * kept);
        assert_eq!((hours.between(0, i64::MAX), hours.counts.len()), (1.0, 1));
    }
}
