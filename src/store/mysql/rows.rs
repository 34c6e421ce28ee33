//! Rows to values and back: the columns of the tables of members, named once.

use mysql::prelude::FromValue;
use mysql::{Row, Value};

use crate::identity::{Key, MemberId, SessionHash, SiteId, Username};
use crate::member::{Credential, Former, Member, Reason};
use crate::password::{Cryptpass, Hash, Seal, Stored, Wrapped};
use crate::store::columns::place;
use crate::store::{Fault, LoginRow};

/// The columns that both tables of members share, in the order in which they are bound and read.
pub(super) const MEMBER_COLUMNS: &str = "siteid, memberid, username_sent, password, cryptpass, \
     email, trial, biller, session_sha256, joined, expires, sealed, cryptpass_wrapped, \
     before_form, before_sealed, stamp, login_version";

/// The columns that a login check reads, in their order.
pub(super) const LOGIN_COLUMNS: &str = "siteid, memberid, username_sent, trial, \
     login_version, password, sealed, cryptpass_wrapped, before_form, before_sealed";

/// The number of columns that a login check reads.
pub(super) const LOGIN_COUNT: usize = place(LOGIN_COLUMNS, "before_sealed") + 1;

/// The columns of member_auth after [`MEMBER_COLUMNS`], for [`read_here`].
pub(super) const HERE_COLUMNS: &str = "username_key, expire_at";

/// The columns of former_member after [`MEMBER_COLUMNS`], for [`read_former`].
pub(super) const FORMER_COLUMNS: &str = "username_key, reason, ended_at";

/// The number of columns that both tables share.
const MEMBER_COUNT: usize = place(MEMBER_COLUMNS, "login_version") + 1;

const fn member(column: &str) -> usize {
    place(MEMBER_COLUMNS, column)
}

/// The place of a column behind those that both tables share.
const fn here(column: &str) -> usize {
    MEMBER_COUNT + place(HERE_COLUMNS, column)
}

const fn former(column: &str) -> usize {
    MEMBER_COUNT + place(FORMER_COLUMNS, column)
}

const fn login(column: &str) -> usize {
    place(LOGIN_COLUMNS, column)
}

/// The first byte of the key of a member who does not hold the folded form of the name.
const UNFOLDED: u8 = 0;

/// The key under which the holder of a name is found.
pub(super) fn folded_key(name: &Username) -> Vec<u8> {
    name.folded().as_bytes().to_vec()
}

/// The key under which a member is found who has exactly this name, but for the case of ASCII
/// letters, without holding its folded form.
pub(super) fn unfolded_key(name: &str) -> Vec<u8> {
    [&[UNFOLDED], name.to_ascii_lowercase().as_bytes()].concat()
}

/// Whether a key is one of a holder.
pub(super) fn is_folded_key(key: &[u8]) -> bool {
    key.first() != Some(&UNFOLDED)
}

/// siteid and memberid as they are bound.
pub(super) fn key_values(key: Key) -> Vec<Value> {
    vec![key.site.get().into(), key.member.get().into()]
}

fn text(value: Option<&str>) -> Value {
    value.map_or(Value::NULL, |value| Value::Bytes(value.as_bytes().to_vec()))
}

fn bytes(value: Option<&[u8]>) -> Value {
    value.map_or(Value::NULL, |value| Value::Bytes(value.to_vec()))
}

/// A form in the columns password, sealed and cryptpass_wrapped.
pub(super) fn form_values(form: Option<&Stored>) -> [Value; 3] {
    let none = Value::NULL;
    match form {
        None => [none.clone(), none.clone(), none],
        Some(Stored::Hash(hash)) => [text(Some(hash.as_str())), none.clone(), none],
        Some(Stored::Sealed(seal)) => [none.clone(), bytes(Some(seal.as_bytes())), none],
        Some(Stored::Wrapped(wrapped)) => [none.clone(), none, text(Some(wrapped.as_str()))],
    }
}

/// A form in the columns before_form and before_sealed.
pub(super) fn before_values(form: Option<&Stored>) -> [Value; 2] {
    let [password, sealed, wrapped] = form_values(form);
    [if password == Value::NULL { wrapped } else { password }, sealed]
}

