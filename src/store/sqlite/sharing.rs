//! The networks of members, and the members who counted as shared.

use rusqlite::{Connection, Params, Row, params};

use super::reader::Reader;
use super::rows::read_key;
use crate::identity::Key;
use crate::shared_use::{MemberNetwork, SharingBlock, SharingReason};
use crate::store::Fault;
use crate::store::bounds::NETWORKS_OF_A_MEMBER_MAX;

/// See [`crate::store::Note::Network`]. If the member has too many networks, those that were unused
/// for longest are removed.
pub(super) fn note_network(conn: &Connection, used: &MemberNetwork) -> Result<(), Fault> {
    write_network(conn, used)?;
    let (site, member) = (used.key.site.get(), used.key.member.get());
    let mut count = conn.prepare_cached(
        "SELECT count(*) FROM sharing_network WHERE siteid = ?1 AND memberid = ?2",
    )?;
    let stored: i64 = count.query_row([site, member], |row| row.get(0))?;
    if stored > NETWORKS_OF_A_MEMBER_MAX {
        conn.prepare_cached(
            "DELETE FROM sharing_network WHERE siteid = ?1 AND memberid = ?2 AND network IN
                 (SELECT network FROM sharing_network WHERE siteid = ?1 AND memberid = ?2
                 ORDER BY network = ?4 DESC, last_at DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![site, member, NETWORKS_OF_A_MEMBER_MAX, used.network])?;
    }
    Ok(())
}

/// Writes the row of a network.
pub(super) fn write_network(conn: &Connection, used: &MemberNetwork) -> Result<(), Fault> {
    let MemberNetwork { key, network, first_at, last_at, country } = used;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO sharing_network
             (siteid, memberid, network, first_at, last_at, country)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        key.site.get(),
        key.member.get(),
        network,
        first_at,
        last_at,
        country
    ])?;
    Ok(())
}

/// See [`crate::store::Note::Shared`].
pub(super) fn write_block(conn: &Connection, block: &SharingBlock) -> Result<(), Fault> {
    let SharingBlock { key, since, until, why } = block;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO sharing_block (siteid, memberid, since, until, why)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![key.site.get(), key.member.get(), since, until, why.as_str()])?;
    Ok(())
}

/// See [`crate::store::Engine::lift_sharing`].
pub(super) fn lift(conn: &Connection, key: Key, now: i64) -> Result<bool, Fault> {
    let mut lift = conn.prepare_cached(
        "UPDATE sharing_block SET until = ?3 WHERE siteid = ?1 AND memberid = ?2 AND until > ?3",
    )?;
    Ok(lift.execute(params![key.site.get(), key.member.get(), now])? > 0)
}

/// Removes networks that were last used at or before `until`, and blocks that ended by then, at
/// most `most` of each. Returns how many.
pub(super) fn forget(conn: &Connection, until: i64, most: i64) -> Result<usize, Fault> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM sharing_network WHERE (siteid, memberid, network) IN
             (SELECT siteid, memberid, network FROM sharing_network WHERE last_at <= ?1 LIMIT ?2)",
        "DELETE FROM sharing_block WHERE (siteid, memberid) IN
             (SELECT siteid, memberid FROM sharing_block WHERE until <= ?1 LIMIT ?2)",
    ] {
        gone += conn.prepare_cached(sql)?.execute([until, most])?;
    }
    Ok(gone)
}

/// A row of `siteid, memberid, network, first_at, last_at, country`.
pub(super) fn read_network(row: &Row<'_>) -> Result<MemberNetwork, Fault> {
    Ok(MemberNetwork {
        key: read_key(row, 0, 1)?,
        network: row.get(2)?,
        first_at: row.get(3)?,
        last_at: row.get(4)?,
        country: row.get(5)?,
    })
}

/// A row of `siteid, memberid, since, until, why`.
pub(super) fn read_block(row: &Row<'_>) -> Result<SharingBlock, Fault> {
    let why: String = row.get(4)?;
    Ok(SharingBlock {
        key: read_key(row, 0, 1)?,
        since: row.get(2)?,
        until: row.get(3)?,
        why: SharingReason::parse(&why)
            .ok_or_else(|| Fault::BadRow("sharing_block: an unknown word in why".into()))?,
    })
}

impl Reader {
    /// See [`crate::store::Read::networks_of`].
    pub(super) fn member_networks(&self, key: Key) -> Result<Vec<MemberNetwork>, Fault> {
        self.all(
            "SELECT siteid, memberid, network, first_at, last_at, country FROM sharing_network
             WHERE siteid = ?1 AND memberid = ?2 ORDER BY last_at DESC, network",
            [key.site.get(), key.member.get()],
            read_network,
        )
    }

    /// See [`crate::store::Read::sharing_of`].
    pub(super) fn sharing_block_of(&self, key: Key) -> Result<Option<SharingBlock>, Fault> {
        let found = self.all(
            "SELECT siteid, memberid, since, until, why FROM sharing_block
             WHERE siteid = ?1 AND memberid = ?2",
            [key.site.get(), key.member.get()],
            read_block,
        )?;
        Ok(found.into_iter().next())
    }

    /// See [`crate::store::Read::sharing_blocks`].
    pub(super) fn current_sharing(&self, now: i64, most: u32) -> Result<Vec<SharingBlock>, Fault> {
        self.all(
            "SELECT siteid, memberid, since, until, why FROM sharing_block WHERE until > ?1
             ORDER BY until DESC LIMIT ?2",
            params![now, most],
            read_block,
        )
    }

    /// See [`crate::store::Read::most_networks`].
    pub(super) fn worst(&self, since: i64, most: u32) -> Result<Vec<(Key, u64)>, Fault> {
        self.all(
            "SELECT siteid, memberid, count(*) AS networks FROM sharing_network
             WHERE last_at > ?1 GROUP BY siteid, memberid
             ORDER BY networks DESC, siteid, memberid LIMIT ?2",
            params![since, most],
            |row| Ok((read_key(row, 0, 1)?, row.get::<_, i64>(2)?.unsigned_abs())),
        )
    }

    fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}
