//! Decides which blocks get a line in the log and a row in the database.
//!
//! A block is in force in memory from its beginning. Its line and its row follow a moment later, in
//! limited batches, so that a flood of blocks causes neither a flood of lines nor of writes. A
//! block that ends before its row is written gets no row. This module only decides; its parent
//! reads, writes and logs.

mod others;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::block::{Block, Target};
use crate::login::guard::Weight;
use crate::store::Note;

/// The most lines at a time for blocks that began. fail2ban needs one for each network.
pub const LINES_MAX: usize = 100;
/// The most rows that are written or removed in one transaction.
const ROWS_MAX: usize = 256;

pub use others::{Changes, StoredBlocks};

/// Records which blocks are logged and which are stored.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: HashMap<Target, Entry>,
    /// See [`crate::login::guard::Guard::blocks_since`].
    seen: Option<u64>,
    /// Whether something may be due.
    is_behind: bool,
    /// The number of blocks that ended without a line, since this was last logged.
    without_line: usize,
    /// The number of rows in the table that this service did not write.
    foreign_rows: usize,
    /// The generation of the database that holds the rows: see
    /// [`crate::store::CurrentDatabase::generation`].
    database: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    block: Block,
    weight: Weight,
    holds: bool,
    has_line: bool,
    row: StoredState,
    /// Whether the row was found in the table, where other receivers write it too.
    is_seen: bool,
    /// Since when the row of another receiver is known here, by the steady clock; `None` for a
    /// block of this receiver.
    other_since: Option<i64>,
}

/// The stored row of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoredState {
    None,
    /// A row with these times of begin and end.
    Of(i64, i64),
    /// Unknown, because a write was tried.
    Unknown,
}

impl Entry {
    /// A block of this receiver that begins.
    fn of_own(block: Block, weight: Weight, row: StoredState) -> Self {
        let (holds, has_line, is_seen, other_since) = (true, false, false, None);
        Self { block, weight, holds, has_line, row, is_seen, other_since }
    }

    fn lacks_row(&self) -> bool {
        self.holds && self.row != StoredState::Of(self.block.since, self.block.until)
    }

    /// Marks the row as unknown, because the note is about to be written.
    fn note(&mut self, note: Note) -> Note {
        self.row = StoredState::Unknown;
        note
    }

    fn is_over(&self) -> bool {
        !self.holds && self.row == StoredState::None
    }
}

/// The actions that are due.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Lines for the log.
    pub lines: Vec<String>,
    /// Rows to write and to remove.
    pub notes: Vec<Note>,
}

impl Ledger {
    /// Begins at a start: these blocks are in force, and the table holds exactly their rows. The
    /// previous run logged them.
    pub fn of_stored(stored: Vec<(Block, Weight)>) -> Self {
        let entry = |(block, weight): (Block, Weight)| {
            let row = StoredState::Of(block.since, block.until);
            (block.target.clone(), Entry { has_line: true, ..Entry::of_own(block, weight, row) })
        };
        Self { entries: stored.into_iter().map(entry).collect(), ..Self::default() }
    }

    /// Switches to the database of this generation. If it is another one than before, all rows are
    /// written again.
    pub fn use_database(&mut self, generation: u64) {
        let is_first = self.database.is_none();
        if self.database.replace(generation) != Some(generation) && !is_first {
            self.entries.values_mut().for_each(|entry| entry.row = StoredState::Unknown);
            (self.foreign_rows, self.is_behind) = (0, true);
        }
    }

    /// The generation of the database that holds the rows.
    pub fn database(&self) -> Option<u64> {
        self.database
    }

    /// The number of the state of the guard that was last passed to [`Ledger::update`].
    pub fn seen(&self) -> Option<u64> {
        self.seen
    }

    /// Takes over which blocks are in force.
    pub fn update(&mut self, seen: u64, held: Vec<(Block, Weight)>) {
        (self.seen, self.is_behind) = (Some(seen), true);
        self.entries.values_mut().for_each(|entry| entry.holds = false);
        for (block, weight) in held {
            match self.entries.get_mut(&block.target) {
                Some(entry) if entry.block == block => entry.holds = true,
                Some(entry) => {
                    self.without_line += usize::from(!entry.has_line);
                    *entry = Entry::of_own(block, weight, entry.row);
                }
                None => {
                    let entry = Entry::of_own(block, weight, StoredState::None);
                    self.entries.insert(entry.block.target.clone(), entry);
                }
            }
        }
        let without_line =
            self.entries.values_mut().filter(|entry| !entry.holds && !entry.has_line);
        self.without_line += without_line.map(|entry| entry.has_line = true).count();
        self.forget_over();
    }

