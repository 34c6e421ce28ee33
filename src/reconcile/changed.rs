//! The members who have changed since a list was made: the list does not say what is true of them
//! now.

use std::collections::HashSet;

use crate::identity::{Key, MemberId, SiteId};
use crate::store::{Fault, JournalFilter, Read};

/// Receivers of one cluster number their records before the cluster orders them: a record may come
/// after some with higher numbers.
const UNORDERED_MAX: i64 = 10_000;

/// From when on changes count.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// Unix seconds.
    pub at: i64,
    /// The newest journal record at that time, if it is known.
    pub record: Option<i64>,
}

/// The members of journal records from this time on.
///
/// # Errors
///
/// If the database cannot be read.
pub fn changed_since(reader: &dyn Read, since: Since) -> Result<HashSet<Key>, Fault> {
    let filter = JournalFilter { since: Some(since.at), ..JournalFilter::default() };
    let newest = reader.newest_record()?.map_or(0, |(id, _)| id);
    let mut after = since.record.map_or(0, |record| (record - UNORDERED_MAX).max(0));
    let mut keys = HashSet::new();
    loop {
        let page = reader.journal_page(&filter, after, newest)?;
        let Some(last) = page.last() else { return Ok(keys) };
        after = last.as_ref().map_or_else(|unreadable| unreadable.id, |record| record.id);
        for record in page.into_iter().flatten() {
            let ids = record.siteid.zip(record.memberid);
            let key = ids.and_then(|(site, member)| {
                let site = SiteId::parse(&site.to_string())?;
                Some(Key { site, member: MemberId::parse(&member.to_string())? })
            });
            keys.extend(key);
        }
    }
}
