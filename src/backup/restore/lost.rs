//! What a database has that is not in the backup that replaces it, and the other way round.

use crate::identity::Key;
use crate::replay::is_end_of_all_logins;
use crate::store::{Fault, JournalFilter, Read, StoredRecord};

/// Members that are named.
const NAMED_MAX: usize = 20;

/// The differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Journal records that are newer than the backup.
    pub records: u64,
    /// The times of the first and the last of them, unix seconds.
    pub span: Option<(i64, i64)>,
    /// Members who are missing in the backup.
    pub missing: Keys,
    /// Members of the backup who were no members any more.
    pub returned: Keys,
}

/// How many members, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// All of them.
    pub count: u64,
    /// The first.
    pub first: Vec<Key>,
}

impl Keys {
    fn add(&mut self, key: Key) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(key);
        }
    }
}

/// Compares the database that is replaced with the backup. `None` if the backup is not an earlier
/// state of it.
pub(super) fn compare(old: &dyn Read, backup: &dyn Read, now: i64) -> Result<Option<Lost>, Fault> {
    let Some(after) = last_common(old, backup)? else { return Ok(None) };
    let mut lost = Lost::default();
    let newest = old.newest_record()?.map_or(0, |(id, _)| id);
    let mut last = after;
    loop {
        let page = old.journal_page(&JournalFilter::default(), last, newest)?;
        let Some(end) = page.last() else { break };
        last = end.as_ref().map_or_else(|unreadable| unreadable.id, |record| record.id);
        // The end of all logins is of an operator, mostly of an earlier restore, and this restore
        // ends them too. A record that cannot be read counts, and has no known time.
        let records =
            page.into_iter().filter(|record| !record.as_ref().is_ok_and(is_end_of_all_logins));
        for record in records {
            lost.records += 1;
            let Ok(StoredRecord { at, .. }) = record else { continue };
            lost.span = Some((lost.span.map_or(at, |(first, _)| first), at));
        }
    }
    members(old, backup, now, &mut lost)?;
    Ok(Some(lost))
}

/// The number of the newest record of the backup, if the database has the same one.
fn last_common(old: &dyn Read, backup: &dyn Read) -> Result<Option<i64>, Fault> {
    let Some((id, _)) = backup.newest_record()? else { return Ok(Some(0)) };
    let record = |read: &dyn Read| -> Result<Option<StoredRecord>, Fault> {
        let found = read.journal_page(&JournalFilter::default(), id - 1, id)?.pop();
        found.transpose().map_err(|unreadable| unreadable.fault)
    };
    let (there, here) = (record(old)?, record(backup)?);
    let same = |one: &StoredRecord, other: &StoredRecord| {
        (one.at, &one.action, &one.reply, &one.fields)
            == (other.at, &other.action, &other.reply, &other.fields)
    };
    // A pruned journal always keeps its newest record. If this one is missing, all are newer.
    let is_pruned = there.is_none() && old.newest_record()?.is_some_and(|(newest, _)| newest > id);
    let is_same = there.zip(here).is_some_and(|(there, here)| same(&there, &here));
    Ok((is_same || is_pruned).then_some(id))
}

/// Both lists are in the order of the keys.
fn members(old: &dyn Read, backup: &dyn Read, now: i64, lost: &mut Lost) -> Result<(), Fault> {
    let (mut old, mut backup) = (Members::new(old, now), Members::new(backup, now));
    loop {
        match (old.peek()?, backup.peek()?) {
            (None, None) => return Ok(()),
            (Some(there), here) if here.is_none_or(|here| there < here) => {
                lost.missing.add(there);
                old.next();
            }
            (there, Some(here)) if there.is_none_or(|there| here < there) => {
                lost.returned.add(here);
                backup.next();
            }
            _ => {
                old.next();
                backup.next();
            }
        }
    }
}

/// The members of one database, page by page.
struct Members<'a> {
    read: &'a dyn Read,
    now: i64,
    page: std::vec::IntoIter<Key>,
    after: Option<Key>,
    is_at_end: bool,
}

impl<'a> Members<'a> {
    fn new(read: &'a dyn Read, now: i64) -> Self {
        Self { read, now, page: Vec::new().into_iter(), after: None, is_at_end: false }
    }

    fn peek(&mut self) -> Result<Option<Key>, Fault> {
        if self.page.as_slice().is_empty() && !self.is_at_end {
            let page = self.read.members_page(None, self.after, self.now)?;
            let keys: Vec<Key> = page.iter().map(|member| member.key).collect();
            self.after = keys.last().copied().or(self.after);
            self.is_at_end = keys.is_empty();
            self.page = keys.into_iter();
        }
        Ok(self.page.as_slice().first().copied())
    }

    fn next(&mut self) {
        self.page.next();
    }
}