/// The columns that both tables share.
fn member_values(row: &Member) -> Vec<Value> {
    let [password, sealed, wrapped] = form_values(Some(&row.credential.stored));
    let [before_form, before_sealed] = before_values(row.before.as_ref());
    vec![
        row.key.site.get().into(),
        row.key.member.get().into(),
        text(Some(row.username.as_str())),
        password,
        text(row.credential.cryptpass.as_ref().map(|kept| kept.expose())),
        text(row.email.as_deref()),
        row.trial.into(),
        text(row.biller.as_deref()),
        bytes(row.session.as_ref().map(|hash| &hash.0[..])),
        row.joined.into(),
        row.expires.into(),
        sealed,
        wrapped,
        before_form,
        before_sealed,
        row.stamp.into(),
        row.login_version.into(),
    ]
}

/// A row of member_auth: the shared columns, username_key, expire_at, username.
pub(super) fn here_values(row: &Member) -> Vec<Value> {
    let name = row.username.as_str();
    let key = if row.holds_folded { folded_key(&row.username) } else { unfolded_key(name) };
    let mut values = member_values(row);
    values.extend([
        Value::Bytes(key),
        row.expire_at.into(),
        text(Some(name).filter(|name| name.is_ascii())),
    ]);
    values
}

/// A row of former_member: the shared columns, username_key, reason, ended_at.
pub(super) fn former_values(former: &Former) -> Vec<Value> {
    let mut values = member_values(&former.member);
    values.extend([
        Value::Bytes(folded_key(&former.member.username)),
        text(Some(former.reason.as_str())),
        former.ended_at.into(),
    ]);
    values
}

/// A value of a row.
pub(super) fn get<T: FromValue>(row: &mut Row, index: usize) -> Result<T, Fault> {
    match row.take_opt(index) {
        Some(Ok(value)) => Ok(value),
        Some(Err(_)) => {
            Err(Fault::BadRow(format!("column {index} has a value of another type than expected")))
        }
        None => Err(Fault::BadRow(format!("column {index} is missing"))),
    }
}

/// siteid and memberid at these indexes.
pub(super) fn read_key(row: &mut Row, site: usize, member: usize) -> Result<Key, Fault> {
    let (site, member): (i64, i64) = (get(row, site)?, get(row, member)?);
    match (SiteId::parse(&site.to_string()), MemberId::parse(&member.to_string())) {
        (Some(site), Some(member)) => Ok(Key { site, member }),
        _ => Err(Fault::BadRow("siteid or memberid is below 1".into())),
    }
}

pub(super) fn read_username(row: &mut Row, index: usize) -> Result<Username, Fault> {
    let text: String = get(row, index)?;
    Username::typed(&text).ok_or_else(|| {
        Fault::BadRow("username is empty, too long or has control characters".into())
    })
}

/// The one form of the three columns at these indexes; `None` if all are NULL.
pub(super) fn read_form(
    row: &mut Row,
    password: usize,
    sealed: usize,
    wrapped: usize,
) -> Result<Option<Stored>, Fault> {
    if let Some(seal) = get::<Option<Vec<u8>>>(row, sealed)? {
        return Ok(Some(Stored::Sealed(Seal::from_bytes(seal))));
    }
    if let Some(hash) = get::<Option<String>>(row, password)? {
        return Ok(Some(Stored::Hash(Hash::from_text(hash))));
    }
    Ok(get::<Option<String>>(row, wrapped)?.map(|text| Stored::Wrapped(Wrapped::from_text(text))))
}

/// A wrapped cryptpass has a space before its hash.
fn read_before(row: &mut Row) -> Result<Option<Stored>, Fault> {
    if let Some(seal) = get::<Option<Vec<u8>>>(row, const { member("before_sealed") })? {
        return Ok(Some(Stored::Sealed(Seal::from_bytes(seal))));
    }
    Ok(get::<Option<String>>(row, const { member("before_form") })?.map(|text| {
        if text.contains(' ') {
            Stored::Wrapped(Wrapped::from_text(text))
        } else {
            Stored::Hash(Hash::from_text(text))
        }
    }))
}

