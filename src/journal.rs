//! The journal record: what NATS said about a member, and what was done.

pub mod shape;

use std::net::IpAddr;

use crate::action::{Action, Recorded};
use crate::fields::{Fields, joined};
use crate::identity::{MemberId, SiteId, Username};
use crate::reply::Reply;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A postback over HTTP.
    Nats,
    /// A command of the operator.
    Operator,
    /// A captured postback, by `replay`.
    Replay,
}

impl Origin {
    /// The word in the column `source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Nats => "nats",
            Origin::Operator => "operator",
            Origin::Replay => "replay",
        }
    }

    /// Reads the word of the column `source`.
    pub fn parse(word: &str) -> Option<Self> {
        [Origin::Nats, Origin::Operator, Origin::Replay]
            .into_iter()
            .find(|origin| origin.as_str() == word)
    }
}

/// The half of a record that is known when a postback was read.
#[derive(Clone, Debug)]
pub struct Received {
    /// Who said it.
    pub origin: Origin,
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// One of the eight words, if it was one.
    pub action: Option<&'static str>,
    /// siteid, if readable.
    pub site: Option<SiteId>,
    /// memberid, if readable.
    pub member: Option<MemberId>,
    /// username, if readable.
    pub username: Option<Username>,
    /// The fields as [`Fields::journal_text`] writes them, or what a body that is no form was.
    pub fields: String,
}

impl Received {
    /// Notes who is meant as far as it can be read, also where the action cannot.
    pub fn new(fields: &Fields<'_>, origin: Origin, address: Option<IpAddr>) -> Self {
        let word = fields.get("action");
        Self {
            origin,
            address,
            action: crate::action::NAMES.into_iter().find(|&name| Some(name) == word),
            site: fields.get("siteid").and_then(SiteId::parse),
            member: fields.get("memberid").and_then(MemberId::parse),
            username: fields.get("username").and_then(Username::typed),
            // A CHECK is asked often and never journalled.
            fields: if word == Some("CHECK") { String::new() } else { fields.journal_text() },
        }
    }

    /// The same of a postback whose parameters were refused: a value that has further fields in it
    /// is not repeated.
    pub fn refused(fields: &Fields<'_>, origin: Origin, address: Option<IpAddr>) -> Self {
        let received = Self::new(fields, origin, address);
        let username = received.username.filter(|name| !joined(name.as_str()));
        Self { username, fields: fields.journal_text_of_refused(), ..received }
    }
}

/// One record, whole. It borrows what was received: a batch is decided and saved while its postbacks
/// wait.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// When it took effect, unix seconds.
    pub at: i64,
    /// What was received.
    pub received: &'a Received,
    /// Where a jump of the clock is or was being confirmed: see
    /// [`crate::clock::Moment::moved_until`].
    pub moved_until: Option<i64>,
    /// The line that goes back.
    pub reply: Reply,
    /// The forms that this postback put into the row, and the instant of its EXPIRE: what a replay
    /// needs beside the fields.
    pub put: Recorded,
}

impl Record<'_> {
    /// What of an action went into the row that stands after it: a credential that was not taken
    /// over is not recorded.
    pub fn put(
        action: &Action,
        row_after: Option<&crate::member::Member>,
        logins_ended: bool,
    ) -> Recorded {
        let given = action
            .credential()
            .filter(|given| row_after.is_some_and(|row| row.credential.stored == given.stored));
        let session =
            row_after.filter(|row| action.session() == row.session).and_then(|row| row.session);
        Recorded {
            credential: given.cloned(),
            session,
            expire_at: action.expire_at(),
            logins_ended,
        }
    }
}
