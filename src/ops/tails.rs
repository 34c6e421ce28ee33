//! The pages that follow the journal: how many are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tails that are open at once. Each reads the journal once a second.
const TAILS_MAX: usize = 8;

/// Counts the tails that are open.
#[derive(Clone, Debug, Default)]
pub struct Tails(Arc<AtomicUsize>);

/// The place of one open tail. It is free again when this is dropped.
#[derive(Debug)]
pub struct TailPlace(Tails);

impl Tails {
    /// Takes a place, if there is one.
    pub fn take(&self) -> Option<TailPlace> {
        let more = |open: usize| (open < TAILS_MAX).then_some(open + 1);
        // No other data is published by it, so that no memory ordering is needed.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(TailPlace(self.clone()))
    }
}

impl Drop for TailPlace {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_tails_are_open_than_have_a_place() {
        let tails = Tails::default();
        let mut places: Vec<_> = (0..TAILS_MAX).map(|_| tails.take().unwrap()).collect();
        assert!(tails.take().is_none());
        places.pop();
        assert!(tails.take().is_some(), "a place is free again");
    }
}
