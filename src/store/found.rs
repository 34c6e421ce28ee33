//! What a search of members finds: the few columns that a list of results shows.

use crate::action::Standing;
use crate::identity::{Key, Username};
use crate::member::{Former, Reason};

/// By the beginning of what members and former members are searched.
#[derive(Clone, Copy, Debug)]
pub enum SearchBy<'a> {
    /// By name, in any spelling. The folded form of a former member's name may not be stored: then
    /// a beginning that differs in more than the case of ASCII letters does not find it.
    Name(&'a str),
    /// By e-mail address, in any case of ASCII letters. An engine may also find addresses that
    /// differ in an accent.
    Email(&'a str),
}

/// Whether a found person is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundState {
    /// A member, until this instant (unix seconds) if there is one.
    Here(Option<i64>),
    /// A former member: why, and since when (unix seconds).
    Former(Reason, i64),
}

/// A member or former member who was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundMember {
    /// Site and memberid.
    pub key: Key,
    /// The name as it was sent.
    pub username: Username,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether it is or was a trial membership.
    pub trial: bool,
    /// Whether they are a member now.
    pub state: FoundState,
}

impl FoundMember {
    /// The member of a standing; `None` if they are unknown.
    pub fn of(standing: Standing) -> Option<Self> {
        let (row, state) = match standing {
            Standing::Here(row) => {
                let state = FoundState::Here(row.expire_at);
                (row, state)
            }
            Standing::Lapsed(row) => {
                let since = row.expire_at.unwrap_or_default();
                (row, FoundState::Former(Reason::Expired, since))
            }
            Standing::Former(Former { member, reason, ended_at }) => {
                (member, FoundState::Former(reason, ended_at))
            }
            Standing::Unknown => return None,
        };
        let (key, username, email, trial) = (row.key, row.username, row.email, row.trial);
        Some(Self { key, username, email, trial, state })
    }

    /// As of `now` (unix seconds): a member whose expiry is reached is a former member.
    pub(super) fn at(mut self, now: i64) -> Self {
        if let FoundState::Here(Some(instant)) = self.state
            && instant <= now
        {
            self.state = FoundState::Former(Reason::Expired, instant);
        }
        self
    }
}

/// The first `most` by folded name, site and memberid, each once.
pub(super) fn first_of(mut found: Vec<FoundMember>, most: u32) -> Vec<FoundMember> {
    found.sort_by(|one, other| {
        (one.username.folded(), one.key).cmp(&(other.username.folded(), other.key))
    });
    found.dedup_by_key(|found| found.key);
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    found
}

/// The end of the range of texts that begin with `beginning`: no text has a character behind it
/// that is greater.
pub(super) fn range_end(beginning: &str) -> String {
    format!("{beginning}{}", char::MAX)
}
