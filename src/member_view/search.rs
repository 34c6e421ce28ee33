//! The one search field: a memberid, or the beginning of a name or of an e-mail address.

use crate::identity::{MemberId, SiteId};
use crate::store::{Fault, FindBy, FoundMember, Read, SearchBy};
use crate::unicode::folded;

/// The most results that are shown.
pub const RESULTS_MAX: u32 = 50;
/// The most bytes of what is searched: those of the longest name or address.
pub const SEARCH_BYTES_MAX: usize = 255;

/// What a search found.
#[derive(Debug, Default)]
pub struct Results {
    /// Those who have exactly this memberid, name or address come first.
    pub found: Vec<FoundMember>,
    /// How many of them have exactly what was searched.
    pub exact: usize,
    /// Whether there are more than were found.
    pub has_more: bool,
    /// Whether e-mail addresses were searched.
    pub has_emails: bool,
}

/// Finds members and former members, of one site or of all. `text` is what was typed, without white
/// space around it.
///
/// E-mail addresses are searched if it may be one, or is nothing else, or if they are wanted. At a
/// million members that takes some tenths of a second where they have no index.
///
/// # Errors
///
/// If the database cannot be read.
pub fn search(
    reader: &dyn Read,
    text: &str,
    site: Option<SiteId>,
    wants_emails: bool,
    now: i64,
) -> Result<Results, Fault> {
    let mut found: Vec<FoundMember> = Vec::new();
    let most = RESULTS_MAX + 1;
    if let Some(member) = MemberId::parse(text) {
        for key in reader.find(FindBy::Member(member), most)? {
            if site.is_none_or(|site| key.site == site) {
                found.extend(FoundMember::of(reader.standing(key, now)?));
            }
        }
    }
    let mut add = |by| -> Result<bool, Fault> {
        for person in reader.search(by, site, now, most)? {
            if !found.iter().any(|other| other.key == person.key) {
                found.push(person);
            }
        }
        Ok(found.is_empty())
    };
    let is_nobody = add(SearchBy::Name(text))?;
    let has_emails = wants_emails || is_nobody || text.contains('@');
    if has_emails {
        add(SearchBy::Email(text))?;
    }
    let form = folded(text);
    let is_exact = |person: &FoundMember| {
        MemberId::parse(text) == Some(person.key.member)
            || person.username.folded() == form
            || person.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(text))
    };
    // Stable: within both parts the order stays.
    found.sort_by_key(|person| !is_exact(person));
    let has_more = found.len() > RESULTS_MAX as usize;
    found.truncate(RESULTS_MAX as usize);
    let exact = found.iter().take_while(|person| is_exact(person)).count();
    Ok(Results { found, exact, has_more, has_emails })
}
