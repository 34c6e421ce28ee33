//! Blocks of the guard and networks from which members have logged in, as rows.

use mysql::Value;

use super::connection::Connection;
use super::rows::get;
use crate::block::{Block, LoginName, Target};
use crate::store::bounds::{KNOWN_MAX, KNOWN_OF_A_MEMBER_MAX};
use crate::store::{Fault, KnownId, KnownNetwork};

/// kind, network and username of a block; empty where the kind has none.
fn target_values(target: &Target) -> Vec<Value> {
    let network = target.network().map(|network| network.to_string()).unwrap_or_default();
    let name = target.name().map(LoginName::as_str).unwrap_or_default();
    vec![target.kind().as_str().into(), network.into(), Value::Bytes(name.as_bytes().to_vec())]
}

/// Returns how many there were: one or none.
pub(super) fn delete_block(connection: &mut Connection, target: &Target) -> Result<u64, Fault> {
    let delete = "DELETE FROM block WHERE kind = ? AND network = ? AND username = ?";
    connection.run(delete, target_values(target))
}

pub(super) fn write_block(connection: &mut Connection, block: &Block) -> Result<(), Fault> {
    let mut values = target_values(&block.target);
    values.extend([block.since.into(), block.until.into()]);
    let write = "REPLACE INTO block (kind, network, username, since, until) VALUES (?, ?, ?, ?, ?)";
    connection.run(write, values)?;
    Ok(())
}

/// Notes that a member has logged in. If the member has too many networks, the one that was unused
/// for longest is removed.
pub(super) fn note_known(connection: &mut Connection, known: &KnownNetwork) -> Result<(), Fault> {
    let KnownId { member, network } = known.id;
    let (member, network) = (Value::Bytes(member.to_vec()), Value::Bytes(network.to_vec()));
    connection.run(
        "REPLACE INTO known_network (member, network, day) VALUES (?, ?, ?)",
        vec![member.clone(), network.clone(), known.day.into()],
    )?;
    let count = "SELECT COUNT(*) FROM known_network WHERE member = ?";
    let Some(mut row) = connection.first(count, vec![member.clone()])? else { return Ok(()) };
    let over = get::<i64>(&mut row, 0)? - KNOWN_OF_A_MEMBER_MAX;
    if over > 0 {
        connection.run(
            "DELETE FROM known_network WHERE member = ? AND network <> ? ORDER BY day LIMIT ?",
            vec![member, network, over.into()],
        )?;
    }
    Ok(())
}

/// Removes the networks that were unused for longest, if there are too many in all. Counting reads
/// the whole index.
pub(super) fn trim_known(connection: &mut Connection) -> Result<(), Fault> {
    let count = "SELECT COUNT(*) FROM known_network";
    let Some(mut row) = connection.first(count, Vec::new())? else { return Ok(()) };
    let over = get::<i64>(&mut row, 0)? - KNOWN_MAX;
    if over > 0 {
        let delete = "DELETE FROM known_network ORDER BY day LIMIT ?";
        connection.run(delete, vec![over.into()])?;
    }
    Ok(())
}
