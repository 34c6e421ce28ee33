//! One login of a cookie, as a value and as bytes.

use crate::identity::{Key, MemberId, SiteId};

const ID_BYTES: usize = 16;
/// Bytes of a login in a value.
pub(super) const LOGIN_BYTES: usize = 8 + 8 + ID_BYTES + 8 + 8;
/// Bytes of the signature.
pub(super) const TAG_BYTES: usize = 32;
/// If the clock was set back, a login may seem to begin in the future by this much.
const AHEAD_SECONDS_MAX: i64 = 60;

/// A bit of the time of a login that stays. An earlier release takes such a login for one from the
/// future, and ignores it.
const STAYS: i64 = 1 << 62;

/// How long logins last, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// A login without the box.
    pub plain: i64,
    /// A login with the box "stay logged in".
    pub staying: i64,
}

impl Lifetimes {
    /// One lifetime for all logins.
    pub fn alike(seconds: i64) -> Self {
        Self { plain: seconds, staying: seconds }
    }

    /// The longer one.
    pub fn longest(self) -> i64 {
        self.plain.max(self.staying)
    }

    /// That of such a login.
    pub fn of(self, stays: bool) -> i64 {
        if stays { self.staying } else { self.plain }
    }
}

/// One login in a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// The member.
    pub key: Key,
    /// Identifies the login among the member's.
    pub id: LoginId,
    /// When the member logged in, unix seconds.
    pub issued: i64,
    /// The `login_version` of the row at that time. The login ends when the row's changes.
    pub login_version: i64,
    /// Whether the member wants to stay logged in.
    pub stays: bool,
}

impl Login {
    /// When the login ends, unix seconds: the first second in which it is not valid. A logout is
    /// remembered until then.
    pub fn ends_at(&self, lifetime_seconds: i64) -> i64 {
        self.issued.saturating_add(lifetime_seconds)
    }

    /// Whether the login is valid at `now`: it is younger than the lifetime and not from the
    /// future.
    pub(super) fn is_current(&self, now: i64, lifetimes: Lifetimes) -> bool {
        let ends_at = self.ends_at(lifetimes.of(self.stays));
        self.issued.saturating_sub(AHEAD_SECONDS_MAX) <= now && now < ends_at
    }

    pub(super) fn to_bytes(self) -> [u8; LOGIN_BYTES] {
        let mut bytes = [0; LOGIN_BYTES];
        bytes[..8].copy_from_slice(&self.key.site.get().to_be_bytes());
        bytes[8..16].copy_from_slice(&self.key.member.get().to_be_bytes());
        bytes[16..32].copy_from_slice(&self.id.0);
        let issued = if self.stays { self.issued | STAYS } else { self.issued };
        bytes[32..40].copy_from_slice(&issued.to_be_bytes());
        bytes[40..].copy_from_slice(&self.login_version.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; LOGIN_BYTES]) -> Option<Self> {
        let (site, rest) = number(bytes)?;
        let (member, rest) = number(rest)?;
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let (issued, rest) = number(rest)?;
        let (login_version, _) = number(rest)?;
        let key = Key {
            site: SiteId::parse(&site.to_string())?,
            member: MemberId::parse(&member.to_string())?,
        };
        let stays = issued & STAYS != 0;
        Some(Self { key, id: LoginId(*id), issued: issued & !STAYS, login_version, stays })
    }
}

fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (i64::from_be_bytes(*number), rest))
}

/// Identifies a login, for logouts. It is random and no secret: without a signature nobody can log
/// in with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginId(pub [u8; ID_BYTES]);

impl LoginId {
    /// Draws a new id.
    pub fn random() -> Self {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id)
            .expect("getrandom(2) gives up to 256 bytes whole, once the system has started");
        Self(id)
    }
}
