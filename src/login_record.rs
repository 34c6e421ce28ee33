//! What is recorded about logins: successes, failures with their cause, and logouts.

use crate::identity::{MemberId, SiteId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginEvent {
    /// A member logged in.
    Login,
    /// No current member of the sites has the name. A former member may have had it.
    Unknown,
    /// The password was wrong.
    Wrong,
    /// The password was right, and the member is on trial where only full members are admitted.
    Trial,
    /// There were too many wrong passwords, so none was compared.
    Blocked,
    /// The password was right, and the member is blocked because of sharing.
    Shared,
    /// A member logged out.
    Logout,
}

impl LoginEvent {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Login,
        Self::Unknown,
        Self::Wrong,
        Self::Trial,
        Self::Blocked,
        Self::Shared,
        Self::Logout,
    ];

    /// Its word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Unknown => "unknown",
            Self::Wrong => "wrong",
            Self::Trial => "trial",
            Self::Blocked => "blocked",
            Self::Shared => "shared",
            Self::Logout => "logout",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }

    /// For the operator, behind the time.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Login => "logged in",
            Self::Unknown => "no current member has the name",
            Self::Wrong => "wrong password",
            Self::Trial => "right password, but on trial where only full members get in",
            Self::Blocked => "blocked: too many wrong passwords",
            Self::Shared => "right password, but blocked because of sharing",
            Self::Logout => "logged out",
        }
    }
}

/// How a visitor logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginWay {
    /// The browser's prompt, at `/auth`.
    Basic,
    /// The form of `/login`.
    Page,
}

impl LoginWay {
    /// Its word in the database and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Page => "page",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Basic, Self::Page].into_iter().find(|way| way.as_str() == word)
    }
}

/// A row of the table `login`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRecord {
    /// Unix seconds.
    pub at: i64,
    /// What happened.
    pub event: LoginEvent,
    /// How the visitor logged in.
    pub way: LoginWay,
    /// The member's site, or the first site whose members were admitted.
    pub site: SiteId,
    /// The member, or the former member, if the name is theirs.
    pub member: Option<MemberId>,
    /// The typed name if a member or former member has it, else its pseudonym. `None` for a logout.
    pub name: Option<String>,
    /// The visitor's network, as in `203.0.113.9` or `2001:db8::/64`.
    pub network: String,
}

/// A record with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLogin {
    /// Rises with time.
    pub id: i64,
    /// The record.
    pub record: LoginRecord,
}
