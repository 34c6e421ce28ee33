//! The blocks of those who guess, kept in step with log and database: see [`crate::login::blocks`].

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

/// Blocks that are stored hold again, as many as there may be; the others are forgotten there too.
/// So are those of names while it is not known from which networks members log in: nobody shall be
/// locked out of their own by it. And those of a name that no member has: it stands there as a word
/// that no later run knows, and guards nobody.
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

/// One look at the blocks: those that began get their line in the log and their row, those that
/// ended lose it, and those whose row a command has removed end.
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

/// Has all logged and written down that is not yet, before the writer ends.
pub(super) fn write_down_all(shared: &ServerState) {
    let area = &shared.area;
    let mut ledger = area.ledger();
    if let Some((seen, held)) = area.guard.blocks_since(ledger.seen(), shared.clock.steady()) {
        ledger.take_up(seen, held);
    }
    ledger.lines_due().iter().for_each(|line| log::warn!("{line}"));
    let notes = ledger.all_notes();
    let count = notes.len();
    // Those of members come first; where the lane is full, blocks of less weight are forgotten by
    // the next start.
    let noted = notes.into_iter().take_while(|note| shared.writer.note(note.clone())).count();
    if noted < count {
        log::warn!(
            "{} login blocks are not written down: the next start does not know them",
            count - noted
        );
    }
}

/// Takes up what `block lift` did: a block that was written down, and is there no more before its
/// end.
fn take_up_lifted(shared: &ServerState) {
    let mut ledger = shared.area.ledger();
    let Some(rows) = ledger.rows() else { return };
    let Some(file) = ledger.file() else { return };
    let lifted = match stored_unless(rows, file, &shared.file) {
        Ok(None) => return,
        Ok(Some((rows, stored))) => ledger.lifted(rows, &stored),
        // They hold, and what keeps the database from being read is logged elsewhere.
        Err(error) => return log::debug!("blocks cannot be looked up: {error}"),
    };
    lifted.iter().for_each(|block| shared.area.guard.lift(&block.target));
    lifted.iter().take(LINES_MAX).for_each(|block| log::info!("login block lifted: {block}"));
    if let Some(more) = lifted.len().checked_sub(LINES_MAX).filter(|&more| more > 0) {
        log::info!("{more} more login blocks lifted");
    }
}

/// All rows of the table and how many there are, unless there are just so many: counting them is
/// the cheap look. Nothing of another file than the one of which so many are expected.
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
        // From whatever time: the clock may have been set.
        if found == rows { Ok(None) } else { Ok(Some((found, pages::blocks(&*reader, i64::MIN)?))) }
    };
    read().map_err(|fault: Fault| chain(&fault))
}