    /// Returns what is due, the most important first. The rows are unknown until
    /// [`Ledger::written`] is called.
    pub fn due(&mut self) -> Due {
        if !self.is_behind {
            return Due::default();
        }
        let lines = self.lines_due();
        let notes = self.notes_due(ROWS_MAX);
        self.is_behind = lines.len() >= LINES_MAX || !notes.is_empty();
        Due { lines, notes }
    }

    /// Returns the lines that are due.
    pub fn lines_due(&mut self) -> Vec<String> {
        let mut lines: Vec<&mut Entry> =
            self.entries.values_mut().filter(|entry| entry.holds && !entry.has_line).collect();
        lines.sort_by(|one, other| {
            (one.block.since, &one.block.target).cmp(&(other.block.since, &other.block.target))
        });
        lines.truncate(LINES_MAX);
        let line = |entry: &mut Entry| {
            entry.has_line = true;
            entry.block.line()
        };
        let mut lines: Vec<String> = lines.into_iter().map(line).collect();
        if self.without_line > 0 {
            lines.push(format!(
                "{} more login blocks began and ended without a line of their own",
                self.without_line
            ));
            self.without_line = 0;
        }
        lines
    }

    /// Returns the rows to remove, and those to write, members' names first. If both exceed the
    /// limit, each gets half. Otherwise a long flood would keep old rows from being removed, and
    /// the table would grow.
    fn notes_due(&mut self, most: usize) -> Vec<Note> {
        let writes = self.entries.values().filter(|entry| entry.lacks_row()).count();
        let removals_max = most - writes.min(most / 2);
        // The row of another receiver's block is not ours to remove.
        let is_spent = |entry: &&mut Entry| !entry.holds && entry.other_since.is_none();
        let remove = self.entries.values_mut().filter(is_spent).take(removals_max);
        let mut notes: Vec<Note> =
            remove.map(|entry| entry.note(Note::Lift(entry.block.target.clone()))).collect();
        let mut write: Vec<&mut Entry> =
            self.entries.values_mut().filter(|entry| entry.lacks_row()).collect();
        write.sort_by_key(|entry| (Reverse(entry.weight), entry.block.since));
        let write = write.into_iter().take(most - notes.len());
        notes.extend(write.map(|entry| entry.note(Note::Block(entry.block.clone()))));
        notes
    }

    /// Returns all rows to write and to remove, for the end of the service. A row too many does no
    /// harm to the next start.
    pub fn all_notes(&mut self) -> Vec<Note> {
        let mut notes = self.notes_due(usize::MAX);
        notes.sort_by_key(|note| matches!(note, Note::Lift(_)));
        notes
    }

    /// Records that these notes were committed.
    pub fn written(&mut self, notes: &[Note]) {
        for note in notes {
            let (target, row) = match note {
                Note::Block(block) => (&block.target, StoredState::Of(block.since, block.until)),
                Note::Lift(target) => (target, StoredState::None),
                Note::LogOut(_)
                | Note::Seen(_)
                | Note::Known(_)
                | Note::Login(_)
                | Note::Network(_)
                | Note::Shared(_)
                | Note::OperatorLogin(_)
                | Note::OperatorLogout(_) => continue,
            };
            if let Some(entry) = self.entries.get_mut(target) {
                entry.row = row;
            }
        }
        self.forget_over();
    }

    /// The number of rows in the table, unless another program removed some. `None` if it is
    /// unknown, or if no row is ours.
    pub fn rows(&self) -> Option<usize> {
        let is_known = self.entries.values().all(|entry| entry.row != StoredState::Unknown);
        let ours = self.entries.values().filter(|entry| entry.row != StoredState::None).count();
        (is_known && ours > 0).then_some(ours + self.foreign_rows)
    }

