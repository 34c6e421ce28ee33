//! Reads NATS's list over its REST API, page by page.
//!
//! TMM documents `start` and `count` of later versions, and no order. Each page begins with the
//! last member of the page before it: if that is another one, the list has changed meanwhile, and
//! nothing of it is used. An older NATS ignores both parameters, and its only page is the list.

use std::sync::atomic::{AtomicBool, Ordering};

use super::error::ReconcileError;
use super::list::{ListWish, MemberList};
use super::read::read;
use super::row::{Field, RawRow};
use crate::authstring::answer::Wrong;
use crate::identity::{MemberId, SiteId};
use crate::nats_client::members::{ListPath, PageWanted};
use crate::nats_client::{Client, Error};

/// The members of one page.
const PAGE_MEMBERS: u64 = 1_000;
/// The members of a page of a NATS that does not read `count`.
const DEFAULT_PAGE_MEMBERS: u64 = 25;

/// Reads the list of the sites that `wish` names. `report` gets the number of rows after each page.
///
/// # Errors
///
/// See [`ReconcileError`].
pub fn fetch(
    client: &Client,
    wish: &ListWish,
    stop: &AtomicBool,
    report: &mut dyn FnMut(usize),
) -> Result<MemberList, ReconcileError> {
    let mut list = MemberList::new(wish.clone());
    let mut path = ListPath::SearchInfo;
    for &site in &wish.sites {
        let mut pages = Pages { client, path, site, list: &mut list, first: None, last: None };
        pages.read_all(stop, report)?;
        path = pages.path;
    }
    list.complete()?;
    Ok(list)
}

/// The pages of one site.
struct Pages<'a> {
    client: &'a Client,
    path: ListPath,
    site: SiteId,
    list: &'a mut MemberList,
    /// The memberids of the first and the last row so far, as NATS has sent them.
    first: Option<String>,
    last: Option<String>,
}

/// With which row a page begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// With the last one of the page before, or it is the first page.
    Expected,
    /// With the first one of the list.
    Again,
    /// With another one, or there is none.
    Other,
}

impl Pages<'_> {
    fn read_all(
        &mut self,
        stop: &AtomicBool,
        report: &mut dyn FnMut(usize),
    ) -> Result<(), ReconcileError> {
        let (_, mut so_far) = self.page(0)?;
        // Without a memberid in any row, there is nothing to go on from. No such row can be read.
        while so_far > 0 && self.last.is_some() {
            report(self.list.members());
            if stop.load(Ordering::Relaxed) {
                return Err(ReconcileError::Stopped);
            }
            let (begin, rows) = self.page(so_far - 1)?;
            match begin {
                Begin::Expected if rows > 1 => so_far += rows - 1,
                Begin::Expected => return Ok(()),
                Begin::Again if [DEFAULT_PAGE_MEMBERS, PAGE_MEMBERS].contains(&so_far) => {
                    return Err(ReconcileError::SamePage(so_far));
                }
                Begin::Again if rows == so_far => return Ok(()),
                Begin::Again | Begin::Other => {
                    let last = self.last.take().filter(|text| MemberId::parse(text).is_some());
                    let last = last.unwrap_or_else(|| "?".into());
                    return Err(ReconcileError::Changed(last, self.site.get()));
                }
            }
        }
        Ok(())
    }

    /// Reads the page behind `start` rows. One that does not begin as expected is not read further.
    fn page(&mut self, start: u64) -> Result<(Begin, u64), ReconcileError> {
        let wanted = PageWanted { site: self.site, start, count: PAGE_MEMBERS };
        let content = match self.client.members(self.path, wanted) {
            Err(Error::Wrong(Wrong::NotFound)) if self.path == ListPath::SearchInfo => {
                self.path = ListPath::Search;
                self.client.members(self.path, wanted)
            }
            content => content,
        }?;
        let (expected, first) = (self.last.take(), self.first.clone());
        let (mut rows, mut begin, mut last) = (0_u64, None, None);
        let (site, list) = (self.site, &mut *self.list);
        let mut take = |row: &RawRow, _: u64| {
            let member = row.get(Field::Member);
            if rows == 0 {
                let is_expected = expected.is_none() || member == expected.as_deref();
                let is_again = member == first.as_deref();
                begin = Some(match (is_expected, is_again) {
                    (true, _) => Begin::Expected,
                    (false, true) => Begin::Again,
                    (false, false) => Begin::Other,
                });
                if begin == Some(Begin::Other) {
                    // Ends the reading. The caller looks at `begin`.
                    return Err(ReconcileError::Stopped);
                }
                self.first = self.first.take().or_else(|| member.map(str::to_owned));
            }
            rows += 1;
            if begin == Some(Begin::Again) {
                // The list is counted once more, because the first answer may have been cut off.
                return Ok(());
            }
            last = member.map(str::to_owned);
            // The row that the page before ended with was taken.
            if rows == 1 && expected.is_some() {
                return Ok(());
            }
            let found = row.get(Field::Site).and_then(SiteId::parse).unwrap_or(site);
            if found != site {
                return Err(ReconcileError::OtherSite { asked: site.get(), found: found.get() });
            }
            let number = list.rows() + 1;
            list.push(row, number, Some(site))
        };
        let done = read(content, &mut take);
        self.last = last.or(expected);
        match (begin, done) {
            (Some(Begin::Other), _) => Ok((Begin::Other, rows)),
            (_, Err(ReconcileError::Foreign(_) | ReconcileError::NoColumn(_))) => {
                Err(Error::Wrong(Wrong::NoJson).into())
            }
            (_, Err(error)) => Err(error),
            // A first page without rows is an empty list.
            (None, Ok(_)) if start > 0 => Ok((Begin::Other, 0)),
            (begin, Ok(read)) => {
                self.list.may_be_cut |= read.may_be_cut;
                Ok((begin.unwrap_or(Begin::Expected), rows))
            }
        }
    }
}
