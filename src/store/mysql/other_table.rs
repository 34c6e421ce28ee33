//! A table of another program on a server, such as NATS's own `member_auth`: read in one snapshot,
//! as often as its reader wants. Nothing is written.
//!
//! A thread has the connection and sends the rows in pages, so that they are never in memory all at
//! once. The pages wait in a short queue, and the server waits where the queue is full.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use mysql::prelude::Queryable as _;
use mysql::{Conn, Row, Value};

use super::connect::{connect_to_other, read_in_words};
use super::rows::get;
use super::server::Server;
use crate::store::Fault;

/// Pages that wait for their reader.
const PAGES_MAX: usize = 2;
/// Rows and bytes of a page.
const PAGE_ROWS: usize = 256;
const PAGE_BYTES: usize = 256 * 1024;
/// The names of tables that an error lists.
const NAMED_MAX: usize = 20;

/// What the session is, besides what every session is.
const SNAPSHOT: [&str; 3] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    // How long the server waits while its rows are applied elsewhere, in seconds.
    "SET SESSION net_write_timeout = 3600",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
];

/// The engines whose tables a snapshot shows as they were when it began.
const WITH_SNAPSHOT: [&str; 3] = ["InnoDB", "ROCKSDB", "TokuDB"];

/// Columns that only the members of this program have.
const OUR_COLUMNS: [&str; 2] = ["username_key", "login_version"];

/// Why a table of another program cannot be read: a sentence with the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OtherTableError(String);

/// An open table.
pub struct OtherTable {
    found: Found,
    /// For messages.
    name: String,
    columns: Vec<Column>,
    requests: Sender<Request>,
}

/// What the server says about a table.
struct Found {
    name: String,
    has_snapshot: bool,
    /// An estimate.
    rows: u64,
}

/// A column, and the expression that reads it.
struct Column {
    name: String,
    expression: String,
}

/// The values of a row, each of which may be NULL.
pub type OtherRow = Vec<Option<Vec<u8>>>;

/// Some rows. None are left after an empty page.
type Page = Result<Vec<OtherRow>, OtherTableError>;

/// A query, and where its rows go.
struct Request {
    sql: String,
    pages: SyncSender<Page>,
}

/// The rows of a table, from the first one on.
pub struct OtherRows {
    pages: Receiver<Page>,
    page: std::vec::IntoIter<OtherRow>,
    is_at_end: bool,
}

impl std::fmt::Debug for OtherTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OtherTable({})", self.name)
    }
}

impl std::fmt::Debug for OtherRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OtherRows")
    }
}

impl OtherTable {
    /// Connects to a server, and begins the snapshot in which the table is read. At most one byte
    /// or character more than `value_max` is read of a value.
    ///
    /// # Errors
    ///
    /// If the server, the database or the table cannot be used, or are those of this program.
    pub fn open(server: &Server, table: &str, value_max: usize) -> Result<Self, OtherTableError> {
        let failed = |problem: String| OtherTableError(format!("cannot read {server}: {problem}"));
        let of_fault = |fault: Fault| failed(crate::chain::chain(&fault));
        let mut conn = connect_to_other(server).map_err(failed)?;
        for statement in SNAPSHOT {
            conn.query_drop(statement).map_err(|error| failed(read_in_words(&error)))?;
        }
        if has_our_tables(&mut conn).map_err(of_fault)? {
            return Err(is_ours(server));
        }
        let Some(found) = find(&mut conn, table).map_err(of_fault)? else {
            let names = names(&mut conn).map_err(of_fault)?;
            return Err(failed(no_table(table, &names)));
        };
        let columns = columns(&mut conn, &found.name, value_max).map_err(of_fault)?;
        if OUR_COLUMNS.iter().all(|own| columns.iter().any(|column| column.name == *own)) {
            return Err(is_ours(server));
        }
        let name = format!("the table {:?} of {server}", found.name);
        let (requests, received) = channel();
        let of_rows = name.clone();
        std::thread::Builder::new()
            .name("other table".into())
            .spawn(move || serve(conn, &received, &of_rows))
            .map_err(|error| failed(format!("cannot begin a thread: {error}")))?;
        Ok(Self { found, name, columns, requests })
    }

