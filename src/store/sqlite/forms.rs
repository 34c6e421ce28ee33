//! In which forms the members' passwords are kept, counted for whoever lets an Apache read the
//! table.

use rusqlite::params;

use super::reader::PAGE_ROWS;
use super::reader::Reader;
use super::rows::read_form;
use crate::password::Stored;
use crate::store::{Fault, Forms};

impl Reader {
    /// The forms of some members, half of them the first by site and memberid, half the last: a
    /// site that has changed its kind of hash has former kinds among the oldest members. Of a small
    /// table they are all.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn sample(&self, most: u32) -> Result<Vec<Stored>, Fault> {
        let mut forms = Vec::new();
        for order in ["", "DESC"] {
            let mut statement = self.conn.prepare_cached(&format!(
                "SELECT password, sealed, cryptpass_wrapped FROM member_auth ORDER BY siteid {order}, memberid {order} LIMIT ?1"
            ))?;
            let mut rows = statement.query([most / 2])?;
            while let Some(row) = rows.next()? {
                // Somebody's handiwork that cannot be read: no reason to stand still for.
                forms.extend(read_form(row, 0, 1, 2).ok().flatten());
            }
        }
        Ok(forms)
    }

    /// Counts the members of `now`. Page by page, so that no read transaction stands open for long;
    /// `None` where `go_on` is false before a page.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn forms(&self, now: i64, mut go_on: impl FnMut() -> bool) -> Result<Option<Forms>, Fault> {
        let mut statement = self.conn.prepare(&format!(
            "SELECT siteid, memberid, password, cryptpass_wrapped IS NOT NULL, cryptpass IS NULL FROM member_auth
             WHERE (siteid, memberid) > (?1, ?2) AND (expire_at IS NULL OR expire_at > ?3)
             ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
        ))?;
        let (mut forms, mut after) = (Forms::default(), (0, 0));
        while go_on() {
            let mut rows = statement.query(params![after.0, after.1, now])?;
            let before = forms.members;
            while let Some(row) = rows.next()? {
                after = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
                let hash = row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)?;
                forms.members += 1;
                forms.bcrypt += u64::from(hash.is_some_and(|hash| hash.starts_with("$2")));
                forms.argon2id +=
                    u64::from(hash.is_some_and(|hash| hash.starts_with("$argon2id$")));
                forms.wrapped += u64::from(row.get::<_, bool>(3)?);
                forms.without_cryptpass += u64::from(row.get::<_, bool>(4)?);
            }
            if forms.members == before {
                return Ok(Some(forms));
            }
        }
        Ok(None)
    }
}
