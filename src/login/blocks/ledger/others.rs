//! The table of blocks where other receivers write it too: which of their blocks begin here, and
//! which blocks end because their row was deleted.
//!
//! Each block belongs to the receiver that wrote its row, which deletes it at its end. The others
//! apply the block and do not change its row. Of two blocks of one target the one that ends later
//! counts, for all receivers.

use std::collections::HashMap;

use super::{Entry, Ledger, StoredState};
use crate::block::{Block, NameHolder, Target};
use crate::login::guard::Weight;

/// How long a row of another receiver may stay after its block has ended, seconds by the steady
/// clock: longer than any block lasts. Its receiver has ended by then without deleting it.
const SPENT_AFTER: i64 = 25 * 3_600;

/// The rows of the table.
#[derive(Debug, Default)]
pub struct StoredBlocks {
    /// Each block, and whether a member has its name.
    pub blocks: Vec<(Block, NameHolder)>,
    /// Whether these are all of them.
    pub is_whole: bool,
}

/// What differs between the table and this receiver.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Blocks of other receivers that may begin here: see [`Ledger::take_up`].
    pub begun: Vec<(Block, NameHolder)>,
    /// Blocks in force here whose row was deleted.
    pub lifted: Vec<Block>,
    /// Rows that no receiver deletes.
    pub spent: Vec<Target>,
}

impl Ledger {
    /// Compares with the table at `now` by the steady clock. Forgets the blocks that are lifted.
    pub fn compare(&mut self, stored: StoredBlocks, now: i64) -> Changes {
        let mut changes = Changes::default();
        if stored.is_whole {
            changes.lifted = self.remove_absent(&stored.blocks);
        }
        for (block, holder) in stored.blocks {
            let row = StoredState::Of(block.since, block.until);
            match self.entries.get_mut(&block.target) {
                None => {
                    // Until the block begins here, only its row is recorded.
                    let entry = Entry::of_other(block.clone(), Weight::Nobody, now);
                    self.entries.insert(block.target.clone(), entry);
                    changes.begun.push((block, holder));
                }
                Some(entry) if entry.block == block => (entry.row, entry.is_seen) = (row, true),
                Some(entry) if entry.holds && entry.block.until >= block.until => {
                    // This receiver's ends later: it is written again.
                    (entry.row, entry.is_seen) = (row, true);
                    self.is_behind = true;
                }
                Some(_) => changes.begun.push((block, holder)),
            }
        }
        let is_spent = |entry: &&Entry| {
            !entry.holds && entry.other_since.is_some_and(|since| now - since > SPENT_AFTER)
        };
        let spent = self.entries.values().filter(is_spent).map(|entry| entry.block.target.clone());
        changes.spent = spent.take(super::ROWS_MAX).collect();
        changes
    }

    /// Records that a block of another receiver is in force here from `now` on, by the steady
    /// clock. With `has_line` the log needs no line about it.
    pub fn take_up(&mut self, block: Block, weight: Weight, now: i64, has_line: bool) {
        let had_line = self.entries.get(&block.target).is_some_and(|was| was.holds && was.has_line);
        let has_line = has_line || had_line;
        let entry = Entry { holds: true, has_line, ..Entry::of_other(block, weight, now) };
        self.entries.insert(entry.block.target.clone(), entry);
        self.is_behind = true;
    }

    /// Removes the blocks whose row was read before and is deleted now. Returns those that were in
    /// force, the oldest first.
    fn remove_absent(&mut self, stored: &[(Block, NameHolder)]) -> Vec<Block> {
        let stored: HashMap<&Target, ()> =
            stored.iter().map(|(block, _)| (&block.target, ())).collect();
        let is_absent = |target: &Target, entry: &Entry| {
            // A row that was just written may not have reached the node that is read.
            entry.is_seen && entry.row != StoredState::Unknown && !stored.contains_key(target)
        };
        let gone = self.entries.extract_if(|target, entry| is_absent(target, entry));
        let mut lifted: Vec<Block> =
            gone.filter(|(_, entry)| entry.holds).map(|(_, entry)| entry.block).collect();
        lifted.sort_by(|one, other| (one.since, &one.target).cmp(&(other.since, &other.target)));
        lifted
    }
}

impl Entry {
    /// A block whose row another receiver has written.
    fn of_other(block: Block, weight: Weight, now: i64) -> Self {
        let row = StoredState::Of(block.since, block.until);
        let (holds, has_line, is_seen) = (false, true, true);
        Self { block, weight, holds, has_line, row, is_seen, other_since: Some(now) }
    }
}
