//! The journal.

use rusqlite::{OptionalExtension, Row, params};

use super::engine::Sqlite;
use super::reader::{PAGE_ROWS, Reader};
use super::rows::{FormColumns, read_cryptpass, read_form, read_session};
use crate::action::Recorded;
use crate::journal::Record;
use crate::member::Credential;
use crate::store::{Fault, JournalFilter, StoredRecord};
use crate::unicode::folded;

/// A page of long journal records ends earlier, with the record that reaches this many bytes of
/// fields.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

pub(super) const INSERT_JOURNAL: &str =
    "INSERT INTO journal (at, source, address, action, siteid, memberid, username, fields, reply, expire_at,
                     password, cryptpass, session_sha256, sealed, cryptpass_wrapped, logins_ended, moved_until)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

impl Sqlite<'_> {
    pub(super) fn save_record(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        let Record { at, heard, moved_until, reply, put } = record;
        let form = put.credential.as_ref().map(|credential| FormColumns::of(&credential.stored));
        let kept = put.credential.as_ref().and_then(|credential| credential.cryptpass.as_ref());
        self.insert_journal.execute(params![
            at,
            heard.origin.as_str(),
            heard.address.map(|address| address.to_string()),
            heard.action,
            heard.site.map(|site| site.get()),
            heard.member.map(|member| member.get()),
            heard.username.as_ref().map(|name| name.as_str()),
            heard.fields,
            reply.as_str(),
            put.expire_at,
            form.as_ref().and_then(|form| form.password),
            kept.map(|kept| kept.expose()),
            put.session.map(|hash| hash.0),
            form.as_ref().and_then(|form| form.sealed),
            form.as_ref().and_then(|form| form.wrapped),
            put.logins_ended.then_some(1),
            moved_until,
        ])?;
        Ok(())
    }

    pub(super) fn delete_records(&mut self, before: i64, most: usize) -> Result<usize, Fault> {
        // Ids rise with time, so the oldest records are the first ones: no index on `at` is needed,
        // and the walk ends at the first record that is young enough.
        let mut oldest = self.conn.prepare_cached(
            "SELECT id, at FROM journal WHERE id < (SELECT max(id) FROM journal) AND sealed IS NULL ORDER BY id LIMIT ?1",
        )?;
        let records = oldest
            .query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<Vec<(i64, i64)>, _>>()?;
        let mut delete = self.conn.prepare_cached("DELETE FROM journal WHERE id = ?1")?;
        let mut gone = 0;
        for (id, _) in records.into_iter().take_while(|&(_, at)| at < before) {
            gone += delete.execute([id])?;
        }
        Ok(gone)
    }
}

impl Reader {
    pub(super) fn journal_page(
        &self,
        filter: &JournalFilter,
        after: i64,
        newest: i64,
    ) -> Result<Vec<StoredRecord>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT id, at, source, address, action, siteid, memberid, username, fields, reply, expire_at,
                 password, sealed, cryptpass_wrapped, cryptpass, session_sha256, logins_ended, moved_until
             FROM journal
             WHERE (?1 IS NULL OR siteid = ?1) AND (?2 IS NULL OR memberid = ?2)
               AND (?3 IS NULL OR folded(username) = ?3) AND (?4 IS NULL OR action = ?4)
               AND (?5 IS NULL OR reply LIKE ?5 || '|%') AND (?6 IS NULL OR at >= ?6) AND (?7 IS NULL OR at < ?7)
               AND id > ?8 AND id <= ?9
             ORDER BY id LIMIT {PAGE_ROWS}"
        ))?;
        let JournalFilter { site, member, username, action, word, since, until } = filter;
        let username = username.as_deref().map(folded);
        let mut rows = statement
            .query(params![site, member, username, action, word, since, until, after, newest])?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES
            && let Some(row) = rows.next()?
        {
            let record = read_record(row)?;
            bytes += record.fields.len();
            page.push(record);
        }
        Ok(page)
    }

    /// Number and time of the newest journal record, if there is one.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn newest_record(&self) -> Result<Option<(i64, i64)>, Fault> {
        let newest = "SELECT id, at FROM journal ORDER BY id DESC LIMIT 1";
        Ok(self.conn.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// The last sign of life in the database, unix seconds: the newest record of the journal, or a
    /// probe of `GET /health` after it and not ahead of `now`. `None` where there is no record.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn last_seen(&self, now: i64) -> Result<Option<i64>, Fault> {
        // A record of a jump that was not confirmed says nothing about the time.
        let newest =
            "SELECT min(at, coalesce(moved_until, at)) FROM journal ORDER BY id DESC LIMIT 1";
        let newest: Option<i64> = self.conn.query_row(newest, [], |row| row.get(0)).optional()?;
        let probed: i64 =
            self.conn.query_row("SELECT probed_at FROM health", [], |row| row.get(0))?;
        Ok(newest.map(|newest| if probed <= now { newest.max(probed) } else { newest }))
    }
}

fn read_record(row: &Row<'_>) -> Result<StoredRecord, Fault> {
    let credential = match read_form(row, 11, 12, 13)? {
        Some(stored) => Some(Credential { stored, cryptpass: read_cryptpass(row, 14)? }),
        None => None,
    };
    Ok(StoredRecord {
        id: row.get(0)?,
        at: row.get(1)?,
        source: row.get(2)?,
        address: row.get(3)?,
        action: row.get(4)?,
        siteid: row.get(5)?,
        memberid: row.get(6)?,
        username: row.get(7)?,
        fields: row.get(8)?,
        reply: row.get(9)?,
        moved_until: row.get(17)?,
        put: Recorded {
            credential,
            session: read_session(row, 15)?,
            expire_at: row.get(10)?,
            logins_ended: row.get::<_, Option<i64>>(16)?.is_some(),
        },
    })
}
