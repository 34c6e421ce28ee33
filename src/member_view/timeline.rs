//! The history of a member as one timeline, the newest first, page by page: journal records,
//! logins, blocks and sharing.

use crate::block::Block;
use crate::identity::Key;
use crate::login_record::StoredLogin;
use crate::shared_use::SharingBlock;
use crate::store::{Fault, Read, StoredRecord};

/// The entries of a page, apart from blocks, of which there are few.
pub const ENTRIES_MAX: usize = 50;

/// Something that happened to a member.
#[derive(Debug)]
pub enum Entry {
    /// A postback, or a change of an operator.
    Record(Box<StoredRecord>),
    /// A journal record that cannot be read: its number.
    Unreadable(i64),
    /// A login, a failed login or a logout.
    Login(StoredLogin),
    /// A block for wrong passwords began. It is still in force.
    Block(Block),
    /// The member counted as shared.
    Sharing(SharingBlock),
}

impl Entry {
    /// When it happened, unix seconds; `None` if that cannot be read.
    pub fn at(&self) -> Option<i64> {
        match self {
            Self::Record(record) => Some(record.at),
            Self::Unreadable(_) => None,
            Self::Login(login) => Some(login.record.at),
            Self::Block(block) => Some(block.since),
            Self::Sharing(block) => Some(block.since),
        }
    }
}

/// Where a page begins: behind this journal record and this login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    record: i64,
    login: i64,
    /// The time of the last entry of the page before, unix seconds.
    until: i64,
}

impl Cursor {
    /// At the newest entry.
    pub const NEWEST: Self = Self { record: i64::MAX, login: i64::MAX, until: i64::MAX };

    /// Reads what [`Cursor`] prints.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('-').map(|number| {
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            number.parse().ok().filter(|_| is_number)
        });
        let mut next = || numbers.next().flatten();
        let cursor = Self { record: next()?, login: next()?, until: next()? };
        numbers.next().is_none().then_some(cursor)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.record, self.login, self.until.max(0))
    }
}

/// A page of the timeline.
#[derive(Debug)]
pub struct Page {
    /// The entries, the newest first.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

/// Reads a page. `blocks` are the blocks that are in force, and `sharing` when the member last
/// counted as shared.
///
/// # Errors
///
/// If the database cannot be read.
pub fn page(
    reader: &dyn Read,
    key: Key,
    after: Cursor,
    blocks: &[Block],
    sharing: Option<&SharingBlock>,
) -> Result<Page, Fault> {
    let most = ENTRIES_MAX as u32 + 1;
    let records: Vec<Entry> = reader
        .last_records(key, after.record, most)?
        .into_iter()
        .map(|found| match found {
            Ok(record) => Entry::Record(Box::new(record)),
            Err(unreadable) => Entry::Unreadable(unreadable.id),
        })
        .collect();
    let logins = reader.logins_before(key, after.login, most)?;
    let merged = merge(records, logins.into_iter().map(Entry::Login).collect());
    Ok(cut(merged, after, blocks, sharing))
}

/// Two lists as one, each in its own order: of the two next entries, the newer one comes first.
fn merge(records: Vec<Entry>, logins: Vec<Entry>) -> Vec<Entry> {
    let (mut records, mut logins) = (records.into_iter().peekable(), logins.into_iter().peekable());
    let mut merged = Vec::new();
    loop {
        let is_login = match (records.peek(), logins.peek()) {
            (Some(record), Some(login)) => record.at().is_some_and(|at| Some(at) < login.at()),
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return merged,
        };
        merged.extend(if is_login { logins.next() } else { records.next() });
    }
}

/// The first entries, with the blocks that began among them.
fn cut(
    mut entries: Vec<Entry>,
    after: Cursor,
    blocks: &[Block],
    sharing: Option<&SharingBlock>,
) -> Page {
    let has_more = entries.len() > ENTRIES_MAX;
    entries.truncate(ENTRIES_MAX);
    let mut next = after;
    for entry in &entries {
        match entry {
            Entry::Record(record) => next.record = record.id,
            Entry::Unreadable(id) => next.record = *id,
            Entry::Login(login) => next.login = login.id,
            Entry::Block(_) | Entry::Sharing(_) => {}
        }
        next.until = entry.at().unwrap_or(next.until);
    }
    let oldest = if has_more { next.until } else { i64::MIN };
    let began = blocks.iter().cloned().map(Entry::Block);
    let began = began.chain(sharing.cloned().map(Entry::Sharing)).filter(|entry| {
        let at = entry.at().unwrap_or_default();
        // On the first page, one that is ahead of a clock that was set back is shown too.
        at >= oldest && (at < after.until || after == Cursor::NEWEST)
    });
    for entry in began.collect::<Vec<_>>() {
        let place = entries.iter().position(|other| other.at() < entry.at());
        entries.insert(place.unwrap_or(entries.len()), entry);
    }
    Page { entries, next: has_more.then_some(next) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{LoginName, Target};
    use crate::identity::{MemberId, SiteId};
    use crate::login_record::{LoginEvent, LoginRecord, LoginWay};

    fn login(id: i64, at: i64) -> Entry {
        let record = LoginRecord {
            at,
            event: LoginEvent::Login,
            way: LoginWay::Page,
            site: SiteId::parse("1").unwrap(),
            member: MemberId::parse("71"),
            name: None,
            network: "203.0.113.9".into(),
        };
        Entry::Login(StoredLogin { id, record })
    }

    fn block(since: i64) -> Block {
        Block { target: Target::Name(LoginName::new("bob")), since, until: since + 900 }
    }

    fn times(page: &Page) -> Vec<Option<i64>> {
        page.entries.iter().map(Entry::at).collect()
    }

    #[test]
    fn a_cursor_is_read_as_it_is_printed_and_nothing_else_is_one() {
        let cursor = Cursor { record: 7, login: 9, until: 1_781_524_800 };
        assert_eq!(cursor.to_string(), "7-9-1781524800");
        assert_eq!(Cursor::parse("7-9-1781524800"), Some(cursor));
        assert_eq!(Cursor::parse(&Cursor::NEWEST.to_string()), Some(Cursor::NEWEST));
        for text in
            ["", "7", "7-9", "7-9-1-2", "-7-9-1", "7-9-", "+7-9-1", "7-9-99999999999999999999"]
        {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn two_lists_become_one_by_time() {
        let merged = merge(
            vec![login(3, 50), Entry::Unreadable(2), login(1, 10)],
            vec![login(12, 60), login(11, 20)],
        );
        let at: Vec<_> = merged.iter().map(Entry::at).collect();
        assert_eq!(at, [Some(60), Some(50), None, Some(20), Some(10)]);
    }

    #[test]
    fn each_block_is_on_the_page_of_its_time() {
        let all = || (0..120).rev().map(|at| login(at, at)).collect::<Vec<_>>();
        let blocks = [block(200), block(100), block(70), block(30), block(-5)];
        let first = cut(all(), Cursor::NEWEST, &blocks, None);
        assert_eq!(first.entries.len(), 53, "{:?}", times(&first));
        assert_eq!((times(&first)[0], times(&first)[52]), (Some(200), Some(70)));
        let next = first.next.unwrap();
        assert_eq!((next.login, next.until), (70, 70));

        let second = cut(all().split_off(50), next, &blocks, None);
        assert_eq!((second.entries.len(), times(&second)[0]), (51, Some(69)));
        let third = cut(all().split_off(100), second.next.unwrap(), &blocks, None);
        assert_eq!(third.next, None);
        assert_eq!((third.entries.len(), times(&third)[20]), (21, Some(-5)));
    }
}
