//! Rows to values and back: the columns that member_auth, former_member and journal have in common,
//! named once.

use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use crate::identity::{Key, MemberId, SessionHash, SiteId, Username};
use crate::member::{Credential, Former, Member, Reason};
use crate::password::{Cryptpass, Hash, Seal, Stored, Wrapped};
use crate::store::columns::place;
use crate::store::{Fault, LoginRow};

/// The columns that both tables of members share, in the order in which they are bound and read.
pub(super) const MEMBER_COLUMNS: &str = "siteid, memberid, username, password, cryptpass, email, \
     trial, biller, session_sha256, joined, expires, sealed, cryptpass_wrapped, before, \
     stamp";

/// The columns that a login check reads, in their order.
pub(super) const LOGIN_COLUMNS: &str = "siteid, memberid, username, trial, login_version, \
     password, sealed, cryptpass_wrapped, before";

/// The columns of member_auth after [`MEMBER_COLUMNS`], for [`read_here`].
pub(super) const HERE_COLUMNS: &str = "login_version, expire_at, username_folded";

/// The columns of former_member after [`MEMBER_COLUMNS`], for [`read_former`].
pub(super) const FORMER_COLUMNS: &str = "login_version, reason, ended_at";

/// The column of former_member behind [`FORMER_COLUMNS`] that no reader needs: the folded name of a
/// provisional member.
pub(super) const FORMER_NAME: &str = "username_folded";

/// The provisional member who had this name last.
pub(super) const SELECT_PROVISIONAL: &str =
    "SELECT memberid FROM former_member INDEXED BY former_member_provisional
     WHERE username_folded = ?1 AND siteid = ?2 ORDER BY ended_at DESC, memberid LIMIT 1";

const fn member(column: &str) -> usize {
    place(MEMBER_COLUMNS, column)
}

/// The place of a column of [`HERE_COLUMNS`] behind those of [`MEMBER_COLUMNS`].
const fn here(column: &str) -> usize {
    member("stamp") + 1 + place(HERE_COLUMNS, column)
}

/// The place of a column of [`FORMER_COLUMNS`] behind those of [`MEMBER_COLUMNS`].
const fn former(column: &str) -> usize {
    member("stamp") + 1 + place(FORMER_COLUMNS, column)
}

const fn login(column: &str) -> usize {
    place(LOGIN_COLUMNS, column)
}

/// One row of member_auth by siteid and memberid, for [`read_here`].
pub(super) fn select_member() -> String {
    format!(
        "SELECT {MEMBER_COLUMNS}, {HERE_COLUMNS} FROM member_auth WHERE siteid = ?1
             AND memberid = ?2"
    )
}

/// One row of former_member by siteid and memberid, for [`read_former`].
pub(super) fn select_former() -> String {
    format!(
        "SELECT {MEMBER_COLUMNS}, {FORMER_COLUMNS} FROM former_member
             WHERE siteid = ?1 AND memberid = ?2"
    )
}

/// A form in the three columns that can hold it: exactly one is not NULL.
pub(super) struct FormColumns<'a> {
    pub password: Option<&'a str>,
    pub sealed: Option<&'a [u8]>,
    pub wrapped: Option<&'a str>,
}

impl<'a> FormColumns<'a> {
    pub(super) fn of(form: &'a Stored) -> Self {
        let none = Self { password: None, sealed: None, wrapped: None };
        match form {
            Stored::Sealed(seal) => Self { sealed: Some(seal.as_bytes()), ..none },
            Stored::Hash(hash) => Self { password: Some(hash.as_str()), ..none },
            Stored::Wrapped(wrapped) => Self { wrapped: Some(wrapped.as_str()), ..none },
        }
    }
}

/// A form in the single column `before`: a seal is a BLOB, a hash begins with `$`, and a wrapped
/// cryptpass has a space before its hash.
pub(super) fn before_column(form: Option<&Stored>) -> ToSqlOutput<'_> {
    match form {
        None => ToSqlOutput::Owned(Value::Null),
        Some(Stored::Sealed(seal)) => ToSqlOutput::Borrowed(ValueRef::Blob(seal.as_bytes())),
        Some(Stored::Hash(hash)) => ToSqlOutput::Borrowed(ValueRef::Text(hash.as_str().as_bytes())),
        Some(Stored::Wrapped(wrapped)) => {
            ToSqlOutput::Borrowed(ValueRef::Text(wrapped.as_str().as_bytes()))
        }
    }
}

fn read_before(row: &Row<'_>, index: usize) -> Result<Option<Stored>, Fault> {
    Ok(match row.get_ref(index)? {
        ValueRef::Null => None,
        ValueRef::Blob(bytes) => Some(Stored::Sealed(Seal::from_bytes(bytes.to_vec()))),
        text @ ValueRef::Text(_) => {
            let text = text.as_str().map_err(rusqlite::Error::from)?.to_owned();
            let wrapped = text.contains(' ');
            Some(if wrapped {
                Stored::Wrapped(Wrapped::from_text(text))
            } else {
                Stored::Hash(Hash::from_text(text))
            })
        }
        ValueRef::Integer(_) | ValueRef::Real(_) => {
            return Err(Fault::BadRow("before is a number".into()));
        }
    })
}

/// The one form of the three columns at these indexes; `None` if all are NULL.
pub(super) fn read_form(
    row: &Row<'_>,
    password: usize,
    sealed: usize,
    wrapped: usize,
) -> Result<Option<Stored>, Fault> {
    if let Some(seal) = row.get::<_, Option<Vec<u8>>>(sealed)? {
        return Ok(Some(Stored::Sealed(Seal::from_bytes(seal))));
    }
    if let Some(hash) = row.get::<_, Option<String>>(password)? {
        return Ok(Some(Stored::Hash(Hash::from_text(hash))));
    }
    Ok(row.get::<_, Option<String>>(wrapped)?.map(|text| Stored::Wrapped(Wrapped::from_text(text))))
}

