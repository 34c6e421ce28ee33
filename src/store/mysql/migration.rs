//! The mark of tables that `migrate-store` copies into: until it is removed, no receiver uses them.

use super::connection::Connection;
use crate::store::Fault;

/// Whether a copy into these tables is not complete.
pub(super) fn is_marked(connection: &mut Connection) -> Result<bool, Fault> {
    Ok(connection.first("SELECT 1 FROM migration", Vec::new())?.is_some())
}

/// Marks the tables.
pub(super) fn mark(connection: &mut Connection) -> Result<(), Fault> {
    let mark = "INSERT IGNORE INTO migration (one, began) VALUES (1, UNIX_TIMESTAMP())";
    connection.run(mark, Vec::new()).map(|_| ())
}

/// Notes the last batch of the copy. A COMMIT without an answer is looked up by it.
pub(super) fn note_batch(connection: &mut Connection, batch: i64) -> Result<(), Fault> {
    connection.run("UPDATE migration SET batch = ?", vec![batch.into()]).map(|_| ())
}

/// Removes the mark.
pub(super) fn unmark(connection: &mut Connection) -> Result<(), Fault> {
    connection.run("DELETE FROM migration", Vec::new()).map(|_| ())
}

/// Whether there is a row in any table that is copied.
pub(super) fn has_rows(connection: &mut Connection) -> Result<bool, Fault> {
    let any = "SELECT 1 FROM member_auth UNION ALL SELECT 1 FROM former_member
         UNION ALL SELECT 1 FROM journal UNION ALL SELECT 1 FROM logout
         UNION ALL SELECT 1 FROM logout_before UNION ALL SELECT 1 FROM login_seen
         UNION ALL SELECT 1 FROM known_network UNION ALL SELECT 1 FROM block
         UNION ALL SELECT 1 FROM operator UNION ALL SELECT 1 FROM login
         UNION ALL SELECT 1 FROM sharing_network UNION ALL SELECT 1 FROM sharing_block LIMIT 1";
    Ok(connection.first(any, Vec::new())?.is_some())
}

/// Whether a receiver leads now: one of those that run does.
pub(super) fn is_led(connection: &mut Connection) -> Result<bool, Fault> {
    let held = "SELECT 1 FROM lease WHERE until >= UNIX_TIMESTAMP()";
    Ok(connection.first(held, Vec::new())?.is_some())
}
