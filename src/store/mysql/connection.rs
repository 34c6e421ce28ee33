//! A connection: statements that are prepared once, statements over many rows, and whether the
//! connection can still be used.

use std::collections::HashMap;

use mysql::prelude::Queryable as _;
use mysql::{Conn, Params, Row, Statement, Value};

use super::fault::ends_connection;
use super::verify::{self, Verified};
use crate::store::{Cause, Fault};

/// The most rows or keys of one statement.
pub(super) const ROWS_MAX: usize = 256;

/// The numbers of rows of a prepared statement over many rows: a batch of any size needs few of
/// them, and the server parses each once. Between 16 and 64, where most batches of a busy service
/// are, they are close: a query is filled up to the next one.
const SIZES: [usize; 15] = [ROWS_MAX, 192, 128, 96, 64, 56, 48, 40, 32, 24, 16, 8, 4, 2, 1];

/// The most rows of an INSERT. In a longer one, each row takes MariaDB more time.
const INSERT_ROWS_MAX: usize = 32;

/// A statement over a number of rows or keys of the same form.
#[derive(Debug)]
pub(super) struct Many {
    before: String,
    row: String,
    between: &'static str,
    after: String,
}

impl Many {
    /// The text before the rows, one row as in `(?, ?)`, and the text after the rows.
    pub(super) fn new(before: impl Into<String>, row: &str, after: &str) -> Self {
        Self::between(before.into(), row, ", ", after.into())
    }

    /// As [`Many::new`], with another text between the rows than a comma.
    pub(super) fn between(before: String, row: &str, between: &'static str, after: String) -> Self {
        Self { before, row: row.to_owned(), between, after }
    }

    fn text(&self, rows: usize) -> String {
        let rows = vec![self.row.as_str(); rows].join(self.between);
        format!("{}{rows}{}", self.before, self.after)
    }
}

/// An INSERT or REPLACE of rows into a table.
#[derive(Debug)]
pub(super) struct Insert {
    whole: Many,
    /// Without the columns of `mostly_null`.
    short: Many,
    /// The places of the columns that are NULL in most rows. They have no default but NULL.
    mostly_null: Vec<usize>,
}

impl Insert {
    /// The text up to the table, such as `INSERT INTO journal`, and the columns, joined by commas.
    pub(super) fn new(into: &str, columns: &str) -> Self {
        Self::sparse(into, columns, &[])
    }

    /// As [`Insert::new`], for a table with columns that are NULL in most rows. Where they are so
    /// in all rows of a statement, it does not name them: MariaDB needs time and memory for each
    /// value, also for NULL.
    pub(super) fn sparse(into: &str, columns: &str, mostly_null: &[&str]) -> Self {
        let many = |columns: &[&str]| {
            let row = format!("({})", vec!["?"; columns.len()].join(", "));
            Many::new(format!("{into} ({}) VALUES ", columns.join(", ")), &row, "")
        };
        let columns: Vec<&str> = columns.split(", ").collect();
        let is_null = |column: &&str| mostly_null.contains(column);
        let others: Vec<&str> = columns.iter().copied().filter(|it| !is_null(it)).collect();
        debug_assert_eq!(columns.len(), others.len() + mostly_null.len(), "{mostly_null:?}");
        let places = columns.iter().enumerate().filter(|(_, column)| is_null(column));
        Self {
            whole: many(&columns),
            short: many(&others),
            mostly_null: places.map(|(place, _)| place).collect(),
        }
    }

    /// The shortest statement for these rows, and their values for it.
    fn fitted(&self, mut rows: Vec<Vec<Value>>) -> (&Many, Vec<Vec<Value>>) {
        let mut places = self.mostly_null.iter();
        let is_null = |place: &usize| rows.iter().all(|row| row.get(*place) == Some(&Value::NULL));
        if self.mostly_null.is_empty() || !places.all(is_null) {
            return (&self.whole, rows);
        }
        for row in &mut rows {
            let mut places = 0..;
            row.retain(|_| places.next().is_some_and(|place| !self.mostly_null.contains(&place)));
        }
        (&self.short, rows)
    }
}

