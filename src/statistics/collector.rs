//! Reads the journal and the members, page by page, and keeps the counts.

use std::collections::VecDeque;

use super::members::MembersCount;
use super::places::Places;
use super::snapshot::{SiteMembers, Sizes, Snapshot};
use super::tally::Tally;
use crate::clock::Reading;
use crate::store::{Fault, Read};

/// How far back the journal is read: four weeks for the habits of a site, and a day.
pub const READ_BACK_SECONDS: i64 = 29 * 86_400;
/// Records of a page. Reading them takes some milliseconds.
const PAGE_RECORDS: u32 = 1_000;
/// Where several receivers share a database, a record counts this long after a later number was
/// seen: the order of the numbers is not that of the commits. A transaction that takes longer is
/// not counted.
pub const SETTLE_SECONDS: i64 = 10;
/// The time between two samples of the backlog, and how many are kept.
const SAMPLE_SECONDS: i64 = 60;
const SAMPLES: usize = 16;

/// The state of the counting of one database.
#[derive(Debug)]
pub struct Collector {
    /// See [`SETTLE_SECONDS`]; 0 where all numbers rise with the commits.
    settle: i64,
    tally: Tally,
    /// Numbers of the newest record, each with the steady time at which it was seen.
    seen: VecDeque<(i64, i64)>,
    /// The newest record that was counted. `None` until the first number has settled.
    after: Option<i64>,
    /// The oldest record that was counted. `None`: everything was read that is young enough.
    before: Option<i64>,
    complete_since: Option<i64>,
    counting: Option<MembersCount>,
    members: Vec<SiteMembers>,
    members_at: Option<i64>,
    backlog: u64,
    samples: VecDeque<(i64, u64)>,
    journal_records: u64,
    sizes: Sizes,
    read_at: i64,
}

impl Collector {
    /// Begins with nothing.
    pub fn new(settle_seconds: i64) -> Self {
        Self {
            settle: settle_seconds,
            tally: Tally::default(),
            seen: VecDeque::new(),
            after: None,
            before: None,
            complete_since: None,
            counting: None,
            members: Vec::new(),
            members_at: None,
            backlog: 0,
            samples: VecDeque::new(),
            journal_records: 0,
            sizes: Sizes::default(),
            read_at: 0,
        }
    }

    /// Counts a page of the records that are new. Returns whether there are more.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn follow(&mut self, reader: &dyn Read, now: Reading) -> Result<bool, Fault> {
        let newest = reader.newest_record()?.map_or(0, |(id, _)| id);
        let settled = self.settled(newest, now.steady);
        self.read_at = now.wall;
        let Some(settled) = settled else { return Ok(false) };
        let Some(after) = self.after else {
            self.after = Some(settled);
            self.before = (settled > 0).then_some(settled.saturating_add(1));
            if self.before.is_none() {
                self.complete_since = Some(now.wall - READ_BACK_SECONDS);
            }
            return Ok(false);
        };
        if settled <= after {
            return Ok(false);
        }
        let page = reader.summaries_after(after, settled, PAGE_RECORDS)?;
        let is_full = page.len() >= PAGE_RECORDS as usize;
        self.after = Some(page.last().filter(|_| is_full).map_or(settled, |last| last.id));
        page.into_iter().for_each(|record| self.tally.add(record, now.wall));
        Ok(is_full)
    }

    /// The newest number up to which all records are committed.
    fn settled(&mut self, newest: i64, steady: i64) -> Option<i64> {
        if self.settle == 0 {
            return Some(newest);
        }
        if self.seen.back().is_none_or(|(at, _)| *at < steady) {
            self.seen.push_back((steady, newest));
        }
        let mut settled = self.after;
        while let Some(&(at, id)) = self.seen.front()
            && steady - at >= self.settle
        {
            settled = settled.max(Some(id));
            self.seen.pop_front();
        }
        settled
    }

    /// Counts a page of the records from before the start. Returns whether there are more.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn read_back(&mut self, reader: &dyn Read, now: i64) -> Result<bool, Fault> {
        let Some(before) = self.before else { return Ok(false) };
        let oldest = now - READ_BACK_SECONDS;
        let page = reader.summaries_before(before, PAGE_RECORDS)?;
        let is_full = page.len() >= PAGE_RECORDS as usize;
        // Ids rise with time, but for a clock that was wrong.
        let reached = page.last().is_some_and(|last| last.at < oldest);
        self.before = page.last().filter(|_| is_full && !reached).map(|last| last.id);
        if self.before.is_none() {
            self.complete_since = Some(oldest);
        }
        page.into_iter()
            .filter(|record| record.at >= oldest)
            .for_each(|record| self.tally.add(record, now));
        Ok(self.before.is_some())
    }

    /// Counts a page of the members, from the first on where the last count is complete. Returns
    /// whether there are more.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn count_members(&mut self, reader: &dyn Read, now: i64) -> Result<bool, Fault> {
        let counting = self.counting.get_or_insert_default();
        if !counting.step(reader)? {
            return Ok(true);
        }
        self.members = counting.counts();
        self.members_at = Some(now);
        self.counting = None;
        Ok(false)
    }

    /// Reads the backlog and the sizes.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn measure(
        &mut self,
        reader: &dyn Read,
        places: &Places,
        steady: i64,
    ) -> Result<(), Fault> {
        self.sizes = places.sizes();
        self.journal_records = reader.count_journal()?;
        self.backlog = reader.backlog()?;
        if self.samples.back().is_none_or(|(at, _)| steady - at >= SAMPLE_SECONDS) {
            self.samples.push_back((steady, self.backlog));
            if self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
        }
        Ok(())
    }

    /// The counts as of `now`.
    pub fn snapshot(&self, now: i64) -> Snapshot {
        let backlog_before = self.samples.front().filter(|_| self.samples.len() == SAMPLES);
        let mut snapshot = Snapshot {
            at: self.read_at,
            complete_since: self.complete_since,
            members: self.members.clone(),
            members_at: self.members_at,
            journal_records: self.journal_records,
            backlog: self.backlog,
            backlog_before: backlog_before.map(|(_, count)| *count),
            sizes: self.sizes,
            ..Snapshot::default()
        };
        // Until the journal was read to its end, no habit is known.
        self.tally.put_into(&mut snapshot, now, self.complete_since.unwrap_or(i64::MAX));
        snapshot
    }
}
