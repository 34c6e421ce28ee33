//! NATS's list of active members in memory: some 50 bytes a member, sorted by site and memberid.

use zeroize::Zeroizing;

use super::error::ReconcileError;
use super::row::{ListedRow, ListedSecret, RawRow};
use crate::clock::Zone;
use crate::identity::{Key, SiteId, Username};

/// The most members of a list.
const MEMBERS_MAX: usize = 20_000_000;
/// Rows that cannot be read and are named; further ones are counted.
const REFUSED_NAMED_MAX: usize = 100;
/// No text in an arena.
const NONE: Span = Span { start: 0, bytes: 0 };

/// A text in an arena.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    bytes: u16,
}

/// A member of the list.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// Unix seconds; 0 for none.
    expires: i64,
    name: Span,
    secret: Span,
    has_password: bool,
    pub(super) trial: Option<bool>,
    row: u32,
}

impl Entry {
    pub(super) fn expires(&self) -> Option<i64> {
        Some(self.expires).filter(|&instant| instant != 0)
    }
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its line in CSV, or its number in JSON.
    pub row: u64,
    /// What was expected and what was found.
    pub why: String,
}

/// What is kept of a list.
#[derive(Clone, Debug)]
pub struct ListWish {
    /// Only these sites; all of the list if there are none.
    pub sites: Vec<SiteId>,
    /// The time zone of dates in the list.
    pub zone: Zone,
    /// Whether passwords and cryptpasses are kept, to add members with them.
    pub keeps_secrets: bool,
}

/// The list.
pub struct MemberList {
    wish: ListWish,
    entries: Vec<Entry>,
    names: String,
    secrets: Zeroizing<String>,
    /// Rows of members who are not active.
    pub inactive: u64,
    /// Rows of sites that were not asked for.
    pub elsewhere: u64,
    /// Rows that cannot be used, the first ones of them.
    pub refused: Vec<RefusedRow>,
    /// How many rows cannot be used.
    pub refused_count: u64,
    /// Whether the input ended in the middle of a line, so that rows may be missing.
    pub may_be_cut: bool,
    /// Whether rows are numbered by their lines.
    pub is_csv: bool,
}

impl std::fmt::Debug for MemberList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemberList").field("members", &self.entries.len()).finish_non_exhaustive()
    }
}

impl MemberList {
    /// An empty list.
    pub(super) fn new(wish: ListWish) -> Self {
        Self {
            wish,
            entries: Vec::new(),
            names: String::new(),
            secrets: Zeroizing::default(),
            inactive: 0,
            elsewhere: 0,
            refused: Vec::new(),
            refused_count: 0,
            may_be_cut: false,
            is_csv: false,
        }
    }

    /// Active members of the list.
    pub fn members(&self) -> usize {
        self.entries.len()
    }

    /// The sites of the list.
    pub fn sites(&self) -> Vec<SiteId> {
        let mut sites = self.wish.sites.clone();
        if sites.is_empty() {
            sites.extend(self.entries.iter().map(|entry| entry.key.site));
        }
        sites.sort_unstable();
        sites.dedup();
        sites
    }

