//! Makes the tables, and finds out which exist. A statement that makes a table cannot be part of a
//! transaction, so each step can be repeated.

use std::collections::HashSet;

use super::connect::{Attempt, Connected, Purpose, connect};
use super::connection::Connection;
use super::rows::get;
use super::server::Server;
use crate::store::{DatabaseState, Fault};
use crate::unicode::FOLDING_VERSION;

/// The version of the tables that this release reads and writes.
pub(in crate::store) const VERSION: i64 = 4;

/// The newest schema.
pub(super) const TABLES: &str = include_str!("../../../schema.mysql.sql");

/// MariaDB's collation of the column `username`, and the one of MySQL that is most like it.
const COLLATIONS: (&str, &str) = ("utf8mb4_general_nopad_ci", "utf8mb4_0900_as_ci");

/// Makes the tables where they are missing, and changes older ones.
pub(super) fn create(server: &Server) -> Result<(), Fault> {
    let Connected { mut connection, verified, .. } =
        connect(server, Purpose::Schema, Attempt::default())?;
    for statement in statements() {
        let (of_mariadb, of_mysql) = COLLATIONS;
        if verified.is_mysql {
            connection.define(&statement.replace(of_mariadb, of_mysql))?;
        } else {
            connection.define(statement)?;
        }
    }
    add_email_keys(&mut connection)?;
    add_columns(&mut connection)?;
    let folding = "INSERT IGNORE INTO folding (one, version) VALUES (1, ?)";
    connection.run(folding, vec![FOLDING_VERSION.into()])?;
    let version = "INSERT IGNORE INTO schema_version (one, version) VALUES (1, ?)";
    connection.run(version, vec![VERSION.into()])?;
    connection.run("UPDATE schema_version SET version = ? WHERE version < ?", {
        vec![VERSION.into(), VERSION.into()]
    })?;
    Ok(())
}

/// From version 1 to 2: members are found by their e-mail address, in any case.
fn add_email_keys(connection: &mut Connection) -> Result<(), Fault> {
    for (table, add) in [
        (
            "member_auth",
            "ALTER TABLE member_auth ADD KEY member_auth_email (email),
             MODIFY email VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        ),
        (
            "former_member",
            "ALTER TABLE former_member ADD KEY former_member_email (email),
             MODIFY email VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        ),
    ] {
        if has_email_key(connection, table)? {
            continue;
        }
        let added = connection.define(add);
        // Another receiver may have added it meanwhile.
        if added.is_err() && !has_email_key(connection, table)? {
            return added;
        }
    }
    Ok(())
}

fn has_email_key(connection: &mut Connection, table: &str) -> Result<bool, Fault> {
    let key = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE()
         AND table_name = ? AND index_name = CONCAT(?, '_email')";
    let count = connection.first(key, vec![table.into(), table.into()])?;
    Ok(count.map_or(Ok(0), |mut row| get::<i64>(&mut row, 0))? > 0)
}

/// From version 2 to 3: the stamps of records. From version 3 to 4: the operator of a record, and
/// the last batch of a copy. The server adds these columns without a change of the rows. The table
/// `batch` of earlier versions stays, unused: the user may not drop tables.
fn add_columns(connection: &mut Connection) -> Result<(), Fault> {
    for (table, column, add) in [
        ("member_auth", "stamp", "ALTER TABLE member_auth ADD COLUMN stamp BIGINT"),
        ("former_member", "stamp", "ALTER TABLE former_member ADD COLUMN stamp BIGINT"),
        ("journal", "stale", "ALTER TABLE journal ADD COLUMN stale TINYINT"),
        ("journal", "operator", "ALTER TABLE journal ADD COLUMN operator VARCHAR(64)"),
        ("migration", "batch", "ALTER TABLE migration ADD COLUMN batch BIGINT"),
    ] {
        if has_column(connection, table, column)? {
            continue;
        }
        let added = connection.define(add);
        // Another receiver may have added it meanwhile.
        if added.is_err() && !has_column(connection, table, column)? {
            return added;
        }
    }
    Ok(())
}

fn has_column(connection: &mut Connection, table: &str, column: &str) -> Result<bool, Fault> {
    let columns = "SELECT COUNT(*) FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
    let count = connection.first(columns, vec![table.into(), column.into()])?;
    Ok(count.map_or(Ok(0), |mut row| get::<i64>(&mut row, 0))? > 0)
}

