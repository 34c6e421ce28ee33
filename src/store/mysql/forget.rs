//! Removes what is stored of one person, and reads it.

use std::sync::LazyLock;

use mysql::Value;

use super::connection::Connection;
use super::engine::Mysql;
use super::notes;
use super::reader::Reader;
use super::rows::{get, key_values, read_id};
use crate::action::Change;
use crate::identity::Key;
use crate::journal::Record;
use crate::store::{Fault, Forgotten, Logout, LogoutBefore, Outcome, Person, Seen, Traces};

/// Empties records that say until when members were moved, which a replay needs. Their member is
/// not named any more.
const EMPTY: &str = "UPDATE journal SET source = 'operator', address = NULL, action = NULL,
         siteid = NULL, memberid = NULL, username = NULL, fields = 'action=FORGET',
         reply = 'OK|this record of a forgotten member was emptied', expire_at = NULL,
         password = NULL, cryptpass = NULL, session_sha256 = NULL, sealed = NULL,
         cryptpass_wrapped = NULL, logins_ended = NULL, stale = NULL, seq = NULL,
         waiting = NULL
     WHERE moved_until IS NOT NULL AND ";
static EMPTY_OWN: LazyLock<String> =
    LazyLock::new(|| format!("{EMPTY}siteid = ? AND memberid = ?"));
static EMPTY_ONE: LazyLock<String> = LazyLock::new(|| format!("{EMPTY}id = ?"));

impl Mysql<'_> {
    /// See [`crate::store::Engine::forget`].
    pub(super) fn forget_person(
        &mut self,
        person: &Person,
        record: &Record<'_>,
        until: i64,
    ) -> Result<Forgotten, Fault> {
        let key = person.key;
        // As every decision about the member begins: the last number, and then the locked rows.
        self.load_numbers(vec![key])?;
        self.stored_standings(&[key])?;
        let mut gone = self.forget_notes_of(person)?;
        let connection = self.connection()?;
        for sql in [
            "DELETE FROM member_auth WHERE siteid = ? AND memberid = ?",
            "DELETE FROM former_member WHERE siteid = ? AND memberid = ?",
        ] {
            gone.rows += connection.run(sql, key_values(key))?;
        }
        for sql in [&EMPTY_OWN, "DELETE FROM journal WHERE siteid = ? AND memberid = ?"] {
            gone.records += connection.run(sql, key_values(key))?;
        }
        for id in unassigned(connection, person)? {
            if connection.run(&EMPTY_ONE, vec![id.into()])? == 0 {
                connection.run("DELETE FROM journal WHERE id = ?", vec![id.into()])?;
            }
            gone.records += 1;
        }
        if gone.all() == 0 {
            return Ok(gone);
        }
        self.hand_on_names(key.site)?;
        self.take_next_number(key)?;
        let values = [key_values(key), vec![until.into(), i64::MAX.into()]].concat();
        self.connection()?.run(
            "REPLACE INTO logout_before (siteid, memberid, issued, login_version)
             VALUES (?, ?, ?, ?)",
            values,
        )?;
        let record = record.clone();
        self.append_records(&[Outcome { change: Change::None, record, taken_over: None }])?;
        Ok(gone)
    }

    /// Writes a record with the member's next number and deletes it. A receiver that decides about
    /// the member at this moment takes the same number, also on another node of a cluster. One of
    /// the two transactions is then run again.
    fn take_next_number(&mut self, key: Key) -> Result<(), Fault> {
        let (next, batch) = (self.numbers.get(&key).map_or(1, |last| last + 1), self.batch());
        let values = [key_values(key), vec![next.into(), batch.into()]].concat();
        let connection = self.connection()?;
        connection.run(
            "INSERT INTO journal (at, source, siteid, memberid, fields, reply, seq, batch)
             VALUES (0, 'operator', ?, ?, '', '', ?, ?)",
            values,
        )?;
        let delete = "DELETE FROM journal WHERE siteid = ? AND memberid = ? AND seq = ?";
        connection.run(delete, [key_values(key), vec![next.into()]].concat())?;
        Ok(())
    }

    /// See [`crate::store::Engine::forget_notes`].
    pub(super) fn forget_notes_of(&mut self, person: &Person) -> Result<Forgotten, Fault> {
        let connection = self.connection()?;
        let mut by_key = |sql| connection.run(sql, key_values(person.key));
        let mut gone = Forgotten {
            logins: by_key("DELETE FROM login WHERE siteid = ? AND memberid = ?")?,
            cookies: by_key("DELETE FROM logout WHERE siteid = ? AND memberid = ?")?
                + by_key("DELETE FROM login_seen WHERE siteid = ? AND memberid = ?")?,
            sharing: by_key("DELETE FROM sharing_network WHERE siteid = ? AND memberid = ?")?
                + by_key("DELETE FROM sharing_block WHERE siteid = ? AND memberid = ?")?,
            ..Forgotten::default()
        };
        for member in &person.known {
            let values = vec![Value::Bytes(member.to_vec())];
            gone.known_networks +=
                connection.run("DELETE FROM known_network WHERE member = ?", values)?;
        }
        for login in &person.logins {
            let id = vec![login.id.into()];
            gone.logins += connection.run("DELETE FROM login WHERE id = ?", id)?;
        }
        for target in &person.blocks {
            gone.blocks += notes::delete_block(connection, target)?;
        }
        Ok(gone)
    }
}

