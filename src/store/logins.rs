//! What the members area remembers of logins by cookie: the epoch under which cookies are good.

use rusqlite::{Connection, OptionalExtension};

use super::{Fault, Reader};
use crate::login::epoch::Epoch;

impl Reader {
    /// Under which epoch cookies are good; `None` where all logins were never ended.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn login_epoch(&self) -> Result<Option<Epoch>, Fault> {
        let mut statement = self.conn.prepare_cached("SELECT id FROM login_epoch")?;
        Ok(statement.query_row([], |row| row.get(0).map(Epoch)).optional()?)
    }
}

/// See [`super::Engine::begin_login_epoch`].
pub(super) fn begin_epoch(conn: &Connection, epoch: Epoch) -> Result<(), Fault> {
    conn.execute("INSERT OR REPLACE INTO login_epoch VALUES (1, ?1)", [epoch.0])?;
    Ok(())
}
