//! A member as a value: the identity, the name and the row of `member_auth` or `former_member`.
//!
//! The newtypes here have one door each, `parse`, so that nothing behind the edge meets a bad
//! value. Each error is the sentence "what was expected"; the caller adds the parameter's name and
//! what was found.

use std::fmt;

use crate::password::{Cryptpass, Stored};
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

/// What [`SiteId::parse`] and [`MemberId::parse`] take.
pub const ID_EXPECTED: &str = "expected a number from 1 to 9223372036854775807";
/// What [`Username::typed`] takes.
pub const USERNAME_EXPECTED: &str = "expected 1 to 255 bytes without control characters";
/// What [`Username::parse`] takes beyond [`Username::typed`].
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
    /// Reads ASCII digits, 1 to 2^63-1.
    pub fn parse(text: &str) -> Option<Self> {
        id(text).map(Self)
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

/// `str::parse` alone would take a sign.
fn id(text: &str) -> Option<i64> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&number| number >= 1)
}

/// Who a postback is about: members are told apart by site and memberid together, never by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The site.
    pub site: SiteId,
    /// The member within the site.
    pub member: MemberId,
}

/// A login name: 1 to 255 bytes of UTF-8 without control characters, kept as sent, compared in
/// folded form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username {
    sent: String,
    /// `None` where it is as sent, as most are.
    folded: Option<String>,
}

impl Username {
    /// Reads a name that a member is to get. One of nothing but white space and what cannot be seen
    /// is none.
    pub fn parse(text: &str) -> Option<Self> {
        Self::typed(text).filter(|name| !name.folded().is_empty())
    }

    /// Reads a name by which a member is looked for, or that a row has: before names were folded,
    /// one of nothing but white space could be given, and still opens the door.
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

    /// The form under which two spellings of one name are equal: see [`folded`].
    pub fn folded(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.sent)
    }

    /// Whether HTTP Basic can carry it: the first colon there ends the name (RFC 7617).
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

/// SHA-256 of NATS's `session`, which authorises calls in the member's name and is therefore never
/// kept itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionHash(pub [u8; 32]);

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHash(***)")
    }
}

/// A credential in the form that a row keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The one form against which logins are verified.
    pub stored: Stored,
    /// With `--keep-cryptpass`: the cryptpass of the postback that brought this credential, for an
    /// Apache that reads the column.
    pub cryptpass: Option<Cryptpass>,
}

/// A row of `member_auth`: somebody who may log in now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Site and memberid.
    pub key: Key,
    /// The login name, one holder per site.
    pub username: Username,
    /// Whether the folded form of the name is this member's. Not where an older row of the site has
    /// the same form, or the name folds to nothing: such a member, of before names were folded, is
    /// known by the exact name alone.
    pub holds_folded: bool,
    /// What opens the door.
    pub credential: Credential,
    /// While the credential is sealed: the form that stood here before it. If hardening finds the
    /// same password in both, the older hash stays, so that a rebill which repeats the password
    /// changes nothing.
    pub before: Option<Stored>,
    /// `email`, at most 255 bytes.
    pub email: Option<String>,
    /// Whether this is a trial membership.
    pub trial: bool,
    /// `biller`, or else `memberidx` (`BILLER:subscription`).
    pub biller: Option<String>,
    /// SHA-256 of `session`.
    pub session: Option<SessionHash>,
    /// `joined`, unix seconds; NATS sends 0 for none.
    pub joined: Option<i64>,
    /// `expires`, unix seconds, NATS's bookkeeping: it locks nobody out.
    pub expires: Option<i64>,
    /// The instant noted by an EXPIRE with a date ahead, unix seconds: from then on the member
    /// counts as not there.
    pub expire_at: Option<i64>,
    /// Stands in every login cookie; a cookie with another one is no login any more.
    pub login_version: i64,
}

/// [`Member::login_version`] of somebody who was never seen before.
pub const FIRST_LOGIN_VERSION: i64 = 1;

impl Member {
    /// Takes over a credential. An equal one leaves the row as it is.
    pub fn take_credential(&mut self, given: Credential) {
        if self.credential.stored != given.stored {
            // Only a sealed password is still to be compared with what stood here.
            let old = std::mem::replace(&mut self.credential.stored, given.stored);
            self.before = matches!(self.credential.stored, Stored::Sealed(_)).then_some(old);
        }
        self.credential.cryptpass = given.cryptpass;
    }
}

/// Why a member is not in `member_auth` any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A DELETE.
    Deleted,
    /// An EXPIRE whose date was reached, at once or later.
    Expired,
}

impl Reason {
    /// The word in the column `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Deleted => "deleted",
            Reason::Expired => "expired",
        }
    }
}

/// A row of `former_member`: somebody who was a member and is not now. The row is kept for the day
/// the member comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// The row as it was; `expire_at` is always `None`.
    pub member: Member,
    /// Why.
    pub reason: Reason,
    /// When, unix seconds: the arrival of the DELETE, or the instant of the expiry (not the moment
    /// of the move).
    pub ended_at: i64,
}

impl Former {
    /// The member leaves, and with him his logins: none of them is one again when he comes back.
    pub fn new(mut member: Member, reason: Reason, ended_at: i64) -> Self {
        member.expire_at = None;
        // Names of former members are free.
        member.holds_folded = false;
        member.login_version += 1;
        Self { member, reason, ended_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
