//! Who a postback or a login is about: site, memberid, username, and the hash of NATS's session.
//!
//! Each type has one constructor that reads text, `parse`, so that no other code meets a bad value.
//! Each `…_EXPECTED` is the part of the error that says what was expected; the caller adds the name
//! of the parameter and what was found.

use std::fmt;

use crate::secret::redacted;
use crate::unicode::folded;

/// Longest username that is taken, in bytes of UTF-8.
pub const USERNAME_BYTES_MAX: usize = 255;
/// Longest e-mail address, biller or session that is taken, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 255;

/// The site a member belongs to (`siteid`), 1 to 2^63-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(i64);

/// The identity of a member within a site (`memberid`), 1 to 2^63-1. NATS: "memberid is the
/// identity".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(i64);

/// The memberid of the member that `try` adds and removes, and the siteid that it uses unless it is
/// given another one. NATS numbers members and sites from 1 and does not come to it. It fits a
/// column of 32 bits, which other receivers have.
pub const TEST_ID: i64 = 2_147_483_600;

/// What [`SiteId::parse`] and [`MemberId::parse`] accept, for error messages.
pub const ID_EXPECTED: &str = "expected a number from 1 to 9223372036854775807";
/// What a memberid of NATS may be, for error messages. Those above it are provisional.
pub const MEMBER_ID_EXPECTED: &str = "expected a number from 1 to 4611686018427387903";
/// What [`Username::typed`] accepts, for error messages.
pub const USERNAME_EXPECTED: &str = "expected 1 to 255 bytes without control characters";
/// What [`Username::parse`] accepts in addition to [`Username::typed`], for error messages.
pub const VISIBLE_EXPECTED: &str = "expected a character that can be seen";

impl SiteId {
    /// Reads ASCII digits, 1 to 2^63-1.
    pub fn parse(text: &str) -> Option<Self> {
        id(text).map(Self)
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl MemberId {
    /// The first number of provisional members, 2^62. They were imported without a memberid. NATS
    /// counts its members from 1 and never gets there.
    pub const FIRST_PROVISIONAL: i64 = 1 << 62;

    /// Reads ASCII digits, 1 to 2^63-1.
    pub fn parse(text: &str) -> Option<Self> {
        id(text).map(Self)
    }

    /// Whether this is the member of `try`, of whom no row stays after a DELETE.
    pub fn is_test(self) -> bool {
        self.0 == TEST_ID
    }

    /// Reads a memberid of NATS: one that is not provisional.
    pub fn of_nats(text: &str) -> Option<Self> {
        Self::parse(text).filter(|member| !member.is_provisional())
    }

    /// The provisional memberid with this place in the range. Larger places begin at 0 again.
    pub fn provisional(place: u64) -> Self {
        let place = i64::try_from(place % Self::FIRST_PROVISIONAL.unsigned_abs()).unwrap_or(0);
        Self(Self::FIRST_PROVISIONAL + place)
    }

    /// Whether NATS has not named the member yet: see [`MemberId::FIRST_PROVISIONAL`].
    pub fn is_provisional(self) -> bool {
        self.0 >= Self::FIRST_PROVISIONAL
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Checks for digits first, because `str::parse` also accepts a sign.
fn id(text: &str) -> Option<i64> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&number| number >= 1)
}

/// Identifies a member: site and memberid together. A username does not identify a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The site.
    pub site: SiteId,
    /// The member within the site.
    pub member: MemberId,
}

impl Key {
    /// The last key that a member of this site can have.
    pub fn last_of(site: SiteId) -> Self {
        Self { site, member: MemberId(i64::MAX) }
    }

    /// Picks one of `parts` parts with a lock each. Members with neighbouring memberids are in
    /// different ones. It costs less than a keyed hash, which is not needed: no visitor chooses a
    /// memberid.
    pub fn part_of(self, parts: usize) -> usize {
        // Fibonacci hashing: the upper bits of the product depend on all bits of the factor.
        let mixed = (self.member.get() ^ self.site.get().rotate_left(32)).unsigned_abs();
        let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        mixed as usize % parts
    }
}

/// A login name: 1 to 255 bytes of UTF-8 without control characters. It is kept as sent and
/// compared in folded form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username {
    sent: String,
    /// `None` if it equals `sent`, as in most names.
    folded: Option<String>,
}

impl Username {
    /// Reads a name to give to a member. Returns `None` for a name of white space and invisible
    /// characters only.
    pub fn parse(text: &str) -> Option<Self> {
        Self::typed(text).filter(|name| !name.folded().is_empty())
    }

    /// Reads a name for the look-up of a member, or the name in a row. Unlike [`Username::parse`]
    /// it accepts a name of white space only: before names were folded, a member could get one, and
    /// they can still log in with it.
    pub fn typed(text: &str) -> Option<Self> {
        let fits =
            (1..=USERNAME_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
        fits.then(|| Self {
            sent: text.to_owned(),
            folded: Some(folded(text)).filter(|form| form != text),
        })
    }

    /// The name as it was sent.
    pub fn as_str(&self) -> &str {
        &self.sent
    }

    /// The form in which two spellings of one name are equal. See [`folded`].
    pub fn folded(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.sent)
    }

