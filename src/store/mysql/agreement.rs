//! What the receivers that share a database have to agree on: their keys and some settings.

use mysql::Value;

use super::connection::Connection;
use super::rows::{get, read_id};
use crate::password::KeyId;
use crate::store::{Fault, SharedKey, SharedSetting};

/// Stores the id of a key, unless one is stored. Returns the one that is stored.
pub(super) fn agree_on_key(
    connection: &mut Connection,
    key: SharedKey,
    id: KeyId,
) -> Result<KeyId, Fault> {
    let (insert, select) = match key {
        SharedKey::Seals => (
            "INSERT IGNORE INTO seal_key (one, id) VALUES (1, ?)",
            "SELECT id FROM seal_key FOR UPDATE",
        ),
        SharedKey::Cookies => (
            "INSERT IGNORE INTO cookie_key (one, id) VALUES (1, ?)",
            "SELECT id FROM cookie_key FOR UPDATE",
        ),
    };
    // Of two receivers that start at once, the second waits here for the first.
    connection.run(insert, vec![Value::Bytes(id.0.to_vec())])?;
    match connection.first(select, Vec::new())? {
        Some(mut row) => Ok(KeyId(read_id(&mut row, 0)?)),
        None => Err(Fault::BadRow("the id of a key was not stored".into())),
    }
}

/// Stores the id of a key in the place of another one.
pub(super) fn set_key(connection: &mut Connection, key: SharedKey, id: KeyId) -> Result<(), Fault> {
    let write = match key {
        SharedKey::Seals => "REPLACE INTO seal_key (one, id) VALUES (1, ?)",
        SharedKey::Cookies => "REPLACE INTO cookie_key (one, id) VALUES (1, ?)",
    };
    connection.run(write, vec![Value::Bytes(id.0.to_vec())])?;
    Ok(())
}

/// Stores settings. Returns what was stored under their names before.
pub(super) fn agree_on_settings(
    connection: &mut Connection,
    settings: &[SharedSetting],
) -> Result<Vec<SharedSetting>, Fault> {
    let mut before = Vec::new();
    for SharedSetting { name, value } in settings {
        let select = "SELECT value FROM receiver_setting WHERE name = ? FOR UPDATE";
        if let Some(mut row) = connection.first(select, vec![name.as_str().into()])? {
            before.push(SharedSetting { name: name.clone(), value: get(&mut row, 0)? });
        }
        connection.run(
            "REPLACE INTO receiver_setting (name, value) VALUES (?, ?)",
            vec![name.as_str().into(), value.as_str().into()],
        )?;
    }
    Ok(before)
}
