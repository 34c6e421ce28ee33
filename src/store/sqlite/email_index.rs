//! The indexes on e-mail addresses. They exist only while members may log in with their address:
//! with a million members, they make an ADD slower by a quarter. The console's search reads all
//! members without them, which takes some tenths of a second.

use rusqlite::Connection;

use crate::store::Fault;

/// Their names.
pub(super) const NAMES: [&str; 2] = ["member_auth_email", "former_member_email"];

const MAKE: &str = "
    CREATE INDEX member_auth_email ON member_auth (email COLLATE NOCASE) WHERE email IS NOT NULL;
    CREATE INDEX former_member_email ON former_member (email COLLATE NOCASE)
        WHERE email IS NOT NULL;";
const DROP: &str = "DROP INDEX member_auth_email; DROP INDEX former_member_email;";

/// Makes them or drops them, if that is not done yet.
pub(super) fn set(conn: &Connection, is_wanted: bool) -> Result<(), Fault> {
    let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'member_auth_email')";
    match (conn.query_row(there, [], |row| row.get(0))?, is_wanted) {
        (false, true) => conn.execute_batch(MAKE)?,
        (true, false) => conn.execute_batch(DROP)?,
        (true, true) | (false, false) => {}
    }
    Ok(())
}
