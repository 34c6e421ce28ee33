//! The table `journal`, as it is read.

use std::sync::LazyLock;

use mysql::{Row, Value};

use super::reader::Reader;
use super::rows::{get, key_values, read_cryptpass, read_form, read_key, read_session};
use crate::action::Recorded;
use crate::identity::Key;
use crate::member::Credential;
use crate::password::{Seal, Stored};
use crate::store::bounds::{PAGE_ROWS, RECORDS_PAGE_BYTES};
use crate::store::columns::place;
use crate::store::shaped::restored;
use crate::store::{
    Fault, JournalFilter, JournalSpan, Pending, StoredRecord, UnreadableRecord, if_readable,
};
use crate::unicode::folded;

/// The columns of a record, in the order in which they are read.
const COLUMNS: &str = "id, at, source, address, action, siteid, memberid, username, fields, reply, \
     expire_at, password, cryptpass, session_sha256, sealed, cryptpass_wrapped, logins_ended, \
     moved_until, stale, operator, names";

const fn at(column: &str) -> usize {
    place(COLUMNS, column)
}

/// The numbers come from the index of the member alone, so that only the records of the page are
/// read.
static BEFORE: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<_> = COLUMNS
        .split(", ")
        .map(|column| match column {
            "names" => "journal_shape.names".to_owned(),
            column => format!("journal.{column}"),
        })
        .collect();
    format!(
        "SELECT STRAIGHT_JOIN {} FROM
             (SELECT id FROM journal WHERE siteid = ? AND memberid = ? AND id < ?
              ORDER BY id DESC LIMIT ?) AS page
         JOIN journal ON journal.id = page.id
         LEFT JOIN journal_shape ON {IS_SHAPE} ORDER BY journal.id DESC",
        columns.join(", ")
    )
});

/// The condition by which a query joins the shape of a record.
const IS_SHAPE: &str = "journal_shape.id = IF(journal.fields LIKE '~%',
     CAST(SUBSTRING_INDEX(SUBSTRING(journal.fields, 2, 20), '&', 1) AS SIGNED), NULL)";

impl Reader {
    /// See [`crate::store::Read::last_records`].
    pub(super) fn records_before(
        &self,
        key: Key,
        before: i64,
        most: u32,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        let mut values = key_values(key);
        values.extend([before.into(), most.into()]);
        let mut found = Vec::new();
        for mut row in self.rows(&BEFORE, values)? {
            let id: i64 = get(&mut row, const { at("id") })?;
            found.push(match if_readable(read_record(&mut row, id))? {
                Ok(record) => Ok(record),
                Err(fault) => Err(UnreadableRecord { id, fault }),
            });
        }
        Ok(found)
    }

    /// See [`crate::store::Read::journal_page`].
    pub(super) fn page_of_records(
        &self,
        filter: &JournalFilter,
        after: i64,
        newest: i64,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        let span = JournalSpan { after, newest, most: PAGE_ROWS, newest_first: false };
        self.span_of_records(filter, span)
    }

    /// See [`crate::store::Read::journal_span`].
    pub(super) fn span_of_records(
        &self,
        filter: &JournalFilter,
        mut span: JournalSpan,
    ) -> Result<Vec<Result<StoredRecord, UnreadableRecord>>, Fault> {
        // A username is compared in its folded form, which the server cannot compute: the records
        // are selected here.
        let wanted = filter.username.as_deref().map(folded);
        let (mut page, mut bytes) = (Vec::new(), 0);
        loop {
            let (sql, values) = select_page(filter, span);
            let rows = self.with(|connection| connection.rows_of_text(&sql, values))?;
            if rows.is_empty() {
                return Ok(page);
            }
            for mut row in rows {
                if bytes >= RECORDS_PAGE_BYTES || page.len() >= span.most as usize {
                    return Ok(page);
                }
                let id: i64 = get(&mut row, const { at("id") })?;
                match span.newest_first {
                    true => span.newest = id - 1,
                    false => span.after = id,
                }
                if let Some(wanted) = &wanted {
                    let name: Option<String> =
                        row.get_opt(const { at("username") }).and_then(Result::ok).flatten();
                    if name.is_none_or(|name| folded(&name) != *wanted) {
                        continue;
                    }
                }
                page.push(match if_readable(read_record(&mut row, id))? {
                    Ok(record) => {
                        bytes += record.fields.len();
                        Ok(record)
                    }
                    Err(fault) => Err(UnreadableRecord { id, fault }),
                });
            }
            // A caller who reads backwards asked for so many records, and not for a page.
            let is_enough = !span.newest_first || page.len() >= span.most as usize;
            if wanted.is_none() || (is_enough && !page.is_empty()) {
                return Ok(page);
            }
        }
    }