/// A kept cryptpass had a known form when it was written.
pub(super) fn read_cryptpass(row: &Row<'_>, index: usize) -> Result<Option<Cryptpass>, Fault> {
    let Some(text) = row.get::<_, Option<String>>(index)? else { return Ok(None) };
    Cryptpass::of_any_form(&text)
        .map(Some)
        .ok_or_else(|| Fault::BadRow("cryptpass is of no known form".into()))
}

pub(super) fn read_session(row: &Row<'_>, index: usize) -> Result<Option<SessionHash>, Fault> {
    Ok(row.get::<_, Option<[u8; 32]>>(index)?.map(SessionHash))
}

/// siteid and memberid of a row.
pub(super) fn read_key(row: &Row<'_>, site: usize, member: usize) -> Result<Key, Fault> {
    let text = |index| row.get::<_, i64>(index).map(|number| number.to_string());
    let key = (SiteId::parse(&text(site)?), MemberId::parse(&text(member)?));
    match key {
        (Some(site), Some(member)) => Ok(Key { site, member }),
        _ => Err(Fault::BadRow("siteid or memberid is below 1".into())),
    }
}

pub(super) fn read_username(row: &Row<'_>, index: usize) -> Result<Username, Fault> {
    let text: String = row.get(index)?;
    Username::typed(&text).ok_or_else(|| {
        Fault::BadRow("username is empty, too long or has control characters".into())
    })
}

/// A row of member_auth: [`MEMBER_COLUMNS`], [`HERE_COLUMNS`].
pub(super) fn read_here(row: &Row<'_>) -> Result<Member, Fault> {
    let folded = row.get_ref(const { here("username_folded") })?;
    Ok(Member {
        expire_at: row.get(const { here("expire_at") })?,
        holds_folded: !matches!(folded, ValueRef::Null),
        ..read_member(row, const { here("login_version") })?
    })
}

/// The columns of both tables: [`MEMBER_COLUMNS`], and login_version at its place.
fn read_member(row: &Row<'_>, login_version: usize) -> Result<Member, Fault> {
    let stored = read_form(
        row,
        const { member("password") },
        const { member("sealed") },
        const { member("cryptpass_wrapped") },
    )?;
    let credential = Credential {
        stored: stored.ok_or_else(no_credential)?,
        cryptpass: read_cryptpass(row, const { member("cryptpass") })?,
    };
    Ok(Member {
        key: read_key(row, const { member("siteid") }, const { member("memberid") })?,
        username: read_username(row, const { member("username") })?,
        holds_folded: false,
        credential,
        before: read_before(row, const { member("before") })?,
        email: row.get(const { member("email") })?,
        trial: row.get(const { member("trial") })?,
        biller: row.get(const { member("biller") })?,
        session: read_session(row, const { member("session_sha256") })?,
        joined: row.get(const { member("joined") })?,
        expires: row.get(const { member("expires") })?,
        expire_at: None,
        stamp: row.get(const { member("stamp") })?,
        login_version: row.get(login_version)?,
    })
}

/// A row that was selected as [`LOGIN_COLUMNS`].
pub(super) fn read_login(row: &Row<'_>) -> Result<LoginRow, Fault> {
    let stored = read_form(
        row,
        const { login("password") },
        const { login("sealed") },
        const { login("cryptpass_wrapped") },
    )?;
    Ok(LoginRow {
        key: read_key(row, const { login("siteid") }, const { login("memberid") })?,
        username: read_username(row, const { login("username") })?,
        trial: row.get(const { login("trial") })?,
        login_version: row.get(const { login("login_version") })?,
        stored: stored.ok_or_else(no_credential)?,
        is_uncompared: row.get_ref(const { login("before") })? != ValueRef::Null,
    })
}

fn no_credential() -> Fault {
    Fault::BadRow("a member without a credential".into())
}

/// A row of former_member: [`MEMBER_COLUMNS`], [`FORMER_COLUMNS`].
pub(super) fn read_former(row: &Row<'_>) -> Result<Former, Fault> {
    Ok(Former {
        member: read_member(row, const { former("login_version") })?,
        reason: read_reason(row, const { former("reason") })?,
        ended_at: row.get(const { former("ended_at") })?,
    })
}

/// The word in `reason`.
pub(super) fn read_reason(row: &Row<'_>, index: usize) -> Result<Reason, Fault> {
    let word: String = row.get(index)?;
    [Reason::Deleted, Reason::Expired]
        .into_iter()
        .find(|reason| reason.as_str() == word)
        .ok_or_else(|| Fault::BadRow(format!("reason is \"{word}\"")))
}

/// The memberid in a column.
pub(super) fn member_id(number: i64) -> Option<MemberId> {
    MemberId::parse(&number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_the_place_at_which_it_is_listed() {
        let lists = [
            (MEMBER_COLUMNS, 0),
            (HERE_COLUMNS, member("stamp") + 1),
            (FORMER_COLUMNS, member("stamp") + 1),
            (LOGIN_COLUMNS, 0),
        ];
        for (list, first) in lists {
            for (index, column) in list.split(", ").enumerate() {
                assert_eq!(place(list, column), index, "{column}");
                let found = match first {
                    0 => continue,
                    _ if list == HERE_COLUMNS => here(column),
                    _ => former(column),
                };
                assert_eq!(found, first + index, "{column}");
            }
        }
    }
}
