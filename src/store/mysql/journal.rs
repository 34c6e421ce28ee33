//! The table `journal`, as the writer appends to it and prunes it.

use std::sync::LazyLock;

use mysql::Value;

use super::connection::{Insert, Many};
use super::engine::Mysql;
use super::outcome::Written;
use super::rows::{form_values, get, key_values, read_key};
use super::shapes;
use crate::action::Recorded;
use crate::identity::Key;
use crate::journal::Record;
use crate::journal::shape::{Columns, Split};
use crate::store::{Fault, Outcome, StoredRecord};

/// The last number of the records of each member.
static SELECT_SEQ: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "SELECT siteid, memberid, MAX(seq) FROM journal WHERE (siteid, memberid) IN (",
        "(?, ?)",
        ") GROUP BY siteid, memberid",
    )
});

/// The columns of a record, in the order of their values.
const COLUMNS: &str = "at, source, address, action, siteid, memberid, username, fields, reply, \
     expire_at, password, cryptpass, session_sha256, sealed, cryptpass_wrapped, logins_ended, \
     moved_until, stale, operator, seq, batch, waiting";

/// The columns that most records leave empty.
const MOSTLY_NULL: [&str; 7] = [
    "password",
    "cryptpass",
    "cryptpass_wrapped",
    "logins_ended",
    "moved_until",
    "stale",
    "operator",
];

/// With the number of the record in another database.
static INSERT_STORED: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("INSERT INTO journal", &format!("id, {COLUMNS}")));

static INSERT: LazyLock<Insert> =
    LazyLock::new(|| Insert::sparse("INSERT INTO journal", COLUMNS, &MOSTLY_NULL));

impl Mysql<'_> {
    /// Appends the records of a batch.
    pub(super) fn append_records(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let batch = self.batch();
        // Records whose postback was refused before anything was loaded.
        self.load_numbers(outcomes.iter().filter_map(|one| member_of(&one.record)).collect())?;
        let mut rows = Vec::with_capacity(outcomes.len());
        for Outcome { record, .. } in outcomes {
            let seq = member_of(record).map(|key| {
                let number = self.numbers.entry(key).or_insert(0);
                *number += 1;
                *number
            });
            rows.push(self.record_values(record, seq, batch)?);
        }
        let new = rows.len();
        let id = self.connection()?.insert(&INSERT, rows)?;
        self.written = match self.written {
            Written::Records { count, first } => Written::Records { count: count + new, first },
            Written::Nothing | Written::Copies => Written::Records { count: new, first: id },
        };
        Ok(())
    }

    /// Appends records of another database under their numbers.
    pub(super) fn insert_stored(&mut self, records: &[&StoredRecord]) -> Result<(), Fault> {
        if records.is_empty() {
            return Ok(());
        }
        let batch = self.batch();
        self.load_numbers(records.iter().filter_map(|record| record.key()).collect())?;
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            let seq = record.key().map(|key| {
                let number = self.numbers.entry(key).or_insert(0);
                *number += 1;
                *number
            });
            rows.push(self.stored_values(record, seq, batch)?);
        }
        self.connection()?.insert(&INSERT_STORED, rows).map(drop)
    }

    /// Reads the number of the last record of each of these members, where it is not known yet.
    /// Before their rows: a row that is not there cannot be locked. If another receiver inserts it
    /// after this, it has also taken the next number, and this transaction is run again.
    pub(super) fn load_numbers(&mut self, mut keys: Vec<Key>) -> Result<(), Fault> {
        keys.retain(|key| !self.numbers.contains_key(key));
        keys.sort_unstable();
        keys.dedup();
        let values = keys.iter().copied().map(key_values).collect();
        for mut row in self.connection()?.rows_by(&SELECT_SEQ, values)? {
            let key = read_key(&mut row, 0, 1)?;
            self.numbers.insert(key, get::<Option<i64>>(&mut row, 2)?.unwrap_or(0));
        }
        for key in keys {
            self.numbers.entry(key).or_insert(0);
        }
        Ok(())
    }

    /// A record of another database, with its number there.
    fn stored_values(
        &mut self,
        record: &StoredRecord,
        seq: Option<i64>,
        batch: i64,
    ) -> Result<Vec<Value>, Fault> {
        let columns = record.columns();
        let split = Split::of(&record.fields, &columns);
        let row = RecordRow {
            at: record.at,
            source: &record.source,
            address: record.address.clone(),
            columns,
            fields: &record.fields,
            split: split.as_ref(),
            reply: &record.reply,
            put: &record.put,
            moved_until: record.moved_until,
            operator: record.operator.as_deref(),
        };
        let mut values = vec![record.id.into()];
        values.extend(self.row_values(row, seq, batch)?);
        Ok(values)
    }

    fn record_values(
        &mut self,
        record: &Record<'_>,
        seq: Option<i64>,
        batch: i64,
    ) -> Result<Vec<Value>, Fault> {
        let received = record.received;
        let split = received.split();
        let row = RecordRow {
            at: record.at,
            source: received.origin.as_str(),
            address: received.address.map(|address| address.to_string()),
            columns: received.columns(),
            fields: received.fields(),
            split: split.as_deref(),
            reply: record.reply.as_str(),
            put: &record.put,
            moved_until: record.moved_until,
            operator: received.operator.as_ref().map(|operator| operator.as_str()),
        };
        self.row_values(row, seq, batch)
    }

    /// The values of [`COLUMNS`].
    fn row_values(
        &mut self,
        row: RecordRow<'_>,
        seq: Option<i64>,
        batch: i64,
    ) -> Result<Vec<Value>, Fault> {
        let RecordRow { at, source, address, columns, reply, put, moved_until, operator, .. } = row;
        let (connection, shapes) = self.connection_and_shapes()?;
        let fields = shapes::stored(shapes, connection, row.fields, row.split)?;
        let credential = put.credential.as_ref();
        let [password, sealed, wrapped] =
            form_values(credential.map(|credential| &credential.stored));
        let kept = credential.and_then(|credential| credential.cryptpass.as_ref());
        let waiting = (sealed != Value::NULL).then_some(1);
        Ok(vec![
            at.into(),
            source.into(),
            address.into(),
            columns.action.into(),
            columns.site.into(),
            columns.member.into(),
            columns.username.into(),
            Value::Bytes(fields.into_owned().into_bytes()),
            reply.into(),
            put.expire_at.into(),
            password,
            kept.map(|kept| kept.expose()).into(),
            put.session.map_or(Value::NULL, |hash| Value::Bytes(hash.0.to_vec())),
            sealed,
            wrapped,
            put.logins_ended.then_some(1).into(),
            moved_until.into(),
            put.is_stale.then_some(1).into(),
            operator.into(),
            seq.into(),
            batch.into(),
            waiting.into(),
        ])
    }
}

/// What a record has, wherever it comes from.
struct RecordRow<'a> {
    at: i64,
    source: &'a str,
    address: Option<String>,
    columns: Columns<'a>,
    fields: &'a str,
    split: Option<&'a Split>,
    reply: &'a str,
    put: &'a Recorded,
    moved_until: Option<i64>,
    operator: Option<&'a str>,
}

/// The member of a record, if both ids were readable.
pub(super) fn member_of(record: &Record<'_>) -> Option<Key> {
    let received = record.received;
    received.site().zip(received.member()).map(|(site, member)| Key { site, member })
}
