//! Facts for `doctor`: settings, schema, sizes and counts. Nothing is changed.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::check::connect_unchanged;
use super::connection::secure_connection;
use super::header::has_wal_mode;
use super::open::open_error;
use super::schema_parts::schema_differences;
use crate::store::bounds::{CALLER_RECORDS, CALLERS_MAX};
use crate::store::{
    Diagnosis, EngineSetting, Fault, JournalGrowth, OddCredentials, OpenError, SchemaDifference,
    SeenCaller,
};

/// Reads the facts about a database of this release. `since` (unix seconds) is the beginning of the
/// time whose records are counted. Counting the credentials reads both tables of members.
///
/// Only for a process that has no connection to the database: this opens and closes the file beside
/// SQLite, which releases the locks of the process (POSIX).
///
/// # Errors
///
/// If the database cannot be read.
pub fn diagnose(path: &Path, since: i64) -> Result<Diagnosis, OpenError> {
    let found = || -> Result<Diagnosis, Fault> {
        let mode = journal_mode(path);
        let conn = connect_unchanged(path)?;
        let number = |pragma: &str| -> Result<u64, Fault> {
            let value: i64 = conn.query_row(pragma, [], |row| row.get(0))?;
            Ok(value.unsigned_abs())
        };
        let page_bytes = number("PRAGMA page_size")?;
        let known = Diagnosis {
            settings: settings(&conn, mode)?,
            schema: schema_differences(&conn)?,
            bytes: page_bytes * number("PRAGMA page_count")?,
            unused_bytes: page_bytes * number("PRAGMA freelist_count")?,
            ..Diagnosis::default()
        };
        match read_tables(&conn, since, known.clone()) {
            // The missing index is the finding.
            Err(Fault::Unusable(_)) if known.schema.iter().any(is_missing) => Ok(known),
            read => read,
        }
    };
    found().map_err(|fault| open_error(path, fault))
}

/// Adds the facts that are read from the tables.
fn read_tables(conn: &Connection, since: i64, known: Diagnosis) -> Result<Diagnosis, Fault> {
    Ok(Diagnosis {
        growth: growth(conn, since)?,
        callers: callers(conn)?,
        oldest_sealed_at: oldest_sealed_at(conn)?,
        credentials: credentials(conn)?,
        ..known
    })
}

fn is_missing(found: &SchemaDifference) -> bool {
    matches!(found, SchemaDifference::Missing(_))
}

/// The journal mode as the file has it. A connection does not always show it: a file without a WAL
/// beside it is opened as immutable.
fn journal_mode(path: &Path) -> &'static str {
    let has_wal = File::open(path).and_then(|file| has_wal_mode(&file));
    if has_wal.unwrap_or(false) { "wal" } else { "delete" }
}

/// The settings of the file, and those that the service gives to its connection: these are set here
/// as well and then read.
fn settings(conn: &Connection, journal_mode: &str) -> Result<Vec<EngineSetting>, Fault> {
    secure_connection(conn)?;
    let named = |pragma: &str, names: &[&str]| -> Result<String, Fault> {
        let value: i64 = conn.query_row(pragma, [], |row| row.get(0))?;
        let name = usize::try_from(value).ok().and_then(|value| names.get(value).copied());
        Ok(name.map_or_else(|| value.to_string(), str::to_owned))
    };
    let set_at_start = "install nats-userman again: the service sets this at each start";
    Ok(vec![
        EngineSetting {
            name: "journal_mode",
            expected: "wal",
            found: journal_mode.to_owned(),
            remedy: "restart the service, which sets it",
        },
        EngineSetting {
            name: "synchronous",
            expected: "full",
            found: named("PRAGMA synchronous", &["off", "normal", "full", "extra"])?,
            remedy: set_at_start,
        },
        EngineSetting {
            name: "secure_delete",
            expected: "on",
            found: named("PRAGMA secure_delete", &["off", "on", "fast"])?,
            remedy: set_at_start,
        },
        EngineSetting {
            name: "auto_vacuum",
            expected: "none",
            found: named("PRAGMA auto_vacuum", &["none", "full", "incremental"])?,
            remedy: "stop the service, run `sqlite3 userman.db 'PRAGMA auto_vacuum = NONE; \
                     VACUUM'` as its user in the data directory, and start the service",
        },
    ])
}

/// How the journal grows. Ids rise with time, so that the first record of a time is found by
/// halving the range of ids, without an index on `at`.
fn growth(conn: &Connection, since: i64) -> Result<Option<JournalGrowth>, Fault> {
    // Each in a query of its own: of both together, SQLite would scan an index.
    let ends = "SELECT (SELECT min(id) FROM journal), (SELECT max(id) FROM journal)";
    let ends = conn.query_row(ends, [], |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
    })?;
    let (Some(first), Some(last)) = ends else { return Ok(None) };
    let mut next = conn.prepare("SELECT at FROM journal WHERE id >= ?1 ORDER BY id LIMIT 1")?;
    let mut at = |id: i64| -> Result<Option<i64>, Fault> {
        Ok(next.query_row([id], |row| row.get(0)).optional()?)
    };
    let (mut from, mut to) = (first, last.saturating_add(1));
    while from < to {
        let middle = from + (to - from) / 2;
        if at(middle)?.is_none_or(|at| at >= since) { to = middle } else { from = middle + 1 }
    }
    let count = |from: i64| (last - from).saturating_add(1).unsigned_abs();
    let oldest_at = at(first)?.unwrap_or(since);
    Ok(Some(JournalGrowth { records: count(first), oldest_at, lately: count(from) }))
}

fn callers(conn: &Connection) -> Result<Vec<SeenCaller>, Fault> {
    let mut statement = conn.prepare(
        "SELECT address, count(*), min(at), max(at) FROM journal
         WHERE id > (SELECT max(id) FROM journal) - ?1 AND source = 'nats' AND address IS NOT NULL
         GROUP BY address ORDER BY count(*) DESC, address LIMIT ?2",
    )?;
    let rows = statement.query_map(params![CALLER_RECORDS, CALLERS_MAX], |row| {
        Ok(SeenCaller {
            address: row.get(0)?,
            records: row.get::<_, i64>(1)?.unsigned_abs(),
            first_at: row.get(2)?,
            last_at: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn oldest_sealed_at(conn: &Connection) -> Result<Option<i64>, Fault> {
    let oldest = "SELECT at FROM journal INDEXED BY journal_sealed WHERE sealed IS NOT NULL
         ORDER BY id LIMIT 1";
    Ok(conn.query_row(oldest, [], |row| row.get(0)).optional()?)
}

fn credentials(conn: &Connection) -> Result<OddCredentials, Fault> {
    let mut odd = OddCredentials::default();
    for table in ["member_auth", "former_member"] {
        let counts = format!(
            "SELECT count(*) FILTER (WHERE password IS NULL AND sealed IS NULL
                 AND cryptpass_wrapped IS NULL), count(cryptpass) FROM {table}"
        );
        let counts: (i64, i64) =
            conn.query_row(&counts, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        odd.without += counts.0.unsigned_abs();
        odd.with_cryptpass += counts.1.unsigned_abs();
    }
    Ok(odd)
}
