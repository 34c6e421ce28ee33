//! Names are folded by rules that may change with a release. See [`crate::unicode::folded`]. The
//! database stores the version of the rules; after a change all names are folded again.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension};

use crate::block::LoginName;
use crate::store::Fault;
use crate::unicode::{FOLDING_VERSION, folded};

/// OR IGNORE: if another member holds the folded form, the row keeps only its exact name.
pub(super) const GIVE_FOLDED: &str =
    "UPDATE OR IGNORE member_auth SET username_folded = ?3 WHERE siteid = ?1 AND memberid = ?2";

/// The members whose names one statement folds.
const RANGE: i64 = 10_000;

/// Whether the names are folded by the rules of this release.
pub(super) fn is_current(conn: &Connection) -> Result<bool, Fault> {
    let version =
        conn.query_row("SELECT version FROM folding", [], |row| row.get::<_, i64>(0)).optional()?;
    Ok(version == Some(FOLDING_VERSION))
}

/// Folds all names again, in the open transaction. If several members of a site have names with the
/// same folded form, the lowest memberid holds it, and the others keep their exact names. No member
/// is removed. `indexes` are statements that create further indexes of the folded names.
pub(super) fn fold_anew(conn: &Connection, indexes: &[&str]) -> Result<(), Fault> {
    let members = fold_members(conn, indexes)?;
    fold_blocks(conn)?;
    conn.execute("INSERT OR REPLACE INTO folding VALUES (1, ?1)", [FOLDING_VERSION])?;
    let unfolded = "SELECT count(*) FROM member_auth INDEXED BY member_auth_unfolded
         WHERE username_folded IS NULL";
    let unfolded: i64 = conn.query_row(unfolded, [], |row| row.get(0))?;
    if members > 0 {
        log::info!("the names of {members} members were folded by the rules of this release");
    }
    if unfolded > 0 {
        log::warn!(
            "{unfolded} members log in by their exact names alone, because another name looks \
             the same or theirs cannot be seen: \
             `nats-userman check-config` lists them"
        );
    }
    Ok(())
}

/// Without the indexes on the folded names, which are made again at the end: one after the other,
/// each of a million changes would take its way through them. Returns the number of members.
fn fold_members(conn: &Connection, more: &[&str]) -> Result<usize, Fault> {
    let indexes = conn
        .prepare(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'member_auth'
             AND sql LIKE '%username_folded%'",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, String)>, _>>()?;
    for (name, _) in &indexes {
        conn.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    give_sql_folded(conn)?;
    let members = fold_in_ranges(conn, RANGE)?;
    for sql in indexes.iter().map(|(_, sql)| sql.as_str()).chain(more.iter().copied()) {
        match conn.execute_batch(sql).map_err(Fault::from) {
            // Usually no two members have one form, and then no search for them is needed.
            Err(Fault::Constraint(_)) => {
                take_from_namesakes(conn)?;
                conn.execute_batch(sql)?;
            }
            made => made?,
        }
    }
    conn.execute(
        "UPDATE former_member SET username_folded = folded(username)
             WHERE username_folded IS NOT NULL",
        [],
    )?;
    Ok(members)
}

/// Folds the names of all members, so many members at a time. Returns the number of members.
///
/// One statement for all would take the members in the order of an index, by their names. It would
/// read and write each page of the table many times, and keep all of them in memory until its end.
fn fold_in_ranges(conn: &Connection, range: i64) -> Result<usize, Fault> {
    let mut last_of_range = conn.prepare(
        "SELECT siteid, memberid FROM member_auth WHERE (siteid, memberid) > (?1, ?2)
         ORDER BY siteid, memberid LIMIT 1 OFFSET ?3",
    )?;
    // A name without a visible character has no folded form.
    let mut fold = conn.prepare(
        "UPDATE member_auth SET username_folded = nullif(folded(username), '')
         WHERE (siteid, memberid) > (?1, ?2) AND (siteid, memberid) <= (?3, ?4)",
    )?;
    let end = (i64::MAX, i64::MAX);
    let (mut after, mut members) = ((0, 0), 0);
    while after != end {
        let found = last_of_range
            .query_row((after.0, after.1, range - 1), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let last = found.unwrap_or(end);
        members += fold.execute((after.0, after.1, last.0, last.1))?;
        after = last;
    }
    Ok(members)
}

/// Leaves each folded form to the lowest memberid of its site.
fn take_from_namesakes(conn: &Connection) -> Result<(), Fault> {
    let take = "UPDATE member_auth SET username_folded = NULL WHERE (siteid, memberid) IN (
             SELECT siteid, memberid FROM (
                 SELECT siteid, memberid, row_number() OVER same AS number FROM member_auth
                 WHERE username_folded IS NOT NULL
                 WINDOW same AS (PARTITION BY siteid, username_folded ORDER BY memberid)
             ) WHERE number > 1
         )";
    conn.execute(take, [])?;
    Ok(())
}

/// Gives the connection the SQL function `folded`.
pub(super) fn give_sql_folded(conn: &Connection) -> Result<(), Fault> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    Ok(conn.create_scalar_function("folded", 1, flags, |context| {
        // Text that is not UTF-8 is no name.
        Ok(context.get_raw(0).as_str_or_null().ok().flatten().map(folded))
    })?)
}

/// If two blocks now have the same name, one of them stays. There are few.
fn fold_blocks(conn: &Connection) -> Result<(), Fault> {
    let mut all =
        conn.prepare("SELECT DISTINCT username FROM block WHERE username <> '' ORDER BY username")?;
    let names = all.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let mut fold = conn.prepare("UPDATE OR REPLACE block SET username = ?2 WHERE username = ?1")?;
    for (name, login_name) in names
        .iter()
        .map(|name| (name, LoginName::new(name)))
        .filter(|(name, login_name)| login_name.as_str() != name.as_str())
    {
        fold.execute([name, login_name.as_str()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_folded_once_however_many_are_folded_at_a_time() {
        let ids = [(1, 1), (1, 2), (1, i64::MAX), (2, 1), (i64::MAX, 1)];
        for range in 1..=6 {
            let conn = super::super::upgrade::new_in_memory().unwrap();
            give_sql_folded(&conn).unwrap();
            for (siteid, memberid) in ids {
                conn.execute(
                    "INSERT INTO member_auth (siteid, memberid, username, username_folded,
                         password, trial)
                     VALUES (?1, ?2, 'Name' || ?2, 'by older rules ' || ?2, '', 0)",
                    (siteid, memberid),
                )
                .unwrap();
            }
            assert_eq!(fold_in_ranges(&conn, range).unwrap(), ids.len(), "{range}");
            let folded = "SELECT count(*) FROM member_auth
                 WHERE username_folded = 'name' || memberid";
            let folded: i64 = conn.query_row(folded, [], |row| row.get(0)).unwrap();
            assert_eq!(folded, 5, "{range}");
        }
    }
}
