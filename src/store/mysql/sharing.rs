//! The networks of members, and the members who counted as shared.

use mysql::{Row, Value};

use super::connection::Connection;
use super::reader::Reader;
use super::rows::{get, key_values, read_key};
use crate::identity::Key;
use crate::shared_use::{MemberNetwork, SharingBlock, SharingReason};
use crate::store::Fault;
use crate::store::bounds::NETWORKS_OF_A_MEMBER_MAX;

/// The columns of a network.
pub(super) fn network_values(used: &MemberNetwork) -> Vec<Value> {
    let MemberNetwork { key, network, first_at, last_at, country } = used;
    let mut values = key_values(*key);
    values.extend([network.as_str().into(), (*first_at).into(), (*last_at).into()]);
    values.push(country.as_deref().into());
    values
}

/// The columns of a block.
pub(super) fn block_values(block: &SharingBlock) -> Vec<Value> {
    let SharingBlock { key, since, until, why } = block;
    let mut values = key_values(*key);
    values.extend([(*since).into(), (*until).into(), why.as_str().into()]);
    values
}

/// See [`crate::store::Note::Network`]. If the member has too many networks, those that were unused
/// for longest are removed.
pub(super) fn note_network(connection: &mut Connection, used: &MemberNetwork) -> Result<(), Fault> {
    connection.run(
        "REPLACE INTO sharing_network (siteid, memberid, network, first_at, last_at, country)
         VALUES (?, ?, ?, ?, ?, ?)",
        network_values(used),
    )?;
    let member = key_values(used.key);
    let count = "SELECT COUNT(*) FROM sharing_network WHERE siteid = ? AND memberid = ?";
    let Some(mut row) = connection.first(count, member.clone())? else { return Ok(()) };
    let over = get::<i64>(&mut row, 0)? - NETWORKS_OF_A_MEMBER_MAX;
    if over > 0 {
        connection.run(
            "DELETE FROM sharing_network WHERE siteid = ? AND memberid = ? AND network <> ?
             ORDER BY last_at LIMIT ?",
            [&member[..], &[used.network.as_str().into(), over.into()]].concat(),
        )?;
    }
    Ok(())
}

/// See [`crate::store::Note::Shared`].
pub(super) fn write_block(connection: &mut Connection, block: &SharingBlock) -> Result<(), Fault> {
    connection.run(
        "REPLACE INTO sharing_block (siteid, memberid, since, until, why) VALUES (?, ?, ?, ?, ?)",
        block_values(block),
    )?;
    Ok(())
}

/// See [`crate::store::Engine::lift_sharing`].
pub(super) fn lift(connection: &mut Connection, key: Key, now: i64) -> Result<bool, Fault> {
    let values = [&[now.into()], &key_values(key)[..], &[now.into()]].concat();
    let changed = connection.run(
        "UPDATE sharing_block SET until = ? WHERE siteid = ? AND memberid = ? AND until > ?",
        values,
    )?;
    Ok(changed > 0)
}

/// Removes networks that were last used at or before `until`, and blocks that ended by then, at
/// most `most` of each. Returns how many.
pub(super) fn forget(connection: &mut Connection, until: i64, most: u64) -> Result<u64, Fault> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM sharing_network WHERE last_at <= ? LIMIT ?",
        "DELETE FROM sharing_block WHERE until <= ? LIMIT ?",
    ] {
        gone += connection.run(sql, vec![until.into(), most.into()])?;
    }
    Ok(gone)
}

/// A row of `siteid, memberid, network, first_at, last_at, country`.
pub(super) fn read_network(row: &mut Row) -> Result<MemberNetwork, Fault> {
    Ok(MemberNetwork {
        key: read_key(row, 0, 1)?,
        network: get(row, 2)?,
        first_at: get(row, 3)?,
        last_at: get(row, 4)?,
        country: get(row, 5)?,
    })
}

/// A row of `siteid, memberid, since, until, why`.
pub(super) fn read_block(row: &mut Row) -> Result<SharingBlock, Fault> {
    let why: String = get(row, 4)?;
    Ok(SharingBlock {
        key: read_key(row, 0, 1)?,
        since: get(row, 2)?,
        until: get(row, 3)?,
        why: SharingReason::parse(&why)
            .ok_or_else(|| Fault::BadRow("sharing_block: an unknown word in why".into()))?,
    })
}

impl Reader {
    /// See [`crate::store::Read::networks_of`].
    pub(super) fn member_networks(&self, key: Key) -> Result<Vec<MemberNetwork>, Fault> {
        self.rows(
            "SELECT siteid, memberid, network, first_at, last_at, country FROM sharing_network
             WHERE siteid = ? AND memberid = ? ORDER BY last_at DESC, network",
            key_values(key),
        )?
        .iter_mut()
        .map(read_network)
        .collect()
    }

    /// See [`crate::store::Read::sharing_of`].
    pub(super) fn sharing_block_of(&self, key: Key) -> Result<Option<SharingBlock>, Fault> {
        let block = "SELECT siteid, memberid, since, until, why FROM sharing_block
             WHERE siteid = ? AND memberid = ?";
        self.first(block, key_values(key))?.map(|mut row| read_block(&mut row)).transpose()
    }

    /// See [`crate::store::Read::sharing_blocks`].
    pub(super) fn current_sharing(&self, now: i64, most: u32) -> Result<Vec<SharingBlock>, Fault> {
        self.rows(
            "SELECT siteid, memberid, since, until, why FROM sharing_block WHERE until > ?
             ORDER BY until DESC LIMIT ?",
            vec![now.into(), most.into()],
        )?
        .iter_mut()
        .map(read_block)
        .collect()
    }

    /// See [`crate::store::Read::most_networks`].
    pub(super) fn worst(&self, since: i64, most: u32) -> Result<Vec<(Key, u64)>, Fault> {
        self.rows(
            "SELECT siteid, memberid, COUNT(*) AS networks FROM sharing_network
             WHERE last_at > ? GROUP BY siteid, memberid
             ORDER BY networks DESC, siteid, memberid LIMIT ?",
            vec![since.into(), most.into()],
        )?
        .iter_mut()
        .map(|row| Ok((read_key(row, 0, 1)?, get(row, 2)?)))
        .collect()
    }
}
