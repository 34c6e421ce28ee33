//! Names are folded by rules that may change with a release. See [`crate::unicode::folded`]. The
//! database stores the version of the rules; after a change all names are folded again, in one
//! transaction.

use std::sync::LazyLock;

use mysql::{Row, Value};

use super::connection::Connection;
use super::rows::{folded_key, get, read_username, unfolded_key};
use crate::block::LoginName;
use crate::identity::Username;
use crate::store::bounds::PAGE_ROWS;
use crate::store::{Cause, Fault};
use crate::unicode::FOLDING_VERSION;

static MEMBERS: LazyLock<String> = LazyLock::new(|| page_of("member_auth"));
static FORMERS: LazyLock<String> = LazyLock::new(|| page_of("former_member"));

fn page_of(table: &str) -> String {
    format!(
        "SELECT siteid, memberid, username_sent, username_key FROM {table}
         WHERE siteid > ? OR (siteid = ? AND memberid > ?)
         ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
    )
}

/// A row whose key is not the one of the rules of this release.
struct Stale {
    site: i64,
    member: i64,
    name: Username,
}

/// Whether there are members who do not hold the folded form of their name.
pub(super) fn has_unfolded(connection: &mut Connection) -> Result<bool, Fault> {
    let any = "SELECT 1 FROM member_auth WHERE username_key < 0x01 LIMIT 1";
    Ok(connection.first(any, Vec::new())?.is_some())
}

/// Folds all names again, if rules of an earlier release folded them. The service of that release
/// must not run meanwhile.
///
/// # Errors
///
/// If rules of a later release folded them, or the server fails.
pub(super) fn fold_if_due(connection: &mut Connection) -> Result<(), Fault> {
    let version = folding_version(connection, "SELECT version FROM folding")?;
    if version == Some(FOLDING_VERSION) {
        return Ok(());
    }
    connection.plain("START TRANSACTION")?;
    // Another receiver that starts waits here, and then finds it done.
    let version = folding_version(connection, "SELECT version FROM folding FOR UPDATE")?;
    if version > Some(FOLDING_VERSION) {
        let why = "a later release folded the names: install that release here too";
        return Err(Fault::Unusable(Cause::new(why, None)));
    }
    let members = fold_members(connection)?;
    fold_formers(connection)?;
    fold_blocks(connection)?;
    connection
        .run("REPLACE INTO folding (one, version) VALUES (1, ?)", vec![FOLDING_VERSION.into()])?;
    connection.plain("COMMIT")?;
    if members > 0 {
        log::info!("the names of {members} members were folded by the rules of this release");
    }
    Ok(())
}

fn folding_version(
    connection: &mut Connection,
    select: &'static str,
) -> Result<Option<i64>, Fault> {
    connection.first(select, Vec::new())?.map(|mut row| get(&mut row, 0)).transpose()
}

/// If several members of a site have names with the same folded form, the lowest memberid holds it,
/// and the others keep their exact names. No member is removed.
fn fold_members(connection: &mut Connection) -> Result<usize, Fault> {
    // First no stale row holds a form, then each gets its own: so two rows that exchange forms do
    // not conflict.
    let stale = stale_rows(connection, &MEMBERS)?;
    for Stale { site, member, name } in &stale {
        let exact = unfolded_key(name.as_str());
        set_key(connection, exact, *site, *member)?;
    }
    for Stale { site, member, name } in &stale {
        let form = folded_key(name);
        let held = connection.first(
            "SELECT 1 FROM member_auth WHERE username_key = ? AND siteid = ?",
            vec![Value::Bytes(form.clone()), (*site).into()],
        )?;
        if held.is_none() && !form.is_empty() {
            set_key(connection, form, *site, *member)?;
        }
    }
    Ok(stale.len())
}

fn set_key(connection: &mut Connection, key: Vec<u8>, site: i64, member: i64) -> Result<(), Fault> {
    connection.run(
        "UPDATE member_auth SET username_key = ? WHERE siteid = ? AND memberid = ?",
        vec![Value::Bytes(key), site.into(), member.into()],
    )?;
    Ok(())
}

fn fold_formers(connection: &mut Connection) -> Result<(), Fault> {
    for Stale { site, member, name } in stale_rows(connection, &FORMERS)? {
        connection.run(
            "UPDATE former_member SET username_key = ? WHERE siteid = ? AND memberid = ?",
            vec![Value::Bytes(folded_key(&name)), site.into(), member.into()],
        )?;
    }
    Ok(())
}

/// All rows of a table whose keys differ from those of this release. In memory, because they are
/// few: a change of the rules concerns names with rare characters. Members who hold no folded form
/// are among them, because theirs may be free under these rules.
fn stale_rows(
    connection: &mut Connection,
    page: &'static LazyLock<String>,
) -> Result<Vec<Stale>, Fault> {
    let (mut stale, mut after) = (Vec::new(), (0, 0));
    loop {
        let (site, member) = after;
        let rows = connection
            .rows(page, vec![site, site, member].into_iter().map(Value::Int).collect())?;
        if rows.is_empty() {
            return Ok(stale);
        }
        for mut row in rows {
            after = (get(&mut row, 0)?, get(&mut row, 1)?);
            stale.extend(stale_row(&mut row, after)?);
        }
    }
}

/// The row, if its key is another one. A name that cannot be read keeps its key.
fn stale_row(row: &mut Row, (site, member): (i64, i64)) -> Result<Option<Stale>, Fault> {
    let Ok(name) = read_username(row, 2) else { return Ok(None) };
    let key: Vec<u8> = get(row, 3)?;
    Ok((key != folded_key(&name)).then_some(Stale { site, member, name }))
}

/// If two blocks now have the same name, one of them stays. There are few.
fn fold_blocks(connection: &mut Connection) -> Result<(), Fault> {
    let rows =
        connection.rows("SELECT DISTINCT username FROM block WHERE username <> ''", Vec::new())?;
    for mut row in rows {
        let Ok(name) = get::<String>(&mut row, 0) else { continue };
        let folded = LoginName::new(&name);
        if folded.as_str() != name {
            let values = [folded.as_str(), &name].map(|name| Value::Bytes(name.into())).to_vec();
            connection.run("UPDATE IGNORE block SET username = ? WHERE username = ?", values)?;
            let delete = "DELETE FROM block WHERE username = ?";
            connection.run(delete, vec![Value::Bytes(name.into_bytes())])?;
        }
    }
    Ok(())
}
