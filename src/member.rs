//! A member as a value: the row of `member_auth` or `former_member`.

use crate::identity::{Key, SessionHash, Username};
use crate::password::{Cryptpass, Stored};

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
