//! Stored state of logins by cookie, as the writer changes it: logouts and times of last use. The
//! rows of each member are bounded.

use mysql::Value;

use super::connection::Connection;
use super::rows::{get, key_values};
use super::{login_records, operators, sharing};
use crate::store::bounds::{LAST_USES_MAX, LOGOUTS_MAX};
use crate::store::{Fault, LoggedOut, Seen, Spent};

/// Ends all earlier logins only up to `sure`, a second that has certainly passed.
pub(super) fn log_out(
    connection: &mut Connection,
    login: &LoggedOut,
    sure: i64,
) -> Result<(), Fault> {
    let member = key_values(login.key);
    if let Some(all) = login.and_all_until {
        end_before(connection, &member, all.min(sure))?;
        if login.issued <= all.min(sure) {
            return Ok(());
        }
    }
    let mut values = vec![Value::Bytes(login.id.to_vec()), login.until.into()];
    values.extend(member.clone());
    values.push(login.issued.into());
    // A login that is ended twice stays ended.
    connection.run(
        "INSERT INTO logout (id, until, siteid, memberid, issued) VALUES (?, ?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE until = VALUES(until)",
        values,
    )?;
    let count = "SELECT COUNT(*) FROM logout WHERE siteid = ? AND memberid = ?";
    let Some(mut row) = connection.first(count, member.clone())? else { return Ok(()) };
    let count: i64 = get(&mut row, 0)?;
    if count > LOGOUTS_MAX {
        let mut values = member.clone();
        values.push((count / 2 - 1).into());
        let half = connection.first(
            "SELECT issued FROM logout WHERE siteid = ? AND memberid = ? ORDER BY issued
             LIMIT 1 OFFSET ?",
            values,
        )?;
        if let Some(mut row) = half {
            end_before(connection, &member, get::<i64>(&mut row, 0)?.min(sure))?;
        }
    }
    Ok(())
}

/// Replaces the rows that this one covers. The version of a member's row never falls, except that a
/// forgotten member begins at 1 again: the higher one stays, so that logins of before stay ended.
fn end_before(connection: &mut Connection, member: &[Value], issued: i64) -> Result<(), Fault> {
    let version = connection.first(
        "SELECT COALESCE(
             (SELECT login_version FROM member_auth WHERE siteid = ? AND memberid = ?),
             (SELECT login_version FROM former_member WHERE siteid = ? AND memberid = ?),
             9223372036854775807)",
        [member, member].concat(),
    )?;
    let version: i64 = version.map_or(Ok(i64::MAX), |mut row| get(&mut row, 0))?;
    let values = [member, &[issued.into(), version.into()]].concat();
    // `issued` is set first: MariaDB evaluates the assignments in their order.
    connection.run(
        "INSERT INTO logout_before (siteid, memberid, issued, login_version) VALUES (?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE
             issued = IF(VALUES(login_version) > login_version, VALUES(issued),
                 GREATEST(issued, VALUES(issued))),
             login_version = GREATEST(login_version, VALUES(login_version))",
        values,
    )?;
    connection.run(
        "DELETE FROM logout WHERE siteid = ? AND memberid = ? AND issued <= ?",
        [member, &[issued.into()]].concat(),
    )?;
    Ok(())
}

/// Notes when a login was used.
pub(super) fn see(connection: &mut Connection, seen: &Seen) -> Result<(), Fault> {
    let member = key_values(seen.key);
    let values = [&member[..], &[Value::Bytes(seen.id.to_vec()), seen.at.into()]].concat();
    connection
        .run("REPLACE INTO login_seen (siteid, memberid, id, at) VALUES (?, ?, ?, ?)", values)?;
    let count = "SELECT COUNT(*) FROM login_seen WHERE siteid = ? AND memberid = ?";
    let Some(mut row) = connection.first(count, member.clone())? else { return Ok(()) };
    let over = get::<i64>(&mut row, 0)? - LAST_USES_MAX;
    if over > 0 {
        connection.run(
            "DELETE FROM login_seen WHERE siteid = ? AND memberid = ? ORDER BY at LIMIT ?",
            [&member[..], &[over.into()]].concat(),
        )?;
    }
    Ok(())
}

/// See [`crate::store::Engine::forget_logins`].
pub(super) fn forget(
    connection: &mut Connection,
    spent: Spent,
    most: usize,
) -> Result<bool, Fault> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let old = connection.rows(
        "SELECT siteid, memberid, MAX(issued) FROM
             (SELECT siteid, memberid, issued FROM logout WHERE issued <= ? ORDER BY issued
              LIMIT ?) AS old
         GROUP BY siteid, memberid",
        vec![spent.issued.into(), most.into()],
    )?;
    let mut any = !old.is_empty();
    for mut row in old {
        let member = vec![Value::Int(get(&mut row, 0)?), Value::Int(get(&mut row, 1)?)];
        let issued = get(&mut row, 2)?;
        end_before(connection, &member, issued)?;
    }
    for (statement, bound) in [
        ("DELETE FROM logout_before WHERE issued <= ? LIMIT ?", spent.forgotten),
        ("DELETE FROM login_seen WHERE at <= ? LIMIT ?", spent.seen),
    ] {
        any |= connection.run(statement, vec![bound.into(), most.into()])? > 0;
    }
    any |= login_records::prune(connection, spent.recorded, most)? > 0;
    any |= sharing::forget(connection, spent.used, most)? > 0;
    any |= operators::forget_sessions(connection, spent.now, most)? > 0;
    Ok(any)
}
