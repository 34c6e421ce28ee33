//! What the statistics read: a few columns of pages of the journal and of the members.

use mysql::{Row, Value};

use super::reader::Reader;
use super::rows::get;
use crate::store::{CountPage, Fault, RecordSummary};

impl Reader {
    /// See [`crate::store::Read::summaries_after`].
    pub(super) fn select_summaries_after(
        &self,
        after: i64,
        newest: i64,
        most: u32,
    ) -> Result<Vec<RecordSummary>, Fault> {
        let rows = self.rows(
            "SELECT id, at, source, action, siteid, memberid, reply FROM journal
             WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            vec![after.into(), newest.into(), most.into()],
        )?;
        rows.into_iter().map(read_summary).collect()
    }

    /// See [`crate::store::Read::summaries_before`].
    pub(super) fn select_summaries_before(
        &self,
        before: i64,
        most: u32,
    ) -> Result<Vec<RecordSummary>, Fault> {
        let rows = self.rows(
            "SELECT id, at, source, action, siteid, memberid, reply FROM journal
             WHERE id < ? ORDER BY id DESC LIMIT ?",
            vec![before.into(), most.into()],
        )?;
        rows.into_iter().map(read_summary).collect()
    }

    /// See [`crate::store::Read::count_journal`]. The server estimates it.
    pub(super) fn journal_size(&self) -> Result<u64, Fault> {
        let found = self.first(
            "SELECT CAST(COALESCE(MAX(table_rows), 0) AS UNSIGNED) FROM information_schema.tables
             WHERE table_schema = DATABASE() AND table_name = 'journal'",
            Vec::new(),
        )?;
        found.map_or(Ok(0), |mut row| get(&mut row, 0))
    }

    /// See [`crate::store::Read::count_members_page`].
    pub(super) fn members_count(
        &self,
        after: Option<(i64, i64)>,
        most: u32,
    ) -> Result<CountPage, Fault> {
        self.count_page(
            "SELECT siteid, MAX(memberid), COUNT(*), CAST(SUM(trial) AS SIGNED) FROM (
                 SELECT siteid, memberid, trial FROM member_auth
                 WHERE (siteid > ? OR (siteid = ? AND memberid > ?))
                 ORDER BY siteid, memberid LIMIT ?) AS page
             GROUP BY siteid ORDER BY siteid",
            after,
            most,
        )
    }

    /// See [`crate::store::Read::count_formers_page`].
    pub(super) fn formers_count(
        &self,
        after: Option<(i64, i64)>,
        most: u32,
    ) -> Result<CountPage, Fault> {
        self.count_page(
            "SELECT siteid, MAX(memberid), COUNT(*), CAST(SUM(trial) AS SIGNED) FROM (
                 SELECT siteid, memberid, trial FROM former_member
                 WHERE (siteid > ? OR (siteid = ? AND memberid > ?))
                 ORDER BY siteid, memberid LIMIT ?) AS page
             GROUP BY siteid ORDER BY siteid",
            after,
            most,
        )
    }

    fn count_page(
        &self,
        sql: &'static str,
        after: Option<(i64, i64)>,
        most: u32,
    ) -> Result<CountPage, Fault> {
        let (site, member) = after.unwrap_or((0, 0));
        let values: Vec<Value> = vec![site.into(), site.into(), member.into(), most.into()];
        let mut rows = Vec::new();
        for mut row in self.rows(sql, values)? {
            let number = |row: &mut Row, at| get(row, at).map(|count: i64| count.unsigned_abs());
            let (site, member) = (get(&mut row, 0)?, get(&mut row, 1)?);
            rows.push((site, member, number(&mut row, 2)?, number(&mut row, 3)?));
        }
        Ok(CountPage::new(&rows, most))
    }
}

fn read_summary(mut row: Row) -> Result<RecordSummary, Fault> {
    let (action, reply): (Option<String>, String) = (get(&mut row, 3)?, get(&mut row, 6)?);
    Ok(RecordSummary::new(
        (get(&mut row, 0)?, get(&mut row, 1)?),
        &get::<String>(&mut row, 2)?,
        action.as_deref(),
        (get(&mut row, 4)?, get(&mut row, 5)?),
        &reply,
    ))
}
