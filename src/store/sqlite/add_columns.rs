//! Runs a step of an upgrade, and adds columns without reading the rows of their tables.
//!
//! `ALTER TABLE … ADD COLUMN` in a STRICT table reads all rows and checks all their columns. For
//! three million journal records that takes half a minute. The new column needs no check: each row
//! has its default value, and a test runs every step on tables with rows.
//!
//! SQLite itself adds a column by a change of the text in sqlite_schema. This module lets SQLite
//! make that text on an empty table of the same definition, and stores it. About changes of this
//! kind: sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes".

use rusqlite::{Connection, OptionalExtension as _};

use crate::store::Fault;

const ALTER: &str = "ALTER TABLE ";

/// Runs a step in the open transaction: the columns first, then the other statements. Returns those
/// that create indexes of folded names, for the caller to run when there are such names.
pub(super) fn run_step<'s>(conn: &Connection, step: &'s str) -> Result<Vec<&'s str>, Fault> {
    // Each ALTER TABLE has a line of its own.
    let alters: Vec<&str> = step.lines().filter(|line| line.starts_with(ALTER)).collect();
    if !alters.is_empty() {
        add_columns(conn, &alters)?;
    }
    // And each other statement begins at the beginning of a line.
    let statements = step.split_inclusive(";\n").map(without_comment);
    let (left, rest): (Vec<&str>, Vec<&str>) = statements
        .filter(|statement| !statement.starts_with(ALTER))
        .partition(|statement| is_index_of_folded_names(statement));
    rest.iter().try_for_each(|statement| conn.execute_batch(statement))?;
    Ok(left)
}

/// A statement without the comment above it.
fn without_comment(statement: &str) -> &str {
    let mut rest = statement.trim_start();
    while let Some((_, next)) = rest.strip_prefix("--").and_then(|rest| rest.split_once('\n')) {
        rest = next.trim_start();
    }
    rest
}

fn is_index_of_folded_names(statement: &str) -> bool {
    statement.starts_with("CREATE")
        && statement.contains(" INDEX ")
        && statement.contains(" ON member_auth ")
        && statement.contains("username_folded")
}

fn add_columns(conn: &Connection, alters: &[&str]) -> Result<(), Fault> {
    let model = Connection::open_in_memory()?;
    let mut tables: Vec<&str> =
        alters.iter().filter_map(|line| line[ALTER.len()..].split(' ').next()).collect();
    tables.sort_unstable();
    tables.dedup();
    for table in &tables {
        model.execute_batch(&definition(conn, table)?)?;
    }
    model.execute_batch(&alters.join("\n"))?;
    conn.pragma_update(None, "writable_schema", "ON")?;
    let stored = store(conn, &model, &tables);
    // Also reads the schema again, and by the new version so does every other connection.
    conn.pragma_update(None, "writable_schema", "RESET")?;
    stored
}

fn store(conn: &Connection, model: &Connection, tables: &[&str]) -> Result<(), Fault> {
    let mut update =
        conn.prepare("UPDATE sqlite_schema SET sql = ?2 WHERE type = 'table' AND name = ?1")?;
    for table in tables {
        update.execute([*table, &definition(model, table)?])?;
    }
    let version: i64 = conn.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    Ok(conn.pragma_update(None, "schema_version", version + 1)?)
}

fn definition(conn: &Connection, table: &str) -> Result<String, Fault> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    conn.query_row(sql, [table], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Fault::BadRow(format!("there is no table {table}")))
}
