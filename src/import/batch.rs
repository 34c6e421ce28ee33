//! Postbacks of an import, in transactions of many.

use crate::action::Rules;
use crate::apply::{Postback, transact};
use crate::clock::Moment;
use crate::replay::DryRun;
use crate::reply::Reply;
use crate::store::{Engine, Fault, Read};

/// Rows in one transaction.
pub const IMPORT_BATCH: usize = 512;

/// How often a batch is tried again where another process has locked the database, each time for
/// as long as the engine waits.
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
    loop {
        match transact(engine, &rules.vault, batch, &mut moment) {
            Err(Fault::Busy(_)) if waits < LOCK_WAITS_MAX => waits += 1,
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
