//! Facts for `doctor`: settings of the server, tables, sizes and counts. Nothing is changed.

use std::collections::BTreeSet;

use mysql::Value;

use super::connection::Connection;
use super::rows::get;
use super::schema::TABLES;
use super::verify::{Verified, clock_words};
use crate::store::bounds::{CALLER_RECORDS, CALLERS_MAX};
use crate::store::{
    Diagnosis, EngineSetting, Fault, JournalGrowth, OddCredentials, SchemaDifference, SeenCaller,
};

/// Reads the facts. `since` (unix seconds) is the beginning of the time whose records are counted.
/// Counting the credentials reads both tables of members.
pub(super) fn diagnose(
    connection: &mut Connection,
    verified: &Verified,
    read_problems: Vec<String>,
    since: i64,
) -> Result<Diagnosis, Fault> {
    let (bytes, unused_bytes) = sizes(connection)?;
    Ok(Diagnosis {
        settings: settings(verified, read_problems),
        schema: schema_differences(connection)?,
        bytes,
        unused_bytes,
        growth: growth(connection, since)?,
        callers: callers(connection)?,
        oldest_sealed_at: oldest_sealed_at(connection)?,
        credentials: credentials(connection)?,
    })
}

/// What was verified when the connection was opened, the size of a cluster, and the hosts for
/// reading that cannot be used.
fn settings(verified: &Verified, read_problems: Vec<String>) -> Vec<EngineSetting> {
    let mut settings = vec![EngineSetting {
        name: "innodb_flush_log_at_trx_commit",
        expected: "1",
        found: "1".into(),
        remedy: "set it to 1, or a power failure loses acknowledged postbacks",
    }];
    if let Some(nodes) = verified.too_few_nodes {
        settings.push(EngineSetting {
            name: "wsrep_cluster_size",
            expected: "3 or more",
            found: nodes.to_string(),
            remedy: "add a node: with fewer, the loss of one can stop the service",
        });
    }
    if let Some(ahead) = verified.clock_ahead {
        settings.push(EngineSetting {
            name: "clock_of_the_server",
            expected: "that of this machine",
            found: clock_words(ahead),
            remedy: "set the clocks of all machines by NTP: members expire by the clock of one \
                     receiver, for all",
        });
    }
    settings.extend(read_problems.into_iter().map(|problem| EngineSetting {
        name: "database_read",
        expected: "hosts that can be read",
        found: problem,
        remedy: "repair that host, or take it out of database_read: meanwhile another one is read",
    }));
    settings
}

/// Bytes of the tables, and the part of them that is free.
fn sizes(connection: &mut Connection) -> Result<(u64, u64), Fault> {
    let found = connection.first(
        "SELECT CAST(COALESCE(SUM(data_length + index_length + data_free), 0) AS UNSIGNED),
             CAST(COALESCE(SUM(data_free), 0) AS UNSIGNED)
         FROM information_schema.tables WHERE table_schema = DATABASE()",
        Vec::new(),
    )?;
    found.map_or(Ok((0, 0)), |mut row| Ok((get(&mut row, 0)?, get(&mut row, 1)?)))
}

/// The tables, columns and keys of schema.mysql.sql, each as in `column batch.id`.
fn ours() -> BTreeSet<String> {
    let mut objects = BTreeSet::new();
    let mut table = "";
    for line in TABLES.lines() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE IF NOT EXISTS ") {
            table = rest.split(' ').next().unwrap_or_default();
            objects.insert(format!("table {table}"));
        } else if let Some(rest) = line.strip_prefix("    ") {
            let mut words = rest.split([' ', '(']).filter(|word| !word.is_empty());
            match (words.next(), words.next(), words.next()) {
                (Some("--" | "CHECK"), ..) | (None, ..) => {}
                (Some("PRIMARY"), ..) => drop(objects.insert(format!("key {table}.PRIMARY"))),
                (Some("KEY"), Some(key), _) | (Some("UNIQUE"), _, Some(key)) => {
                    objects.insert(format!("key {table}.{key}"));
                }
                (Some(column), ..) => drop(objects.insert(format!("column {table}.{column}"))),
            }
        }
    }
    objects
}

fn found_objects(connection: &mut Connection) -> Result<BTreeSet<String>, Fault> {
    let rows = connection.rows(
        "SELECT CONCAT('table ', table_name) FROM information_schema.tables
             WHERE table_schema = DATABASE()
         UNION SELECT CONCAT('column ', table_name, '.', column_name)
             FROM information_schema.columns WHERE table_schema = DATABASE()
         UNION SELECT CONCAT('key ', table_name, '.', index_name)
             FROM information_schema.statistics WHERE table_schema = DATABASE()
         UNION SELECT CONCAT('trigger ', trigger_name)
             FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
        Vec::new(),
    )?;
    rows.into_iter().map(|mut row| get(&mut row, 0)).collect()
}

