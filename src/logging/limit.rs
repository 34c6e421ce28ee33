//! Limits of log lines whose number a stranger, a fault or a load decides.
//!
//! `now` is always the time of [`Clock::steady`](crate::clock::Clock::steady) in seconds: the wall
//! clock can be set, and would then suppress lines for as long.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

/// At most one line in an interval. Threads can share it; it takes no lock.
#[derive(Debug)]
pub struct Interval {
    seconds: i64,
    /// When the last line was written.
    last: AtomicI64,
}

impl Interval {
    /// At most one line in this many seconds.
    pub const fn new(seconds: i64) -> Self {
        Self { seconds, last: AtomicI64::new(i64::MIN) }
    }

    /// Whether a line may be written. If so, it counts as written.
    pub fn is_due(&self, now: i64) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        let is_over = now.saturating_sub(last) >= self.seconds;
        // If several threads get here, one of them writes the line.
        is_over
            && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// At most one line per key in an interval. It remembers a bounded number of keys; a further key
/// replaces the oldest one.
#[derive(Clone, Debug)]
pub struct KeyedInterval<K> {
    seconds: i64,
    keys_max: usize,
    /// Keys in the order in which they came, and when the last line of each was written.
    last: Vec<(K, i64)>,
}

impl<K: Eq> KeyedInterval<K> {
    /// At most one line per key in this many seconds, for this many keys.
    pub const fn new(seconds: i64, keys_max: usize) -> Self {
        Self { seconds, keys_max, last: Vec::new() }
    }

    /// Whether a line about this key may be written. If so, it counts as written.
    pub fn is_due<Q>(&mut self, key: &Q, now: i64) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some((_, last)) = self.last.iter_mut().find(|(known, _)| known.borrow() == key) {
            let is_due = now.saturating_sub(*last) >= self.seconds;
            if is_due {
                *last = now;
            }
            return is_due;
        }
        if self.last.len() >= self.keys_max {
            self.last.remove(0);
        }
        self.last.push((key.to_owned(), now));
        true
    }
}

/// How many lines may be written in a window.
#[derive(Clone, Copy, Debug)]
pub struct LinesMax {
    /// The length of the window in seconds.
    pub window_seconds: i64,
    /// Of all keys together.
    pub all: u32,
    /// Of each key.
    pub each: u32,
}

/// At most this many lines in a window, for all keys together and for each key. The suppressed ones
/// are counted, and that count is logged when the window is over.
#[derive(Debug)]
pub struct Window<K> {
    most: LinesMax,
    began: Option<i64>,
    lines: u32,
    /// Lines of each key that has one, so at most as many entries as there are lines.
    each: HashMap<K, u32>,
    suppressed: u64,
}

impl<K: Hash + Eq> Window<K> {
    /// A window that begins with the first line.
    pub fn new(most: LinesMax) -> Self {
        Self { most, began: None, lines: 0, each: HashMap::new(), suppressed: 0 }
    }

    /// Whether a line of this key may be written. If so, it counts as written, else as suppressed.
    pub fn add(&mut self, key: K, now: i64) -> bool {
        if self.is_over(now) {
            // A count that was not logged is added to the next window.
            self.suppressed = self.close().unwrap_or(0);
        }
        self.began.get_or_insert(now);
        let of_key = self.each.get(&key).copied().unwrap_or(0);
        let is_written = self.lines < self.most.all && of_key < self.most.each;
        if is_written {
            self.lines += 1;
            self.each.insert(key, of_key + 1);
        } else {
            self.suppressed += 1;
        }
        is_written
    }

    fn is_over(&self, now: i64) -> bool {
        self.began.is_some_and(|began| now.saturating_sub(began) >= self.most.window_seconds)
    }

    /// Ends the window if its time is over. Returns how many lines it suppressed, if any.
    pub fn end(&mut self, now: i64) -> Option<u64> {
        if self.is_over(now) { self.close() } else { None }
    }

    /// Ends the window at any time, as when the service stops. Returns how many lines it
    /// suppressed, if any.
    pub fn close(&mut self) -> Option<u64> {
        let suppressed = std::mem::replace(self, Self::new(self.most)).suppressed;
        (suppressed > 0).then_some(suppressed)
    }
}

/// Names that are remembered. More names come from an attacker, not from an operator's mistake.
const NAMES_MAX: usize = 32;

