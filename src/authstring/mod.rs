//! Authstrings: strings that authorise a link to NATS's `/signup/*plus.php` pages. This program
//! requests them through NATS's REST API, serves that API itself, and can make them without a NATS.
//!
//! ```text
//! query   --query--> StringQuery: resource and Lookup
//! headers --keys-->  which sites a caller may request authstrings for
//!
//! Lookup --our own member_auth--> an active member
//!     --client-->   NATS --answer--> AuthString or an empty answer
//!     --stand_in--> AuthString, redeemed once
//! ```

pub mod answer;
pub mod keys;
pub mod query;
pub mod stand_in;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::identity::{MemberId, SessionHash, SiteId, Sites, TEXT_BYTES_MAX, Username};
use crate::secret::redacted;

/// Hexadecimal digits of an authstring, as in TMM's examples of both resources.
pub const DIGITS: usize = 32;

/// The "plus system" that an authstring is for: NATS's parameter `type`, with the six values of
/// TMM's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plus {
    /// UpsellPlus: a further site.
    Upsell,
    /// TokenPlus: tokens bought again.
    TokenRebuy,
    /// UpgradePlus: from a trial to a full membership.
    InstantUpgrade,
    /// PackagePlus: another package.
    PackageUpgrade,
    /// CancelPlus: the end of the membership.
    Cancel,
    /// SignupPlus: a further signup.
    SignupPlus,
}

/// All six, in the order of TMM's page.
pub const PLUS: [Plus; 6] = [
    Plus::Upsell,
    Plus::TokenRebuy,
    Plus::InstantUpgrade,
    Plus::PackageUpgrade,
    Plus::Cancel,
    Plus::SignupPlus,
];
/// What [`Plus::parse`] accepts.
pub const PLUS_EXPECTED: &str =
    "expected upsell, tokenrebuy, instantupgrade, packageupgrade, cancel or signupplus";

impl Plus {
    /// The word that NATS uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Plus::Upsell => "upsell",
            Plus::TokenRebuy => "tokenrebuy",
            Plus::InstantUpgrade => "instantupgrade",
            Plus::PackageUpgrade => "packageupgrade",
            Plus::Cancel => "cancel",
            Plus::SignupPlus => "signupplus",
        }
    }

    /// Reads one of the six words.
    pub fn parse(text: &str) -> Option<Self> {
        PLUS.into_iter().find(|plus| plus.as_str() == text)
    }
}

/// The two resources of NATS that give authstrings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `GET /api/member/authstring`, NATS 4.1.14.1 and later.
    AuthString(Plus),
    /// `GET /api/member/tokenrebuystring`, older NATS.
    TokenRebuyString,
}

impl Resource {
    /// The path of [`Resource::AuthString`].
    pub const AUTHSTRING_PATH: &str = "/api/member/authstring";
    /// The path of [`Resource::TokenRebuyString`].
    pub const TOKENREBUYSTRING_PATH: &str = "/api/member/tokenrebuystring";

    /// Its path on NATS's host.
    pub fn path(self) -> &'static str {
        match self {
            Resource::AuthString(_) => Self::AUTHSTRING_PATH,
            Resource::TokenRebuyString => Self::TOKENREBUYSTRING_PATH,
        }
    }

    /// The key of the JSON object that has the authstring.
    pub fn key(self) -> &'static str {
        match self {
            Resource::AuthString(_) => "result",
            Resource::TokenRebuyString => "token_rebuy_string",
        }
    }

    /// The purpose of the authstring.
    pub fn plus(self) -> Plus {
        match self {
            Resource::AuthString(plus) => plus,
            Resource::TokenRebuyString => Plus::TokenRebuy,
        }
    }
}

/// The member of a request, by one of NATS's three combinations of parameters. Other combinations
/// cannot be expressed.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// `memberid` and `session`.
    Session {
        /// The member.
        member: MemberId,
        /// The session that NATS sent for this member.
        session: Session,
    },
    /// `username` and `siteid`.
    Site {
        /// The name.
        username: Username,
        /// The site.
        site: SiteId,
    },
    /// `username` and `siteids`: the first of these sites on which there is a member of that name.
    Sites {
        /// The name.
        username: Username,
        /// The sites.
        sites: Sites,
    },
}

/// NATS's `session` of a member in clear text. It authorises requests in the member's name.
#[derive(Clone)]
pub struct Session(SecretString);

/// What [`Session::parse`] accepts.
pub const SESSION_EXPECTED: &str = "expected 1 to 255 bytes";

impl Session {
    /// Reads 1 to 255 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        (1..=TEXT_BYTES_MAX).contains(&text.len()).then(|| Self(text.into()))
    }

    /// Its hash, which member_auth stores.
    pub fn hash(&self) -> SessionHash {
        SessionHash(Sha256::digest(self.0.expose_secret()).into())
    }

    /// The text, for a request.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

redacted!(Session);

/// An authstring: 32 hexadecimal digits. Anybody who has it can act in the member's name.
#[derive(Clone)]
pub struct AuthString(SecretString);

impl AuthString {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let clean = text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
        clean.then(|| Self(text.into()))
    }

    /// The text, for a link.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

redacted!(AuthString);
