//! The version of the schema, in `user_version`: a new database gets schema.sql, an older one is
//! upgraded step by step, and a newer one is refused.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::connection::CACHE_OF_MANY;
use super::database_file::DatabaseFile;
use super::upgrade_copy::Copying;
use super::upgrade_progress::Progress;
use super::upgrade_space::{MIB, Space, mib};
use super::{add_columns, folding, upgrade_copy, wal_mark};
use crate::counted::counted;
use crate::store::open_error::{SCHEMA_VERSION, UpgradeError};
use crate::store::{Fault, UpgradePlan};

/// The form that schema.sql describes.
pub(super) const CURRENT: i64 = SCHEMA_VERSION;

const _: () = assert!(CURRENT == UPGRADES.len() as i64 + 1);

/// `UPGRADES[n]` upgrades version n+1 to n+2. Steps are never edited after a release.
const UPGRADES: &[&str] = &[
    include_str!("upgrade_2.sql"),
    include_str!("upgrade_3.sql"),
    include_str!("upgrade_4.sql"),
    include_str!("upgrade_5.sql"),
    include_str!("upgrade_6.sql"),
    include_str!("upgrade_7.sql"),
    include_str!("upgrade_8.sql"),
];

/// The version that brought the mark of the WAL.
const FIRST_WITH_MARK: i64 = 3;

/// The longest commit: a slow disk must take all that the upgrade has changed.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(600);

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

/// What an upgrade of this database would do; `None` if none is due.
pub(super) fn plan(
    conn: &Connection,
    file: &DatabaseFile,
) -> Result<Option<UpgradePlan>, UpgradeError> {
    let from = check(conn)?;
    if !(1..CURRENT).contains(&from) {
        return Ok(None);
    }
    let keeps_copy = file.keeps_upgrade_copy();
    let space = Space::of(conn, file.path(), from)?;
    let (copy, needed) = if keeps_copy {
        (Some(mib(space.copy)), space.needed)
    } else {
        (None, space.needed - space.copy)
    };
    Ok(Some(UpgradePlan {
        from,
        to: CURRENT,
        copy,
        needed: Some(mib(needed)),
        free: space.free.map(|free| free / MIB),
        about: Some(space.about(keeps_copy)),
    }))
}

/// For readers: the database must have exactly this version.
pub(super) fn check_current(conn: &Connection) -> Result<(), UpgradeError> {
    let found = check(conn)?;
    if found < CURRENT { Err(UpgradeError::Older { found, current: CURRENT }) } else { Ok(()) }
}

/// Updates the schema and the folded names in one transaction. Before a schema upgrade, keeps a
/// copy of the old database beside `file`, unless its settings exclude that. `None` for a database
/// in memory.
pub(super) fn run(conn: &mut Connection, file: Option<&DatabaseFile>) -> Result<(), UpgradeError> {
    if check(conn)? == CURRENT && folding::is_current(conn)? {
        return Ok(());
    }
    let heartbeat = file.map(DatabaseFile::heartbeat).cloned().unwrap_or_default();
    let progress = Progress::new(heartbeat);
    progress.follow(conn, &Arc::default())?;
    let cache: i64 = conn.query_row("PRAGMA cache_size", [], |row| row.get(0))?;
    conn.pragma_update(None, "cache_size", CACHE_OF_MANY)?;
    let done = transact(conn, file, &progress);
    conn.pragma_update(None, "cache_size", cache)?;
    Progress::leave(conn)?;
    done
}

