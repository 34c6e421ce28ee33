//! A page of the journal, the newest record first, with a bound on the records that are looked at.

use super::query::Asked;
use crate::store::{Fault, JournalSpan, Read, StoredRecord, UnreadableRecord, pages};

/// Records on a page.
pub const PAGE_RECORDS: u32 = 50;
/// Records that one request looks at, where no index has those that match.
pub const LOOKED_MAX: i64 = 20_000;
/// A clock that was set back, or that of another receiver, may differ by this many seconds: so much
/// more is looked at around the limits of time.
const CLOCK_SECONDS: i64 = 3_600;

/// A page.
#[derive(Debug)]
pub struct Listed {
    /// The records, the newest first.
    pub records: Vec<Result<StoredRecord, UnreadableRecord>>,
    /// The next page begins before this number; `None` after the last page.
    pub next: Option<i64>,
    /// Whether the page ends because [`LOOKED_MAX`] records were looked at.
    pub has_looked_enough: bool,
}

/// Reads a page.
///
/// # Errors
///
/// If the database cannot be read.
pub fn read(read: &dyn Read, Asked { filter, before }: &Asked) -> Result<Listed, Fault> {
    let empty = || Ok(Listed { records: Vec::new(), next: None, has_looked_enough: false });
    let Some((mut newest, _)) = read.newest_record()? else { return empty() };
    if let Some(before) = before {
        newest = newest.min(before - 1);
    }
    if let Some(until) = filter.until
        && let Some(id) = pages::number_from(read, until.saturating_add(CLOCK_SECONDS))?
    {
        newest = newest.min(id - 1);
    }
    let after = match filter.since {
        None => 0,
        Some(since) => match pages::number_from(read, since.saturating_sub(CLOCK_SECONDS))? {
            Some(id) => id - 1,
            None => return empty(),
        },
    };
    // The records of a member have an index.
    let looked_after = match filter.member {
        Some(_) => after,
        None => after.max(newest.saturating_sub(LOOKED_MAX)),
    };
    if newest <= after {
        return empty();
    }
    let most = PAGE_RECORDS + 1;
    let span = JournalSpan { after: looked_after, newest, most, newest_first: true };
    let mut records = read.journal_span(filter, span)?;
    if records.len() > PAGE_RECORDS as usize {
        records.truncate(PAGE_RECORDS as usize);
        let next = records.last().map(number);
        return Ok(Listed { records, next, has_looked_enough: false });
    }
    let has_more = looked_after > after;
    let next = has_more.then_some(looked_after + 1);
    Ok(Listed { records, next, has_looked_enough: has_more })
}

/// The number of a record, whether it can be read or not.
pub fn number(found: &Result<StoredRecord, UnreadableRecord>) -> i64 {
    match found {
        Ok(record) => record.id,
        Err(unreadable) => unreadable.id,
    }
}

/// The record with this number, if there is one.
///
/// # Errors
///
/// If the database cannot be read.
pub fn one(
    read: &dyn Read,
    id: i64,
) -> Result<Option<Result<StoredRecord, UnreadableRecord>>, Fault> {
    let span = JournalSpan { after: id.saturating_sub(1), newest: id, most: 1, newest_first: true };
    Ok(read.journal_span(&Default::default(), span)?.pop())
}
