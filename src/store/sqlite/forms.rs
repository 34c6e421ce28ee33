//! Counts the forms of the members' stored passwords, for operators whose Apache reads the table.

use rusqlite::params;

use super::reader::Reader;
use super::rows::read_form;
use crate::password::Stored;
use crate::store::bounds::PAGE_ROWS;
use crate::store::{Fault, Forms, FormsCursor, FormsPage};

impl Reader {
    /// The forms of some members, half of them the first by site and memberid, half the last: a
    /// site that has changed its kind of hash has the former kinds among the oldest members. A
    /// small table is returned whole.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn sample_forms(&self, most: u32) -> Result<Vec<Stored>, Fault> {
        let mut forms = Vec::new();
        for order in ["", "DESC"] {
            let mut statement = self.conn.prepare_cached(&format!(
                "SELECT password, sealed, cryptpass_wrapped FROM member_auth
                     ORDER BY siteid {order}, memberid {order} LIMIT ?1"
            ))?;
            let mut rows = statement.query([most / 2])?;
            while let Some(row) = rows.next()? {
                // A row that another program wrote and that cannot be read is skipped.
                forms.extend(read_form(row, 0, 1, 2).ok().flatten());
            }
        }
        Ok(forms)
    }

    /// See [`Read::forms_page`].
    pub(super) fn count_forms(
        &self,
        after: Option<FormsCursor>,
        now: i64,
    ) -> Result<FormsPage, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT siteid, memberid, password, cryptpass_wrapped IS NOT NULL,
                 cryptpass IS NULL FROM member_auth
             WHERE (siteid, memberid) > (?1, ?2) AND (expire_at IS NULL OR expire_at > ?3)
             ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
        ))?;
        let FormsCursor((site, member)) = after.unwrap_or(FormsCursor((0, 0)));
        let mut rows = statement.query(params![site, member, now])?;
        let mut page = FormsPage::default();
        let mut last = None;
        while let Some(row) = rows.next()? {
            last = Some(FormsCursor((row.get("siteid")?, row.get("memberid")?)));
            let hash = row.get_ref("password")?.as_str_or_null().map_err(rusqlite::Error::from)?;
            let has = |start: &str| u64::from(hash.is_some_and(|hash| hash.starts_with(start)));
            page.forms.add(&Forms {
                members: 1,
                bcrypt: has("$2"),
                argon2id: has("$argon2id$"),
                wrapped: u64::from(row.get::<_, bool>(3)?),
                without_cryptpass: u64::from(row.get::<_, bool>(4)?),
            });
        }
        page.next = last.filter(|_| page.forms.members == u64::from(PAGE_ROWS));
        Ok(page)
    }
}
