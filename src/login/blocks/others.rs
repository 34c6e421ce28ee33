//! Applies the blocks of other receivers of the database.

use super::ledger::{Changes, Ledger, StoredBlocks};
use crate::block::Block;
use crate::clock::Reading;
use crate::login::guard::Guard;
use crate::store::{Fault, Read};

/// The most rows that are read at a time: four receivers with as many blocks as each can hold.
const ROWS_MAX: usize = 32_768;

/// Reads the table of blocks, whatever their end: clocks differ.
///
/// # Errors
///
/// If it cannot be read.
pub fn stored_blocks(reader: &dyn Read) -> Result<StoredBlocks, Fault> {
    let mut stored = StoredBlocks { blocks: Vec::new(), is_whole: true };
    let mut after = None;
    loop {
        let page = reader.blocks_page(after.as_ref(), i64::MIN)?;
        stored.blocks.extend(page.blocks);
        after = page.next;
        if after.is_none() {
            return Ok(stored);
        }
        if stored.blocks.len() >= ROWS_MAX {
            stored.is_whole = false;
            return Ok(stored);
        }
    }
}

/// Brings the guard up to date with the table: begins the blocks of other receivers, and lifts
/// those whose row was deleted. With `has_line` the log needs no line about those that begin.
/// Returns what has changed.
pub fn take_up(
    ledger: &mut Ledger,
    guard: &Guard,
    stored: StoredBlocks,
    now: Reading,
    has_line: bool,
) -> Changes {
    let changes = ledger.compare(stored, now.steady);
    changes.lifted.iter().for_each(|block| guard.lift(&block.target));
    for (block, holder) in &changes.begun {
        if let Some(weight) = guard.take_up(block, *holder, now) {
            ledger.take_up(block.clone(), weight, now.steady, has_line);
        }
    }
    changes
}

/// Clocks of receivers may differ by this, seconds.
const CLOCKS_DIFFER_MAX: i64 = 5;

