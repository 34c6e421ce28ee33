//! Removes what is stored of one person, and reads it.

use rusqlite::{Connection, params};

use super::engine::Sqlite;
use super::reader::Reader;
use crate::identity::Key;
use crate::journal::Record;
use crate::store::{Fault, Forgotten, Logout, LogoutBefore, Person, Seen, Traces};

/// Empties a record that says until when members were moved, which a replay needs. Its member is
/// not named any more.
const EMPTY: &str = "UPDATE journal SET source = 'operator', address = NULL, action = NULL,
         siteid = NULL, memberid = NULL, username = NULL, fields = 'action=FORGET',
         reply = 'OK|this record of a forgotten member was emptied', expire_at = NULL,
         password = NULL, cryptpass = NULL, session_sha256 = NULL, sealed = NULL,
         cryptpass_wrapped = NULL, logins_ended = NULL, stale = NULL
     WHERE id = ?1 AND moved_until IS NOT NULL";

impl Sqlite<'_> {
    /// See [`crate::store::Engine::forget`].
    pub(super) fn forget_person(
        &mut self,
        person: &Person,
        record: &Record<'_>,
        until: i64,
    ) -> Result<Forgotten, Fault> {
        let ids = [person.key.site.get(), person.key.member.get()];
        let mut records = own_records(self.conn, person.key)?;
        records.extend(unassigned(self.conn, person)?);
        let mut gone = self.forget_notes_of(person)?;
        gone.rows = (self.delete_member.execute(ids)? + self.delete_former.execute(ids)?) as u64;
        gone.records = records.len() as u64;
        if gone.all() == 0 {
            return Ok(gone);
        }
        self.hand_on_names(person.key.site.get())?;
        // Before the others are deleted: the number of the newest one must not be used again.
        self.journal.save(record)?;
        let mut empty = self.conn.prepare_cached(EMPTY)?;
        let mut delete = self.conn.prepare_cached("DELETE FROM journal WHERE id = ?1")?;
        for id in records {
            if empty.execute([id])? == 0 {
                delete.execute([id])?;
            }
        }
        self.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO logout_before (siteid, memberid, issued, login_version)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![ids[0], ids[1], until, i64::MAX])?;
        Ok(gone)
    }

    /// See [`crate::store::Engine::forget_notes`].
    pub(super) fn forget_notes_of(&mut self, person: &Person) -> Result<Forgotten, Fault> {
        let ids = [person.key.site.get(), person.key.member.get()];
        let by_key = |sql: &str| -> Result<u64, Fault> {
            Ok(self.conn.prepare_cached(sql)?.execute(ids)? as u64)
        };
        let mut gone = Forgotten {
            logins: by_key("DELETE FROM login WHERE siteid = ?1 AND memberid = ?2")?,
            cookies: by_key("DELETE FROM logout WHERE siteid = ?1 AND memberid = ?2")?
                + by_key("DELETE FROM login_seen WHERE siteid = ?1 AND memberid = ?2")?,
            sharing: by_key("DELETE FROM sharing_network WHERE siteid = ?1 AND memberid = ?2")?
                + by_key("DELETE FROM sharing_block WHERE siteid = ?1 AND memberid = ?2")?,
            ..Forgotten::default()
        };
        let mut known = self.conn.prepare_cached("DELETE FROM known_network WHERE member = ?1")?;
        for member in &person.known {
            gone.known_networks += known.execute([member])? as u64;
        }
        let mut login = self.conn.prepare_cached("DELETE FROM login WHERE id = ?1")?;
        for stored in &person.logins {
            gone.logins += login.execute([stored.id])? as u64;
        }
        drop((known, login));
        for target in &person.blocks {
            gone.blocks += self.delete_block(target)?;
        }
        Ok(gone)
    }
}

impl Reader {
    /// See [`crate::store::Read::traces_of`].
    pub(super) fn person_traces(&self, person: &Person) -> Result<Traces, Fault> {
        let key = person.key;
        let ids = [key.site.get(), key.member.get()];
        let mut logouts = self.conn.prepare_cached(
            "SELECT id, until, issued FROM logout WHERE siteid = ?1 AND memberid = ?2
             ORDER BY issued, id",
        )?;
        let logouts = logouts
            .query_map(ids, |row| {
                let (id, until, issued) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Logout { id, until, of: Some((key, issued)) })
            })?
            .collect::<Result<_, _>>()?;
        let mut before = self.conn.prepare_cached(
            "SELECT issued, login_version FROM logout_before WHERE siteid = ?1 AND memberid = ?2",
        )?;
        let mut before = before.query_map(ids, |row| {
            Ok(LogoutBefore { key, issued: row.get(0)?, login_version: row.get(1)? })
        })?;
        let mut uses = self.conn.prepare_cached(
            "SELECT id, at FROM login_seen WHERE siteid = ?1 AND memberid = ?2 ORDER BY at, id",
        )?;
        let last_uses = uses
            .query_map(ids, |row| Ok(Seen { key, id: row.get(0)?, at: row.get(1)? }))?
            .collect::<Result<_, _>>()?;
        let mut days = self
            .conn
            .prepare_cached("SELECT day FROM known_network WHERE member = ?1 ORDER BY day")?;
        let mut known_days = Vec::new();
        for member in &person.known {
            for day in days.query_map([member], |row| row.get(0))? {
                known_days.push(day?);
            }
        }
        Ok(Traces {
            logouts,
            logout_before: before.next().transpose()?,
            last_uses,
            known_days,
            unassigned: unassigned(&self.conn, person)?,
        })
    }
}

/// The numbers of the member's records.
fn own_records(conn: &Connection, key: Key) -> Result<Vec<i64>, Fault> {
    let mut ids =
        conn.prepare_cached("SELECT id FROM journal WHERE siteid = ?1 AND memberid = ?2")?;
    let ids = ids.query_map([key.site.get(), key.member.get()], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The numbers of the person's records whose siteid or memberid was not readable.
fn unassigned(conn: &Connection, person: &Person) -> Result<Vec<i64>, Fault> {
    let mut found = Vec::new();
    let mut siteless =
        conn.prepare_cached("SELECT id, memberid, username FROM journal WHERE siteid IS NULL")?;
    let mut memberless = conn.prepare_cached(
        "SELECT id, memberid, username FROM journal WHERE siteid = ?1 AND memberid IS NULL",
    )?;
    let site = person.key.site.get();
    for mut rows in [siteless.query([])?, memberless.query([site])?] {
        while let Some(row) = rows.next()? {
            let (member, name): (Option<i64>, Option<String>) = (row.get(1)?, row.get(2)?);
            if person.sent_unassigned(member, name.as_deref()) {
                found.push(row.get(0)?);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
