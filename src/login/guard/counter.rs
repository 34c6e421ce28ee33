//! Counts wrong passwords within a sliding window.

use std::collections::VecDeque;

/// The parts of the window in a [`Slices`].
const SLICES: usize = 8;

/// Whether the window of an event has ended. If the clock was set back, it lasts longer.
pub(super) fn is_over(then: i64, now: i64, window_seconds: u32) -> bool {
    now.saturating_sub(then) >= i64::from(window_seconds)
}

/// A count of wrong passwords.
pub(super) trait Count: Default {
    /// Counts one. Returns whether it reaches the limit; then the count starts again at 0.
    fn reaches(&mut self, limit: u32, now: i64, window_seconds: u32) -> bool;
}

/// The times of the latest wrong passwords, oldest first. There are fewer than the limit.
#[derive(Default)]
pub(super) struct Times(VecDeque<i64>);

impl Count for Times {
    fn reaches(&mut self, limit: u32, now: i64, window_seconds: u32) -> bool {
        while self.0.front().is_some_and(|&then| is_over(then, now, window_seconds)) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        let reached = self.0.len() >= limit as usize;
        if reached {
            self.0 = VecDeque::new();
        }
        reached
    }
}

/// A count for high limits, of constant size. The window moves in steps of an eighth, so it may be
/// shorter by that much.
#[derive(Default)]
pub(super) struct Slices {
    /// The number of the newest slice, counted from time 0.
    newest: i64,
    /// The counts, by number of the slice modulo their number.
    counts: [u32; SLICES],
}

impl Count for Slices {
    fn reaches(&mut self, limit: u32, now: i64, window_seconds: u32) -> bool {
        let slice_seconds = i64::from(window_seconds / SLICES as u32).max(1);
        let slice = now.div_euclid(slice_seconds);
        let passed = slice.saturating_sub(self.newest);
        // Also if the clock was set back by more than the window.
        if passed.unsigned_abs() >= SLICES as u64 {
            self.counts = [0; SLICES];
        } else {
            (1..=passed).for_each(|step| self.counts[at(self.newest + step)] = 0);
        }
        self.newest =
            if passed > 0 || passed.unsigned_abs() >= SLICES as u64 { slice } else { self.newest };
        let count = &mut self.counts[at(self.newest)];
        *count = count.saturating_add(1);
        let reached =
            self.counts.iter().fold(0_u32, |sum, &count| sum.saturating_add(count)) >= limit;
        if reached {
            self.counts = [0; SLICES];
        }
        reached
    }
}

fn at(slice: i64) -> usize {
    slice.rem_euclid(SLICES as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_781_524_800;

    /// The numbers of the wrong passwords that reach a limit of ten in ten minutes, with one every
    /// `every` seconds.
    fn reached<C: Count>(every: i64) -> Vec<i64> {
        let mut count = C::default();
        (0..100).filter(|nth| count.reaches(10, NOON + nth * every, 600)).collect()
    }

    #[test]
    fn ten_within_the_window_are_ten_and_it_begins_anew() {
        let tens: Vec<i64> = (1..=10).map(|ten| ten * 10 - 1).collect();
        for every in [0, 1, 30, 50] {
            assert_eq!(
                (reached::<Times>(every), reached::<Slices>(every)),
                (tens.clone(), tens.clone()),
                "every {every} s"
            );
        }
        assert_eq!((reached::<Times>(66), reached::<Times>(67)), (tens, vec![]));
        assert_eq!(reached::<Slices>(75), [0_i64; 0], "eight in 525 to 600 seconds");
    }

    #[test]
    fn a_clock_that_jumps_is_survived() {
        for window_seconds in [0, 1, 7, 600, u32::MAX] {
            let (mut times, mut slices) = (Times::default(), Slices::default());
            for now in [i64::MAX, i64::MIN, NOON, 0, NOON - 1, i64::MAX] {
                for _ in 0..9 {
                    times.reaches(10, now, window_seconds);
                    slices.reaches(10, now, window_seconds);
                }
            }
        }
    }

    #[test]
    fn a_step_back_within_the_window_forgets_nothing() {
        let mut count = Slices::default();
        let reached: Vec<bool> =
            (0..10).map(|nth| count.reaches(10, NOON - nth * 10, 600)).collect();
        assert_eq!(reached.iter().position(|&is| is), Some(9));
    }
}
