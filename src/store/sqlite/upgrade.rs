//! The version of the schema, in `user_version`: a new database gets schema.sql, an older one is
//! upgraded step by step, and a newer one is refused.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior};

use super::{folding, upgrade_copy, wal_mark};
use crate::store::open_error::{SCHEMA_VERSION, UpgradeError};

/// The form that schema.sql describes.
pub(super) const CURRENT: i64 = SCHEMA_VERSION;

const _: () = assert!(CURRENT == UPGRADES.len() as i64 + 1);

/// `UPGRADES[n]` leads from version n+1 to n+2. Steps are never edited after a release.
const UPGRADES: &[&str] = &[
    include_str!("upgrade_2.sql"),
    include_str!("upgrade_3.sql"),
    include_str!("upgrade_4.sql"),
    include_str!("upgrade_5.sql"),
];

/// The version that brought the mark of the WAL.
const FIRST_WITH_MARK: i64 = 3;

const SCHEMA: &str = include_str!("../../../schema.sql");

/// Marks the file as ours ("NUsm"), for `file` and for us.
const APPLICATION_ID: i64 = 0x4e55_736d;

impl From<rusqlite::Error> for UpgradeError {
    fn from(error: rusqlite::Error) -> Self {
        UpgradeError::Fault(error.into())
    }
}

/// Whether this release may touch the database at all. Writes nothing.
pub(super) fn check(conn: &Connection) -> Result<i64, UpgradeError> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let owner: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let new = found == 0 && owner == 0 && tables == 0;
    match (new, owner == APPLICATION_ID && found >= 1) {
        (true, _) => Ok(0),
        (false, true) if found > CURRENT => Err(UpgradeError::Newer { found }),
        (false, true) => Ok(found),
        (false, false) => Err(UpgradeError::Foreign),
    }
}

/// For readers: the database must have exactly this version.
pub(super) fn check_current(conn: &Connection) -> Result<(), UpgradeError> {
    let found = check(conn)?;
    if found < CURRENT { Err(UpgradeError::Older { found }) } else { Ok(()) }
}

/// Updates the schema and the folded names in one transaction. Before a schema upgrade, keeps a
/// copy of the old database beside this database file; with `None` it keeps no copy.
pub(super) fn run(conn: &mut Connection, keep_copy: Option<&Path>) -> Result<(), UpgradeError> {
    if check(conn)? == CURRENT && folding::is_current(conn)? {
        return Ok(());
    }
    let began = Instant::now();
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Checked again under the lock, because another process may have upgraded it.
    let found = check(&transaction)?;
    if found == 0 {
        transaction.execute_batch(SCHEMA)?;
    } else {
        step_up(&transaction, found, keep_copy)?;
    }
    if !folding::is_current(&transaction)? {
        folding::fold_anew(&transaction)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", CURRENT)?;
    if found < FIRST_WITH_MARK {
        wal_mark::complete(&transaction)?;
    } else {
        wal_mark::renew(&transaction)?;
    }
    transaction.commit()?;
    if (1..CURRENT).contains(&found) {
        log::info!(
            "the database was upgraded to version {CURRENT} in {} ms",
            began.elapsed().as_millis()
        );
    }
    Ok(())
}

/// Runs the steps from an older version, after the copy.
fn step_up(conn: &Connection, found: i64, keep_copy: Option<&Path>) -> Result<(), UpgradeError> {
    let done = usize::try_from(found - 1).unwrap_or(0);
    let steps = &UPGRADES[done..];
    if steps.is_empty() {
        return Ok(());
    }
    match keep_copy {
        Some(database) => {
            let copy = upgrade_copy::keep(database, found)?;
            let copy = copy.display();
            log::info!(
                "upgrading the database from version {found} to {CURRENT}; the copy of the old \
                 one is {copy}"
            );
        }
        None => {
            log::info!("upgrading the database from version {found} to {CURRENT}, without a copy")
        }
    }
    for step in steps {
        conn.execute_batch(step)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn a_new_database_gets_the_newest_schema_and_a_second_run_changes_nothing() {
        let mut conn = database();
        run(&mut conn, None).unwrap();
        assert_eq!(check(&conn).unwrap(), CURRENT);
        run(&mut conn, None).unwrap();
        assert!(check_current(&conn).is_ok());
    }

    #[test]
    fn a_newer_schema_is_refused_with_both_versions() {
        let mut conn = database();
        run(&mut conn, None).unwrap();
        conn.pragma_update(None, "user_version", CURRENT + 1).unwrap();
        let message = run(&mut conn, None).unwrap_err().to_string();
        let next = CURRENT + 1;
        assert_eq!(
            message,
            format!(
                "it has version {next}, and this release supports versions up to {CURRENT}; \
                 install the newer release again"
            )
        );
    }

    #[test]
    fn a_database_of_another_program_is_refused_and_left_alone() {
        let mut conn = database();
        conn.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert_eq!(
            run(&mut conn, None).unwrap_err().to_string(),
            "it is a database of another program"
        );
        let tables: i64 =
            conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    /// Tables and indexes without comments and white space. Of a table only the columns, because
    /// `ALTER TABLE` appends a new one at the end.
    fn shape(conn: &Connection) -> Vec<String> {
        let sql = "SELECT s.name || ' ' || c.name || ' ' || c.type || c.\"notnull\"
             || ifnull(c.dflt_value, '') || c.pk
             FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'
             UNION SELECT sql FROM sqlite_schema WHERE type = 'view'
             UNION SELECT name || ' index' FROM sqlite_schema WHERE type = 'index' ORDER BY 1";
        conn.prepare(sql)
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn a_database_of_version_1_goes_up_with_its_members_and_has_the_columns_of_a_new_one() {
        let (mut old, mut new) = (database(), database());
        old.execute_batch(include_str!("../../../tests/schemas/version_1.sql")).unwrap();
        old.execute_batch(
            "INSERT INTO member_auth (siteid, memberid, username, password, trial)
                 VALUES (1, 71, 'bob', 'x', 0);
             INSERT INTO former_member (siteid, memberid, username, password, trial, reason,
             ended_at)
                 VALUES (1, 72, 'ann', 'x', 1, 'deleted', 5);
             INSERT INTO journal (at, source, fields, reply) VALUES (5, 'nats', '', 'OK|');",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        assert!(matches!(check_current(&old), Err(UpgradeError::Older { found: 1 })));
        run(&mut old, None).unwrap();
        run(&mut new, None).unwrap();
        assert_eq!(shape(&old), shape(&new));
        let members = "SELECT (SELECT group_concat(username || login_version) FROM member_auth),
             (SELECT group_concat(username || login_version)
             FROM former_member), (SELECT count(*) FROM journal WHERE logins_ended IS NULL)";
        let found: (String, String, i64) =
            old.query_row(members, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        assert_eq!(found, ("bob1".into(), "ann1".into(), 1));
    }
}
