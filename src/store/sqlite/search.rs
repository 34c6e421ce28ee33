//! Searches members and former members by the beginning of a name or an e-mail address, for the
//! console.
//!
//! Each query first takes keys from an index, at most as many as are wanted, and reads only their
//! rows: an index has the siteid and the memberid, but not the other columns. Addresses may have no
//! index ([`super::email_index`]). Then all rows are read until enough are found, in no order.

use rusqlite::types::ToSql;
use rusqlite::{Row, params};

use super::reader::Reader;
use super::rows::{read_key, read_reason, read_username};
use crate::identity::SiteId;
use crate::store::bounds::UNFOLDED_MAX;
use crate::store::found::{first_of, range_end};
use crate::store::{Fault, FoundMember, FoundState, SearchBy, if_readable};
use crate::unicode::folded;

const BY_NAME: &str = "SELECT m.siteid, m.memberid, username, trial, email, expire_at FROM
         (SELECT siteid, memberid FROM member_auth
          WHERE username_folded >= ?1 AND username_folded < ?2 AND (?3 IS NULL OR siteid = ?3)
          ORDER BY username_folded, siteid LIMIT ?4) AS s
     CROSS JOIN member_auth AS m ON m.siteid = s.siteid AND m.memberid = s.memberid";

/// Those whose name has no folded form. Any of them may have the beginning in its folded form.
const WITHOUT_FOLDED: &str = "SELECT siteid, memberid, username, trial, email, expire_at
     FROM member_auth INDEXED BY member_auth_unfolded
     WHERE username_folded IS NULL AND (?1 IS NULL OR siteid = ?1) LIMIT ?2";

const FORMER_BY_NAME: &str = "SELECT m.siteid, m.memberid, username, trial, email, reason, ended_at
     FROM (SELECT siteid, memberid FROM former_member
          WHERE username >= ?1 AND username < ?2 AND (?3 IS NULL OR siteid = ?3)
          ORDER BY username, siteid LIMIT ?4) AS s
     CROSS JOIN former_member AS m ON m.siteid = s.siteid AND m.memberid = s.memberid";

const BY_EMAIL: &str = "SELECT m.siteid, m.memberid, username, trial, email, expire_at FROM
         (SELECT siteid, memberid FROM member_auth
          WHERE email COLLATE NOCASE >= ?1 AND email COLLATE NOCASE < ?2 AND email IS NOT NULL
              AND (?3 IS NULL OR siteid = ?3)
          LIMIT ?4) AS s
     CROSS JOIN member_auth AS m ON m.siteid = s.siteid AND m.memberid = s.memberid";

const FORMER_BY_EMAIL: &str =
    "SELECT m.siteid, m.memberid, username, trial, email, reason, ended_at
     FROM (SELECT siteid, memberid FROM former_member
          WHERE email COLLATE NOCASE >= ?1 AND email COLLATE NOCASE < ?2 AND email IS NOT NULL
              AND (?3 IS NULL OR siteid = ?3)
          LIMIT ?4) AS s
     CROSS JOIN former_member AS m ON m.siteid = s.siteid AND m.memberid = s.memberid";

impl Reader {
    /// See [`crate::store::Read::search`].
    pub(super) fn search_members(
        &self,
        by: SearchBy<'_>,
        site: Option<SiteId>,
        now: i64,
        most: u32,
    ) -> Result<Vec<FoundMember>, Fault> {
        let site = site.map(SiteId::get);
        let mut found = Vec::new();
        match by {
            SearchBy::Name(beginning) => {
                let form = folded(beginning);
                if form.is_empty() {
                    return Ok(found);
                }
                let range = params![form, range_end(&form), site, most];
                self.add(&mut found, BY_NAME, range, read_here)?;
                self.add(&mut found, FORMER_BY_NAME, range, read_former)?;
                if beginning != form {
                    let range = params![beginning, range_end(beginning), site, most];
                    self.add(&mut found, FORMER_BY_NAME, range, read_former)?;
                }
                let first = found.len();
                self.add(&mut found, WITHOUT_FOLDED, params![site, UNFOLDED_MAX], read_here)?;
                let unfolded = found.split_off(first).into_iter();
                found.extend(
                    unfolded.filter(|row| folded(row.username.as_str()).starts_with(&form)),
                );
            }
            SearchBy::Email(beginning) => {
                let range = params![beginning, range_end(beginning), site, most];
                self.add(&mut found, BY_EMAIL, range, read_here)?;
                self.add(&mut found, FORMER_BY_EMAIL, range, read_former)?;
            }
        }
        Ok(first_of(found.into_iter().map(|found| found.at(now)).collect(), most))
    }

    /// Adds the rows of a query. A row that cannot be read does not hide the others.
    fn add(
        &self,
        found: &mut Vec<FoundMember>,
        sql: &str,
        values: &[&dyn ToSql],
        read: fn(&Row<'_>) -> Result<FoundMember, Fault>,
    ) -> Result<(), Fault> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            found.extend(if_readable(read(row))?.ok());
        }
        Ok(())
    }
}

/// A row of `siteid, memberid, username, trial, email, expire_at`.
fn read_here(row: &Row<'_>) -> Result<FoundMember, Fault> {
    read_found(row, FoundState::Here(row.get(5)?))
}

/// A row of `siteid, memberid, username, trial, email, reason, ended_at`.
fn read_former(row: &Row<'_>) -> Result<FoundMember, Fault> {
    read_found(row, FoundState::Former(read_reason(row, 5)?, row.get(6)?))
}

fn read_found(row: &Row<'_>, state: FoundState) -> Result<FoundMember, Fault> {
    Ok(FoundMember {
        key: read_key(row, 0, 1)?,
        username: read_username(row, 2)?,
        trial: row.get(3)?,
        email: row.get(4)?,
        state,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::{email_index, upgrade};
    use super::*;

    #[test]
    fn each_search_takes_its_keys_from_an_index_alone() {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade::run(&mut conn, None).unwrap();
        email_index::set(&conn, true).unwrap();
        for (sql, index) in [
            (BY_NAME, "member_auth USING COVERING INDEX member_auth_username_folded"),
            (FORMER_BY_NAME, "former_member USING COVERING INDEX former_member_username"),
            (BY_EMAIL, "member_auth USING COVERING INDEX member_auth_email"),
            (FORMER_BY_EMAIL, "former_member USING COVERING INDEX former_member_email"),
        ] {
            let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let mut steps = plan.raw_query();
            let mut said = Vec::new();
            while let Some(step) = steps.next().unwrap() {
                said.push(step.get::<_, String>("detail").unwrap());
            }
            let search = format!("SEARCH {index} (");
            assert!(said.iter().any(|step| step.starts_with(&search)), "{sql}: {said:#?}");
            assert!(!said.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {said:#?}");
        }
    }

    #[test]
    fn without_an_index_a_search_for_addresses_sorts_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade::run(&mut conn, None).unwrap();
        for sql in [BY_EMAIL, FORMER_BY_EMAIL] {
            let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let mut steps = plan.raw_query();
            while let Some(step) = steps.next().unwrap() {
                let step = step.get::<_, String>("detail").unwrap();
                assert!(!step.contains("TEMP B-TREE"), "{sql}: {step}");
            }
        }
    }
}
