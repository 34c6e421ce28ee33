//! Operators of the console and their logins, as rows.

use mysql::{Row, Value};

use super::connection::Connection;
use super::reader::Reader;
use super::rows::get;
use crate::operator::{
    OPERATOR_SESSIONS_MAX, Operator, OperatorName, OperatorSession, PasswordDigest, Role,
    TokenDigest,
};
use crate::password::Hash;
use crate::store::Fault;
use crate::store::bounds::PAGE_ROWS;

/// The columns of an operator, in the order in which they are bound and read.
pub(super) const OPERATOR_COLUMNS: &str = "name, role, password_hash, created_at, changed_at";

static ALL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    format!("SELECT {OPERATOR_COLUMNS} FROM operator ORDER BY name LIMIT {PAGE_ROWS}")
});

/// A row of [`OPERATOR_COLUMNS`].
pub(super) fn read_operator(row: &mut Row) -> Result<Operator, Fault> {
    let (name, role, hash): (String, String, String) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
    let unreadable = || Fault::BadRow("operator: a bad name or role".into());
    Ok(Operator {
        name: OperatorName::parse(&name).ok_or_else(unreadable)?,
        role: Role::parse(&role).ok_or_else(unreadable)?,
        hash: Hash::from_text(hash),
        created_at: get(row, 3)?,
        changed_at: get(row, 4)?,
    })
}

/// The values of [`OPERATOR_COLUMNS`].
pub(super) fn operator_values(operator: &Operator) -> Vec<Value> {
    vec![
        operator.name.as_str().into(),
        operator.role.as_str().into(),
        operator.hash.as_str().into(),
        operator.created_at.into(),
        operator.changed_at.into(),
    ]
}

/// See [`crate::store::Engine::add_operator`].
pub(super) fn add(connection: &mut Connection, operator: &Operator) -> Result<(), Fault> {
    let insert = "INSERT INTO operator (name, role, password_hash, created_at, changed_at)
         VALUES (?, ?, ?, ?, ?)";
    connection.run(insert, operator_values(operator)).map(|_| ())
}

/// See [`crate::store::Engine::set_operator_password`].
pub(super) fn set_password(
    connection: &mut Connection,
    name: &OperatorName,
    hash: &Hash,
    now: i64,
) -> Result<bool, Fault> {
    end_all(connection, name)?;
    let update = "UPDATE operator SET password_hash = ?, changed_at = ? WHERE name = ?";
    let values = vec![hash.as_str().into(), now.into(), name.as_str().into()];
    Ok(connection.run(update, values)? > 0)
}

/// See [`crate::store::Engine::remove_operator`].
pub(super) fn remove(connection: &mut Connection, name: &OperatorName) -> Result<bool, Fault> {
    end_all(connection, name)?;
    Ok(connection.run("DELETE FROM operator WHERE name = ?", vec![name.as_str().into()])? > 0)
}

fn end_all(connection: &mut Connection, name: &OperatorName) -> Result<(), Fault> {
    let delete = "DELETE FROM operator_session WHERE name = ?";
    connection.run(delete, vec![name.as_str().into()]).map(|_| ())
}

/// See [`crate::store::Note::OperatorLogin`].
pub(super) fn begin_session(
    connection: &mut Connection,
    session: &OperatorSession,
) -> Result<(), Fault> {
    let OperatorSession { token, name, password, began_at, ends_at } = session;
    connection.run(
        "REPLACE INTO operator_session (token_sha256, name, password_sha256, began_at, ends_at)
         VALUES (?, ?, ?, ?, ?)",
        vec![
            Value::Bytes(token.0.to_vec()),
            name.as_str().into(),
            Value::Bytes(password.0.to_vec()),
            (*began_at).into(),
            (*ends_at).into(),
        ],
    )?;
    let count = "SELECT COUNT(*) FROM operator_session WHERE name = ?";
    let Some(mut row) = connection.first(count, vec![name.as_str().into()])? else {
        return Ok(());
    };
    let over = get::<u64>(&mut row, 0)?.saturating_sub(OPERATOR_SESSIONS_MAX.into());
    if over > 0 {
        let delete = "DELETE FROM operator_session WHERE name = ? ORDER BY began_at LIMIT ?";
        connection.run(delete, vec![name.as_str().into(), over.into()])?;
    }
    Ok(())
}

/// See [`crate::store::Note::OperatorLogout`].
pub(super) fn end_session(connection: &mut Connection, token: &TokenDigest) -> Result<(), Fault> {
    let delete = "DELETE FROM operator_session WHERE token_sha256 = ?";
    connection.run(delete, vec![Value::Bytes(token.0.to_vec())]).map(|_| ())
}

/// Removes sessions that ended at or before `now`, at most `most`. Returns how many.
pub(super) fn forget_sessions(
    connection: &mut Connection,
    now: i64,
    most: u64,
) -> Result<u64, Fault> {
    let delete = "DELETE FROM operator_session WHERE ends_at <= ? LIMIT ?";
    connection.run(delete, vec![now.into(), most.into()])
}

impl Reader {
    /// See [`crate::store::Read::operators`].
    pub(super) fn select_operators(&self) -> Result<Vec<Operator>, Fault> {
        self.rows(&ALL, Vec::new())?.iter_mut().map(read_operator).collect()
    }

    /// See [`crate::store::Read::operator`].
    pub(super) fn operator_named(&self, name: &OperatorName) -> Result<Option<Operator>, Fault> {
        let select = "SELECT name, role, password_hash, created_at, changed_at FROM operator
             WHERE name = ?";
        let found = self.first(select, vec![name.as_str().into()])?;
        found.map(|mut row| read_operator(&mut row)).transpose()
    }

    /// See [`crate::store::Read::operator_session`].
    pub(super) fn session_of(
        &self,
        token: &TokenDigest,
        now: i64,
    ) -> Result<Option<Operator>, Fault> {
        let select = "SELECT o.name, o.role, o.password_hash, o.created_at, o.changed_at,
                 s.password_sha256
             FROM operator_session AS s JOIN operator AS o ON o.name = s.name
             WHERE s.token_sha256 = ? AND s.ends_at > ?";
        let found = self.first(select, vec![Value::Bytes(token.0.to_vec()), now.into()])?;
        let Some(mut row) = found else { return Ok(None) };
        let password: Vec<u8> = get(&mut row, 5)?;
        let operator = read_operator(&mut row)?;
        let digest = PasswordDigest::of(&operator.hash);
        Ok((digest.0[..] == password[..]).then_some(operator))
    }
}
