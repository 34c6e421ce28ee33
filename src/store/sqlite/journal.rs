//! The table `journal`: its columns, listed once, and the statements that write and read them.

use rusqlite::types::Value;
use rusqlite::{
    Connection, OptionalExtension as _, Row, Statement, ToSql, params, params_from_iter,
};

use super::reader::Reader;
use super::rows::{FormColumns, read_cryptpass, read_form, read_session};
use super::shapes::{IS_SHAPE, Shapes};
use crate::action::Recorded;
use crate::identity::Key;
use crate::journal::Record;
use crate::journal::shape::{Columns, Split};
use crate::member::Credential;
use crate::store::bounds::{PAGE_ROWS, PRUNE_LOOKED_AT_MAX, RECORDS_PAGE_BYTES};
use crate::store::shaped::restored;
use crate::store::{
    Fault, JournalFilter, JournalSpan, StoredRecord, UnreadableRecord, if_readable,
};
use crate::unicode::folded;

/// All columns of the table.
pub(super) const COLUMNS: [&str; 20] = [
    "id",
    "at",
    "source",
    "address",
    "action",
    "siteid",
    "memberid",
    "username",
    "fields",
    "reply",
    "expire_at",
    "password",
    "cryptpass",
    "session_sha256",
    "sealed",
    "cryptpass_wrapped",
    "logins_ended",
    "moved_until",
    "stale",
    "operator",
];

/// Inserts a record. The values are in the order of [`COLUMNS`].
pub(super) fn insert() -> String {
    let marks = vec!["?"; COLUMNS.len()].join(", ");
    format!("INSERT INTO journal ({}) VALUES ({marks})", COLUMNS.join(", "))
}

/// The writer's operations on the journal.
pub(super) struct Journal<'c> {
    conn: &'c Connection,
    insert: Statement<'c>,
    pub(super) shapes: Shapes,
}

impl<'c> Journal<'c> {
    pub(super) fn new(conn: &'c Connection) -> Result<Self, Fault> {
        Ok(Self { conn, insert: conn.prepare(&insert())?, shapes: Shapes::read(conn)? })
    }

    /// Appends a record.
    pub(super) fn save(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        let Record { at, received, moved_until, reply, put } = record;
        let Columns { action, site, member, username } = received.columns();
        let fields =
            self.shapes.stored(self.conn, received.fields(), received.split().as_deref())?;
        let form = put.credential.as_ref().map(|credential| FormColumns::of(&credential.stored));
        let kept = put.credential.as_ref().and_then(|credential| credential.cryptpass.as_ref());
        let values: [&dyn ToSql; COLUMNS.len()] = [
            &None::<i64>,
            at,
            &received.origin.as_str(),
            &received.address.map(|address| address.to_string()),
            &action,
            &site,
            &member,
            &username,
            &fields,
            &reply.as_str(),
            &put.expire_at,
            &form.as_ref().and_then(|form| form.password),
            &kept.map(|kept| kept.expose()),
            &put.session.map(|hash| hash.0),
            &form.as_ref().and_then(|form| form.sealed),
            &form.as_ref().and_then(|form| form.wrapped),
            &put.logins_ended.then_some(1),
            moved_until,
            &put.is_stale.then_some(1),
            &received.operator.as_ref().map(|operator| operator.as_str()),
        ];
        self.insert.execute(values.as_slice())?;
        Ok(())
    }

    /// Inserts a record of another database under its number.
    pub(super) fn insert_stored(&mut self, record: &StoredRecord) -> Result<(), Fault> {
        let put = &record.put;
        let split = Split::of(&record.fields, &record.columns());
        let fields = self.shapes.stored(self.conn, &record.fields, split.as_ref())?;
        let form = put.credential.as_ref().map(|credential| FormColumns::of(&credential.stored));
        let kept = put.credential.as_ref().and_then(|credential| credential.cryptpass.as_ref());
        let values: [&dyn ToSql; COLUMNS.len()] = [
            &record.id,
            &record.at,
            &record.source,
            &record.address,
            &record.action,
            &record.siteid,
            &record.memberid,
            &record.username,
            &fields,
            &record.reply,
            &put.expire_at,
            &form.as_ref().and_then(|form| form.password),
            &kept.map(|kept| kept.expose()),
            &put.session.map(|hash| hash.0),
            &form.as_ref().and_then(|form| form.sealed),
            &form.as_ref().and_then(|form| form.wrapped),
            &put.logins_ended.then_some(1),
            &record.moved_until,
            &put.is_stale.then_some(1),
            &record.operator,
        ];
        self.insert.execute(values.as_slice())?;
        Ok(())
    }

