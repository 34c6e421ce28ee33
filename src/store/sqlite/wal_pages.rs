//! Counts the pages in the WAL, and those of them that a checkpoint has to copy.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// The WAL, as SQLite reports it after each commit.
#[derive(Debug, Default)]
pub(super) struct WalPages {
    /// The pages in it after the last commit.
    all: AtomicI32,
    /// Those of them that are in the database file.
    copied: AtomicI32,
    /// How often it has begun anew.
    turn: AtomicU32,
}

impl WalPages {
    /// Call after a commit.
    pub(super) fn committed(&self, pages: i32) {
        if pages <= self.all.swap(pages, Ordering::Relaxed) {
            self.copied.store(0, Ordering::Relaxed);
            self.turn.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn all(&self) -> i32 {
        self.all.load(Ordering::Relaxed)
    }

    /// The pages that the next checkpoint has to copy.
    pub(super) fn to_copy(&self) -> i32 {
        (self.all() - self.copied.load(Ordering::Relaxed)).max(0)
    }

    pub(super) fn turn(&self) -> u32 {
        self.turn.load(Ordering::Relaxed)
    }

    pub(super) fn set_copied(&self, pages: i32) {
        self.copied.store(pages, Ordering::Relaxed);
    }

    /// Call when the WAL is empty.
    pub(super) fn emptied(&self) {
        self.committed(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_counts_until_the_wal_begins_anew() {
        let pages = WalPages::default();
        pages.committed(8);
        pages.committed(20);
        assert_eq!((pages.all(), pages.to_copy()), (20, 20));
        let turn = pages.turn();
        pages.set_copied(15);
        pages.committed(22);
        assert_eq!((pages.to_copy(), pages.turn()), (7, turn));
        pages.set_copied(22);
        assert_eq!(pages.to_copy(), 0);
        pages.committed(3);
        assert_eq!((pages.all(), pages.to_copy()), (3, 3));
        assert_ne!(pages.turn(), turn);
        pages.emptied();
        assert_eq!((pages.all(), pages.to_copy()), (0, 0));
    }
}