/// A kept cryptpass had a known form when it was written.
pub(super) fn read_cryptpass(row: &mut Row, index: usize) -> Result<Option<Cryptpass>, Fault> {
    let Some(text) = get::<Option<String>>(row, index)? else { return Ok(None) };
    Cryptpass::of_any_form(&text)
        .map(Some)
        .ok_or_else(|| Fault::BadRow("cryptpass is of no known form".into()))
}

pub(super) fn read_session(row: &mut Row, index: usize) -> Result<Option<SessionHash>, Fault> {
    let Some(bytes) = get::<Option<Vec<u8>>>(row, index)? else { return Ok(None) };
    let hash = bytes.try_into().map_err(|_| Fault::BadRow("session_sha256 has no 32 bytes".into()));
    hash.map(|hash| Some(SessionHash(hash)))
}

/// 16 bytes at this index.
pub(super) fn read_id(row: &mut Row, index: usize) -> Result<[u8; 16], Fault> {
    let bytes: Vec<u8> = get(row, index)?;
    bytes.try_into().map_err(|_| Fault::BadRow("an id has no 16 bytes".into()))
}

fn read_member(row: &mut Row) -> Result<Member, Fault> {
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
        username: read_username(row, const { member("username_sent") })?,
        holds_folded: false,
        credential,
        before: read_before(row)?,
        email: get(row, const { member("email") })?,
        trial: get(row, const { member("trial") })?,
        biller: get(row, const { member("biller") })?,
        session: read_session(row, const { member("session_sha256") })?,
        joined: get(row, const { member("joined") })?,
        expires: get(row, const { member("expires") })?,
        expire_at: None,
        stamp: get(row, const { member("stamp") })?,
        login_version: get(row, const { member("login_version") })?,
    })
}

/// A row of member_auth that was selected as [`MEMBER_COLUMNS`] and [`HERE_COLUMNS`].
pub(super) fn read_here(row: &mut Row) -> Result<Member, Fault> {
    let key: Vec<u8> = get(row, const { here("username_key") })?;
    let expire_at = get(row, const { here("expire_at") })?;
    Ok(Member { expire_at, holds_folded: is_folded_key(&key), ..read_member(row)? })
}

/// A row of former_member that was selected as [`MEMBER_COLUMNS`] and [`FORMER_COLUMNS`].
pub(super) fn read_former(row: &mut Row) -> Result<Former, Fault> {
    Ok(Former {
        reason: read_reason(row, const { former("reason") })?,
        ended_at: get(row, const { former("ended_at") })?,
        member: read_member(row)?,
    })
}

/// The word in `reason`.
pub(super) fn read_reason(row: &mut Row, index: usize) -> Result<Reason, Fault> {
    let word: String = get(row, index)?;
    let reason = [Reason::Deleted, Reason::Expired].into_iter().find(|it| it.as_str() == word);
    reason.ok_or_else(|| Fault::BadRow(format!("reason is \"{word}\"")))
}

/// A row that was selected as [`LOGIN_COLUMNS`].
pub(super) fn read_login(row: &mut Row) -> Result<LoginRow, Fault> {
    let stored = read_form(
        row,
        const { login("password") },
        const { login("sealed") },
        const { login("cryptpass_wrapped") },
    )?;
    Ok(LoginRow {
        key: read_key(row, const { login("siteid") }, const { login("memberid") })?,
        username: read_username(row, const { login("username_sent") })?,
        trial: get(row, const { login("trial") })?,
        login_version: get(row, const { login("login_version") })?,
        stored: stored.ok_or_else(no_credential)?,
        is_uncompared: is_given(row, const { login("before_form") })
            || is_given(row, const { login("before_sealed") }),
    })
}

fn is_given(row: &Row, index: usize) -> bool {
    row.as_ref(index).is_some_and(|value| *value != Value::NULL)
}

fn no_credential() -> Fault {
    Fault::BadRow("a member without a credential".into())
}
