//! The content of a database as text.

use std::path::Path;

use nats_userman::store::Location;
use rusqlite::Connection;

use super::check_database;

/// See [`check_database`].
pub fn check_invariants(database: &Path) {
    check_database(&Location::sqlite(database));
}

/// See [`App::rows`].
pub fn rows(conn: &Connection, sql: &str) -> Vec<String> {
    use rusqlite::types::ValueRef;
    let mut statement = conn.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let row = |row: &rusqlite::Row<'_>| {
        let values: Vec<String> =
            (0..columns).map(|index| text(row.get_ref(index).unwrap())).collect();
        Ok(values.join("|"))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}