impl Reader {
    /// See [`crate::store::Read::traces_of`].
    pub(super) fn person_traces(&self, person: &Person) -> Result<Traces, Fault> {
        let key = person.key;
        let mut traces = Traces::default();
        let logouts = self.rows(
            "SELECT id, until, issued FROM logout WHERE siteid = ? AND memberid = ?
             ORDER BY issued, id",
            key_values(key),
        )?;
        for mut row in logouts {
            let (id, until) = (read_id(&mut row, 0)?, get(&mut row, 1)?);
            traces.logouts.push(Logout { id, until, of: Some((key, get(&mut row, 2)?)) });
        }
        let before = self.first(
            "SELECT issued, login_version FROM logout_before WHERE siteid = ? AND memberid = ?",
            key_values(key),
        )?;
        if let Some(mut row) = before {
            let (issued, login_version) = (get(&mut row, 0)?, get(&mut row, 1)?);
            traces.logout_before = Some(LogoutBefore { key, issued, login_version });
        }
        let uses = self.rows(
            "SELECT id, at FROM login_seen WHERE siteid = ? AND memberid = ? ORDER BY at, id",
            key_values(key),
        )?;
        for mut row in uses {
            traces.last_uses.push(Seen { key, id: read_id(&mut row, 0)?, at: get(&mut row, 1)? });
        }
        for member in &person.known {
            let days = self.rows(
                "SELECT day FROM known_network WHERE member = ? ORDER BY day",
                vec![Value::Bytes(member.to_vec())],
            )?;
            for mut row in days {
                traces.known_days.push(get(&mut row, 0)?);
            }
        }
        traces.unassigned = self.with(|connection| unassigned(connection, person))?;
        Ok(traces)
    }
}

/// The numbers of the person's records whose siteid or memberid was not readable.
fn unassigned(connection: &mut Connection, person: &Person) -> Result<Vec<i64>, Fault> {
    let mut rows = connection
        .rows("SELECT id, memberid, username FROM journal WHERE siteid IS NULL", Vec::new())?;
    rows.extend(connection.rows(
        "SELECT id, memberid, username FROM journal WHERE siteid = ? AND memberid IS NULL",
        vec![person.key.site.get().into()],
    )?);
    let mut found = Vec::new();
    for mut row in rows {
        let (member, name): (Option<i64>, Option<String>) = (get(&mut row, 1)?, get(&mut row, 2)?);
        if person.sent_unassigned(member, name.as_deref()) {
            found.push(get(&mut row, 0)?);
        }
    }
    found.sort_unstable();
    Ok(found)
}
