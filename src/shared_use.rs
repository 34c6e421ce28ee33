//! The records about members whose login several people seem to use.

use crate::identity::Key;

/// Why a member counts as shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharingReason {
    /// Too many networks within the period.
    Networks,
    /// Too many networks at once.
    AtOnce,
    /// Too many countries within the period.
    Countries,
}

impl SharingReason {
    /// Its word in the database and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::AtOnce => "at_once",
            Self::Countries => "countries",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Networks, Self::AtOnce, Self::Countries]
            .into_iter()
            .find(|reason| reason.as_str() == word)
    }

    /// For the operator.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Networks => "too many networks",
            Self::AtOnce => "too many networks at once",
            Self::Countries => "too many countries",
        }
    }
}

/// A network from which a member used the members area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberNetwork {
    /// The member.
    pub key: Key,
    /// The network, as in `203.0.113.0/24`.
    pub network: String,
    /// The first use in the period, unix seconds.
    pub first_at: i64,
    /// The last use that was written, unix seconds.
    pub last_at: i64,
    /// The country in two letters, if it is known.
    pub country: Option<String>,
}

/// A member who counted as shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharingBlock {
    /// The member.
    pub key: Key,
    /// When, unix seconds.
    pub since: i64,
    /// Until when they are blocked, unix seconds; `since` if they are not.
    pub until: i64,
    /// Why.
    pub why: SharingReason,
}
