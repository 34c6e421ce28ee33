//! Searches members and former members by the beginning of a name or an e-mail address, for the
//! console. Each query first takes keys from an index, at most as many as are wanted.

use mysql::{Row, Value};

use super::reader::Reader;
use super::rows::{get, read_key, read_reason, read_username};
use crate::identity::SiteId;
use crate::store::bounds::UNFOLDED_MAX;
use crate::store::found::first_of;
use crate::store::{Fault, FoundMember, FoundState, SearchBy, if_readable};
use crate::unicode::folded;

/// Behind each text of UTF-8 that begins with the bytes before it.
const AFTER_TEXT: u8 = 0xFF;

const BY_NAME: &str =
    "SELECT STRAIGHT_JOIN m.siteid, m.memberid, m.username_sent, m.trial, m.email, m.expire_at FROM
         (SELECT siteid, memberid FROM member_auth
          WHERE username_key >= ? AND username_key < ? AND siteid BETWEEN ? AND ?
          ORDER BY username_key, siteid LIMIT ?) AS s
     JOIN member_auth AS m ON m.siteid = s.siteid AND m.memberid = s.memberid";

/// Those whose name has no folded form. Any of them may have the beginning in its folded form.
const WITHOUT_FOLDED: &str =
    "SELECT siteid, memberid, username_sent, trial, email, expire_at FROM member_auth
     WHERE username_key < 0x01 AND siteid BETWEEN ? AND ? LIMIT ?";

const FORMER_BY_NAME: &str =
    "SELECT STRAIGHT_JOIN m.siteid, m.memberid, m.username_sent, m.trial, m.email, m.reason,
         m.ended_at FROM
         (SELECT siteid, memberid FROM former_member
          WHERE username_key >= ? AND username_key < ? AND siteid BETWEEN ? AND ?
          ORDER BY username_key, siteid LIMIT ?) AS s
     JOIN former_member AS m ON m.siteid = s.siteid AND m.memberid = s.memberid";

const BY_EMAIL: &str =
    "SELECT STRAIGHT_JOIN m.siteid, m.memberid, m.username_sent, m.trial, m.email, m.expire_at FROM
         (SELECT siteid, memberid FROM member_auth
          WHERE email LIKE ? ESCAPE '!' AND siteid BETWEEN ? AND ?
          ORDER BY email, siteid LIMIT ?) AS s
     JOIN member_auth AS m ON m.siteid = s.siteid AND m.memberid = s.memberid";

const FORMER_BY_EMAIL: &str =
    "SELECT STRAIGHT_JOIN m.siteid, m.memberid, m.username_sent, m.trial, m.email, m.reason,
         m.ended_at FROM
         (SELECT siteid, memberid FROM former_member
          WHERE email LIKE ? ESCAPE '!' AND siteid BETWEEN ? AND ?
          ORDER BY email, siteid LIMIT ?) AS s
     JOIN former_member AS m ON m.siteid = s.siteid AND m.memberid = s.memberid";

impl Reader {
    /// See [`crate::store::Read::search`].
    pub(super) fn search_members(
        &self,
        by: SearchBy<'_>,
        site: Option<SiteId>,
        now: i64,
        most: u32,
    ) -> Result<Vec<FoundMember>, Fault> {
        let [first, last]: [Value; 2] =
            site.map_or([0, i64::MAX], |site| [site.get(); 2]).map(Value::Int);
        let mut found = Vec::new();
        match by {
            SearchBy::Name(beginning) => {
                let form = folded(beginning);
                if form.is_empty() {
                    return Ok(found);
                }
                let end = [form.as_bytes(), &[AFTER_TEXT]].concat();
                let range = [form.clone().into_bytes(), end].map(Value::Bytes);
                let values = [&range[..], &[first.clone(), last.clone(), most.into()]].concat();
                self.add(&mut found, BY_NAME, values.clone(), read_here)?;
                self.add(&mut found, FORMER_BY_NAME, values, read_former)?;
                let before = found.len();
                let values = vec![first, last, UNFOLDED_MAX.into()];
                self.add(&mut found, WITHOUT_FOLDED, values, read_here)?;
                let unfolded = found.split_off(before).into_iter();
                found.extend(
                    unfolded.filter(|row| folded(row.username.as_str()).starts_with(&form)),
                );
            }
            SearchBy::Email(beginning) => {
                let values = vec![pattern(beginning).into(), first, last, most.into()];
                self.add(&mut found, BY_EMAIL, values.clone(), read_here)?;
                self.add(&mut found, FORMER_BY_EMAIL, values, read_former)?;
            }
        }
        Ok(first_of(found.into_iter().map(|found| found.at(now)).collect(), most))
    }

    /// Adds the rows of a query. A row that cannot be read does not hide the others.
    fn add(
        &self,
        found: &mut Vec<FoundMember>,
        sql: &'static str,
        values: Vec<Value>,
        read: fn(&mut Row) -> Result<FoundMember, Fault>,
    ) -> Result<(), Fault> {
        for mut row in self.rows(sql, values)? {
            found.extend(if_readable(read(&mut row))?.ok());
        }
        Ok(())
    }
}

/// The pattern of LIKE for texts that begin so.
fn pattern(beginning: &str) -> String {
    let mut pattern = String::with_capacity(beginning.len() + 1);
    for character in beginning.chars() {
        if matches!(character, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// A row of `siteid, memberid, username_sent, trial, email, expire_at`.
fn read_here(row: &mut Row) -> Result<FoundMember, Fault> {
    let state = FoundState::Here(get(row, 5)?);
    read_found(row, state)
}

/// A row of `siteid, memberid, username_sent, trial, email, reason, ended_at`.
fn read_former(row: &mut Row) -> Result<FoundMember, Fault> {
    let state = FoundState::Former(read_reason(row, 5)?, get(row, 6)?);
    read_found(row, state)
}

fn read_found(row: &mut Row, state: FoundState) -> Result<FoundMember, Fault> {
    Ok(FoundMember {
        key: read_key(row, 0, 1)?,
        username: read_username(row, 2)?,
        trial: get(row, 3)?,
        email: get(row, 4)?,
        state,
    })
}