fn transact(
    conn: &mut Connection,
    file: Option<&DatabaseFile>,
    progress: &Progress,
) -> Result<(), UpgradeError> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Checked again under the lock, because another process may have upgraded it.
    let found = check(&transaction)?;
    let (mut copying, mut left) = (None, Vec::new());
    if found == 0 {
        transaction.execute_batch(SCHEMA)?;
    } else {
        (copying, left) = step_up(&transaction, found, file, progress)?;
    }
    if !folding::is_current(&transaction)? {
        progress.begin("folding the names of all members");
        folding::fold_anew(&transaction, &left)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", CURRENT)?;
    if found < FIRST_WITH_MARK {
        wal_mark::complete(&transaction)?;
    } else {
        wal_mark::renew(&transaction)?;
    }
    let is_upgrade = (1..CURRENT).contains(&found);
    let rows = if is_upgrade { Some(count_rows(&transaction)?) } else { None };
    if let Some(copying) = copying {
        progress.begin("copying the old one and checking the copy");
        let kept = copying.finish()?;
        log::info!(
            "the copy of the old database is {}: {} MiB, checked",
            kept.path.display(),
            mib(kept.bytes)
        );
    }
    progress.begin("writing it to the disk");
    progress.during(COMMIT_TIME_MAX, || transaction.commit())?;
    if let Some((members, records)) = rows {
        log::info!(
            "upgraded the database from version {found} to {CURRENT}: {} and {}, in {:.1} s",
            counted(members.unsigned_abs(), "member"),
            counted(records.unsigned_abs(), "journal record"),
            progress.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// Members, former members among them, and journal records.
fn count_rows(conn: &Connection) -> Result<(i64, i64), UpgradeError> {
    let counts = "SELECT (SELECT count(*) FROM member_auth) + (SELECT count(*) FROM former_member),
         (SELECT count(*) FROM journal)";
    Ok(conn.query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// A new database in memory, to compare another one with.
pub(super) fn new_in_memory() -> Result<Connection, rusqlite::Error> {
    let conn = Connection::open_in_memory()?;
    conn.execute_batch(SCHEMA)?;
    Ok(conn)
}

/// Runs the steps from an older version, while the copy is made. Returns also the statements that
/// [`folding::fold_anew`] has to run.
fn step_up(
    conn: &Connection,
    found: i64,
    file: Option<&DatabaseFile>,
    progress: &Progress,
) -> Result<(Option<Copying>, Vec<&'static str>), UpgradeError> {
    let done = usize::try_from(found - 1).unwrap_or(0);
    let steps = &UPGRADES[done..];
    if steps.is_empty() {
        return Ok((None, Vec::new()));
    }
    let copying = match file.filter(|file| file.keeps_upgrade_copy()) {
        Some(file) => {
            log::info!(
                "upgrading the database from version {found} to {CURRENT}; a copy of the old one \
                 is made meanwhile"
            );
            Some(upgrade_copy::begin(file.path(), found, progress)?)
        }
        None => {
            log::info!("upgrading the database from version {found} to {CURRENT}, without a copy");
            None
        }
    };
    let mut left = Vec::new();
    for (step, to) in steps.iter().zip(found + 1..) {
        progress.begin(&format!("changing it to version {to}"));
        match add_columns::run_step(conn, step) {
            Ok(more) => left.extend(more),
            Err(fault) => {
                // The check of the copy says where a database is damaged.
                if let (Fault::Damaged(_), Some(copying)) = (&fault, copying) {
                    copying.finish()?;
                }
                return Err(fault.into());
            }
        }
    }
    Ok((copying, left))
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

    fn definitions(conn: &Connection) -> Vec<(String, String)> {
        let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// With a row in each table to which a column is added.
    fn version_1() -> Connection {
        let conn = database();
        conn.execute_batch(include_str!("../../../tests/schemas/version_1.sql")).unwrap();
        conn.execute_batch(
            "INSERT INTO member_auth (siteid, memberid, username, password, trial)
                 VALUES (1, 71, 'bob', 'x', 0);
             INSERT INTO former_member (siteid, memberid, username, password, trial, reason,
                 ended_at)
                 VALUES (1, 72, 'ann', 'x', 1, 'deleted', 5);
             INSERT INTO journal (at, source, fields, reply) VALUES (5, 'nats', '', 'OK|');
             INSERT OR IGNORE INTO health (one, probed_at) VALUES (1, 0);",
        )
        .unwrap();
        conn
    }

    #[test]
    fn each_step_leaves_the_schema_that_its_statements_leave_and_rows_that_satisfy_it() {
        let (ours, plain) = (version_1(), version_1());
        let other = "CREATE TABLE theirs (text);
             CREATE VIEW names AS SELECT username FROM member_auth;";
        ours.execute_batch(other).unwrap();
        plain.execute_batch(other).unwrap();
        for (step, to) in UPGRADES.iter().zip(2..) {
            let before: i64 =
                ours.query_row("PRAGMA schema_version", [], |row| row.get(0)).unwrap();
            ours.execute_batch("BEGIN").unwrap();
            let left = add_columns::run_step(&ours, step).unwrap();
            assert_eq!(left.len(), if to == 3 { 2 } else { 0 }, "version {to}");
            left.iter().for_each(|statement| ours.execute_batch(statement).unwrap());
            ours.execute_batch("COMMIT").unwrap();
            plain.execute_batch(step).unwrap();
            assert_eq!(definitions(&ours), definitions(&plain), "version {to}");
            let after = ours.query_row("PRAGMA schema_version", [], |row| row.get(0)).unwrap();
            assert!(before < after, "version {to}: other connections must read it again");
            let found: String =
                ours.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(found, "ok", "version {to}");
            let plain_rows = shape(&plain);
            assert_eq!(shape(&ours), plain_rows, "version {to}");
        }
        // The schema is protected again.
        let edit = "UPDATE sqlite_schema SET sql = '' WHERE name = 'journal'";
        assert!(ours.execute_batch(edit).is_err());
    }

    #[test]
    fn a_database_of_version_1_goes_up_with_its_members_and_has_the_columns_of_a_new_one() {
        let (mut old, mut new) = (version_1(), database());
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        assert!(matches!(check_current(&old), Err(UpgradeError::Older { found: 1, .. })));
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
