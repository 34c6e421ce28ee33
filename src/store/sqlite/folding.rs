//! Names are folded by rules that may change with a release: see [`crate::unicode::folded`]. The
//! database stores the version of the rules; after a change all names are folded again.

use rusqlite::{Connection, OptionalExtension, params};

use crate::block::LoginName;
use crate::store::Fault;
use crate::unicode::{FOLDING_VERSION, folded};

/// OR IGNORE: if another member holds the folded form, the row keeps only its exact name.
pub(super) const GIVE_FOLDED: &str =
    "UPDATE OR IGNORE member_auth SET username_folded = ?3 WHERE siteid = ?1 AND memberid = ?2";

/// The number of rows that are in memory at once.
const PAGE_ROWS: usize = 1_000;

/// Whether the names are folded by the rules of this release.
pub(super) fn is_current(conn: &Connection) -> Result<bool, Fault> {
    let version =
        conn.query_row("SELECT version FROM folding", [], |row| row.get::<_, i64>(0)).optional()?;
    Ok(version == Some(FOLDING_VERSION))
}

/// Folds all names again, in the open transaction. If several members of a site have names with the
/// same folded form, the lowest memberid holds it, and the others keep their exact names. No member
/// is removed.
pub(super) fn fold_anew(conn: &Connection) -> Result<(), Fault> {
    conn.execute(
        "UPDATE member_auth SET username_folded = NULL WHERE username_folded IS NOT NULL",
        [],
    )?;
    let members = fold_members(conn)?;
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

/// In order of site and memberid, so that the lowest memberid comes first. Returns the number of
/// members.
fn fold_members(conn: &Connection) -> Result<usize, Fault> {
    let mut page = conn.prepare(
        "SELECT siteid, memberid, username FROM member_auth
             WHERE (siteid, memberid) > (?1, ?2) ORDER BY siteid, memberid LIMIT ?3",
    )?;
    let mut give = conn.prepare(GIVE_FOLDED)?;
    // No siteid is below 1.
    let (mut after, mut members) = ((0, 0), 0);
    loop {
        let bounds = params![after.0, after.1, i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX)];
        let rows = page.query_map(bounds, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows = rows.collect::<Result<Vec<(i64, i64, String)>, _>>()?;
        let Some((site, member, _)) = rows.last() else { return Ok(members) };
        (after, members) = ((*site, *member), members + rows.len());
        for (site, member, name) in &rows {
            let form = folded(name);
            if !form.is_empty() {
                give.execute(params![site, member, form])?;
            }
        }
    }
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
