//! Blocks in memory, log and database: reads those of an earlier run at a start, writes the new
//! ones, and lifts those that a command removed.

mod ledger;
mod others;

use std::sync::Arc;

use super::area::Area;
use super::guard::Guard;
use crate::block::{Block, BlockKind, LoginName, NameHolder, Network};
use crate::chain::chain;
use crate::clock::{Clock, Reading};
use crate::store::reads::pool::ReadPool;
use crate::store::{CurrentDatabase, Fault, Note, Read, pages};
use crate::writer::Writer;

use ledger::LINES_MAX;
pub use ledger::Ledger;
use others::ended_early;
pub use others::{stored_blocks, take_up};

/// Which blocks a command lifts.
#[derive(Debug, Default)]
pub struct Selection {
    /// Only blocks of this name.
    pub name: Option<LoginName>,
    /// Only blocks of networks that overlap this one.
    pub network: Option<Network>,
}

impl Selection {
    /// Whether the block is selected.
    pub fn contains(&self, block: &Block) -> bool {
        let overlaps = |network: Network| {
            block.target.network().is_some_and(|blocked| blocked.overlaps(network))
        };
        // A name is shown with ? for each byte that is not ASCII, and may be copied as it is shown.
        let is_named = |name: &LoginName| {
            let of_block = block.target.name();
            let is_shown_so =
                |own: &LoginName| name.as_str().is_ascii() && own.to_string() == name.to_string();
            of_block.is_some_and(|own| own == name || is_shown_so(own))
        };
        self.name.as_ref().is_none_or(is_named) && self.network.is_none_or(overlaps)
    }
}

/// Continues the stored blocks of an earlier run, as many as the guard can hold. Returns them, to
/// be kept in the database while all others are deleted; `None` if none is stored.
///
/// Blocks of a name that no member has are not continued: they are stored under a pseudonym of that
/// run. Neither are blocks of a name alone while it is unknown from which networks members log in,
/// because they would block members in their own network.
///
/// # Errors
///
/// If they cannot be read.
pub fn continue_stored(
    reader: &dyn Read,
    guard: &Guard,
    now: Reading,
    knows_networks: bool,
) -> Result<Option<(Ledger, Vec<Block>)>, Fault> {
    if reader.count_blocks()? == 0 {
        return Ok(None);
    }
    pages::each_block(reader, now.wall, |block: Block, holder| {
        let continues = match block.target.kind() {
            BlockKind::Pair => holder == NameHolder::Member,
            BlockKind::Network => true,
            BlockKind::Name => knows_networks && holder == NameHolder::Member,
        };
        if continues {
            guard.begin(block, holder, now);
        }
    })?;
    let held = guard.blocks_since(None, now.steady).map(|(_, held)| held).unwrap_or_default();
    let blocks = held.iter().map(|(block, _)| block.clone()).collect();
    Ok(Some((Ledger::of_stored(held), blocks)))
}

/// Brings log and database up to date with the blocks in memory.
#[derive(Clone, Debug)]
pub struct BlockSync {
    /// The blocks.
    pub area: Arc<Area>,
    /// The database.
    pub database: CurrentDatabase,
    /// Writes the rows.
    pub writer: Writer,
    /// The time.
    pub clock: Clock,
    /// Reads the table where other receivers write it too.
    pub shared: Option<ReadPool>,
}

impl BlockSync {
    /// Logs and stores the blocks that began, deletes the rows of those that ended, and lifts those
    /// whose row a command removed. The service calls it each second.
    pub async fn run_once(&self) {
        let due = {
            let mut ledger = self.area.ledger();
            if self.database.is_available() {
                ledger.use_database(self.database.generation());
            }
            self.update(&mut ledger);
            ledger.due()
        };
        due.lines.iter().for_each(|line| log::warn!("{line}"));
        if !due.notes.is_empty() && self.writer.note_all_and_wait(due.notes.clone()).await {
            self.area.ledger().written(&due.notes);
        }
        match &self.shared {
            Some(reads) => self.exchange(reads).await,
            None => self.lift_removed(),
        }
    }

    /// Applies the blocks of other receivers, and lifts those whose row was deleted.
    async fn exchange(&self, reads: &ReadPool) {
        let stored = match reads.read(stored_blocks).await {
            Ok(stored) => stored,
            // The blocks stay in force. The fault of the database is logged elsewhere.
            Err(error) => return log::debug!("cannot read the login blocks: {}", chain(&error)),
        };
        let now = self.clock.read();
        let changes = take_up(&mut self.area.ledger(), &self.area.guard, stored, now, false);
        let early: Vec<Block> =
            changes.lifted.into_iter().filter(|block| ended_early(block, now)).collect();
        log_lifted(&early);
        if !changes.spent.is_empty() {
            let spent = changes.spent.into_iter().map(Note::Lift).collect();
            // What was not deleted is found again.
            let _ = self.writer.note_all_and_wait(spent).await;
        }
    }

    /// Logs and stores everything that is still due, before the writer ends.
    pub fn finish(&self) {
        let mut ledger = self.area.ledger();
        self.update(&mut ledger);
        ledger.lines_due().iter().for_each(|line| log::warn!("{line}"));
        let notes = ledger.all_notes();
        let count = notes.len();
        // Members' names come first. If the queue is full, the blocks of less weight are lost.
        let stored = notes.into_iter().take_while(|note| self.writer.note(note.clone())).count();
        if stored < count {
            log::warn!(
                "{} login blocks could not be stored: the next start does not continue them",
                count - stored
            );
        }
    }

    fn update(&self, ledger: &mut Ledger) {
        let held = self.area.guard.blocks_since(ledger.seen(), self.clock.steady());
        if let Some((seen, held)) = held {
            ledger.update(seen, held);
        }
    }

    /// Lifts the blocks that were stored and whose row was removed before their end: a command
    /// `block lift` did that.
    fn lift_removed(&self) {
        let mut ledger = self.area.ledger();
        let Some(rows) = ledger.rows() else { return };
        let Some(generation) = ledger.database() else { return };
        let lifted = match stored_unless(rows, generation, &self.database) {
            Ok(None) => return,
            Ok(Some((rows, stored))) => ledger.lifted(rows, &stored),
            // The blocks stay in force. The fault of the database is logged elsewhere.
            Err(error) => return log::debug!("cannot read the login blocks: {error}"),
        };
        lifted.iter().for_each(|block| self.area.guard.lift(&block.target));
        log_lifted(&lifted);
    }
}

fn log_lifted(lifted: &[Block]) {
    lifted.iter().take(LINES_MAX).for_each(|block| log::info!("login block lifted: {block}"));
    if let Some(more) = lifted.len().checked_sub(LINES_MAX).filter(|&more| more > 0) {
        log::info!("{more} more login blocks lifted");
    }
}

/// The number of stored blocks and the blocks; `None` if there are exactly `rows`, or if the
/// current database is of another generation. Counting them is cheap, reading them is not.
fn stored_unless(
    rows: usize,
    generation: u64,
    database: &CurrentDatabase,
) -> Result<Option<(usize, Vec<Block>)>, String> {
    let reader = database.open().map_err(|error| chain(&error))?;
    if reader.generation() != generation {
        return Ok(None);
    }
    let read = || {
        reader.begin_read()?;
        let found = reader.count_blocks()?;
        // All of them, whatever their end: the clock may have been set.
        if found == rows { Ok(None) } else { Ok(Some((found, pages::blocks(&*reader, i64::MIN)?))) }
    };
    read().map_err(|fault: Fault| chain(&fault))
}