/// A connection to a server that was verified.
pub(super) struct Connection {
    conn: Conn,
    /// By the beginning of their text, and the number of rows.
    statements: HashMap<(&'static str, usize), Statement>,
    /// The longest packet that the server takes, in bytes.
    packet_max: usize,
    /// Each statement is a transaction of its own.
    autocommit: bool,
    /// No statement may be sent any more.
    is_broken: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("is_broken", &self.is_broken).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(conn: Conn, packet_max: usize) -> Self {
        Self { conn, statements: HashMap::new(), packet_max, autocommit: true, is_broken: false }
    }

    /// Whether the connection must be dropped.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The number of the session at the server.
    pub(super) fn id(&self) -> u32 {
        self.conn.connection_id()
    }

    /// Runs a statement without parameters, such as COMMIT, and keeps the driver's error.
    pub(super) fn plain(&mut self, sql: &'static str) -> Result<(), mysql::Error> {
        let done = self.conn.query_drop(sql);
        self.note(&done);
        done
    }

    /// Begins a transaction with the next statement. Nothing is sent for it, but for the first one
    /// after statements that were transactions of their own. On a cluster, the next statement then
    /// waits for what was acknowledged before, as START TRANSACTION would.
    pub(super) fn begin(&mut self) -> Result<(), mysql::Error> {
        if self.autocommit {
            self.plain("SET SESSION autocommit = 0")?;
            self.autocommit = false;
        }
        Ok(())
    }

    /// Makes each of the next statements a transaction of its own. What was not committed is rolled
    /// back.
    pub(super) fn end_transactions(&mut self) -> Result<(), mysql::Error> {
        if !self.autocommit {
            // Without this, the next statement would commit it.
            self.plain("ROLLBACK")?;
            self.plain("SET SESSION autocommit = 1")?;
            self.autocommit = true;
        }
        Ok(())
    }

    /// Checks what must hold, on a connection that has been open for a while.
    pub(super) fn verify(&mut self) -> Result<Verified, Fault> {
        verify::verify(&mut self.conn, true).map_err(|problem| {
            self.is_broken = true;
            Fault::Unusable(Cause::new(problem, None))
        })
    }

    /// Runs a statement that defines a table.
    pub(super) fn define(&mut self, sql: &str) -> Result<(), Fault> {
        let done = self.conn.query_drop(sql);
        self.note(&done);
        Ok(done?)
    }

    /// Ends another session of the same user.
    pub(super) fn kill(&mut self, session: u32) -> Result<(), Fault> {
        // Not a statement that can be prepared; a number cannot be anything else.
        let done = self.conn.query_drop(format!("KILL {session}"));
        self.note(&done);
        Ok(done?)
    }

    /// Runs a statement that changes rows. Returns how many it changed.
    pub(super) fn run(&mut self, sql: &'static str, params: Vec<Value>) -> Result<u64, Fault> {
        let done = self.prepared((sql, 0), || sql.to_owned()).and_then(|statement| {
            self.conn.exec_drop(&statement, positional(params))?;
            Ok(self.conn.affected_rows())
        });
        self.note(&done);
        Ok(done?)
    }

    /// All rows of a query.
    pub(super) fn rows(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, Fault> {
        let done = self
            .prepared((sql, 0), || sql.to_owned())
            .and_then(|statement| self.conn.exec(&statement, positional(params)));
        self.note(&done);
        Ok(done?)
    }

    /// The first row of a query.
    pub(super) fn first(
        &mut self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Option<Row>, Fault> {
        Ok(self.rows(sql, params)?.into_iter().next())
    }

    /// All rows of a query whose text was put together from constants.
    pub(super) fn rows_of_text(
        &mut self,
        sql: &str,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, Fault> {
        let done = self.conn.exec(sql, positional(params));
        self.note(&done);
        Ok(done?)
    }

    /// The rows of a query over many keys. Some keys are repeated to fill the statement: where the
    /// query makes a table of them, as by UNION ALL, their rows come again.
    pub(super) fn rows_by(
        &mut self,
        many: &'static Many,
        mut keys: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, Fault> {
        let mut found = Vec::new();
        while !keys.is_empty() {
            let mut some = keys.split_off(keys.len().saturating_sub(ROWS_MAX));
            fill(&mut some);
            let done = self
                .prepared((many.before.as_str(), some.len()), || many.text(some.len()))
                .and_then(|statement| {
                    let params = positional(some.into_iter().flatten().collect());
                    self.conn.exec::<Row, _, _>(&statement, params)
                });
            self.note(&done);
            found.extend(done?);
        }
        Ok(found)
    }

    /// Runs a statement that deletes or changes the rows of many keys. Returns how many it changed.
    pub(super) fn change_by(
        &mut self,
        many: &'static Many,
        mut keys: Vec<Vec<Value>>,
    ) -> Result<u64, Fault> {
        let mut changed = 0;
        while !keys.is_empty() {
            let mut some = keys.split_off(keys.len().saturating_sub(ROWS_MAX));
            // For a list of one pair, as in `(a, b) IN ((?, ?))`, MariaDB uses no index in DELETE
            // and UPDATE: it would read all rows and wait for the lock of each.
            if some.len() == 1 {
                some.extend(some.first().cloned());
            }
            fill(&mut some);
            changed += self.run_many(many, some)?;
        }
        Ok(changed)
    }

    /// Inserts rows, and returns the id that the server gave the first one, in a table whose ids it
    /// draws. In as few statements as [`INSERT_ROWS_MAX`], the numbers of rows of prepared
    /// statements and the longest packet allow.
    pub(super) fn insert(
        &mut self,
        insert: &'static Insert,
        rows: Vec<Vec<Value>>,
    ) -> Result<i64, Fault> {
        let mut first = None;
        let mut rows = rows.into_iter().peekable();
        while rows.len() > 0 {
            let size = insert_size(rows.len());
            let mut some: Vec<Vec<Value>> = Vec::with_capacity(size);
            let mut bytes = 0;
            while some.len() < size
                && let Some(row) = rows
                    .next_if(|row| some.is_empty() || bytes + row_bytes(row) <= self.packet_max / 2)
            {
                bytes += row_bytes(&row);
                some.push(row);
            }
            // Long rows: what was taken is written in statements of the next smaller sizes.
            while !some.is_empty() {
                let rest = some.split_off(insert_size(some.len()));
                let (many, some_fitted) = insert.fitted(some);
                self.run_many(many, some_fitted)?;
                first = first.or_else(|| i64::try_from(self.conn.last_insert_id()).ok());
                some = rest;
            }
        }
        Ok(first.unwrap_or(0))
    }

    fn run_many(&mut self, many: &'static Many, rows: Vec<Vec<Value>>) -> Result<u64, Fault> {
        let done = self
            .prepared((many.before.as_str(), rows.len()), || many.text(rows.len()))
            .and_then(|statement| {
                let params = positional(rows.into_iter().flatten().collect());
                self.conn.exec_drop(&statement, params)?;
                Ok(self.conn.affected_rows())
            });
        self.note(&done);
        Ok(done?)
    }

    fn prepared(
        &mut self,
        key: (&'static str, usize),
        text: impl FnOnce() -> String,
    ) -> Result<Statement, mysql::Error> {
        if let Some(statement) = self.statements.get(&key) {
            return Ok(statement.clone());
        }
        let statement = self.conn.prep(text())?;
        self.statements.insert(key, statement.clone());
        Ok(statement)
    }

    fn note<T>(&mut self, done: &Result<T, mysql::Error>) {
        if let Err(error) = done {
            self.is_broken |= ends_connection(error);
        }
    }
}

/// The driver takes no empty list of positional parameters.
fn positional(values: Vec<Value>) -> Params {
    if values.is_empty() { Params::Empty } else { Params::Positional(values) }
}

/// How many of these rows the next INSERT takes.
fn insert_size(rows: usize) -> usize {
    let most = rows.min(INSERT_ROWS_MAX);
    SIZES.into_iter().find(|&size| size <= most).unwrap_or(1)
}

/// Repeats the last key up to the next number of rows of a prepared statement.
fn fill(keys: &mut Vec<Vec<Value>>) {
    let size = SIZES.into_iter().rev().find(|&size| size >= keys.len()).unwrap_or(ROWS_MAX);
    if let Some(last) = keys.last().cloned() {
        keys.resize(size, last);
    }
}

/// About the bytes of a row in a packet.
fn row_bytes(row: &[Value]) -> usize {
    row.iter().map(|value| if let Value::Bytes(bytes) = value { bytes.len() + 9 } else { 9 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_leaves_out_mostly_empty_columns_only_where_they_are_null_in_all_rows() {
        let insert = Insert::sparse("INSERT INTO t", "a, b, c, d", &["b", "d"]);
        let row = |values: [Option<i64>; 4]| values.map(Value::from).to_vec();
        let fitted = |rows: &[[Option<i64>; 4]]| {
            let (many, rows) = insert.fitted(rows.iter().copied().map(row).collect());
            (many.text(rows.len()), rows.concat())
        };
        let numbers = |numbers: &[i64]| numbers.iter().copied().map(Value::Int).collect::<Vec<_>>();
        assert_eq!(
            fitted(&[[Some(1), None, Some(2), None], [Some(3), None, Some(4), None]]),
            ("INSERT INTO t (a, c) VALUES (?, ?), (?, ?)".to_owned(), numbers(&[1, 2, 3, 4]))
        );
        let whole = "INSERT INTO t (a, b, c, d) VALUES (?, ?, ?, ?), (?, ?, ?, ?)";
        let rows = [[Some(1), None, None, None], [Some(3), None, None, Some(5)]];
        assert_eq!(fitted(&rows), (whole.to_owned(), rows.map(row).concat()));
    }
}
