//! The record of logins, and what it takes to find members by other than their key.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params};

use super::reader::Reader;
use super::rows::read_key;
use crate::identity::{Key, MemberId, SiteId};
use crate::login_record::{LoginEvent, LoginRecord, LoginWay, StoredLogin};
use crate::store::bounds::LOGIN_RECORDS_MAX;
use crate::store::{Fault, FindBy};

/// See [`crate::store::Note::Login`].
pub(super) fn record(conn: &Connection, login: &LoginRecord) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO login (at, event, way, siteid, memberid, name, network)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        login.at,
        login.event.as_str(),
        login.way.as_str(),
        login.site.get(),
        login.member.map(MemberId::get),
        login.name,
        login.network
    ])?;
    Ok(())
}

/// Removes records of logins at or before `until`, and those beyond the limit, at most `most`.
/// Returns how many.
pub(super) fn prune(conn: &Connection, until: i64, most: i64) -> Result<usize, Fault> {
    let newest = "SELECT id FROM login ORDER BY id DESC LIMIT 1";
    let newest: Option<i64> = {
        let mut statement = conn.prepare_cached(newest)?;
        let mut rows = statement.query([])?;
        rows.next()?.map(|row| row.get(0)).transpose()?
    };
    let Some(newest) = newest else { return Ok(0) };
    let mut oldest = conn.prepare_cached("SELECT id, at FROM login ORDER BY id LIMIT ?1")?;
    let mut rows = oldest.query([most])?;
    let mut last = None;
    // Ids rise with time, so that the oldest come first.
    while let Some(row) = rows.next()? {
        let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if at > until && id > newest - LOGIN_RECORDS_MAX {
            break;
        }
        last = Some(id);
    }
    let Some(last) = last else { return Ok(0) };
    Ok(conn.prepare_cached("DELETE FROM login WHERE id <= ?1")?.execute([last])?)
}

/// A row of `id, at, event, way, siteid, memberid, name, network`.
pub(super) fn read_login_record(row: &Row<'_>) -> Result<StoredLogin, Fault> {
    let (event, way): (String, String) = (row.get(2)?, row.get(3)?);
    let site = row.get::<_, i64>(4)?.to_string();
    let member = row.get::<_, Option<i64>>(5)?.map(|member| member.to_string());
    let unreadable = || Fault::BadRow("login: an unknown word, or a siteid below 1".into());
    Ok(StoredLogin {
        id: row.get(0)?,
        record: LoginRecord {
            at: row.get(1)?,
            event: LoginEvent::parse(&event).ok_or_else(unreadable)?,
            way: LoginWay::parse(&way).ok_or_else(unreadable)?,
            site: SiteId::parse(&site).ok_or_else(unreadable)?,
            member: member.and_then(|member| MemberId::parse(&member)),
            name: row.get(6)?,
            network: row.get(7)?,
        },
    })
}

impl Reader {
    /// See [`crate::store::Read::logins_before`].
    pub(super) fn logins_of(
        &self,
        key: Key,
        before: i64,
        most: u32,
    ) -> Result<Vec<StoredLogin>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, at, event, way, siteid, memberid, name, network FROM login
             WHERE siteid = ?1 AND memberid = ?2 AND id < ?4 ORDER BY id DESC LIMIT ?3",
        )?;
        let mut rows = statement.query(params![key.site.get(), key.member.get(), most, before])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read_login_record(row)?);
        }
        Ok(found)
    }

    /// See [`crate::store::Read::find`].
    pub(super) fn find_keys(&self, by: FindBy<'_>, most: u32) -> Result<Vec<Key>, Fault> {
        match by {
            FindBy::Name(name) => self.keys(
                "SELECT siteid, memberid FROM member_auth WHERE username_folded = ?2
                 UNION SELECT siteid, memberid FROM member_auth WHERE username = ?3
                 UNION SELECT siteid, memberid FROM former_member WHERE username = ?3
                 ORDER BY siteid, memberid LIMIT ?1",
                params![most, name.folded(), name.as_str()],
            ),
            FindBy::Email(email) => self.keys(
                "SELECT siteid, memberid FROM member_auth WHERE email = ?2 COLLATE NOCASE
                 UNION SELECT siteid, memberid FROM former_member WHERE email = ?2 COLLATE NOCASE
                 ORDER BY siteid, memberid LIMIT ?1",
                params![most, email],
            ),
            // A memberid alone is no key: the queries go from site to site, of which there are few.
            FindBy::Member(member) => self.keys(
                "WITH RECURSIVE site (id) AS (
                     SELECT min(siteid) FROM member_auth
                     UNION ALL
                     SELECT (SELECT min(siteid) FROM member_auth WHERE siteid > site.id)
                     FROM site WHERE site.id IS NOT NULL
                 ), former_site (id) AS (
                     SELECT min(siteid) FROM former_member
                     UNION ALL
                     SELECT (SELECT min(siteid) FROM former_member WHERE siteid > former_site.id)
                     FROM former_site WHERE former_site.id IS NOT NULL
                 )
                 SELECT siteid, memberid FROM site CROSS JOIN member_auth
                     ON siteid = site.id AND memberid = ?2
                 UNION SELECT siteid, memberid FROM former_site CROSS JOIN former_member
                     ON siteid = former_site.id AND memberid = ?2
                 ORDER BY siteid, memberid LIMIT ?1",
                params![most, member.get()],
            ),
        }
    }

    fn keys(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<Key>, Fault> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read_key(row, 0, 1)?);
        }
        Ok(found)
    }
}