    /// Its name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its columns, in their order.
    pub fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// How many rows the server estimates.
    pub fn about_rows(&self) -> u64 {
        self.found.rows
    }

    /// Whether all rows are those of one moment, however long reading takes.
    pub fn has_snapshot(&self) -> bool {
        self.found.has_snapshot
    }

    /// Begins to read the columns at these places, at the first row. The rows of an earlier call
    /// must have been read to their end.
    pub fn rows(&self, places: &[usize]) -> OtherRows {
        let columns = places.iter().filter_map(|&place| self.columns.get(place));
        let columns: Vec<&str> = columns.map(|column| column.expression.as_str()).collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(&self.found.name));
        let (pages, received) = sync_channel(PAGES_MAX);
        // If the thread has ended, no page comes, which `OtherRows::next` reports.
        let _ = self.requests.send(Request { sql, pages });
        OtherRows { pages: received, page: Vec::new().into_iter(), is_at_end: false }
    }
}

impl OtherRows {
    /// The next row.
    ///
    /// # Errors
    ///
    /// If the server fails. Then no further row can be read.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<OtherRow>, OtherTableError> {
        if let Some(row) = self.page.next() {
            return Ok(Some(row));
        }
        if self.is_at_end {
            return Ok(None);
        }
        let ended = || OtherTableError("the connection that reads the table has ended".into());
        self.page = self.pages.recv().map_err(|_| ended())??.into_iter();
        let row = self.page.next();
        self.is_at_end = row.is_none();
        Ok(row)
    }
}

/// Sends the rows of each request, until nobody can ask any more.
fn serve(mut conn: Conn, requests: &Receiver<Request>, name: &str) {
    for Request { sql, pages } in requests {
        // An error ends the reading, as does a reader who has stopped.
        if let Err(error) = send(&mut conn, &sql, &pages) {
            let problem = format!("cannot read {name}: {}", read_in_words(&error));
            let _ = pages.send(Err(OtherTableError(problem)));
            return;
        }
    }
}

/// Sends all rows of a query, and an empty page behind them. A reader who has stopped gets no more.
fn send(conn: &mut Conn, sql: &str, pages: &SyncSender<Page>) -> Result<(), mysql::Error> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for row in conn.query_iter(sql)? {
        let values = row?.unwrap();
        let row: OtherRow = values.into_iter().map(text).collect();
        bytes += row.iter().flatten().map(Vec::len).sum::<usize>();
        page.push(row);
        if page.len() == PAGE_ROWS || bytes >= PAGE_BYTES {
            bytes = 0;
            if pages.send(Ok(std::mem::take(&mut page))).is_err() {
                return Ok(());
            }
        }
    }
    if page.is_empty() || pages.send(Ok(page)).is_ok() {
        let _ = pages.send(Ok(Vec::new()));
    }
    Ok(())
}

/// A value as the server prints it. A query without parameters gives all values as text.
fn text(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::UInt(number) => Some(number.to_string().into_bytes()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned().into_bytes()),
    }
}

/// A name that the server itself has given, in the quotes of identifiers.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Whether the database has tables that no other program makes.
fn has_our_tables(conn: &mut Conn) -> Result<bool, Fault> {
    let count: Option<i64> = conn.query_first(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()
         AND table_name IN ('former_member', 'journal_shape')",
    )?;
    Ok(count == Some(2))
}

fn is_ours(server: &Server) -> OtherTableError {
    OtherTableError(format!(
        "{server} is a database of nats-userman, and import reads tables of other programs: copy \
         it with `nats-userman migrate-store`, or write its members into a file with \
         `nats-userman export`"
    ))
}

