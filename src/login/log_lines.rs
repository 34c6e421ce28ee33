//! Lines of the log that visitors cause: so many a minute, for each of them and for all together,
//! and the rest is counted.

use std::collections::HashMap;
use std::hash::Hash;

use crate::identity::Key;

const WINDOW_SECONDS: i64 = 60;

/// Lines in a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) all: u32,
    pub(super) each: u32,
}

/// Keeps account of them. The time is seconds of a clock that nobody sets.
#[derive(Debug)]
pub struct LogLines<K> {
    most: Most,
    began: Option<i64>,
    lines: u32,
    /// Of those that have a line: as many as there are lines, at most.
    each: HashMap<K, u32>,
    left_out: u64,
}

impl LogLines<Key> {
    /// Of logins with the right password, by member. Whoever has it can log in without end, and a
    /// login that is remembered costs no hash. All members of a large site have room.
    pub fn of_logins() -> Self {
        Self::new(Most { all: 6_000, each: 10 })
    }
}

impl<K: Hash + Eq> LogLines<K> {
    pub(super) fn new(most: Most) -> Self {
        Self { most, began: None, lines: 0, each: HashMap::new(), left_out: 0 }
    }

    /// Whether this one gets a line.
    pub fn add(&mut self, whose: K, now: i64) -> bool {
        if self.is_over(now) {
            // Whoever was left out was told of by then, or is told of with this window.
            self.left_out = self.close().unwrap_or(0);
        }
        self.began.get_or_insert(now);
        let of_each = self.each.get(&whose).copied().unwrap_or(0);
        let has_line = self.lines < self.most.all && of_each < self.most.each;
        if has_line {
            self.lines += 1;
            self.each.insert(whose, of_each + 1);
        } else {
            self.left_out += 1;
        }
        has_line
    }

    fn is_over(&self, now: i64) -> bool {
        self.began.is_some_and(|began| now.saturating_sub(began) >= WINDOW_SECONDS)
    }

    /// How many had no line, once the window is over.
    pub fn left_out(&mut self, now: i64) -> Option<u64> {
        if self.is_over(now) { self.close() } else { None }
    }

    /// The same whether it is over or not; the next one begins another window.
    pub fn close(&mut self) -> Option<u64> {
        let left_out = std::mem::replace(self, Self::new(self.most)).left_out;
        (left_out > 0).then_some(left_out)
    }
}
