//! Keeps the log and the database in step with login blocks: see [`crate::login::blocks`].

use super::error::StartError;
use crate::apply::in_transaction;
use crate::block::{Block, BlockKind, NameHolder};
use crate::chain::chain;
use crate::clock::Reading;
use crate::config::Config;
use crate::database::DatabaseError;
use crate::http::state::ServerState;
use crate::login::blocks::{LINES_MAX, Ledger};
use crate::login::guard::Guard;
use crate::store::{CurrentDatabase, Engine, Fault, open_reader, pages, with_engine};

/// Restores stored blocks, up to the limit of blocks, and removes the others from the database.
/// Not restored are:
///
/// - blocks of names, if the networks of members are unknown: members must not be locked out of
///   their own networks;
/// - blocks of a name that no member has: it is stored as a pseudonym that a later run cannot
///   recognise, so such a block protects nobody.
pub(super) fn take_up_stored(
    config: &Config,
    guard: &Guard,
    now: Reading,
    knows_networks: bool,
) -> Result<Ledger, StartError> {
    let reader = open_reader(&config.location)?;
    let rows = reader.count_blocks().map_err(DatabaseError::Read)?;
    if rows == 0 {
        return Ok(Ledger::default());
    }
    let take = |block: Block, named| {
        let holds_again = match block.target.kind() {
            BlockKind::Pair => named == NameHolder::Member,
            BlockKind::Network => true,
            BlockKind::Name => knows_networks && named == NameHolder::Member,
        };
        if holds_again {
            guard.begin(block, named, now);
        }
    };
    pages::each_block(&*reader, now.wall, take).map_err(DatabaseError::Read)?;
    let held = guard.blocks_since(None, now.steady).map(|(_, held)| held).unwrap_or_default();
    let blocks: Vec<Block> = held.iter().map(|(block, _)| block.clone()).collect();
    let keep = |engine: &mut dyn Engine| engine.keep_blocks(&blocks);
    with_engine(&config.location, false, |engine| in_transaction(engine, keep))?
        .map_err(DatabaseError::Write)?;
    Ok(Ledger::of_stored(held))
}

/// One round: logs and stores new blocks, removes the rows of ended ones, and lifts those whose row
/// a command has removed.
pub(super) async fn look(shared: &ServerState) {
    let area = &shared.area;
    let due = {
        let mut ledger = area.ledger();
        if shared.file.is_available() {
            ledger.of_file(shared.file.generation());
        }
        if let Some((seen, held)) = area.guard.blocks_since(ledger.seen(), shared.clock.steady()) {
            ledger.take_up(seen, held);
        }
        ledger.due()
    };
    due.lines.iter().for_each(|line| log::warn!("{line}"));
    if !due.notes.is_empty() && shared.writer.note_all_and_wait(due.notes.clone()).await {
        area.ledger().written(&due.notes);
    }
    take_up_lifted(shared);
}

/// Logs and stores all blocks that are not yet, before the writer ends.
pub(super) fn write_down_all(shared: &ServerState) {
    let area = &shared.area;
    let mut ledger = area.ledger();
    if let Some((seen, held)) = area.guard.blocks_since(ledger.seen(), shared.clock.steady()) {
        ledger.take_up(seen, held);
    }
    ledger.lines_due().iter().for_each(|line| log::warn!("{line}"));
    let notes = ledger.all_notes();
    let count = notes.len();
    // Blocks of members come first; if the lane is full, less important blocks are lost.
    let noted = notes.into_iter().take_while(|note| shared.writer.note(note.clone())).count();
    if noted < count {
        log::warn!(
            "{} login blocks could not be saved: the next start does not know them",
            count - noted
        );
    }
}

/// Lifts the blocks that `block lift` has removed: those that were stored, and are gone before
/// their end.
fn take_up_lifted(shared: &ServerState) {
    let mut ledger = shared.area.ledger();
    let Some(rows) = ledger.rows() else { return };
    let Some(file) = ledger.file() else { return };
    let lifted = match stored_unless(rows, file, &shared.file) {
        Ok(None) => return,
        Ok(Some((rows, stored))) => ledger.lifted(rows, &stored),
        // They stay in effect, and faults of the database are logged elsewhere.
        Err(error) => return log::debug!("could not read the blocks: {error}"),
    };
    lifted.iter().for_each(|block| shared.area.guard.lift(&block.target));
    lifted.iter().take(LINES_MAX).for_each(|block| log::info!("login block lifted: {block}"));
    if let Some(more) = lifted.len().checked_sub(LINES_MAX).filter(|&more| more > 0) {
        log::info!("{more} more login blocks lifted");
    }
}

/// All rows of the table and their number, unless that is the expected one: counting is cheap.
/// `None` also if the database was replaced by another one than the count is from.
fn stored_unless(
    rows: usize,
    turn: u64,
    file: &CurrentDatabase,
) -> Result<Option<(usize, Vec<Block>)>, String> {
    let reader = file.open().map_err(|error| chain(&error))?;
    if reader.generation() != turn {
        return Ok(None);
    }
    let read = || {
        reader.begin_read()?;
        let found = reader.count_blocks()?;
        // From any time: the clock may have been set.
        if found == rows { Ok(None) } else { Ok(Some((found, pages::blocks(&*reader, i64::MIN)?))) }
    };
    read().map_err(|fault: Fault| chain(&fault))
}