    /// Whether two members of one site cannot both have these names: the folded forms are equal, or
    /// the names without the case of ASCII letters.
    pub fn clashes_with(&self, other: &Self) -> bool {
        self.folded() == other.folded() || self.sent.eq_ignore_ascii_case(&other.sent)
    }

    /// Whether HTTP Basic can carry the name. The first colon ends the name there (RFC 7617).
    pub fn fits_basic(&self) -> bool {
        !self.sent.contains(':')
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Username").field(&self.sent).finish()
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sent)
    }
}

/// The most sites in a list, which is the most sites of one members area.
pub const SITES_MAX: usize = 32;
/// What [`Sites::parse`] accepts, for error messages.
pub const SITES_EXPECTED: &str = "expected 1 to 32 siteids separated by commas, each once";

/// 1 to 32 different sites, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sites(Vec<SiteId>);

impl Sites {
    /// Reads siteids separated by commas, as in `1,5,64`. A site that is listed twice is refused:
    /// the operator meant another one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut sites = Vec::new();
        for entry in text.split(',') {
            let site = SiteId::parse(entry)?;
            if sites.len() == SITES_MAX || sites.contains(&site) {
                return None;
            }
            sites.push(site);
        }
        Some(Self(sites))
    }

    /// The sites.
    pub fn as_slice(&self) -> &[SiteId] {
        &self.0
    }
}

impl fmt::Display for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, site) in self.0.iter().enumerate() {
            write!(f, "{}{site}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// SHA-256 of NATS's `session`. The session itself authorises calls in the member's name, so it is
/// never stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionHash(pub [u8; 32]);

redacted!(SessionHash);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_members_are_spread_over_all_parts() {
        let site = SiteId::parse("7").unwrap();
        for step in [1, 2, 3, 16] {
            let mut counts = [0; 16];
            for n in 0..1_600 {
                let member = MemberId(1 + n * step);
                counts[Key { site, member }.part_of(counts.len())] += 1;
            }
            assert!(counts.iter().all(|count| (60..140).contains(count)), "{step}: {counts:?}");
        }
    }

    #[test]
    fn an_id_is_ascii_digits_from_1_to_the_largest_signed_number() {
        for (text, number) in
            [("1", Some(1)), ("0071", Some(71)), ("9223372036854775807", Some(i64::MAX))]
        {
            assert_eq!(SiteId::parse(text).map(SiteId::get), number, "{text}");
        }
        for text in ["", "0", "+1", "-1", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "١"] {
            assert_eq!(MemberId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_memberid_from_2_to_the_62nd_is_provisional_and_none_of_nats() {
        let (last, first) = ("4611686018427387903", "4611686018427387904");
        assert!(!MemberId::parse(last).unwrap().is_provisional());
        assert!(MemberId::of_nats(last).is_some() && MemberId::of_nats(first).is_none());
        for (place, member) in [
            (0, first),
            (1 << 62, first),
            (u64::MAX, "9223372036854775807"),
            (7, "4611686018427387911"),
        ] {
            let provisional = MemberId::provisional(place);
            assert_eq!(provisional.to_string(), member);
            assert!(provisional.is_provisional());
        }
    }

    #[test]
    fn a_username_is_1_to_255_bytes_without_control_characters() {
        for text in ["b", "a b", "bob@example.com", "é", &"x".repeat(255)] {
            assert!(Username::parse(text).is_some(), "{text}");
        }
        for text in ["", "a\nb", "a\0", "\u{7f}", "\u{85}", &"x".repeat(256), &"é".repeat(128)] {
            assert!(Username::parse(text).is_none() && Username::typed(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_username_that_nobody_can_see_is_given_to_nobody_and_still_found() {
        for text in [" ", "\u{200b}", "\u{ad} \u{2003}"] {
            assert!(Username::parse(text).is_none(), "{}", text.escape_unicode());
            let typed = Username::typed(text).unwrap();
            assert_eq!((typed.as_str(), typed.folded()), (text, ""));
        }
        let name = Username::parse(" Bob\u{200b} ").unwrap();
        assert_eq!((name.as_str(), name.folded()), (" Bob\u{200b} ", "bob"));
    }

    #[test]
    fn a_name_with_a_colon_does_not_fit_into_basic() {
        for (text, fits) in [("bob", true), ("a b@example.com", true), ("a:b", false), (":", false)]
        {
            assert_eq!(Username::parse(text).unwrap().fits_basic(), fits, "{text}");
        }
    }

    #[test]
    fn a_list_of_sites_names_1_to_32_each_once() {
        let list = |n: i64| (1..=n).map(|site| site.to_string()).collect::<Vec<_>>().join(",");
        for text in ["1", "64,1,5", &list(32)] {
            assert_eq!(Sites::parse(text).unwrap().to_string(), text);
        }
        for text in ["", ",", "1,", "1,,5", "1, 5", "1;5", "1,5,01", &list(33)] {
            assert_eq!(Sites::parse(text), None, "{text}");
        }
    }
}
