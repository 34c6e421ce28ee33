//! Blocks of the guard, as rows.

use rusqlite::{OptionalExtension as _, params};

use super::engine::Sqlite;
use super::reader::Reader;
use crate::block::{Block, BlockKind, LoginName, NameHolder, Network, Target};
use crate::store::bounds::PAGE_ROWS;
use crate::store::{BlockCursor, BlockPage, Fault};

impl Sqlite<'_> {
    /// Returns how many there were: one or none.
    pub(super) fn delete_block(&mut self, target: &Target) -> Result<u64, Fault> {
        let (network, username) = block_columns(target);
        let deleted = self
            .conn
            .prepare_cached("DELETE FROM block WHERE kind = ?1 AND network = ?2 AND username = ?3")?
            .execute(params![target.kind().as_str(), network, username])?;
        Ok(deleted as u64)
    }

    pub(super) fn replace_blocks(&mut self, blocks: &[Block]) -> Result<(), Fault> {
        self.conn.execute("DELETE FROM block", [])?;
        blocks.iter().try_for_each(|block| self.write_block(block))
    }

    pub(super) fn write_block(&mut self, block: &Block) -> Result<(), Fault> {
        let (network, username) = block_columns(&block.target);
        let mut insert =
            self.conn.prepare_cached("INSERT OR REPLACE INTO block VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let kind = block.target.kind().as_str();
        insert.execute(params![kind, network, username, block.since, block.until])?;
        Ok(())
    }
}

impl Reader {
    /// See [`Read::blocks_page`].
    pub(super) fn select_blocks(
        &self,
        after: Option<&BlockCursor>,
        now: i64,
    ) -> Result<BlockPage, Fault> {
        // A member without a folded form has the exact name, and few have none.
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT kind, network, username, since, until,
                    EXISTS (SELECT 1 FROM member_auth AS m WHERE m.username_folded = block.username)
                        OR EXISTS (SELECT 1 FROM member_auth AS m INDEXED BY member_auth_unfolded
                                   WHERE m.username_folded IS NULL AND m.username = block.username)
             FROM block WHERE until > ?1 AND (kind, network, username) > (?2, ?3, ?4)
             ORDER BY kind, network, username LIMIT {PAGE_ROWS}"
        ))?;
        let (kind, network, name) =
            after.map_or(("", "", ""), |BlockCursor([kind, network, name])| (kind, network, name));
        let mut rows = statement.query(params![now, kind, network, name])?;
        let (mut page, mut count) = (BlockPage::default(), 0);
        while let Some(row) = rows.next()? {
            let cursor: [String; 3] = [row.get("kind")?, row.get("network")?, row.get("username")?];
            let [kind, network, name] = &cursor;
            let network = Network::parse(network);
            let name = Some(name.as_str()).filter(|name| !name.is_empty()).map(LoginName::new);
            let target =
                BlockKind::parse(kind).and_then(|kind| Target::from_parts(kind, name, network));
            let holder = if row.get(5)? { NameHolder::Member } else { NameHolder::Nobody };
            match target {
                Some(target) => {
                    let block =
                        Block { target, since: row.get("since")?, until: row.get("until")? };
                    page.blocks.push((block, holder));
                }
                // A row that another program wrote is no reason to refuse the others.
                None => page.unreadable += 1,
            }
            count += 1;
            if count == PAGE_ROWS {
                page.next = Some(BlockCursor(cursor));
            }
        }
        Ok(page)
    }

    /// See [`crate::store::Read::blocks_of`]. The table has no index of names, and is small.
    pub(super) fn blocks_of_name(&self, name: &LoginName, now: i64) -> Result<Vec<Block>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT kind, network, since, until FROM block WHERE username = ?1 AND until > ?2",
        )?;
        let mut rows = statement.query(params![name.as_str(), now])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (kind, network): (String, String) = (row.get(0)?, row.get(1)?);
            let target = BlockKind::parse(&kind).and_then(|kind| {
                Target::from_parts(kind, Some(name.clone()), Network::parse(&network))
            });
            let (since, until) = (row.get(2)?, row.get(3)?);
            found.extend(target.map(|target| Block { target, since, until }));
        }
        Ok(found)
    }

    /// See [`crate::store::Read::block_of_network`].
    pub(super) fn network_block(&self, network: &str, now: i64) -> Result<Option<Block>, Fault> {
        let Some(parsed) = Network::parse(network) else { return Ok(None) };
        let mut statement = self.conn.prepare_cached(
            "SELECT since, until FROM block
             WHERE kind = 'network' AND network = ?1 AND username = '' AND until > ?2",
        )?;
        let found = statement
            .query_row(params![network, now], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.map(|(since, until)| Block { target: Target::Network(parsed), since, until }))
    }

    /// How many rows the table of blocks has.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn block_count(&self) -> Result<usize, Fault> {
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