/// Compares the tables with those that this release makes. Other tables are the operator's own.
fn schema_differences(connection: &mut Connection) -> Result<Vec<SchemaDifference>, Fault> {
    let (ours, found) = (ours(), found_objects(connection)?);
    let is_in = |object: &str, schema: &BTreeSet<String>| {
        let name = object.split_once(' ').map_or(object, |(_, name)| name);
        let table = name.split('.').next().unwrap_or_default();
        schema.contains(&format!("table {table}"))
    };
    let mut differences = Vec::new();
    for object in ours.difference(&found) {
        // A column of a missing table is not worth a line of its own.
        if object.starts_with("table ") || is_in(object, &found) {
            differences.push(SchemaDifference::Missing(object.clone()));
        }
    }
    for object in found.difference(&ours) {
        if object.starts_with("trigger ") {
            differences.push(SchemaDifference::Trigger(object.clone()));
        } else if !object.starts_with("table ") && is_in(object, &ours) {
            differences.push(SchemaDifference::Foreign(object.clone()));
        }
    }
    Ok(differences)
}

/// How the journal grows. Ids rise with time, so that the first record of a time is found by
/// halving the range of ids, without an index on `at`.
fn growth(connection: &mut Connection, since: i64) -> Result<Option<JournalGrowth>, Fault> {
    let ends = connection.first("SELECT MIN(id), MAX(id) FROM journal", Vec::new())?;
    let Some(mut ends) = ends else { return Ok(None) };
    let (first, last): (Option<i64>, Option<i64>) = (get(&mut ends, 0)?, get(&mut ends, 1)?);
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    let mut at = |id: i64| -> Result<Option<i64>, Fault> {
        let next = "SELECT at FROM journal WHERE id >= ? ORDER BY id LIMIT 1";
        connection.first(next, vec![Value::Int(id)])?.map(|mut row| get(&mut row, 0)).transpose()
    };
    let oldest_at = at(first)?.unwrap_or(since);
    let (mut from, mut to) = (first, last.saturating_add(1));
    while from < to {
        let middle = from + (to - from) / 2;
        if at(middle)?.is_none_or(|at| at >= since) { to = middle } else { from = middle + 1 }
    }
    // The nodes of a cluster leave gaps between their ids, so the rows are counted.
    let mut count = |from: i64| -> Result<u64, Fault> {
        let count = "SELECT COUNT(*) FROM journal WHERE id >= ?";
        let found = connection.first(count, vec![Value::Int(from)])?;
        found.map_or(Ok(0), |mut row| get(&mut row, 0))
    };
    Ok(Some(JournalGrowth { records: count(first)?, oldest_at, lately: count(from)? }))
}

fn callers(connection: &mut Connection) -> Result<Vec<SeenCaller>, Fault> {
    let rows = connection.rows(
        "SELECT address, COUNT(*) AS records, MIN(at), MAX(at) FROM
             (SELECT address, at FROM journal WHERE source = 'nats' AND address IS NOT NULL
              ORDER BY id DESC LIMIT ?) AS newest
         GROUP BY address ORDER BY records DESC, address LIMIT ?",
        vec![CALLER_RECORDS.into(), CALLERS_MAX.into()],
    )?;
    rows.into_iter()
        .map(|mut row| {
            Ok(SeenCaller {
                address: get(&mut row, 0)?,
                records: get(&mut row, 1)?,
                first_at: get(&mut row, 2)?,
                last_at: get(&mut row, 3)?,
            })
        })
        .collect()
}

fn oldest_sealed_at(connection: &mut Connection) -> Result<Option<i64>, Fault> {
    let oldest = "SELECT at FROM journal WHERE waiting = 1 ORDER BY id LIMIT 1";
    connection.first(oldest, Vec::new())?.map(|mut row| get(&mut row, 0)).transpose()
}

fn credentials(connection: &mut Connection) -> Result<OddCredentials, Fault> {
    let mut odd = OddCredentials::default();
    for counts in [
        "SELECT CAST(COALESCE(SUM(password IS NULL AND sealed IS NULL
             AND cryptpass_wrapped IS NULL), 0) AS UNSIGNED), COUNT(cryptpass) FROM member_auth",
        "SELECT CAST(COALESCE(SUM(password IS NULL AND sealed IS NULL
             AND cryptpass_wrapped IS NULL), 0) AS UNSIGNED), COUNT(cryptpass) FROM former_member",
    ] {
        if let Some(mut row) = connection.first(counts, Vec::new())? {
            odd.without += get::<u64>(&mut row, 0)?;
            odd.with_cryptpass += get::<u64>(&mut row, 1)?;
        }
    }
    Ok(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_of_the_schema_are_read_from_its_file() {
        let ours = ours();
        for object in [
            "table lease",
            "column lease.until",
            "column journal.waiting",
            "key journal.PRIMARY",
            "key journal.journal_member",
            "key logout.logout_issued",
            "column schema_version.version",
        ] {
            assert!(ours.contains(object), "{object}");
        }
        let odd = |object: &&String| object.contains("CHECK") || object.contains("--");
        assert_eq!(ours.iter().find(odd), None);
    }
}