    /// See [`crate::store::Engine::prune`]. The shapes stay.
    pub(super) fn prune(&self, before: i64, now: i64, most: usize) -> Result<usize, Fault> {
        // Ids rise with time, so the oldest records come first. The scan ends at the first record
        // that is young enough and needs no index on `at`.
        let mut oldest = self.conn.prepare_cached(
            "SELECT id, at FROM (
                 SELECT id, at FROM journal
                 WHERE id < (SELECT max(id) FROM journal) AND sealed IS NULL
                 ORDER BY id LIMIT ?1)
             WHERE at <= ?2 ORDER BY id LIMIT ?3",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let records = oldest
            .query_map([i64::from(PRUNE_LOOKED_AT_MAX), now, most], |row| {
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
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        page(&self.conn, filter, after, newest)
    }

    /// See [`crate::store::Read::journal_span`].
    pub(super) fn journal_span(
        &self,
        filter: &JournalFilter,
        part: JournalSpan,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        span(&self.conn, filter, part)
    }

    /// See [`crate::store::Read::record_from`].
    pub(super) fn record_from(&self, id: i64) -> Result<Option<(i64, i64)>, Fault> {
        let mut first = self
            .conn
            .prepare_cached("SELECT id, at FROM journal WHERE id >= ?1 ORDER BY id LIMIT 1")?;
        Ok(first.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// See [`crate::store::Read::last_records`].
    pub(super) fn records_before(
        &self,
        key: Key,
        before: i64,
        most: u32,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        let columns: Vec<_> = COLUMNS.iter().map(|column| format!("journal.{column}")).collect();
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {}, journal_shape.names
             FROM journal INDEXED BY journal_member LEFT JOIN journal_shape ON {IS_SHAPE}
             WHERE siteid = ?1 AND memberid = ?2 AND journal.id < ?3
             ORDER BY journal.id DESC LIMIT ?4",
            columns.join(", ")
        ))?;
        let mut rows = statement.query(params![key.site.get(), key.member.get(), before, most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(match if_readable(read_record(row))? {
                Ok(record) => Ok(record),
                Err(fault) => Err(UnreadableRecord { id: row.get("id")?, fault }),
            });
        }
        Ok(found)
    }

    /// Number and time of the newest journal record, if there is one.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn newest_record(&self) -> Result<Option<(i64, i64)>, Fault> {
        let newest = "SELECT id, at FROM journal ORDER BY id DESC LIMIT 1";
        Ok(self.conn.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// The last time at which the database was surely in use, unix seconds: the time of the newest
    /// journal record, or of a later probe by `GET /health` or move of expired members that is not
    /// ahead of `now`. `None` if there is no record.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn last_seen(&self, now: i64) -> Result<Option<i64>, Fault> {
        // A record that was written while a jump of the clock was unconfirmed is no evidence of the
        // time.
        let newest =
            "SELECT min(at, coalesce(moved_until, at)) FROM journal ORDER BY id DESC LIMIT 1";
        let newest: Option<i64> = self.conn.query_row(newest, [], |row| row.get(0)).optional()?;
        let probed: i64 =
            self.conn.query_row("SELECT probed_at FROM health", [], |row| row.get(0))?;
        Ok(newest.map(|newest| if probed <= now { newest.max(probed) } else { newest }))
    }
}

/// The next records that match a filter, after record `after` and up to `newest`: at most
/// [`PAGE_ROWS`] of them, and at most [`RECORDS_PAGE_BYTES`] unless one record is longer.
pub(super) fn page(
    conn: &Connection,
    filter: &JournalFilter,
    after: i64,
    newest: i64,
) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
    let part = JournalSpan { after, newest, most: PAGE_ROWS, newest_first: false };
    span(conn, filter, part)
}

/// At most [`RECORDS_PAGE_BYTES`], unless one record is longer.
fn span(
    conn: &Connection,
    filter: &JournalFilter,
    span: JournalSpan,
) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
    let (sql, values) = select_page(filter, span);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while bytes < RECORDS_PAGE_BYTES
        && let Some(row) = rows.next()?
    {
        page.push(match if_readable(read_record(row))? {
            Ok(record) => {
                bytes += record.fields.len();
                Ok(record)
            }
            Err(fault) => Err(UnreadableRecord { id: row.get("id")?, fault }),
        });
    }
    Ok(page)
}

/// Finds the records of one member. Without a siteid it searches site by site, because the index
/// begins with the siteid; there are few sites.
const OF_MEMBER_ON_ANY_SITE: &str = "journal.id IN (
         WITH RECURSIVE site (id) AS (
             SELECT min(siteid) FROM journal
             UNION ALL
             SELECT (SELECT min(siteid) FROM journal WHERE siteid > site.id)
             FROM site WHERE site.id IS NOT NULL
         )
         SELECT j.id FROM site CROSS JOIN journal AS j INDEXED BY journal_member
             ON j.siteid = site.id AND j.memberid = ?
         UNION ALL
         SELECT j.id FROM journal AS j INDEXED BY journal_member
             WHERE j.siteid IS NULL AND j.memberid = ?
     )";

