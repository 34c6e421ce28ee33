//! Strings that authorise a link to NATS's `/signup/*plus.php` pages: NATS's REST API, called by
//! us, served by us, and without a NATS played by us.
//!
//! ```text
//! query --question--> Question: resource and Lookup      headers --keys--> which sites may be asked for
//!
//! Lookup --our own member_auth--> an active member?  --client--> NATS  --answer--> AuthString or a blank
//!                                                    --stand_in-------------------> AuthString, redeemed once
//! ```
//!
//! [`Client`] is of use by itself: to a site's own program in Rust.
//!
//! ```no_run
//! use std::time::Duration;
//! use nats_userman::authstring::{Access, Client, Lookup, Plus};
//! use nats_userman::identity::{SiteId, Username};
//!
//! let access = Access::new("https://nats.example.com", "tmm1phrvezsbu", "44b5498dbcb481a0d00b404c0169af62").ok_or("no access")?;
//! let client = Client::new(access, Duration::from_secs(5));
//! let username = Username::parse("bob").ok_or("no username")?;
//! let site = SiteId::parse("1").ok_or("no siteid")?;
//! match client.authstring(Plus::Upsell, &Lookup::Site { username, site })? {
//!     Some(string) => println!("{}", string.expose()),
//!     None => println!("bob is no active member of site 1"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod answer;
pub mod client;
pub mod keys;
pub(crate) mod names;
pub mod question;
pub mod relay;
pub mod settings;
pub mod stand_in;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

pub use client::{Access, Client, Error};

use crate::identity::{MemberId, SessionHash, SiteId, Sites, TEXT_BYTES_MAX, Username};
use crate::secret::redacted;

/// Hexadecimal digits of a string (TMM's examples of both resources have as many).
pub const DIGITS: usize = 32;

/// The "plus system" that a string is for: NATS's parameter `type`, with the six values of TMM's
/// page.
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

/// All of them, in the order of TMM's page.
pub const PLUS: [Plus; 6] = [
    Plus::Upsell,
    Plus::TokenRebuy,
    Plus::InstantUpgrade,
    Plus::PackageUpgrade,
    Plus::Cancel,
    Plus::SignupPlus,
];
/// What [`Plus::parse`] takes.
pub const PLUS_EXPECTED: &str =
    "expected upsell, tokenrebuy, instantupgrade, packageupgrade, cancel or signupplus";

impl Plus {
    /// As NATS writes it.
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

/// Which of NATS's two resources is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `GET /api/member/authstring`, NATS 4.1.14.1 and later.
    AuthString(Plus),
    /// `GET /api/member/tokenrebuystring`, older NATS.
    TokenRebuyString,
}

impl Resource {
    /// The path of the first.
    pub const AUTHSTRING_PATH: &str = "/api/member/authstring";
    /// The path of the second.
    pub const TOKENREBUYSTRING_PATH: &str = "/api/member/tokenrebuystring";

    /// Where it is, behind NATS's domain.
    pub fn path(self) -> &'static str {
        match self {
            Resource::AuthString(_) => Self::AUTHSTRING_PATH,
            Resource::TokenRebuyString => Self::TOKENREBUYSTRING_PATH,
        }
    }

    /// Under which key of the JSON object the string is.
    pub fn key(self) -> &'static str {
        match self {
            Resource::AuthString(_) => "result",
            Resource::TokenRebuyString => "token_rebuy_string",
        }
    }

    /// What its string is for.
    pub fn plus(self) -> Plus {
        match self {
            Resource::AuthString(plus) => plus,
            Resource::TokenRebuyString => Plus::TokenRebuy,
        }
    }
}

/// The one member who is meant, by one of NATS's three combinations. Another combination cannot be
/// said.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// `memberid` and `session`.
    Session {
        /// The member.
        member: MemberId,
        /// What NATS gave the site for this member.
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

/// NATS's `session` of a member in clear: it authorises calls in the member's name.
#[derive(Clone)]
pub struct Session(SecretString);

/// What [`Session::parse`] takes.
pub const SESSION_EXPECTED: &str = "expected 1 to 255 bytes";

impl Session {
    /// Reads 1 to 255 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        (1..=TEXT_BYTES_MAX).contains(&text.len()).then(|| Self(text.into()))
    }

    /// As member_auth keeps it.
    pub fn hash(&self) -> SessionHash {
        SessionHash(Sha256::digest(self.0.expose_secret()).into())
    }

    fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

redacted!(Session);

/// The string: 32 hexadecimal digits. Whoever has it can act in the member's name.
#[derive(Clone)]
pub struct AuthString(SecretString);

impl AuthString {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let clean = text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
        clean.then(|| Self(text.into()))
    }

    /// The text, for the link.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

redacted!(AuthString);