/// Whether a block ended early: a command has deleted its row, and not the receiver that wrote it.
pub(super) fn ended_early(block: &Block, now: Reading) -> bool {
    block.until > now.wall.saturating_add(CLOCKS_DIFFER_MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::block::{LoginName, NameHolder, Network, Target};
    use crate::login::guard::{Verdict, WrongPassword};
    use crate::login::remembered::Remembered;
    use crate::login::settings::GuessLimits;
    use crate::password::Password;
    use crate::store::Note;

    const START: i64 = 1_781_524_800;

    /// The table that all receivers share. The first clock is that of the table's rows.
    #[derive(Default)]
    struct Table {
        rows: BTreeMap<Target, Block>,
        written: usize,
    }

    impl Table {
        fn stored(&self) -> StoredBlocks {
            let holder = |block: &Block| match block.target.name() {
                Some(name) if name.as_str() == "nobody" => NameHolder::Nobody,
                _ => NameHolder::Member,
            };
            let blocks = self.rows.values().map(|block| (block.clone(), holder(block))).collect();
            StoredBlocks { blocks, is_whole: true }
        }
    }

    /// A receiver whose clock is ahead by some seconds.
    struct Receiver {
        guard: Guard,
        ledger: Ledger,
        remembered: Remembered,
        ahead: i64,
        lines: Vec<String>,
        lifted: Vec<Block>,
    }

    impl Receiver {
        fn new(ahead: i64) -> Self {
            let limits = GuessLimits {
                pair: 2,
                network: 0,
                name: 0,
                window_seconds: 60,
                block_seconds: 900,
            };
            let (lines, lifted) = (Vec::new(), Vec::new());
            let guard = Guard::new(limits, false, i64::MIN);
            let remembered = Remembered::new().unwrap();
            Self { guard, ledger: Ledger::default(), remembered, ahead, lines, lifted }
        }

        fn now(&self, second: i64) -> Reading {
            Reading { wall: START + second + self.ahead, steady: second }
        }

        /// Two wrong passwords at this second.
        fn guess(&self, name: &str, from: &str, second: i64) {
            let network = Network::parse(from).unwrap();
            let (name, holder) = (
                LoginName::new(name),
                match name {
                    "nobody" => NameHolder::Nobody,
                    _ => NameHolder::Member,
                },
            );
            for password in ["a", "b"] {
                let secret = self.remembered.secret(&Password::parse(password).unwrap());
                let wrong = WrongPassword { name: &name, holder, network, is_known: false, secret };
                self.guard.wrong(&wrong, self.now(second));
            }
        }

        fn is_blocked(&self, name: &str, from: &str, second: i64) -> bool {
            let network = Network::parse(from).unwrap();
            self.guard.verdict(&LoginName::new(name), network, second) != Verdict::Open
        }

        /// What [`super::super::BlockSync`] does each second.
        fn look(&mut self, table: &mut Table, second: i64) {
            self.write(table, second);
            for target in self.read(table.stored(), second) {
                table.rows.remove(&target);
            }
        }

        fn write(&mut self, table: &mut Table, second: i64) {
            if let Some((seen, held)) = self.guard.blocks_since(self.ledger.seen(), second) {
                self.ledger.update(seen, held);
            }
            let due = self.ledger.due();
            for note in &due.notes {
                table.written += 1;
                match note {
                    Note::Block(block) => {
                        table.rows.insert(block.target.clone(), block.clone());
                    }
                    Note::Lift(target) => {
                        table.rows.remove(target);
                    }
                    other => panic!("{other:?}"),
                }
            }
            self.ledger.written(&due.notes);
            self.lines.extend(due.lines);
        }

        /// Returns the rows to delete.
        fn read(&mut self, stored: StoredBlocks, second: i64) -> Vec<Target> {
            let now = self.now(second);
            let changes = take_up(&mut self.ledger, &self.guard, stored, now, false);
            self.lifted.extend(changes.lifted);
            changes.spent
        }
    }

    /// Three receivers with clocks that differ, each of which looks once a second.
    fn receivers() -> (Table, [Receiver; 3]) {
        (Table::default(), [0, 3, -2].map(Receiver::new))
    }

    fn pass(table: &mut Table, receivers: &mut [Receiver], seconds: std::ops::Range<i64>) {
        for second in seconds {
            receivers.iter_mut().for_each(|receiver| receiver.look(table, second));
        }
    }

    const HOME: &str = "203.0.113.9";

    #[test]
    fn a_block_of_one_receiver_counts_at_all_within_a_second_and_ends_at_all() {
        let (mut table, mut all) = receivers();
        all[1].guess("bob", HOME, 0);
        // The first one looks before the second one has written.
        pass(&mut table, &mut all, 0..2);
        assert!(all.iter().all(|receiver| receiver.is_blocked("bob", HOME, 1)));
        pass(&mut table, &mut all, 2..3);
        for receiver in &all {
            assert_eq!(receiver.lines.len(), 1, "fail2ban reads the log of its own machine");
        }
        let written = table.written;
        pass(&mut table, &mut all, 3..890);
        assert!(all.iter().all(|receiver| receiver.is_blocked("bob", HOME, 890)));
        assert_eq!(table.written, written, "nothing is written while nothing changes");
        pass(&mut table, &mut all, 890..910);
        assert!(all.iter().all(|receiver| !receiver.is_blocked("bob", HOME, 910)));
        assert_eq!(table.rows, BTreeMap::new());
        assert_eq!(table.written, written + 1, "its own receiver deletes the row");
        assert!(all.iter().all(|receiver| receiver.lines.len() == 1));
    }

    #[test]
    fn a_command_lifts_a_block_at_all_receivers() {
        let (mut table, mut all) = receivers();
        all[0].guess("bob", HOME, 0);
        pass(&mut table, &mut all, 0..10);
        table.rows.clear();
        pass(&mut table, &mut all, 10..11);
        for receiver in &all {
            assert!(!receiver.is_blocked("bob", HOME, 10));
            assert!(ended_early(&receiver.lifted[0], receiver.now(10)), "and says so");
        }
        pass(&mut table, &mut all, 11..20);
        assert_eq!(table.rows, BTreeMap::new(), "nobody brings it back");
    }

    #[test]
    fn of_two_blocks_of_one_target_the_longer_one_counts_at_all_and_nobody_goes_on_writing() {
        let (mut table, mut all) = receivers();
        // Both begin before either has looked. The clock of the second one is ahead.
        all[0].guess("bob", HOME, 0);
        all[1].guess("bob", HOME, 0);
        pass(&mut table, &mut all, 0..5);
        let until = |table: &Table| table.rows.values().map(|row| row.until).collect::<Vec<_>>();
        assert_eq!(until(&table), [START + 903]);
        let written = table.written;
        pass(&mut table, &mut all, 5..800);
        assert_eq!((until(&table), table.written), (vec![START + 903], written));
        pass(&mut table, &mut all, 800..910);
        assert_eq!(table.rows, BTreeMap::new());
        assert!(all.iter().all(|receiver| !receiver.is_blocked("bob", HOME, 910)));
    }

    #[test]
    fn a_name_that_no_member_has_stays_with_its_receiver_which_knows_it_by_a_pseudonym() {
        let (mut table, mut all) = receivers();
        all[0].guess("nobody", HOME, 0);
        pass(&mut table, &mut all, 0..5);
        assert_eq!(table.rows.len(), 1);
        let blocked = all.each_ref().map(|receiver| receiver.is_blocked("nobody", HOME, 5));
        assert_eq!(blocked, [true, false, false]);
        pass(&mut table, &mut all, 5..910);
        assert_eq!(table.rows, BTreeMap::new());
    }

    #[test]
    fn blocks_of_a_receiver_that_has_ended_last_their_time_and_their_rows_a_day_longer() {
        let (mut table, mut all) = receivers();
        all[0].guess("bob", HOME, 0);
        all[0].guess("nobody", HOME, 0);
        pass(&mut table, &mut all, 0..5);
        let others = &mut all[1..];
        pass(&mut table, others, 5..890);
        assert!(others.iter().all(|receiver| receiver.is_blocked("bob", HOME, 890)));
        pass(&mut table, others, 890..1_000);
        assert!(others.iter().all(|receiver| !receiver.is_blocked("bob", HOME, 1_000)));
        assert_eq!(table.rows.len(), 2, "a receiver deletes no row of another one that may run");
        // One that starts does not begin them again.
        let mut new = Receiver::new(0);
        new.look(&mut table, 1_000);
        assert!(!new.is_blocked("bob", HOME, 1_000));
        pass(&mut table, others, 91_000..91_002);
        assert_eq!(table.rows, BTreeMap::new());
    }

    #[test]
    fn a_row_that_was_left_out_or_has_not_arrived_lifts_nothing() {
        let (mut table, [mut receiver, ..]) = receivers();
        let nothing = |is_whole| StoredBlocks { blocks: Vec::new(), is_whole };
        receiver.guess("bob", HOME, 0);
        receiver.write(&mut table, 0);
        receiver.read(nothing(true), 0);
        assert!(receiver.is_blocked("bob", HOME, 0), "the node that is read is behind");
        receiver.read(table.stored(), 1);
        receiver.read(nothing(false), 2);
        assert!(receiver.is_blocked("bob", HOME, 2), "a part of the table says nothing");
        receiver.read(nothing(true), 3);
        assert!(!receiver.is_blocked("bob", HOME, 3), "all of it does");
    }

    #[test]
    fn a_clock_that_was_a_year_ahead_blocks_no_longer_than_any_other() {
        let (mut table, _) = receivers();
        let mut all = [Receiver::new(365 * 86_400), Receiver::new(0)];
        all[0].guess("bob", HOME, 0);
        pass(&mut table, &mut all, 0..5);
        assert!(all[1].is_blocked("bob", HOME, 5));
        pass(&mut table, &mut all[1..], 5..910);
        assert!(!all[1].is_blocked("bob", HOME, 910));
    }
}
