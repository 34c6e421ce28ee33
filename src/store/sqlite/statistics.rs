//! What the statistics read: a few columns of pages of the journal and of the members.

use rusqlite::{Row, params};

use super::reader::Reader;
use crate::store::{CountPage, Fault, RecordSummary};

impl Reader {
    /// See [`crate::store::Read::summaries_after`].
    pub(super) fn select_summaries_after(
        &self,
        after: i64,
        newest: i64,
        most: u32,
    ) -> Result<Vec<RecordSummary>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, at, source, action, siteid, memberid, reply FROM journal
             WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
        )?;
        let rows = statement.query_map(params![after, newest, most], read_summary)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// See [`crate::store::Read::summaries_before`].
    pub(super) fn select_summaries_before(
        &self,
        before: i64,
        most: u32,
    ) -> Result<Vec<RecordSummary>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, at, source, action, siteid, memberid, reply FROM journal
             WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![before, most], read_summary)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// See [`crate::store::Read::count_journal`]. Ids are given one after the other, so that no
    /// record is read.
    pub(super) fn journal_size(&self) -> Result<u64, Fault> {
        let span = "SELECT coalesce(
             (SELECT max(id) FROM journal) - (SELECT min(id) FROM journal) + 1, 0)";
        let span: i64 = self.conn.query_row(span, [], |row| row.get(0))?;
        Ok(u64::try_from(span).unwrap_or(0))
    }

    /// See [`crate::store::Read::count_members_page`].
    pub(super) fn members_count(
        &self,
        after: Option<(i64, i64)>,
        most: u32,
    ) -> Result<CountPage, Fault> {
        self.count_page(
            "SELECT siteid, max(memberid), count(*), sum(trial) FROM (
                 SELECT siteid, memberid, trial FROM member_auth
                 WHERE (siteid, memberid) > (?1, ?2) ORDER BY siteid, memberid LIMIT ?3)
             GROUP BY siteid",
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
            "SELECT siteid, max(memberid), count(*), sum(trial) FROM (
                 SELECT siteid, memberid, trial FROM former_member
                 WHERE (siteid, memberid) > (?1, ?2) ORDER BY siteid, memberid LIMIT ?3)
             GROUP BY siteid",
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
        let mut statement = self.conn.prepare_cached(sql)?;
        let number = |row: &Row<'_>, at| row.get(at).map(|count: i64| count.unsigned_abs());
        let rows = statement.query_map(params![site, member, most], |row| {
            Ok((row.get(0)?, row.get(1)?, number(row, 2)?, number(row, 3)?))
        })?;
        Ok(CountPage::new(&rows.collect::<Result<Vec<_>, _>>()?, most))
    }
}

/// Text that is not UTF-8 is no reason to miss the record.
fn read_summary(row: &Row<'_>) -> rusqlite::Result<RecordSummary> {
    let (source, action, reply) = (row.get_ref(2)?, row.get_ref(3)?, row.get_ref(6)?);
    let action = action.as_bytes_or_null()?.map(String::from_utf8_lossy);
    Ok(RecordSummary::new(
        (row.get(0)?, row.get(1)?),
        &String::from_utf8_lossy(source.as_bytes()?),
        action.as_deref(),
        (row.get(4)?, row.get(5)?),
        &String::from_utf8_lossy(reply.as_bytes()?),
    ))
}
