//! Counts the members and the former members of each site, a page at a time.

use std::collections::BTreeMap;

use super::snapshot::{SITES_MAX, SiteMembers};
use crate::store::{CountPage, Fault, Read};

/// Rows of a page. Reading them takes some milliseconds.
const PAGE_ROWS: u32 = 5_000;

/// A count that is not complete yet.
#[derive(Debug, Default)]
pub(super) struct MembersCount {
    sites: BTreeMap<i64, SiteMembers>,
    others: SiteMembers,
    is_at_formers: bool,
    after: Option<(i64, i64)>,
}

impl MembersCount {
    /// Counts the next page. Returns whether the count is complete.
    pub(super) fn step(&mut self, reader: &dyn Read) -> Result<bool, Fault> {
        let page = if self.is_at_formers {
            reader.count_formers_page(self.after, PAGE_ROWS)?
        } else {
            reader.count_members_page(self.after, PAGE_ROWS)?
        };
        self.add(&page);
        self.after = page.next;
        if self.after.is_some() {
            return Ok(false);
        }
        Ok(std::mem::replace(&mut self.is_at_formers, true))
    }

    fn add(&mut self, page: &CountPage) {
        for count in &page.sites {
            let may_come = self.sites.len() < SITES_MAX || self.sites.contains_key(&count.site);
            let site = if may_come {
                let new = SiteMembers { site: Some(count.site), ..SiteMembers::default() };
                self.sites.entry(count.site).or_insert(new)
            } else {
                &mut self.others
            };
            if self.is_at_formers {
                site.former += count.rows;
            } else {
                site.full += count.rows.saturating_sub(count.trials);
                site.trial += count.trials;
            }
        }
    }

    /// The counts, by site; those beyond [`SITES_MAX`] last.
    pub(super) fn counts(&self) -> Vec<SiteMembers> {
        let others = (self.others != SiteMembers::default()).then_some(self.others);
        self.sites.values().copied().chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SiteCount;

    #[test]
    fn sites_beyond_the_hundredth_are_counted_together() {
        let mut count = MembersCount::default();
        let sites = (1..=102).map(|site| SiteCount { site, rows: 10, trials: 3 }).collect();
        count.add(&CountPage { sites, next: None });
        count.is_at_formers = true;
        let sites = [1, 103].map(|site| SiteCount { site, rows: 2, trials: 1 }).to_vec();
        count.add(&CountPage { sites, next: None });
        let counts = count.counts();
        assert_eq!(counts.len(), 101);
        assert_eq!(counts[0], SiteMembers { site: Some(1), full: 7, trial: 3, former: 2 });
        assert_eq!(counts[99], SiteMembers { site: Some(100), full: 7, trial: 3, former: 0 });
        assert_eq!(counts[100], SiteMembers { site: None, full: 14, trial: 6, former: 2 });
    }
}
