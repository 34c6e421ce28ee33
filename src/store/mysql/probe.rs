//! Tries whether postbacks can be written.

use super::connection::Connection;
use super::fault;
use crate::store::Fault;

/// What a postback does to its tables, here to no row: so a probe fails where a table is missing or
/// locked as a whole, or a privilege was taken away.
const AS_A_POSTBACK: [&str; 7] = [
    "INSERT INTO journal SELECT * FROM journal WHERE FALSE",
    "INSERT INTO journal_shape SELECT * FROM journal_shape WHERE FALSE",
    "INSERT INTO member_auth SELECT * FROM member_auth WHERE FALSE",
    "REPLACE INTO former_member SELECT * FROM former_member WHERE FALSE",
    "UPDATE member_auth SET trial = trial WHERE siteid = 0 AND memberid = 0",
    "DELETE FROM member_auth WHERE siteid = 0 AND memberid = 0",
    "DELETE FROM former_member WHERE siteid = 0 AND memberid = 0",
];

/// Runs what a postback does.
///
/// # Errors
///
/// The fault that a postback would have.
pub(super) fn as_a_postback(connection: &mut Connection) -> Result<(), Fault> {
    for statement in AS_A_POSTBACK {
        connection.run(statement, Vec::new())?;
    }
    Ok(())
}

/// Checks that the user may do what a postback does. Another error, as of a locked table, may pass
/// and says nothing about that.
///
/// # Errors
///
/// What the user may not do.
pub(super) fn privileges(connection: &mut Connection) -> Result<(), Fault> {
    for statement in AS_A_POSTBACK {
        match connection.plain(statement) {
            Ok(()) => {}
            Err(error) if fault::is_denied(&error) => return Err(error.into()),
            Err(_) => break,
        }
    }
    Ok(())
}