/// One line per name: a proxy that is not listed, a host outside of all domains. After 32 names,
/// one last line says that further names are not logged.
#[derive(Debug)]
pub struct OncePerName<T> {
    names: Mutex<KnownNames<T>>,
}

#[derive(Debug)]
struct KnownNames<T> {
    known: HashSet<T>,
    is_full: bool,
}

/// What to log about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameLine {
    /// The line of this name, which is new.
    Name,
    /// That further names are not logged, because this one is new and there is no room for it.
    NoFurtherNames,
}

impl<T> Default for OncePerName<T> {
    fn default() -> Self {
        Self { names: Mutex::new(KnownNames { known: HashSet::new(), is_full: false }) }
    }
}

impl<T: Hash + Eq> OncePerName<T> {
    /// The line that is due when this name occurs; `None` if it was logged before, or if no further
    /// names are logged.
    pub fn line<Q>(&self, name: &Q) -> Option<NameLine>
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = T> + ?Sized,
    {
        let mut names = self.names.lock();
        if names.is_full || names.known.contains(name) {
            return None;
        }
        if names.known.len() == NAMES_MAX {
            names.is_full = true;
            return Some(NameLine::NoFurtherNames);
        }
        names.known.insert(name.to_owned());
        Some(NameLine::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_one_line() {
        let interval = Interval::new(60);
        let due: Vec<i64> =
            [0, 1, 59, 60, 119, 200].into_iter().filter(|&now| interval.is_due(now)).collect();
        assert_eq!(due, [0, 60, 200]);
    }

    #[test]
    fn keys_have_intervals_of_their_own_and_a_further_key_replaces_the_oldest() {
        let mut interval = KeyedInterval::<String>::new(60, 2);
        let due = |(key, now): &(&str, i64)| interval.is_due(*key, *now);
        let lines: Vec<_> =
            [("a", 0), ("b", 1), ("a", 59), ("a", 60), ("b", 60), ("c", 60), ("a", 61), ("b", 61)]
                .into_iter()
                .filter(due)
                .collect();
        assert_eq!(lines, [("a", 0), ("b", 1), ("a", 60), ("c", 60), ("a", 61), ("b", 61)]);
    }

    const TEN: LinesMax = LinesMax { window_seconds: 10, all: 10, each: 10 };

    /// Regression: the next refusal reported those that were suppressed, so nothing did if there
    /// was none.
    #[test]
    fn a_window_has_ten_lines_and_reports_the_rest_when_it_is_over() {
        let mut window = Window::new(TEN);
        assert_eq!(window.end(5), None, "nothing was logged");
        for number in 1..=13 {
            assert_eq!(window.add((), if number == 1 { 5 } else { 14 }), number <= 10, "{number}");
        }
        assert_eq!((window.end(14), window.end(15), window.end(15)), (None, Some(3), None));
        assert!(window.add((), 25), "a window of its own");
        assert_eq!(window.end(45), None, "none was suppressed");
        assert_eq!(window.close(), None);
    }

    #[test]
    fn a_window_that_is_closed_early_reports_the_rest_once() {
        let mut window = Window::new(TEN);
        (0..11).for_each(|_| {
            window.add((), 0);
        });
        assert_eq!((window.close(), window.close(), window.end(10)), (Some(1), None, None));
    }

    #[test]
    fn each_key_has_its_share_of_a_window_and_a_count_that_nobody_took_is_kept() {
        let mut window = Window::new(LinesMax { window_seconds: 60, all: 5, each: 2 });
        let added = "aaabbbccc".chars().map(|key| window.add(key, 0)).collect::<Vec<_>>();
        assert_eq!(added, [true, true, false, true, true, false, true, false, false]);
        assert!(window.add('a', 60));
        assert_eq!(window.end(120), Some(4));
    }

    #[test]
    fn each_name_has_one_line_and_after_32_one_line_says_that_there_are_no_more() {
        let names = OncePerName::<String>::default();
        let line = |name: &str| names.line(name);
        assert_eq!(
            [line("a"), line("a"), line("b")],
            [Some(NameLine::Name), None, Some(NameLine::Name)]
        );
        let lines: Vec<_> = (0..100).filter_map(|number| line(&number.to_string())).collect();
        assert_eq!(lines[..30], [NameLine::Name; 30]);
        assert_eq!(lines[30..], [NameLine::NoFurtherNames]);
        assert_eq!([line("a"), line("101")], [None; 2]);
    }
}
