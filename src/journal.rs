//! The journal record: what NATS sent about a member, and what was done.

pub mod shape;

use std::borrow::Cow;
use std::net::IpAddr;

use crate::action::{Action, Recorded};
use crate::fields::{Fields, joined};
use crate::identity::{MemberId, SiteId, Username};
use crate::operator::OperatorName;
use crate::reply::Reply;
use shape::{Columns, Split};

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

/// The part of a record that is known before the postback takes effect. What its [`Split`] is made
/// from does not change.
#[derive(Clone, Debug)]
pub struct Received {
    /// The source.
    pub origin: Origin,
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// Who made the change in the console. `None` for NATS and for commands.
    pub operator: Option<OperatorName>,
    action: Option<&'static str>,
    site: Option<SiteId>,
    member: Option<MemberId>,
    username: Option<Username>,
    fields: String,
    split: Option<Split>,
}

/// The longest fields that are split when they are received. Longer ones wait in the queue without
/// their parts, and the writer splits them. A whole NATS4 record has about 1.5 KiB.
const SPLIT_BYTES_MAX: usize = 8 * 1024;

impl Received {
    /// Reads the member and the name as far as they are readable, even where the action is not.
    pub fn new(fields: &Fields<'_>, origin: Origin, address: Option<IpAddr>) -> Self {
        // A CHECK is frequent and never journalled.
        let is_check = fields.get("action") == Some("CHECK");
        let text = if is_check { String::new() } else { fields.journal_text() };
        Self::with_text(fields, text, origin, address).into_split()
    }

    /// Reads a postback whose parameters were refused. A value that contains further fields is not
    /// recorded.
    pub fn refused(fields: &Fields<'_>, origin: Origin, address: Option<IpAddr>) -> Self {
        let text = fields.journal_text_of_refused();
        let mut received = Self::with_text(fields, text, origin, address);
        received.username.take_if(|name| joined(name.as_str()));
        received.into_split()
    }

    /// What was received, from the fields of a journal record.
    pub fn again(fields: &str, origin: Origin, address: Option<IpAddr>) -> Self {
        let read = Fields::from_urlencoded(fields.as_bytes());
        Self::with_text(&read, fields.to_owned(), origin, address).into_split()
    }

    fn with_text(
        fields: &Fields<'_>,
        text: String,
        origin: Origin,
        address: Option<IpAddr>,
    ) -> Self {
        let word = fields.get("action");
        Self {
            origin,
            address,
            operator: None,
            action: crate::action::NAMES.into_iter().find(|&name| Some(name) == word),
            site: fields.get("siteid").and_then(SiteId::parse),
            member: fields.get("memberid").and_then(MemberId::parse),
            username: fields.get("username").and_then(Username::typed),
            fields: text,
            split: None,
        }
    }

    fn into_split(mut self) -> Self {
        let is_short = self.fields.len() <= SPLIT_BYTES_MAX;
        self.split = is_short.then(|| Split::of(&self.fields, &self.columns())).flatten();
        self
    }

    /// Adds what was sent beside the fields, such as the type and length of a body that is no form.
    pub fn with_note(mut self, note: &str) -> Self {
        if !self.fields.is_empty() {
            self.fields.push('&');
        }
        self.fields.push_str(note);
        self.into_split()
    }

    /// The action, if it is one of the eight.
    pub fn action(&self) -> Option<&'static str> {
        self.action
    }

    /// siteid, if readable.
    pub fn site(&self) -> Option<SiteId> {
        self.site
    }

    /// memberid, if readable.
    pub fn member(&self) -> Option<MemberId> {
        self.member
    }

    /// username, if readable.
    pub fn username(&self) -> Option<&Username> {
        self.username.as_ref()
    }

    /// The fields as [`Fields::journal_text`] writes them, or the type and length of a body that is
    /// no form.
    pub fn fields(&self) -> &str {
        &self.fields
    }

    /// The fields as a database stores them, if they can be split. The thread that receives the
    /// postback has made it, unless it is long, so that the one writer has less to do.
    pub fn split(&self) -> Option<Cow<'_, Split>> {
        if self.fields.len() > SPLIT_BYTES_MAX {
            return Split::of(&self.fields, &self.columns()).map(Cow::Owned);
        }
        self.split.as_ref().map(Cow::Borrowed)
    }

    /// The columns of the record.
    pub fn columns(&self) -> Columns<'_> {
        Columns {
            action: self.action,
            site: self.site.map(SiteId::get),
            member: self.member.map(MemberId::get),
            username: self.username.as_ref().map(Username::as_str),
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A store writes the parts in place of the text.
        #[test]
        fn the_parts_of_what_was_received_are_those_of_its_text_and_columns(
            form in concat!(
                "((action|siteid|memberid|username|original_username|password|trial|x|)",
                "=(ADD|CHECK|0?1|71|bob|b ob|a%26x=1|\\*\\*\\*|~|=|[^&]{0,4})&?){0,12}",
            ),
            is_long: bool,
        ) {
            let long = is_long.then(|| format!("email={}&", "a".repeat(SPLIT_BYTES_MAX)));
            let form = long.unwrap_or_default() + &form;
            let fields = Fields::from_urlencoded(form.as_bytes());
            let received = Received::new(&fields, Origin::Nats, None);
            let refused = Received::refused(&fields, Origin::Nats, None);
            let again = Received::again(received.fields(), Origin::Replay, None);
            let noted = refused.clone().with_note("text/plain, 3 bytes");
            for received in [received, refused, again, noted] {
                let split = Split::of(received.fields(), &received.columns());
                prop_assert_eq!(received.split().map(Cow::into_owned), split);
            }
        }
    }
}
