//! The journal record: what NATS sent about a member, and what was done.

pub mod shape;

use std::net::IpAddr;

use crate::action::{Action, Recorded};
use crate::fields::{Fields, joined};
use crate::identity::{MemberId, SiteId, Username};
use crate::operator::OperatorName;
use crate::reply::Reply;

/// The source of a record.
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

/// The part of a record that is known before the postback takes effect.
#[derive(Clone, Debug)]
pub struct Received {
    /// The source.
    pub origin: Origin,
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// Who made the change in the console. `None` for NATS and for commands.
    pub operator: Option<OperatorName>,
    /// The action, if it is one of the eight.
    pub action: Option<&'static str>,
    /// siteid, if readable.
    pub site: Option<SiteId>,
    /// memberid, if readable.
    pub member: Option<MemberId>,
    /// username, if readable.
    pub username: Option<Username>,
    /// The fields as [`Fields::journal_text`] writes them, or the type and length of a body that is
    /// no form.
    pub fields: String,
}

impl Received {
    /// Reads the member and the name as far as they are readable, even where the action is not.
    pub fn new(fields: &Fields<'_>, origin: Origin, address: Option<IpAddr>) -> Self {
        let word = fields.get("action");
        Self {
            origin,
            address,
            operator: None,
            action: crate::action::NAMES.into_iter().find(|&name| Some(name) == word),
            site: fields.get("siteid").and_then(SiteId::parse),
            member: fields.get("memberid").and_then(MemberId::parse),
            username: fields.get("username").and_then(Username::typed),
            // A CHECK is frequent and never journalled.
            fields: if word == Some("CHECK") { String::new() } else { fields.journal_text() },
        }
    }

    /// Reads a postback whose parameters were refused. A value that contains further fields is not
    /// recorded.
    pub fn refused(fields: &Fields<'_>, origin: Origin, address: Option<IpAddr>) -> Self {
        let received = Self::new(fields, origin, address);
        let username = received.username.filter(|name| !joined(name.as_str()));
        Self { username, fields: fields.journal_text_of_refused(), ..received }
    }
}

/// A complete record. It borrows what was received from the postback, which outlives the batch.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// When it took effect, unix seconds.
    pub at: i64,
    /// The received part.
    pub received: &'a Received,
    /// Where a jump of the clock is or was being confirmed: see
    /// [`crate::clock::Moment::moved_until`].
    pub moved_until: Option<i64>,
    /// The reply line.
    pub reply: Reply,
    /// The credential, session and instant that this postback put into the row. A replay needs them
    /// beside the fields, which hide them.
    pub put: Recorded,
}

impl Record<'_> {
    /// What an action put into the row, compared with the row after it. A credential that the row
    /// did not take is not recorded.
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
            is_stale: false,
        }
    }
}
