//! The content of a database as text.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Checks that the database is consistent, and that no member is also a former member.
pub fn check_invariants(database: &Path) {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    assert_eq!(rows(&conn, "PRAGMA integrity_check"), ["ok"]);
    let both = "SELECT siteid, memberid FROM member_auth INTERSECT SELECT siteid, memberid FROM \
        former_member";
    assert_eq!(rows(&conn, both), [""; 0], "members who are former members too");
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
