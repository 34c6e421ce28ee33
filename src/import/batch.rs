//! Postbacks of an import, in transactions of many.

use crate::action::Rules;
use crate::apply::{Postback, transact};
use crate::clock::Moment;
use crate::replay::DryRun;
use crate::reply::Reply;
use crate::store::{Engine, Fault, Read};

/// Rows in one transaction, while others wait for its end.
pub const IMPORT_BATCH: usize = 512;
/// Rows in one transaction, while nobody else uses the database. Names come in no order, so that
/// almost each row changes a page of their index: of a larger transaction, fewer pages are written.
pub const IMPORT_BATCH_ALONE: usize = 4 * IMPORT_BATCH;

/// How often a batch is tried again where another process has locked the database, or a part of it
/// where a row is locked, each time for as long as the engine waits.
const LOCK_WAITS_MAX: u32 = 50;

/// Applies a batch in a transaction of its own: the replies in order. A row that the schema refuses
/// has a fault of its own.
///
/// # Errors
///
/// For the whole batch: where nothing of it could be changed, or the outcome of the commit is
/// unknown.
pub fn apply_batch(
    engine: &mut dyn Engine,
    rules: &Rules,
    batch: &[&Postback],
    mut moment: impl FnMut() -> Moment,
) -> Result<Vec<Result<Reply, Fault>>, Fault> {
    let mut waits = 0;
    let mut done = apply_when_free(engine, rules, batch, &mut moment, &mut waits)?;
    loop {
        let is_locked = |result: &Result<Reply, Fault>| matches!(result, Err(Fault::RowLocked(_)));
        let locked: Vec<usize> = (0..done.len()).filter(|&at| is_locked(&done[at])).collect();
        if locked.is_empty() || waits >= LOCK_WAITS_MAX {
            return Ok(done);
        }
        waits += 1;
        // Another import may be writing the same members.
        let rest: Vec<&Postback> = locked.iter().map(|&at| batch[at]).collect();
        let again = apply_when_free(engine, rules, &rest, &mut moment, &mut waits)?;
        for (at, result) in locked.into_iter().zip(again) {
            done[at] = result;
        }
    }
}

fn apply_when_free(
    engine: &mut dyn Engine,
    rules: &Rules,
    batch: &[&Postback],
    mut moment: impl FnMut() -> Moment,
    waits: &mut u32,
) -> Result<Vec<Result<Reply, Fault>>, Fault> {
    loop {
        match transact(engine, &rules.vault, batch, &mut moment) {
            Err(Fault::Busy(_)) if *waits < LOCK_WAITS_MAX => *waits += 1,
            done => return done,
        }
    }
}

/// The replies that a batch would get. `reader` is `None` where there is no database yet.
///
/// # Errors
///
/// If the database cannot be read.
pub fn decide_batch(
    reader: Option<&dyn Read>,
    rules: &Rules,
    batch: &[&Postback],
    now: i64,
) -> Result<Vec<Reply>, Fault> {
    let mut run = DryRun::new(reader, rules);
    batch.iter().map(|postback| Ok(run.next(postback, now)?.record.reply)).collect()
}
