//! Finds members by memberid, name or e-mail address.

use crate::cli::failure::Failure;
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::store::{FindBy, Read};

/// The most members who are found.
const FOUND_MAX: u32 = 1_000;

/// The members and former members whose memberid, name or e-mail address this is, of one site or of
/// all, by site and memberid.
///
/// # Errors
///
/// If the database cannot be read.
pub(super) fn find(
    reader: &dyn Read,
    site: Option<SiteId>,
    text: &str,
) -> Result<Vec<Key>, Failure> {
    let (member, name) = (MemberId::parse(text), Username::typed(text));
    let by = [
        member.map(FindBy::Member),
        name.as_ref().map(FindBy::Name),
        text.contains('@').then_some(FindBy::Email(text)),
    ];
    let mut found = Vec::new();
    for by in by.into_iter().flatten() {
        found.extend(reader.find(by, FOUND_MAX)?);
    }
    found.retain(|key| site.is_none_or(|site| key.site == site));
    found.sort_unstable_by_key(|key| (key.site.get(), key.member.get()));
    found.dedup();
    Ok(found)
}