    /// Compares with the table, which has this number of rows, of which these can be read. Returns
    /// the blocks whose rows another program removed, and forgets them.
    pub fn lifted(&mut self, rows: usize, stored: &[Block]) -> Vec<Block> {
        let stored: HashSet<&Target> = stored.iter().map(|block| &block.target).collect();
        let is_lifted = |target: &Target, entry: &Entry| {
            entry.row != StoredState::None && !stored.contains(target)
        };
        let lifted: Vec<Entry> = self
            .entries
            .extract_if(|target, entry| is_lifted(target, entry))
            .map(|(_, entry)| entry)
            .collect();
        let ours = self.entries.values().filter(|entry| entry.row != StoredState::None).count();
        self.foreign_rows = rows.saturating_sub(ours);
        let mut lifted: Vec<Block> =
            lifted.into_iter().filter(|entry| entry.holds).map(|entry| entry.block).collect();
        lifted.sort_by(|one, other| (one.since, &one.target).cmp(&(other.since, &other.target)));
        lifted
    }

    fn forget_over(&mut self) {
        self.entries.retain(|_, entry| !entry.is_over());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{LoginName, Network};

    fn network(number: u32) -> Target {
        Target::Network(Network::of(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into()))
    }

    fn bob(number: u32) -> (Block, Weight) {
        let target = Target::Pair(LoginName::new("bob"), network(number).network().unwrap());
        (Block { target, ..block(0, 0).0 }, Weight::Member)
    }

    fn block(number: u32, since: i64) -> (Block, Weight) {
        (Block { target: network(number), since, until: since + 900 }, Weight::Network)
    }

    fn blocks(numbers: std::ops::Range<u32>) -> Vec<(Block, Weight)> {
        numbers.map(|number| block(number, 0)).collect()
    }

    /// Does everything that is due until nothing is. Returns the number of lines and notes each
    /// time.
    fn settle(ledger: &mut Ledger) -> Vec<(usize, usize)> {
        let due = std::iter::from_fn(|| {
            let due = ledger.due();
            ledger.written(&due.notes);
            (due != Due::default()).then_some((due.lines.len(), due.notes.len()))
        });
        due.collect()
    }

    #[test]
    fn another_database_file_gets_all_rows_and_no_line_anew() {
        let mut ledger = Ledger::of_stored(blocks(0..3));
        ledger.use_database(1);
        assert_eq!(
            (ledger.due(), ledger.rows()),
            (Due::default(), Some(3)),
            "the file of the start"
        );
        ledger.use_database(2);
        assert_eq!(ledger.rows(), None, "nothing is known of it, so that nothing was lifted in it");
        let due = ledger.due();
        assert_eq!((due.lines.len(), due.notes.len()), (0, 3));
        ledger.written(&due.notes);
        ledger.use_database(2);
        assert_eq!((ledger.due(), ledger.rows()), (Due::default(), Some(3)));
    }

    #[test]
    fn a_block_gets_a_line_and_a_row_and_loses_the_row_when_it_ends() {
        let mut ledger = Ledger::default();
        assert_eq!((ledger.due(), ledger.rows()), (Due::default(), None));
        let (held, _) = block(1, 0);
        ledger.update(1, vec![block(1, 0)]);
        assert_eq!(
            ledger.due(),
            Due { lines: vec![held.line()], notes: vec![Note::Block(held.clone())] }
        );
        assert_eq!(ledger.rows(), None, "nobody can tell yet");
        ledger.written(&[Note::Block(held.clone())]);
        assert_eq!(
            (ledger.due(), ledger.rows(), ledger.seen()),
            (Due::default(), Some(1), Some(1))
        );
        ledger.update(2, vec![]);
        assert_eq!(
            ledger.due(),
            Due { lines: vec![], notes: vec![Note::Lift(held.target.clone())] }
        );
        ledger.written(&[Note::Lift(held.target)]);
        assert_eq!((ledger.due(), ledger.rows()), (Due::default(), None));
        assert!(ledger.entries.is_empty());
    }

    #[test]
    fn a_flood_has_a_hundred_lines_and_256_rows_at_a_time_and_in_the_end_all() {
        let mut ledger = Ledger::default();
        ledger.update(1, blocks(0..600));
        assert_eq!(
            settle(&mut ledger),
            [(100, 256), (100, 256), (100, 88), (100, 0), (100, 0), (100, 0)]
        );
        assert_eq!(ledger.rows(), Some(600));
        ledger.update(2, blocks(300..600));
        assert_eq!(settle(&mut ledger), [(0, 256), (0, 44)]);
    }

    /// Regression: as long as there was something to write, nothing was removed, and the table
    /// grew.
    #[test]
    fn a_flood_that_never_ends_leaves_no_more_rows_than_hold_and_were_just_written() {
        let mut ledger = Ledger::default();
        for second in 0..200 {
            // A thousand blocks in force, each for a second.
            ledger.update(u64::from(second), blocks(second * 1_000..(second + 1) * 1_000));
            let due = ledger.due();
            assert_eq!(due.notes.len(), ROWS_MAX, "{second}");
            ledger.written(&due.notes);
            assert!(ledger.rows().unwrap() <= 2 * ROWS_MAX, "{second}: {:?}", ledger.rows());
            assert!(ledger.entries.len() <= 1_000 + 2 * ROWS_MAX, "{second}");
        }
    }

    #[test]
    fn a_block_of_a_members_name_is_written_first() {
        let mut ledger = Ledger::default();
        ledger.update(1, blocks(0..600).into_iter().chain([bob(7)]).collect());
        assert_eq!(ledger.due().notes.first(), Some(&Note::Block(bob(7).0)));
    }

    #[test]
    fn a_block_that_ends_before_its_turn_costs_no_row_and_is_counted_in_a_line() {
        let mut ledger = Ledger::default();
        ledger.update(1, blocks(0..600));
        let due = ledger.due();
        ledger.written(&due.notes);
        ledger.update(2, vec![]);
        let due = ledger.due();
        assert_eq!(
            due.lines,
            ["500 more login blocks began and ended without a line of their own"]
        );
        assert_eq!(due.notes.len(), 256, "those that were written");
        ledger.written(&due.notes);
        assert_eq!(settle(&mut ledger), []);
    }

    #[test]
    fn what_could_not_be_written_is_tried_again_and_what_was_perhaps_written_is_removed() {
        let mut ledger = Ledger::default();
        ledger.update(1, vec![block(1, 0)]);
        let first = ledger.due().notes;
        assert_eq!(ledger.due(), Due { lines: vec![], notes: first });
        ledger.update(2, vec![]);
        assert_eq!(ledger.due().notes, [Note::Lift(network(1))]);
    }

    #[test]
    fn a_block_that_begins_anew_replaces_its_row() {
        let mut ledger = Ledger::default();
        ledger.update(1, vec![block(1, 0)]);
        settle(&mut ledger);
        ledger.update(2, vec![block(1, 1_000)]);
        let due = ledger.due();
        assert_eq!(
            (due.lines.len(), due.notes.as_slice()),
            (1, &[Note::Block(block(1, 1_000).0)][..])
        );
    }

    #[test]
    fn a_row_that_another_program_removed_lifts_its_block() {
        let stored =
            |numbers| blocks(numbers).into_iter().map(|(block, _)| block).collect::<Vec<_>>();
        let mut ledger = Ledger::of_stored(blocks(0..3));
        assert_eq!((ledger.due(), ledger.rows()), (Due::default(), Some(3)), "a start");
        assert_eq!(ledger.lifted(3, &stored(0..3)), []);
        assert_eq!(ledger.lifted(2, &stored(1..3)), stored(0..1));
        assert_eq!(ledger.rows(), Some(2));
        assert_eq!(ledger.lifted(4, &stored(1..3)), [], "two foreign rows that cannot be read");
        assert_eq!(ledger.rows(), Some(4), "are known from here on");
        assert_eq!(ledger.lifted(2, &stored(5..7)), stored(1..3));
        assert_eq!(ledger.rows(), None);
    }

    #[test]
    fn the_end_of_the_service_writes_all() {
        let mut ledger = Ledger::default();
        ledger.update(1, blocks(0..1));
        settle(&mut ledger);
        ledger.update(2, blocks(1..601));
        let notes = ledger.all_notes();
        assert_eq!(
            (notes.len(), notes.last()),
            (601, Some(&Note::Lift(network(0)))),
            "what holds comes first"
        );
    }
}
