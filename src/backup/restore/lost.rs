//! What a database has that is not in the backup that replaces it, and the other way round.

use crate::identity::Key;
use crate::replay::is_end_of_all_logins;
use crate::store::{Fault, JournalFilter, JournalSpan, Read, StoredRecord};

/// Members that are named.
const NAMED_MAX: usize = 20;

/// The differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Journal records that are newer than the backup.
    pub records: u64,
    /// The times of the first and the last of them, unix seconds.
    pub span: Option<(i64, i64)>,
    /// Whether the backup has records that the database does not have: after an earlier restore,
    /// both went on from a state that they have in common.
    pub has_parted: bool,
    /// The members; `None` if they cannot be compared, because the backup is of an earlier release.
    pub members: Option<LostMembers>,
}

/// The members that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostMembers {
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

/// Compares the database that is replaced with the backup. `None` if they have no record in common.
pub(super) fn compare(old: &dyn Read, backup: &dyn Read, now: i64) -> Result<Option<Lost>, Fault> {
    let (newest, has_parted) = match last_of_backup(old, backup)? {
        Some(last) => (Some(last), false),
        None => (last_common(old, backup)?, true),
    };
    let Some(after) = newest else { return Ok(None) };
    let members = Some(members(old, backup, now)?);
    Ok(Some(Lost { has_parted, members, ..newer_records(old, after)? }))
}

/// Compares the database that is replaced with a backup of an earlier release, of which only number
/// and time of the newest record are known. `None` if the database has another record there.
pub(super) fn compare_with_earlier(
    old: &dyn Read,
    newest: Option<(i64, i64)>,
) -> Result<Option<Lost>, Fault> {
    let (id, at) = newest.unwrap_or_default();
    let is_same = match record(old, id)? {
        Some(there) => there.at == at,
        None => id == 0 || is_pruned(old, id)?,
    };
    is_same.then(|| newer_records(old, id)).transpose()
}

fn newer_records(old: &dyn Read, after: i64) -> Result<Lost, Fault> {
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
    Ok(lost)
}

/// The number of the newest record of the backup, if the database has the same one.
fn last_of_backup(old: &dyn Read, backup: &dyn Read) -> Result<Option<i64>, Fault> {
    let Some((id, _)) = backup.newest_record()? else { return Ok(Some(0)) };
    let is_earlier = match record(old, id)? {
        Some(there) => record(backup, id)?.is_some_and(|here| is_same(&there, &here)),
        None => is_pruned(old, id)?,
    };
    Ok(is_earlier.then_some(id))
}

/// The number of the newest record that both have. Up to it all records are the same, so it is
/// searched by halves.
fn last_common(old: &dyn Read, backup: &dyn Read) -> Result<Option<i64>, Fault> {
    let newest_of = |read: &dyn Read| -> Result<i64, Fault> {
        Ok(read.newest_record()?.map_or(0, |(id, _)| id))
    };
    let mut common = None;
    let (mut from, mut to) = (0, newest_of(old)?.min(newest_of(backup)?).saturating_add(1));
    while to - from > 1 {
        let middle = from + (to - from) / 2;
        let span = JournalSpan { after: from, newest: middle, most: 1, newest_first: true };
        let found = old.journal_span(&JournalFilter::default(), span)?.pop();
        let Some(found) = found else {
            // The records up to the middle were pruned.
            from = middle;
            continue;
        };
        let there = found.map_err(|unreadable| unreadable.fault)?;
        if record(backup, there.id)?.is_some_and(|here| is_same(&there, &here)) {
            (common, from) = (Some(there.id), middle);
        } else {
            to = there.id;
        }
    }
    Ok(common)
}

fn record(read: &dyn Read, id: i64) -> Result<Option<StoredRecord>, Fault> {
    let found = read.journal_page(&JournalFilter::default(), id - 1, id)?.pop();
    found.transpose().map_err(|unreadable| unreadable.fault)
}

fn is_same(one: &StoredRecord, other: &StoredRecord) -> bool {
    (one.at, &one.action, &one.reply, &one.fields)
        == (other.at, &other.action, &other.reply, &other.fields)
}

/// Whether the record that is missing was pruned: a pruned journal always keeps its newest one.
fn is_pruned(read: &dyn Read, id: i64) -> Result<bool, Fault> {
    Ok(read.newest_record()?.is_some_and(|(newest, _)| newest > id))
}

/// Both lists are in the order of the keys.
fn members(old: &dyn Read, backup: &dyn Read, now: i64) -> Result<LostMembers, Fault> {
    let mut lost = LostMembers::default();
    let (mut old, mut backup) = (Members::new(old, now), Members::new(backup, now));
    loop {
        match (old.peek()?, backup.peek()?) {
            (None, None) => return Ok(lost),
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
