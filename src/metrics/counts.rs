//! Counters with a fixed number of labels, and histograms with fixed bounds. To add to them is one
//! atomic operation, or two; nothing is locked or looked up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One counter for each combination of labels.
#[derive(Debug)]
pub struct Counts<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counts<N> {
    /// Counts one of this number. A number that is too large is left out.
    pub fn add(&self, number: usize) {
        if let Some(counter) = self.0.get(number) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many of this number there were since the start.
    pub fn get(&self, number: usize) -> u64 {
        self.0.get(number).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

/// The upper bounds of the buckets of times, in seconds. Above the last one is one more bucket.
pub const TIME_BOUNDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The upper bounds of the buckets of batches, in postbacks.
pub const BATCH_BOUNDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// The most buckets of a histogram.
const BUCKETS_MAX: usize = 14;

/// How many values were at most as large as each bound, and their sum.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    buckets: [AtomicU64; BUCKETS_MAX],
    /// Of times in nanoseconds.
    sum: AtomicU64,
    /// The unit of the bounds, in units of the sum.
    scale: f64,
}

impl Histogram {
    /// Of times.
    pub fn of_times() -> Self {
        Self::new(&TIME_BOUNDS, 1e9)
    }

    /// Of sizes of batches.
    pub fn of_batches() -> Self {
        Self::new(&BATCH_BOUNDS, 1.0)
    }

    fn new(bounds: &'static [f64], scale: f64) -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Self { bounds, buckets, sum: AtomicU64::new(0), scale }
    }

    /// Adds a time.
    pub fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds a value in units of the sum.
    pub fn add(&self, value: u64) {
        let scaled = value as f64 / self.scale;
        let bucket = self.bounds.iter().position(|bound| scaled <= *bound);
        self.buckets[bucket.unwrap_or(self.bounds.len())].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// The buckets, each with its bound and how many values it has that no smaller one has; the
    /// last bound is infinite.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(&self.buckets).map(|(bound, n)| (bound, n.load(Ordering::Relaxed))).collect()
    }

    /// The sum of the values, in the unit of the bounds.
    pub fn sum(&self) -> f64 {
        self.sum.load(Ordering::Relaxed) as f64 / self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::of_times();
        for (nanos, bucket) in [
            (0, 0),
            (500_000, 0),
            (500_001, 1),
            (1_000_000, 1),
            (10_000_000_000, 12),
            (10_000_000_001, 13),
            (3_600_000_000_000, 13),
        ] {
            let before = histogram.buckets();
            histogram.add_time(Duration::from_nanos(nanos));
            let after = histogram.buckets();
            let changed: Vec<usize> =
                (0..after.len()).filter(|&n| before[n].1 != after[n].1).collect();
            assert_eq!(changed, [bucket], "{nanos} ns");
        }
        assert_eq!(histogram.buckets().len(), BUCKETS_MAX);
        let batches = Histogram::of_batches();
        [1, 3, 256, 257].into_iter().for_each(|size| batches.add(size));
        let counts: Vec<u64> = batches.buckets().iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [1, 0, 1, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(batches.sum(), 517.0);
    }

    #[test]
    fn a_number_beyond_the_last_counter_is_left_out() {
        let counts = Counts::<2>::default();
        [0, 1, 1, 2].into_iter().for_each(|number| counts.add(number));
        assert_eq!((counts.get(0), counts.get(1), counts.get(2)), (1, 2, 0));
    }
}