/// The table of this name; in another letter case only if no table has exactly this name.
fn find(conn: &mut Conn, table: &str) -> Result<Option<Found>, Fault> {
    let rows: Vec<Row> = conn.exec(
        "SELECT table_name, engine, table_rows FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_name = ?",
        (table,),
    )?;
    let mut all = Vec::new();
    for mut row in rows {
        let (name, engine): (String, Option<String>) = (get(&mut row, 0)?, get(&mut row, 1)?);
        let is_known =
            |engine: String| WITH_SNAPSHOT.iter().any(|it| engine.eq_ignore_ascii_case(it));
        all.push(Found {
            name,
            // A view has no engine, and mostly is of tables that have snapshots.
            has_snapshot: engine.is_none_or(is_known),
            rows: get::<Option<u64>>(&mut row, 2)?.unwrap_or(0),
        });
    }
    let exact = all.iter().position(|found| found.name == table);
    Ok(match exact {
        Some(place) => Some(all.swap_remove(place)),
        None if all.len() == 1 => all.pop(),
        None => None,
    })
}

/// The names of some tables that the user may read.
fn names(conn: &mut Conn) -> Result<Vec<String>, Fault> {
    Ok(conn.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()
         ORDER BY table_name LIMIT 21",
    )?)
}

fn no_table(table: &str, names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED_MAX).map(|name| format!("{name:?}")).collect();
    let more = if names.len() > NAMED_MAX { " and others" } else { "" };
    let found = match names {
        [] => "the user may read no table there".to_owned(),
        _ => format!("the user may read {}{more}", shown.join(", ")),
    };
    format!(
        "there is no table {table:?} that its user may read: name one with --table, or grant the \
         user SELECT on it; {found}"
    )
}

fn columns(conn: &mut Conn, table: &str, value_max: usize) -> Result<Vec<Column>, Fault> {
    let rows: Vec<Row> = conn.exec(
        "SELECT table_name, column_name, data_type, character_octet_length
         FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?
         ORDER BY ordinal_position",
        (table,),
    )?;
    let mut columns = Vec::new();
    for mut row in rows {
        let (of, name): (String, String) = (get(&mut row, 0)?, get(&mut row, 1)?);
        // The server may compare without regard to letter case.
        if of != table {
            continue;
        }
        let (kind, octets): (String, Option<u64>) = (get(&mut row, 2)?, get(&mut row, 3)?);
        let is_long = octets.is_some_and(|octets| octets > value_max as u64);
        let column = quoted(&name);
        let expression = match kind.to_ascii_lowercase().as_str() {
            // Otherwise it is a byte of that value.
            "bit" => format!("{column} + 0"),
            // Otherwise it depends on the time zone of the session.
            "timestamp" => format!("FLOOR(UNIX_TIMESTAMP({column}))"),
            _ if is_long => format!("LEFT({column}, {})", value_max.saturating_add(1)),
            _ => column,
        };
        columns.push(Column { name, expression });
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_a_name_whatever_is_in_it() {
        assert_eq!(quoted("member_auth"), "`member_auth`");
        assert_eq!(quoted("a` FROM x -- "), "`a`` FROM x -- `");
    }

    #[test]
    fn a_table_that_is_not_there_is_named_with_those_that_are() {
        let names = |count: usize| (1..=count).map(|it| format!("t{it}")).collect::<Vec<_>>();
        let begin = "there is no table \"member_auth\" that its user may read: name one with \
                     --table, or grant the user SELECT on it; ";
        let said = |count| no_table("member_auth", &names(count));
        assert_eq!(said(0), format!("{begin}the user may read no table there"));
        assert_eq!(said(2), format!("{begin}the user may read \"t1\", \"t2\""));
        assert!(said(20).ends_with(", \"t20\"") && said(21).ends_with(", \"t20\" and others"));
    }
}
