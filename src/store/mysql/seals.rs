//! Replaces seals by what they became, and hashes by others, in all tables that have them.

use mysql::Value;

use super::connection::Connection;
use super::rows::{before_values, form_values, key_values};
use crate::identity::Key;
use crate::store::{Fault, Hardened, Pending, Rehashed};

/// Of each table of members: the form, the form before, the version of the logins.
const REPLACE_FORM: [&str; 2] = [
    "UPDATE member_auth SET sealed = NULL, password = ?, cryptpass_wrapped = ?,
         before_form = NULL, before_sealed = NULL
     WHERE siteid = ? AND memberid = ? AND sealed = ?",
    "UPDATE former_member SET sealed = NULL, password = ?, cryptpass_wrapped = ?,
         before_form = NULL, before_sealed = NULL
     WHERE siteid = ? AND memberid = ? AND sealed = ?",
];
const REPLACE_BEFORE: [&str; 2] = [
    "UPDATE member_auth SET before_form = ?, before_sealed = ?
     WHERE siteid = ? AND memberid = ? AND before_sealed = ?",
    "UPDATE former_member SET before_form = ?, before_sealed = ?
     WHERE siteid = ? AND memberid = ? AND before_sealed = ?",
];
const RAISE: [&str; 2] = [
    "UPDATE member_auth SET login_version = login_version + 1
     WHERE siteid = ? AND memberid = ? AND sealed = ?",
    "UPDATE former_member SET login_version = login_version + 1
     WHERE siteid = ? AND memberid = ? AND sealed = ?",
];
const REPLACE_HASH: [&str; 2] = [
    "UPDATE member_auth SET password = ? WHERE siteid = ? AND memberid = ? AND password = ?",
    "UPDATE former_member SET password = ? WHERE siteid = ? AND memberid = ? AND password = ?",
];

/// siteid, memberid and the seal.
fn seal_values(pending: &Pending) -> Vec<Value> {
    let mut values = key_values(pending.key);
    values.push(Value::Bytes(pending.seal.as_bytes().to_vec()));
    values
}

/// See [`crate::store::Engine::harden`].
pub(super) fn replace_seals(
    connection: &mut Connection,
    hardened: &[Hardened],
) -> Result<(), Fault> {
    for Hardened { pending, form, differs } in hardened {
        lock_member(connection, pending.key)?;
        if *differs {
            end_logins(connection, pending)?;
        }
        let [password, sealed, wrapped] = form_values(Some(form));
        debug_assert!(sealed == Value::NULL, "a seal becomes no other seal");
        let values = || {
            let mut values = vec![password.clone(), wrapped.clone()];
            values.extend(seal_values(pending));
            values
        };
        connection.run(
            "UPDATE journal SET sealed = NULL, waiting = NULL, password = ?, cryptpass_wrapped = ?
             WHERE siteid = ? AND memberid = ? AND sealed = ?",
            values(),
        )?;
        for statement in REPLACE_FORM {
            connection.run(statement, values())?;
        }
        // A newer seal may have replaced this one and wait for the comparison.
        for statement in REPLACE_BEFORE {
            let mut values = before_values(Some(form)).to_vec();
            values.extend(seal_values(pending));
            connection.run(statement, values)?;
        }
    }
    Ok(())
}

/// Ends the logins of the member who has this seal, and notes that in the first record with the
/// seal. Does so once, and not if a CHANGE already did.
fn end_logins(connection: &mut Connection, pending: &Pending) -> Result<(), Fault> {
    let said = connection.first(
        "SELECT 1 FROM journal WHERE siteid = ? AND memberid = ? AND sealed = ?
             AND logins_ended IS NOT NULL LIMIT 1",
        seal_values(pending),
    )?;
    if said.is_some() {
        return Ok(());
    }
    let mut raised = 0;
    for statement in RAISE {
        raised += connection.run(statement, seal_values(pending))?;
    }
    if raised > 0 {
        connection.run(
            "UPDATE journal SET logins_ended = 1 WHERE siteid = ? AND memberid = ? AND sealed = ?
             ORDER BY seq LIMIT 1",
            seal_values(pending),
        )?;
    }
    Ok(())
}

/// Locks the member's rows, as every decision about the member does before it writes its record: a
/// record that comes meanwhile has the seal or the hash that the row has then.
fn lock_member(connection: &mut Connection, key: Key) -> Result<(), Fault> {
    for select in [
        "SELECT 1 FROM member_auth WHERE siteid = ? AND memberid = ? FOR UPDATE",
        "SELECT 1 FROM former_member WHERE siteid = ? AND memberid = ? FOR UPDATE",
    ] {
        connection.rows(select, key_values(key))?;
    }
    Ok(())
}

/// See [`crate::store::Engine::rehash`].
pub(super) fn replace_hash(connection: &mut Connection, rehashed: &Rehashed) -> Result<(), Fault> {
    let values = || {
        let mut values: Vec<Value> = vec![rehashed.new.as_str().into()];
        values.extend(key_values(rehashed.key));
        values.push(rehashed.old.as_str().into());
        values
    };
    let mut replaced = 0;
    for statement in REPLACE_HASH {
        replaced += connection.run(statement, values())?;
    }
    if replaced > 0 {
        connection.run(
            "UPDATE journal SET password = ? WHERE siteid = ? AND memberid = ? AND password = ?",
            values(),
        )?;
    }
    Ok(())
}