    /// The members of a site, by memberid.
    pub(super) fn of_site(&self, site: SiteId) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.key.site < site);
        let last = self.entries.partition_point(|entry| entry.key.site <= site);
        self.entries.get(first..last).unwrap_or_default()
    }

    /// The entry of a member.
    pub(super) fn entry(&self, key: Key) -> Option<&Entry> {
        let place = self.entries.binary_search_by_key(&key, |entry| entry.key).ok()?;
        self.entries.get(place)
    }

    pub(super) fn name(&self, entry: &Entry) -> Option<Username> {
        Username::parse(text(&self.names, entry.name)?)
    }

    pub(super) fn secret(&self, entry: &Entry) -> Option<ListedSecret<'_>> {
        let text = text(&self.secrets, entry.secret)?;
        Some(match entry.has_password {
            true => ListedSecret::Password(text),
            false => ListedSecret::Cryptpass(text),
        })
    }

    /// The rows that were taken.
    pub(super) fn rows(&self) -> u64 {
        self.entries.len() as u64 + self.inactive + self.elsewhere + self.refused_count
    }

    /// Takes a row. `asked` is the site of a row that does not name one.
    pub(super) fn push(
        &mut self,
        raw: &RawRow,
        row: u64,
        asked: Option<SiteId>,
    ) -> Result<(), ReconcileError> {
        let listed = match ListedRow::read(raw, &self.wish.zone) {
            Ok(Some(listed)) => listed,
            Ok(None) => {
                self.inactive += 1;
                return Ok(());
            }
            Err(why) => {
                self.refuse(row, why);
                return Ok(());
            }
        };
        let site = match (listed.site.or(asked), self.wish.sites.as_slice()) {
            (Some(site), _) => site,
            // A list of one site need not name it in each row.
            (None, [site]) => *site,
            (None, _) => return Err(ReconcileError::NoSite),
        };
        if !self.wish.sites.is_empty() && !self.wish.sites.contains(&site) {
            self.elsewhere += 1;
            return Ok(());
        }
        if self.entries.len() == MEMBERS_MAX {
            return Err(ReconcileError::TooMany(MEMBERS_MAX));
        }
        let name = listed.username.as_str();
        let (secret, has_password) = match listed.secret.filter(|_| self.wish.keeps_secrets) {
            Some(ListedSecret::Password(text)) => (text, true),
            Some(ListedSecret::Cryptpass(text)) => (text, false),
            None => ("", false),
        };
        let key = Key { site, member: listed.member };
        let entry = Entry {
            key,
            expires: listed.expires.unwrap_or(0),
            name: keep(&mut self.names, name)?,
            secret: keep(&mut self.secrets, secret)?,
            has_password,
            trial: listed.trial,
            row: u32::try_from(row).unwrap_or(u32::MAX),
        };
        self.entries.push(entry);
        Ok(())
    }

    fn refuse(&mut self, row: u64, why: String) {
        self.refused_count += 1;
        if self.refused.len() < REFUSED_NAMED_MAX {
            self.refused.push(RefusedRow { row, why });
        }
    }

    /// Sorts the list. Equal rows of one member count once, others are refused.
    ///
    /// # Errors
    ///
    /// If a site has no active member in the list: that is more likely a mistake than the truth.
    pub(super) fn complete(&mut self) -> Result<(), ReconcileError> {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by_key(|entry| (entry.key, entry.row));
        let mut others = Vec::new();
        // In place: a second list would double the memory.
        entries.dedup_by(|entry, first| {
            let is_again = entry.key == first.key;
            if is_again && !self.are_equal(first, entry) {
                others.push((*entry, first.row));
            }
            is_again
        });
        self.entries = entries;
        for (entry, first) in others {
            let Key { site, member } = entry.key;
            let why = format!(
                "member {member} of site {site}: expected one row, found another one with other \
                 values ({first})"
            );
            self.refuse(entry.row.into(), why);
        }
        if let ([], [first, ..]) = (self.entries.as_slice(), self.refused.as_slice()) {
            return Err(ReconcileError::NoRow(first.row, first.why.clone()));
        }
        if self.entries.is_empty() && self.wish.sites.len() != 1 {
            return Err(ReconcileError::Empty);
        }
        for &site in &self.wish.sites {
            if self.of_site(site).is_empty() {
                return Err(ReconcileError::EmptySite(site.get()));
            }
        }
        Ok(())
    }

    fn are_equal(&self, one: &Entry, other: &Entry) -> bool {
        let values = |entry: &Entry| (entry.expires, entry.trial, entry.has_password);
        values(one) == values(other)
            && text(&self.names, one.name) == text(&self.names, other.name)
            && text(&self.secrets, one.secret) == text(&self.secrets, other.secret)
    }
}

fn keep(arena: &mut String, text: &str) -> Result<Span, ReconcileError> {
    let (Ok(start), Ok(bytes)) = (u32::try_from(arena.len()), u16::try_from(text.len())) else {
        return Err(ReconcileError::TooLarge);
    };
    if text.is_empty() {
        return Ok(NONE);
    }
    arena.push_str(text);
    Ok(Span { start, bytes })
}

fn text(arena: &str, Span { start, bytes }: Span) -> Option<&str> {
    let start = start as usize;
    arena.get(start..start + usize::from(bytes)).filter(|text| !text.is_empty())
}