    /// See [`crate::store::Read::record_from`].
    pub(super) fn first_record_from(&self, id: i64) -> Result<Option<(i64, i64)>, Fault> {
        let first = "SELECT id, at FROM journal WHERE id >= ? ORDER BY id LIMIT 1";
        let found = self.first(first, vec![id.into()])?;
        found.map(|mut row| Ok((get(&mut row, 0)?, get(&mut row, 1)?))).transpose()
    }

    /// Number and time of the newest record.
    pub(super) fn newest(&self) -> Result<Option<(i64, i64)>, Fault> {
        let newest = "SELECT id, at FROM journal ORDER BY id DESC LIMIT 1";
        let found = self.first(newest, Vec::new())?;
        found.map(|mut row| Ok((get(&mut row, 0)?, get(&mut row, 1)?))).transpose()
    }

    /// See [`crate::store::Read::last_seen`].
    pub(super) fn last_use(&self, now: i64) -> Result<Option<i64>, Fault> {
        // A record that was written while a jump of the clock was unconfirmed is no evidence of the
        // time.
        let newest = "SELECT LEAST(at, COALESCE(moved_until, at)) FROM journal
             ORDER BY id DESC LIMIT 1";
        let newest = self.first(newest, Vec::new())?;
        let newest: Option<i64> = newest.map(|mut row| get(&mut row, 0)).transpose()?;
        let probed = "SELECT MAX(probed_at) FROM health WHERE probed_at <= ?";
        let probed: Option<i64> = match self.first(probed, vec![now.into()])? {
            Some(mut row) => get(&mut row, 0)?,
            None => None,
        };
        Ok(newest.map(|newest| probed.map_or(newest, |probed| newest.max(probed))))
    }

    /// See [`crate::store::Read::pending`].
    pub(super) fn select_pending(&self, most: u32) -> Result<Vec<Pending>, Fault> {
        let rows = self.rows(
            "SELECT id, siteid, memberid, sealed FROM journal WHERE waiting = 1
             ORDER BY id DESC LIMIT ?",
            vec![most.into()],
        )?;
        let mut pending = Vec::new();
        for mut row in rows {
            let key = read_key(&mut row, 1, 2)?;
            let Some(seal) = get::<Option<Vec<u8>>>(&mut row, 3)? else { continue };
            let seal = Seal::from_bytes(seal);
            // A row that cannot be read must not keep this seal, and all behind it, from being
            // hashed.
            let before = match self.before(key, &seal) {
                Err(Fault::BadRow(_)) => None,
                before => before?,
            };
            pending.push(Pending { journal_id: get(&mut row, 0)?, key, seal, before });
        }
        Ok(pending)
    }

    /// The form that the row had before this seal, if the row has this seal.
    fn before(&self, key: Key, seal: &Seal) -> Result<Option<Stored>, Fault> {
        Ok(Pending::form_before(self.stored_standing(key)?, seal))
    }
}