/// Contains only the conditions of the filter, so that each filter gets a suitable query plan.
fn select_page(filter: &JournalFilter, span: JournalSpan) -> (String, Vec<Value>) {
    let JournalFilter { site, member, username, action, word, since, until, source, text: part } =
        filter;
    let JournalSpan { after, newest, most, newest_first } = span;
    let text = |text: &String| Value::Text(text.clone());
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    let mut when = |condition: &'static str, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push(condition);
            values.extend(vec![value; condition.matches('?').count()]);
        }
    };
    let index = if site.is_some() && member.is_some() { "INDEXED BY journal_member" } else { "" };
    match (site, member) {
        (Some(site), Some(member)) => {
            when("siteid = ?", Some(Value::Integer(*site)));
            when("memberid = ?", Some(Value::Integer(*member)));
        }
        // Without this hint SQLite uses the index and sorts all records of a site for each page.
        (Some(site), None) => when("+siteid = ?", Some(Value::Integer(*site))),
        (None, member) => when(OF_MEMBER_ON_ANY_SITE, member.map(Value::Integer)),
    }
    when("folded(username) = ?", username.as_deref().map(|name| Value::Text(folded(name))));
    when("action = ?", action.as_ref().map(text));
    when("reply LIKE ? || '|%'", word.as_ref().map(text));
    when("source = ?", source.as_ref().map(text));
    let part = part.as_ref().map(|part| Value::Text(part.to_ascii_lowercase()));
    when("instr(lower(reply), ?) > 0", part);
    when("at >= ?", since.map(Value::Integer));
    when("at < ?", until.map(Value::Integer));
    when("journal.id > ?", Some(Value::Integer(after)));
    when("journal.id <= ?", Some(Value::Integer(newest)));
    let columns: Vec<_> = COLUMNS.iter().map(|column| format!("journal.{column}")).collect();
    let sql = format!(
        "SELECT {}, journal_shape.names
         FROM journal {index} LEFT JOIN journal_shape ON {IS_SHAPE}
         WHERE {} ORDER BY journal.id {} LIMIT {most}",
        columns.join(", "),
        conditions.join(" AND "),
        if newest_first { "DESC" } else { "ASC" }
    );
    (sql, values)
}

/// A row of all [`COLUMNS`] and the names of its shape.
fn read_record(row: &Row<'_>) -> Result<StoredRecord, Fault> {
    let at = |column| row.as_ref().column_index(column);
    let stored = read_form(row, at("password")?, at("sealed")?, at("cryptpass_wrapped")?)?;
    let credential = match stored {
        Some(stored) => {
            Some(Credential { stored, cryptpass: read_cryptpass(row, at("cryptpass")?)? })
        }
        None => None,
    };
    let mut record = StoredRecord {
        id: row.get("id")?,
        at: row.get("at")?,
        source: row.get("source")?,
        address: row.get("address")?,
        action: row.get("action")?,
        siteid: row.get("siteid")?,
        memberid: row.get("memberid")?,
        username: row.get("username")?,
        fields: String::new(),
        reply: row.get("reply")?,
        moved_until: row.get("moved_until")?,
        operator: row.get("operator")?,
        put: Recorded {
            credential,
            session: read_session(row, at("session_sha256")?)?,
            expire_at: row.get("expire_at")?,
            logins_ended: row.get::<_, Option<i64>>("logins_ended")?.is_some(),
            is_stale: row.get::<_, Option<i64>>("stale")?.is_some(),
        },
    };
    let (names, fields) = (row.get("names")?, row.get("fields")?);
    record.fields = restored(record.id, names, fields, &record.columns())?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::upgrade;

    fn database() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade::run(&mut conn, None).unwrap();
        conn
    }

    #[test]
    fn every_column_of_the_table_is_listed() {
        let conn = database();
        let mut statement = conn.prepare("SELECT name FROM pragma_table_info('journal')").unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        assert_eq!(names.collect::<Result<Vec<String>, _>>().unwrap(), COLUMNS);
    }

    #[test]
    fn the_records_of_a_member_are_found_by_their_index() {
        let reader = Reader::new(database()).unwrap();
        let filter = |site, member, username: Option<&str>| JournalFilter {
            site,
            member,
            username: username.map(str::to_owned),
            ..JournalFilter::default()
        };
        for (filter, scan) in [
            (filter(Some(1), Some(71), None), None),
            (filter(None, Some(71), None), None),
            (filter(Some(1), Some(71), Some("bob")), None),
            // These list records of the whole journal, page by page in the order of effect.
            (filter(None, None, None), Some("journal")),
            (filter(Some(1), None, None), Some("journal")),
        ] {
            for newest_first in [false, true] {
                let span = JournalSpan { after: 5, newest: 900, most: 50, newest_first };
                let (sql, values) = select_page(&filter, span);
                let mut plan = reader.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let plan: Vec<String> = plan
                    .query_map(params_from_iter(values), |row| row.get("detail"))
                    .unwrap()
                    .collect::<Result<_, _>>()
                    .unwrap();
                let is_by_id = |line: &String| {
                    line.starts_with(
                        "SEARCH journal USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
                    )
                };
                assert_eq!(plan.iter().any(is_by_id), scan.is_some(), "{filter:?}: {plan:#?}");
                assert!(!plan.iter().any(|line| line.starts_with("SCAN journal")), "{plan:#?}");
                let sorts = plan.iter().any(|line| line.contains("TEMP B-TREE FOR ORDER BY"));
                // Those of one member on any site are few.
                let is_sorted = filter.site.is_none() && filter.member.is_some();
                assert!(is_sorted || !sorts, "{filter:?}: {plan:#?}");
            }
        }
    }
}
