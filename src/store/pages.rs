//! Lists that are read page by page: each row is as it was when its page was read, and no read
//! transaction is open while the caller works on a page.

use super::records::{Forms, JournalFilter, StoredRecord, UnreadableRecord};
use super::{Fault, Read};
use crate::block::{Block, NameHolder};
use crate::member::{Former, Member};

/// Every member who may log in at `now`, by site and memberid; of one site, or of all.
///
/// # Errors
///
/// If the database cannot be read, or `each` fails.
pub fn each_member<E: From<Fault>>(
    read: &dyn Read,
    site: Option<i64>,
    now: i64,
    each: impl FnMut(&Member) -> Result<(), E>,
) -> Result<(), E> {
    by_page(None, |after| read.members_page(site, after, now), |row| Some(row.key), each)
}

/// Every former member, by site and memberid; of one site, or of all.
///
/// # Errors
///
/// If the database cannot be read, or `each` fails.
pub fn each_former<E: From<Fault>>(
    read: &dyn Read,
    site: Option<i64>,
    each: impl FnMut(&Former) -> Result<(), E>,
) -> Result<(), E> {
    by_page(None, |after| read.formers_page(site, after), |row| Some(row.member.key), each)
}

/// The journal in the order of effect, up to the record that is the newest now. A credential that
/// is hashed in the meantime may be sealed in one record and hashed in a later one. Both are the
/// same password.
///
/// # Errors
///
/// If the database or a record cannot be read, or `each` fails.
pub fn each_record<E: From<Fault>>(
    read: &dyn Read,
    filter: &JournalFilter,
    mut each: impl FnMut(&StoredRecord) -> Result<(), E>,
) -> Result<(), E> {
    each_record_or_unreadable(read, filter, |found| match found {
        Ok(record) => each(&record),
        Err(unreadable) => Err(unreadable.fault.into()),
    })
}

/// The journal as in [`each_record`], for a caller that continues after a record that cannot be
/// read.
///
/// # Errors
///
/// If the database cannot be read, or `each` fails.
pub fn each_record_or_unreadable<E: From<Fault>>(
    read: &dyn Read,
    filter: &JournalFilter,
    mut each: impl FnMut(Result<StoredRecord, UnreadableRecord>) -> Result<(), E>,
) -> Result<(), E> {
    let newest = read.newest_record()?.map_or(0, |(id, _)| id);
    let mut after = 0;
    loop {
        let page = read.journal_page(filter, after, newest)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.as_ref().map_or_else(|unreadable| unreadable.id, |record| record.id);
        page.into_iter().try_for_each(&mut each)?;
    }
}

/// The number of the first journal record from this time on, unix seconds; `None` if there is none.
/// The times of records rise with their numbers, except where the clock was set back or where two
/// receivers have clocks that differ: near such a record the number is about right.
///
/// # Errors
///
/// If the database cannot be read.
pub fn number_from(read: &dyn Read, time: i64) -> Result<Option<i64>, Fault> {
    let Some((newest, newest_at)) = read.newest_record()? else { return Ok(None) };
    if newest_at < time {
        return Ok(None);
    }
    // The first record from `high` on is not before `time`.
    let (mut low, mut high) = (0, newest);
    while low < high {
        let middle = low + (high - low) / 2;
        match read.record_from(middle)? {
            Some((_, at)) if at < time => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(read.record_from(low)?.map(|(id, _)| id))
}

/// The blocks that are in force at `now`, in no order, each with whether a member has the name now.
/// A database may have hundreds of thousands.
///
/// # Errors
///
/// If the database cannot be read.
pub fn each_block(
    read: &dyn Read,
    now: i64,
    mut each: impl FnMut(Block, NameHolder),
) -> Result<(), Fault> {
    let (mut after, mut unreadable) = (None, 0);
    loop {
        let page = read.blocks_page(after.as_ref(), now)?;
        unreadable += page.unreadable;
        page.blocks.into_iter().for_each(|(block, holder)| each(block, holder));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if unreadable > 0 {
        log::warn!("{unreadable} rows of `block` that cannot be read are ignored");
    }
    Ok(())
}

/// The blocks that are in force at `now`, the oldest first.
///
/// # Errors
///
/// If the database cannot be read.
pub fn blocks(read: &dyn Read, now: i64) -> Result<Vec<Block>, Fault> {
    let mut blocks = Vec::new();
    each_block(read, now, |block, _| blocks.push(block))?;
    blocks.sort_by(|one, other| (one.since, &one.target).cmp(&(other.since, &other.target)));
    Ok(blocks)
}

/// Counts the forms of all members' stored passwords at `now`. `None` if `go_on` returns false
/// before a page.
///
/// # Errors
///
/// If the database cannot be read.
pub fn count_forms(
    read: &dyn Read,
    now: i64,
    mut go_on: impl FnMut() -> bool,
) -> Result<Option<Forms>, Fault> {
    let (mut forms, mut after) = (Forms::default(), None);
    while go_on() {
        let page = read.forms_page(after, now)?;
        forms.add(&page.forms);
        after = page.next;
        if after.is_none() {
            return Ok(Some(forms));
        }
    }
    Ok(None)
}

/// Reads pages, each behind the last row of the one before, and passes their rows on, until a page
/// is empty.
fn by_page<T, K, E: From<Fault>>(
    mut after: K,
    mut page: impl FnMut(K) -> Result<Vec<T>, Fault>,
    key: impl Fn(&T) -> K,
    mut each: impl FnMut(&T) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let rows = page(after)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = key(last);
        rows.iter().try_for_each(&mut each)?;
    }
}
