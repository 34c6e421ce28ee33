//! Compares the schema of a database with that of this release.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{email_index, upgrade};
use crate::store::{Fault, SchemaDifference};

/// The tables, indexes, views and columns of a schema, by name. SQLite's own are left out.
fn objects(conn: &Connection) -> Result<BTreeSet<(String, String)>, Fault> {
    let mut statement = conn.prepare(
        "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@'
         UNION SELECT 'column', s.name || '.' || c.name
         FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Compares the schema with that of a new database.
pub(super) fn schema_differences(conn: &Connection) -> Result<Vec<SchemaDifference>, Fault> {
    let ours = objects(&upgrade::new_in_memory()?)?;
    let found = objects(conn)?;
    let shown = |(kind, name): &(String, String)| format!("{kind} {name}");
    let foreign = |object: &(String, String)| match object.0.as_str() {
        "trigger" => Some(SchemaDifference::Trigger(shown(object))),
        // A column of a foreign table is not worth a line of its own.
        "column" if is_of(object, &ours) => Some(SchemaDifference::Foreign(shown(object))),
        "column" => None,
        _ => Some(SchemaDifference::Foreign(shown(object))),
    };
    let missing = |object: &(String, String)| {
        // Nor is a column of a missing table.
        (object.0 != "column" || is_of(object, &found))
            .then(|| SchemaDifference::Missing(shown(object)))
    };
    let mut differences: Vec<_> = ours.difference(&found).filter_map(missing).collect();
    let further = found.difference(&ours);
    let further = further.filter(|(_, name)| !email_index::NAMES.contains(&name.as_str()));
    differences.extend(further.filter_map(foreign));
    Ok(differences)
}

/// The tables that each version has.
const TABLES_OF_ALL: [&str; 4] = ["member_auth", "former_member", "journal", "health"];

/// A table or column without which no command works; `None` if all are there. Of an older version,
/// only the tables are known that each one has.
pub(super) fn missing_part(conn: &Connection, version: i64) -> Result<Option<String>, Fault> {
    if version == upgrade::CURRENT {
        let is_needed = |what: &String| what.starts_with("table ") || what.starts_with("column ");
        let missing = schema_differences(conn)?.into_iter().filter_map(|found| match found {
            SchemaDifference::Missing(what) => Some(what),
            SchemaDifference::Trigger(_) | SchemaDifference::Foreign(_) => None,
        });
        return Ok(missing.filter(is_needed).max());
    }
    let found = objects(conn)?;
    let is_missing = |name: &&str| !found.contains(&("table".to_owned(), (*name).to_owned()));
    Ok(TABLES_OF_ALL.into_iter().find(is_missing).map(|name| format!("table {name}")))
}

/// Whether a column belongs to a table of this schema.
fn is_of((_, column): &(String, String), schema: &BTreeSet<(String, String)>) -> bool {
    let table = column.split('.').next().unwrap_or_default();
    schema.contains(&("table".to_owned(), table.to_owned()))
}
