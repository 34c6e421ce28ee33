//! Blocks of the guard, as rows.

use rusqlite::{Connection, params};

use super::engine::Sqlite;
use super::reader::Reader;
use crate::block::{Block, BlockKind, LoginName, NameHolder, Network, Target};
use crate::store::Fault;

impl Sqlite<'_> {
    pub(super) fn delete_block(&mut self, target: &Target) -> Result<(), Fault> {
        let (network, username) = block_columns(target);
        self.conn
            .prepare_cached("DELETE FROM block WHERE kind = ?1 AND network = ?2 AND username = ?3")?
            .execute(params![target.kind().as_str(), network, username])?;
        Ok(())
    }

    pub(super) fn replace_blocks(&mut self, blocks: &[Block]) -> Result<(), Fault> {
        self.conn.execute("DELETE FROM block", [])?;
        blocks.iter().try_for_each(|block| write_block(self.conn, block))
    }
}

impl Reader {
    /// The blocks that hold at `now`, the oldest first.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn blocks(&self, now: i64) -> Result<Vec<Block>, Fault> {
        let mut blocks = Vec::new();
        self.for_each_block(now, |block, _| blocks.push(block))?;
        blocks.sort_by(|one, other| (one.since, &one.target).cmp(&(other.since, &other.target)));
        Ok(blocks)
    }

    /// The same in no order, and whether a member has the name now, one after the other: an older
    /// release kept hundreds of thousands.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn for_each_block(
        &self,
        now: i64,
        mut take: impl FnMut(Block, NameHolder),
    ) -> Result<(), Fault> {
        // A member without a folded form has the exact name, and few have none.
        let mut statement = self.conn.prepare_cached(
            "SELECT kind, network, username, since, until,
                    EXISTS (SELECT 1 FROM member_auth AS m WHERE m.username_folded = block.username)
                        OR EXISTS (SELECT 1 FROM member_auth AS m INDEXED BY member_auth_unfolded
                                   WHERE m.username_folded IS NULL AND m.username = block.username)
             FROM block WHERE until > ?1",
        )?;
        let (mut rows, mut unreadable) = (statement.query([now])?, 0);
        while let Some(row) = rows.next()? {
            let text = |index| row.get::<_, String>(index);
            let (network, name) =
                (Network::parse(&text(1)?), Some(text(2)?).filter(|name| !name.is_empty()));
            let kind = BlockKind::parse(&text(0)?);
            let target = kind.and_then(|kind| {
                Target::from_parts(kind, name.as_deref().map(LoginName::new), network)
            });
            let named = if row.get(5)? { NameHolder::Member } else { NameHolder::Nobody };
            match target {
                Some(target) => {
                    take(Block { target, since: row.get(3)?, until: row.get(4)? }, named)
                }
                // Somebody's handiwork: no reason to stand still for.
                None => unreadable += 1,
            }
        }
        if unreadable > 0 {
            log::warn!("{unreadable} rows of `block` that cannot be read are passed over");
        }
        Ok(())
    }

    /// How many rows the table of blocks has.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn count_blocks(&self) -> Result<usize, Fault> {
        let count: i64 = self
            .conn
            .prepare_cached("SELECT count(*) FROM block")?
            .query_row([], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

/// network and username; empty where the kind has none.
fn block_columns(target: &Target) -> (String, &str) {
    let network = target.network().map(|network| network.to_string()).unwrap_or_default();
    (network, target.name().map(LoginName::as_str).unwrap_or_default())
}

pub(super) fn write_block(conn: &Connection, block: &Block) -> Result<(), Fault> {
    let (network, username) = block_columns(&block.target);
    conn.prepare_cached("INSERT OR REPLACE INTO block VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
        params![block.target.kind().as_str(), network, username, block.since, block.until],
    )?;
    Ok(())
}