/// The statements of the file. No comment in it ends with a semicolon.
fn statements() -> impl Iterator<Item = &'static str> {
    TABLES.split(";\n").map(str::trim).filter(|statement| {
        statement.lines().any(|line| !line.is_empty() && !line.starts_with("--"))
    })
}

/// The version of the existing tables.
pub(super) fn state(connection: &mut Connection) -> Result<DatabaseState, Fault> {
    let tables = "SELECT COUNT(*) FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_name IN ('member_auth', 'schema_version')";
    let tables: i64 =
        connection.first(tables, Vec::new())?.map_or(Ok(0), |mut row| get(&mut row, 0))?;
    if tables == 0 {
        return Ok(DatabaseState::Missing);
    }
    if tables == 1 {
        return Ok(DatabaseState::Begun);
    }
    let version = connection.first("SELECT version FROM schema_version", Vec::new())?;
    let Some(mut row) = version else { return Ok(DatabaseState::Begun) };
    let version: i64 = get(&mut row, 0)?;
    Ok(if version == VERSION { DatabaseState::Current } else { DatabaseState::Older(version) })
}

/// What is wrong with a table of ours: another storage engine, or a key is missing on which
/// receivers rely: rows are found by it, and a second one of two decisions at once is refused.
///
/// Two queries, each of one database by a constant: a join makes the server open the tables of all
/// its databases, and MariaDB 10.11 crashes where such a query is killed.
pub(super) fn odd_table(connection: &mut Connection) -> Result<Option<String>, Fault> {
    let engines = connection.rows(
        "SELECT table_name, engine FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name",
        Vec::new(),
    )?;
    let keys = connection.rows(
        "SELECT DISTINCT table_name, index_name FROM information_schema.statistics
         WHERE table_schema = DATABASE() AND non_unique = 0",
        Vec::new(),
    )?;
    let keys: HashSet<(String, String)> = keys
        .into_iter()
        .map(|mut row| Ok::<_, Fault>((get(&mut row, 0)?, get(&mut row, 1)?)))
        .collect::<Result<_, _>>()?;
    for mut row in engines {
        let (table, engine): (String, Option<String>) = (get(&mut row, 0)?, get(&mut row, 1)?);
        for (_, key, definition) in unique_keys().filter(|(of, ..)| *of == table) {
            if engine.as_deref() != Some("InnoDB") {
                return Ok(Some(format!(
                    "the table {table} is not of InnoDB, so a crash or a cluster would lose its \
                     rows: run ALTER TABLE {table} ENGINE = InnoDB there"
                )));
            }
            if !keys.contains(&(table.clone(), key.to_owned())) {
                return Ok(Some(format!(
                    "the table {table} has no key {key}, without which two receivers decide \
                     against each other and a cluster loses rows: run ALTER TABLE {table} ADD \
                     {definition} there"
                )));
            }
        }
    }
    Ok(None)
}

/// The unique keys of schema.mysql.sql: table, name, and the definition. Each table has one.
fn unique_keys() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let mut table = "";
    TABLES.lines().filter_map(move |line| {
        if let Some(rest) = line.strip_prefix("CREATE TABLE IF NOT EXISTS ") {
            table = rest.split(' ').next().unwrap_or_default();
        }
        let definition = line.trim().trim_end_matches(',');
        let key = match definition.strip_prefix("UNIQUE KEY ") {
            Some(rest) => rest.split(' ').next()?,
            None => definition.strip_prefix("PRIMARY KEY ").map(|_| "PRIMARY")?,
        };
        Some((table, key, definition))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_a_primary_key_and_the_keys_of_decisions_are_unique() {
        let keys: Vec<_> = unique_keys().collect();
        let tables = TABLES.matches("CREATE TABLE IF NOT EXISTS ").count();
        assert_eq!(keys.iter().filter(|(_, key, _)| *key == "PRIMARY").count(), tables);
        let unique: Vec<_> =
            keys.iter().filter(|(_, key, _)| *key != "PRIMARY").map(|key| key.2).collect();
        assert_eq!(
            unique,
            [
                "UNIQUE KEY member_auth_username (username, siteid)",
                "UNIQUE KEY member_auth_username_key (username_key, siteid)",
                "UNIQUE KEY journal_member (siteid, memberid, seq)",
                "UNIQUE KEY journal_shape_names (names_sha256)",
            ]
        );
    }
}
