//! Removes journal records that are old.

use std::sync::LazyLock;

use mysql::Value;

use super::connection::{Connection, Many};
use super::rows::get;
use crate::store::Fault;
use crate::store::bounds::PRUNE_LOOKED_AT_MAX;

/// See [`crate::store::Engine::prune`].
pub(super) fn prune(
    connection: &mut Connection,
    before: i64,
    now: i64,
    most: usize,
) -> Result<usize, Fault> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    // Ids rise with time, so the oldest records come first.
    let oldest = connection.rows(
        "SELECT id, at FROM (
             SELECT id, at FROM journal WHERE id < (SELECT MAX(id) FROM journal) AND sealed IS NULL
             ORDER BY id LIMIT ?) AS oldest
         WHERE at <= ? ORDER BY id LIMIT ?",
        vec![PRUNE_LOOKED_AT_MAX.into(), now.into(), most.into()],
    )?;
    let mut old = Vec::new();
    for mut row in oldest {
        let (id, at): (i64, i64) = (get(&mut row, 0)?, get(&mut row, 1)?);
        if at >= before {
            break;
        }
        old.push(vec![Value::Int(id)]);
    }
    let gone = if old.is_empty() { 0 } else { connection.change_by(&DELETE, old)? };
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}

static DELETE: LazyLock<Many> =
    LazyLock::new(|| Many::new("DELETE FROM journal WHERE id IN (", "?", ")"));
