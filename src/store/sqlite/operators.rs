//! Operators of the console and their logins, as rows.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::reader::Reader;
use crate::operator::{
    OPERATOR_SESSIONS_MAX, Operator, OperatorName, OperatorSession, PasswordDigest, Role,
    TokenDigest,
};
use crate::password::Hash;
use crate::store::Fault;
use crate::store::bounds::PAGE_ROWS;

/// A row of `name, role, password_hash, created_at, changed_at`.
pub(super) fn read_operator(row: &Row<'_>) -> Result<Operator, Fault> {
    let (name, role, hash): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let unreadable = || Fault::BadRow("operator: a bad name or role".into());
    Ok(Operator {
        name: OperatorName::parse(&name).ok_or_else(unreadable)?,
        role: Role::parse(&role).ok_or_else(unreadable)?,
        hash: Hash::from_text(hash),
        created_at: row.get(3)?,
        changed_at: row.get(4)?,
    })
}

/// See [`crate::store::Engine::add_operator`].
pub(super) fn add(conn: &Connection, operator: &Operator) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO operator (name, role, password_hash, created_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        operator.name.as_str(),
        operator.role.as_str(),
        operator.hash.as_str(),
        operator.created_at,
        operator.changed_at
    ])?;
    Ok(())
}

/// See [`crate::store::Engine::set_operator_password`].
pub(super) fn set_password(
    conn: &Connection,
    name: &OperatorName,
    hash: &Hash,
    now: i64,
) -> Result<bool, Fault> {
    end_all(conn, name)?;
    let update = "UPDATE operator SET password_hash = ?2, changed_at = ?3 WHERE name = ?1";
    let changed =
        conn.prepare_cached(update)?.execute(params![name.as_str(), hash.as_str(), now])?;
    Ok(changed > 0)
}

/// See [`crate::store::Engine::remove_operator`].
pub(super) fn remove(conn: &Connection, name: &OperatorName) -> Result<bool, Fault> {
    end_all(conn, name)?;
    let delete = "DELETE FROM operator WHERE name = ?1";
    Ok(conn.prepare_cached(delete)?.execute([name.as_str()])? > 0)
}

fn end_all(conn: &Connection, name: &OperatorName) -> Result<(), Fault> {
    let delete = "DELETE FROM operator_session WHERE name = ?1";
    conn.prepare_cached(delete)?.execute([name.as_str()])?;
    Ok(())
}

/// See [`crate::store::Note::OperatorLogin`].
pub(super) fn begin_session(conn: &Connection, session: &OperatorSession) -> Result<(), Fault> {
    let OperatorSession { token, name, password, began_at, ends_at } = session;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO operator_session
             (token_sha256, name, password_sha256, began_at, ends_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![token.0, name.as_str(), password.0, began_at, ends_at])?;
    conn.prepare_cached(
        "DELETE FROM operator_session WHERE token_sha256 IN
             (SELECT token_sha256 FROM operator_session WHERE name = ?1
             ORDER BY began_at DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![name.as_str(), OPERATOR_SESSIONS_MAX])?;
    Ok(())
}

/// See [`crate::store::Note::OperatorLogout`].
pub(super) fn end_session(conn: &Connection, token: &TokenDigest) -> Result<(), Fault> {
    let delete = "DELETE FROM operator_session WHERE token_sha256 = ?1";
    conn.prepare_cached(delete)?.execute([token.0])?;
    Ok(())
}

/// Removes sessions that ended at or before `now`, at most `most`. Returns how many.
pub(super) fn forget_sessions(conn: &Connection, now: i64, most: i64) -> Result<usize, Fault> {
    let delete = "DELETE FROM operator_session WHERE token_sha256 IN
         (SELECT token_sha256 FROM operator_session WHERE ends_at <= ?1 LIMIT ?2)";
    Ok(conn.prepare_cached(delete)?.execute([now, most])?)
}

impl Reader {
    /// See [`crate::store::Read::operators`].
    pub(super) fn select_operators(&self) -> Result<Vec<Operator>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT name, role, password_hash, created_at, changed_at FROM operator
             ORDER BY name LIMIT {PAGE_ROWS}"
        ))?;
        let (mut rows, mut all) = (statement.query([])?, Vec::new());
        while let Some(row) = rows.next()? {
            all.push(read_operator(row)?);
        }
        Ok(all)
    }

    /// See [`crate::store::Read::operator`].
    pub(super) fn operator_named(&self, name: &OperatorName) -> Result<Option<Operator>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT name, role, password_hash, created_at, changed_at FROM operator
             WHERE name = ?1",
        )?;
        let mut rows = statement.query([name.as_str()])?;
        rows.next()?.map(read_operator).transpose()
    }

    /// See [`crate::store::Read::operator_session`].
    pub(super) fn session_of(
        &self,
        token: &TokenDigest,
        now: i64,
    ) -> Result<Option<Operator>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT name, password_sha256 FROM operator_session
             WHERE token_sha256 = ?1 AND ends_at > ?2",
        )?;
        let found = statement.query_row(params![token.0, now], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, [u8; 32]>(1)?))
        });
        let Some((name, password)) = found.optional()? else { return Ok(None) };
        let Some(name) = OperatorName::parse(&name) else { return Ok(None) };
        let operator = self.operator_named(&name)?;
        let password = PasswordDigest(password);
        Ok(operator.filter(|operator| PasswordDigest::of(&operator.hash) == password))
    }
}
