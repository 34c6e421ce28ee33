//! The record of logins, and what it takes to find members by other than their key.

use mysql::{Row, Value};

use super::connection::Connection;
use super::reader::Reader;
use super::rows::{folded_key, get, key_values, read_key, unfolded_key};
use crate::identity::{Key, MemberId, SiteId};
use crate::login_record::{LoginEvent, LoginRecord, LoginWay, StoredLogin};
use crate::store::bounds::LOGIN_RECORDS_MAX;
use crate::store::{Fault, FindBy};

/// The columns of a record behind its number.
pub(super) fn record_values(login: &LoginRecord) -> Vec<Value> {
    vec![
        login.at.into(),
        login.event.as_str().into(),
        login.way.as_str().into(),
        login.site.get().into(),
        login.member.map(MemberId::get).into(),
        login.name.as_deref().into(),
        login.network.as_str().into(),
    ]
}

/// See [`crate::store::Note::Login`].
pub(super) fn record(connection: &mut Connection, login: &LoginRecord) -> Result<(), Fault> {
    connection.run(
        "INSERT INTO login (at, event, way, siteid, memberid, name, network)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        record_values(login),
    )?;
    Ok(())
}

/// Removes records of logins at or before `until`, and those beyond the limit, at most `most`.
/// Returns how many.
pub(super) fn prune(connection: &mut Connection, until: i64, most: u64) -> Result<u64, Fault> {
    let newest = connection.first("SELECT MAX(id) FROM login", Vec::new())?;
    let newest: Option<i64> = newest.map_or(Ok(None), |mut row| get(&mut row, 0))?;
    let Some(newest) = newest else { return Ok(0) };
    let oldest =
        connection.rows("SELECT id, at FROM login ORDER BY id LIMIT ?", vec![most.into()])?;
    let mut last = None;
    // Ids rise with time, so that the oldest come first.
    for mut row in oldest {
        let (id, at): (i64, i64) = (get(&mut row, 0)?, get(&mut row, 1)?);
        if at > until && id > newest - LOGIN_RECORDS_MAX {
            break;
        }
        last = Some(id);
    }
    let Some(last) = last else { return Ok(0) };
    connection.run("DELETE FROM login WHERE id <= ?", vec![last.into()])
}

/// A row of `id, at, event, way, siteid, memberid, name, network`.
pub(super) fn read_login_record(row: &mut Row) -> Result<StoredLogin, Fault> {
    let (event, way): (String, String) = (get(row, 2)?, get(row, 3)?);
    let site = get::<i64>(row, 4)?.to_string();
    let member = get::<Option<i64>>(row, 5)?.map(|member| member.to_string());
    let unreadable = || Fault::BadRow("login: an unknown word, or a siteid below 1".into());
    Ok(StoredLogin {
        id: get(row, 0)?,
        record: LoginRecord {
            at: get(row, 1)?,
            event: LoginEvent::parse(&event).ok_or_else(unreadable)?,
            way: LoginWay::parse(&way).ok_or_else(unreadable)?,
            site: SiteId::parse(&site).ok_or_else(unreadable)?,
            member: member.and_then(|member| MemberId::parse(&member)),
            name: get(row, 6)?,
            network: get(row, 7)?,
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
        let mut values = key_values(key);
        values.extend([before.into(), most.into()]);
        self.rows(
            "SELECT id, at, event, way, siteid, memberid, name, network FROM login
             WHERE siteid = ? AND memberid = ? AND id < ? ORDER BY id DESC LIMIT ?",
            values,
        )?
        .iter_mut()
        .map(read_login_record)
        .collect()
    }

    /// See [`crate::store::Read::find`].
    pub(super) fn find_keys(&self, by: FindBy<'_>, most: u32) -> Result<Vec<Key>, Fault> {
        match by {
            FindBy::Name(name) => {
                let [folded, unfolded] =
                    [folded_key(name), unfolded_key(name.as_str())].map(Value::Bytes);
                self.keys(
                    "SELECT siteid, memberid FROM member_auth WHERE username_key IN (?, ?)
                     UNION SELECT siteid, memberid FROM former_member WHERE username_key = ?
                     ORDER BY siteid, memberid LIMIT ?",
                    vec![folded.clone(), unfolded, folded, most.into()],
                )
            }
            FindBy::Email(email) => self.find_by_email(email, most),
            FindBy::Member(member) => {
                let member: Value = member.get().into();
                self.keys(
                    "SELECT STRAIGHT_JOIN m.siteid, m.memberid
                     FROM (SELECT DISTINCT siteid FROM member_auth) AS site
                     JOIN member_auth AS m ON m.siteid = site.siteid AND m.memberid = ?
                     UNION SELECT STRAIGHT_JOIN m.siteid, m.memberid
                     FROM (SELECT DISTINCT siteid FROM former_member) AS site
                     JOIN former_member AS m ON m.siteid = site.siteid AND m.memberid = ?
                     ORDER BY siteid, memberid LIMIT ?",
                    vec![member.clone(), member, most.into()],
                )
            }
        }
    }

    /// The collation also finds addresses that differ in an accent or in a space at their end. They
    /// are left out here, and must not take places of the list. So rows are read page by page,
    /// until the list is full or no row is left.
    fn find_by_email(&self, email: &str, most: u32) -> Result<Vec<Key>, Fault> {
        let most_keys = most as usize;
        let (mut found, mut last) = (Vec::new(), None);
        while found.len() < most_keys {
            let page = self.emails_after(last, email, most)?;
            let is_last = page.len() < most_keys;
            last = page.last().map(|(key, _)| *key);
            let equal = page.into_iter().filter(|(_, stored)| stored.eq_ignore_ascii_case(email));
            found.extend(equal.map(|(key, _)| key).take(most_keys - found.len()));
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// The next members and former members whose address is equal by the collation, after this key.
    fn emails_after(
        &self,
        last: Option<Key>,
        email: &str,
        most: u32,
    ) -> Result<Vec<(Key, String)>, Fault> {
        let (site, member) = last.map_or((0, 0), |last| (last.site.get(), last.member.get()));
        let most: Value = most.into();
        let after = [email.into(), site.into(), site.into(), member.into(), most.clone()];
        self.rows(
            "(SELECT siteid, memberid, email FROM member_auth
              WHERE email = ? AND (siteid > ? OR siteid = ? AND memberid > ?)
              ORDER BY siteid, memberid LIMIT ?)
             UNION ALL
             (SELECT siteid, memberid, email FROM former_member
              WHERE email = ? AND (siteid > ? OR siteid = ? AND memberid > ?)
              ORDER BY siteid, memberid LIMIT ?)
             ORDER BY siteid, memberid LIMIT ?",
            [&after[..], &after[..], &[most]].concat(),
        )?
        .iter_mut()
        .map(|row| Ok((read_key(row, 0, 1)?, get(row, 2)?)))
        .collect()
    }

    fn keys(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Key>, Fault> {
        self.rows(sql, values)?.iter_mut().map(|row| read_key(row, 0, 1)).collect()
    }
}
