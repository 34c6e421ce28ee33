//! A member as a value: the row of `member_auth` or `former_member`.

use crate::identity::{Key, SessionHash, Username};
use crate::password::{Cryptpass, Stored};

/// A credential in the form that a row stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The credential of a login.
    pub stored: Stored,
    /// The cryptpass of the postback that brought this credential, for an Apache that reads the
    /// column. Stored with `--keep-cryptpass` only.
    pub cryptpass: Option<Cryptpass>,
}

/// A row of `member_auth`: a member who may log in now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Site and memberid.
    pub key: Key,
    /// The login name. Within a site, one member has it.
    pub username: Username,
    /// Whether the member also holds the folded form of the name. They do not if an older row of
    /// the site has the same form, or if the name folds to nothing. Such rows are from before names
    /// were folded; only the exact name finds them.
    pub holds_folded: bool,
    /// The credential with which the member logs in.
    pub credential: Credential,
    /// The form that a sealed credential replaced. If hardening finds the same password in both, it
    /// keeps the older hash, so that a rebill that repeats the password changes nothing.
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
    /// `expires`, unix seconds. It is NATS's bookkeeping and ends no login.
    pub expires: Option<i64>,
    /// When the member expires, unix seconds, from an EXPIRE with a future date. From then on the
    /// member counts as former.
    pub expire_at: Option<i64>,
    /// `stamp` of the last change of this row that brought one, unix seconds: when NATS wrote the
    /// record. See [`crate::action::Stamp`].
    pub stamp: Option<i64>,
    /// Part of every login cookie. A cookie with another version is not a valid login.
    pub login_version: i64,
}

/// The [`Member::login_version`] of a new member.
pub const FIRST_LOGIN_VERSION: i64 = 1;

impl Member {
    /// Replaces the credential. An equal one changes nothing.
    pub fn take_credential(&mut self, given: Credential) {
        if self.credential.stored != given.stored {
            // Only a sealed password still has to be compared with the form before it.
            let old = std::mem::replace(&mut self.credential.stored, given.stored);
            self.before = matches!(self.credential.stored, Stored::Sealed(_)).then_some(old);
        }
        self.credential.cryptpass = given.cryptpass;
    }
}

/// Why a member is not in `member_auth` any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// By a DELETE.
    Deleted,
    /// By an EXPIRE, when its date was reached.
    Expired,
}

impl Reason {
    /// The word for the column `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Deleted => "deleted",
            Reason::Expired => "expired",
        }
    }
}

/// A row of `former_member`: a member who left. The row is kept in case they come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// The row as it was. Its `expire_at` is always `None`.
    pub member: Member,
    /// Why the member left.
    pub reason: Reason,
    /// When the membership ended, unix seconds: when the DELETE arrived, or when the expiry was due
    /// (not when the row was moved).
    pub ended_at: i64,
}

impl Former {
    /// Makes the row of a member who leaves. This also ends their logins, even if they come back
    /// later.
    pub fn new(mut member: Member, reason: Reason, ended_at: i64) -> Self {
        member.expire_at = None;
        // Another member may take the name of a former member.
        member.holds_folded = false;
        member.login_version += 1;
        Self { member, reason, ended_at }
    }
}