/// The records of a memberid, those without a siteid too. The index begins with the siteid, of
/// which there are few; no single condition on both kinds of records uses it.
const OF_ANY_SITE: &str = "journal.id IN (
     SELECT id FROM (
         SELECT id FROM journal
         WHERE siteid IN (SELECT siteid FROM (SELECT DISTINCT siteid FROM journal) AS site)
             AND memberid = ?
         UNION ALL
         SELECT id FROM journal WHERE siteid IS NULL AND memberid = ?
     ) AS of_member)";

/// Contains only the conditions of the filter, so that each filter gets a suitable query plan.
fn select_page(filter: &JournalFilter, span: JournalSpan) -> (String, Vec<Value>) {
    let JournalFilter { site, member, action, word, since, until, source, .. } = filter;
    let part = &filter.text;
    let JournalSpan { after, newest, most, newest_first } = span;
    let (mut conditions, mut values) = match (site, member) {
        (None, &Some(member)) => (vec![OF_ANY_SITE], vec![Value::Int(member); 2]),
        _ => (Vec::new(), Vec::new()),
    };
    let mut when = |condition: &'static str, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    };
    when("journal.siteid = ?", site.map(Value::Int));
    when("journal.memberid = ?", site.and(*member).map(Value::Int));
    let text = |text: &String| Value::Bytes(text.as_bytes().to_vec());
    when("action = ?", action.as_ref().map(text));
    when("SUBSTRING_INDEX(reply, '|', 1) = ?", word.as_ref().map(text));
    when("source = ?", source.as_ref().map(text));
    when("LOCATE(?, LOWER(reply)) > 0", part.as_ref().map(|part| text(&part.to_ascii_lowercase())));
    when("at >= ?", since.map(Value::Int));
    when("at < ?", until.map(Value::Int));
    when("journal.id > ?", Some(Value::Int(after)));
    when("journal.id <= ?", Some(Value::Int(newest)));
    let columns: Vec<_> = COLUMNS
        .split(", ")
        .map(|column| match column {
            "names" => "journal_shape.names".to_owned(),
            column => format!("journal.{column}"),
        })
        .collect();
    let sql = format!(
        "SELECT {} FROM journal LEFT JOIN journal_shape
             ON {IS_SHAPE}
         WHERE {} ORDER BY journal.id {} LIMIT {most}",
        columns.join(", "),
        conditions.join(" AND "),
        if newest_first { "DESC" } else { "ASC" }
    );
    (sql, values)
}

/// A row of [`COLUMNS`] whose id was taken.
fn read_record(row: &mut Row, id: i64) -> Result<StoredRecord, Fault> {
    let stored = read_form(
        row,
        const { at("password") },
        const { at("sealed") },
        const { at("cryptpass_wrapped") },
    )?;
    let credential = match stored {
        Some(stored) => {
            Some(Credential { stored, cryptpass: read_cryptpass(row, const { at("cryptpass") })? })
        }
        None => None,
    };
    let mut record = StoredRecord {
        id,
        at: get(row, const { at("at") })?,
        source: get(row, const { at("source") })?,
        address: get(row, const { at("address") })?,
        action: get(row, const { at("action") })?,
        siteid: get(row, const { at("siteid") })?,
        memberid: get(row, const { at("memberid") })?,
        username: get(row, const { at("username") })?,
        fields: String::new(),
        reply: get(row, const { at("reply") })?,
        moved_until: get(row, const { at("moved_until") })?,
        operator: get(row, const { at("operator") })?,
        put: Recorded {
            credential,
            session: read_session(row, const { at("session_sha256") })?,
            expire_at: get(row, const { at("expire_at") })?,
            logins_ended: get::<Option<i64>>(row, const { at("logins_ended") })?.is_some(),
            is_stale: get::<Option<i64>>(row, const { at("stale") })?.is_some(),
        },
    };
    let (names, fields) = (get(row, const { at("names") })?, get(row, const { at("fields") })?);
    record.fields = restored(id, names, fields, &record.columns())?;
    Ok(record)
}
