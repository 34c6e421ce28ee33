//! Stored state of logins by cookie: logouts, times of last use, and the epoch under which cookies
//! are valid. The rows of each member are bounded, so that many logins and logouts of one member do
//! not fill the table.

use rusqlite::{Connection, OptionalExtension, params};

use super::reader::Reader;
use super::{login_records, operators, sharing};
use crate::epoch::Epoch;
use crate::identity::Key;
use crate::store::bounds::{LAST_USES_MAX, LOGOUTS_MAX};
use crate::store::{Fault, LoggedOut, Seen, Spent};

impl Reader {
    /// Whether this login was ended.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn is_logged_out(
        &self,
        key: Key,
        id: &[u8; 16],
        issued: i64,
        login_version: i64,
    ) -> Result<bool, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT 1 FROM logout WHERE id = ?1
             UNION ALL SELECT 1 FROM logout_before
                 WHERE siteid = ?2 AND memberid = ?3 AND issued >= ?4 AND login_version >= ?5",
        )?;
        Ok(statement.exists(params![
            id,
            key.site.get(),
            key.member.get(),
            issued,
            login_version
        ])?)
    }

    /// When this login was last used, unix seconds, if that is stored.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn login_seen(&self, key: Key, id: &[u8; 16]) -> Result<Option<i64>, Fault> {
        let sql = "SELECT at FROM login_seen WHERE siteid = ?1 AND memberid = ?2 AND id = ?3";
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement
            .query_row(params![key.site.get(), key.member.get(), id], |row| row.get(0))
            .optional()?)
    }

    /// The epoch under which cookies are valid; `None` if no command ever ended all logins.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn epoch(&self) -> Result<Option<Epoch>, Fault> {
        let mut statement = self.conn.prepare_cached("SELECT id FROM login_epoch")?;
        Ok(statement.query_row([], |row| row.get(0).map(Epoch)).optional()?)
    }
}

/// See [`super::Note::LogOut`]. Ends all earlier logins only up to `sure`, a second that has
/// certainly passed.
pub(super) fn log_out(conn: &Connection, login: &LoggedOut, sure: i64) -> Result<(), Fault> {
    let (site, member) = (login.key.site.get(), login.key.member.get());
    if let Some(all) = login.and_all_until {
        end_before(conn, site, member, all.min(sure))?;
        if login.issued <= all.min(sure) {
            return Ok(());
        }
    }
    conn.prepare_cached(
        "INSERT OR IGNORE INTO logout (id, until, siteid, memberid,
         issued) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![login.id, login.until, site, member, login.issued])?;
    let count = "SELECT count(*) FROM logout WHERE siteid = ?1 AND memberid = ?2";
    let count: i64 = conn.prepare_cached(count)?.query_row([site, member], |row| row.get(0))?;
    if count > LOGOUTS_MAX {
        let half = "SELECT issued FROM logout WHERE siteid = ?1 AND memberid = ?2
             ORDER BY issued LIMIT 1 OFFSET ?3";
        let half: i64 = conn
            .prepare_cached(half)?
            .query_row([site, member, count / 2 - 1], |row| row.get(0))?;
        end_before(conn, site, member, half.min(sure))?;
    }
    Ok(())
}

/// Replaces the rows that this one covers. The version of a member's row never falls, except that a
/// forgotten member begins at 1 again: the higher one stays, so that logins of before stay ended.
fn end_before(conn: &Connection, site: i64, member: i64, issued: i64) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO logout_before SELECT ?1, ?2, ?3, coalesce(
             (SELECT login_version FROM member_auth WHERE siteid = ?1 AND memberid = ?2),
             (SELECT login_version FROM former_member WHERE siteid = ?1
             AND memberid = ?2), 9223372036854775807) WHERE true
         ON CONFLICT DO UPDATE SET login_version = max(login_version, excluded.login_version),
             issued = iif(excluded.login_version > login_version, excluded.issued,
                 max(issued, excluded.issued))",
    )?
    .execute([site, member, issued])?;
    conn.prepare_cached("DELETE FROM logout WHERE siteid = ?1 AND memberid = ?2 AND issued <= ?3")?
        .execute([site, member, issued])?;
    Ok(())
}

/// See [`super::Note::Seen`].
pub(super) fn see(conn: &Connection, seen: &Seen) -> Result<(), Fault> {
    let (site, member) = (seen.key.site.get(), seen.key.member.get());
    conn.prepare_cached("INSERT OR REPLACE INTO login_seen VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![site, member, seen.id, seen.at])?;
    conn.prepare_cached(
        "DELETE FROM login_seen WHERE siteid = ?1 AND memberid = ?2 AND id IN
             (SELECT id FROM login_seen WHERE siteid = ?1 AND memberid = ?2
             ORDER BY at DESC LIMIT -1 OFFSET ?3)",
    )?
    .execute([site, member, LAST_USES_MAX])?;
    Ok(())
}

/// See [`super::Engine::forget_logins`].
pub(super) fn forget(conn: &Connection, spent: Spent, most: usize) -> Result<bool, Fault> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut old = conn.prepare_cached(
        "SELECT siteid, memberid, max(issued) FROM
             (SELECT siteid, memberid, issued FROM logout WHERE siteid IS NOT NULL
             AND issued <= ?1 ORDER BY issued LIMIT ?2)
         GROUP BY siteid, memberid",
    )?;
    let rows =
        old.query_map([spent.issued, most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let merged = rows.collect::<Result<Vec<(i64, i64, i64)>, _>>()?;
    for &(site, member, issued) in &merged {
        end_before(conn, site, member, issued)?;
    }
    let mut gone = 0;
    for (sql, bound) in [
        (
            "DELETE FROM logout WHERE id IN (SELECT id FROM logout WHERE siteid IS NULL
                 AND until <= ?1 LIMIT ?2)",
            spent.now,
        ),
        (
            "DELETE FROM logout_before WHERE (siteid, memberid) IN
                 (SELECT siteid, memberid FROM logout_before WHERE issued <= ?1 LIMIT ?2)",
            spent.forgotten,
        ),
        (
            "DELETE FROM login_seen WHERE (siteid, memberid, id) IN
                 (SELECT siteid, memberid, id FROM login_seen WHERE at <= ?1 LIMIT ?2)",
            spent.seen,
        ),
    ] {
        gone += conn.prepare_cached(sql)?.execute([bound, most])?;
    }
    gone += login_records::prune(conn, spent.recorded, most)?;
    gone += sharing::forget(conn, spent.used, most)?;
    gone += operators::forget_sessions(conn, spent.now, most)?;
    Ok(!merged.is_empty() || gone > 0)
}

/// See [`super::Engine::begin_login_epoch`].
pub(super) fn begin_epoch(conn: &Connection, epoch: Epoch) -> Result<(), Fault> {
    conn.execute("INSERT OR REPLACE INTO login_epoch VALUES (1, ?1)", [epoch.0])?;
    Ok(())
}
