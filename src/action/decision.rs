//! The input and the outcome of a decision.

use crate::identity::{Key, MemberId, Username, VISIBLE_EXPECTED};
use crate::member::{Former, Member};
use crate::reply::{Refusal, Reply, Word};

/// The membership of a member.
#[derive(Clone, Debug, Default)]
pub enum Standing {
    /// In `member_auth`: may log in now.
    Here(Member),
    /// In `member_auth`, but expired by a clock that may have jumped. They count as no member, and
    /// the row is not moved before the jump is confirmed. See [`crate::clock::jump`].
    Lapsed(Member),
    /// In `former_member`.
    Former(Former),
    /// In neither.
    #[default]
    Unknown,
}

/// The state of the member and the username that an action concerns.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The member of [`super::Action::key`].
    pub standing: &'a Standing,
    /// The member who holds the folded form of the name of [`super::Action::wanted`] now.
    pub holder: Option<MemberId>,
    /// The member who has exactly this name, except for ASCII case, without holding its folded
    /// form: see [`Member::holds_folded`].
    pub namesake: Option<MemberId>,
    /// Whether a journal record says that this was answered OK. Before names were folded, two
    /// members could have names with the same folded form.
    pub was_done: bool,
}

/// A name that a member may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'a> {
    pub(super) username: &'a Username,
    /// See [`Member::holds_folded`].
    pub(super) holds_folded: bool,
}

impl Taken<'_> {
    pub(super) fn put_into(self, row: &mut Member) {
        row.username = self.username.clone();
        row.holds_folded = self.holds_folded;
    }
}

impl Known<'_> {
    /// The ERROR for a name without a visible character. A member who has had such a name since
    /// before names were folded keeps it, even when NATS repeats it at a rebill.
    pub(super) fn seen(&self, parameter: &'static str, username: &Username) -> Result<(), Reply> {
        let is_refused = username.folded().is_empty() && !self.has_it(username) && !self.was_done;
        if is_refused { Err(unseen(parameter, username)) } else { Ok(()) }
    }

    fn has_it(&self, username: &Username) -> bool {
        matches!(self.standing, Standing::Here(row) if row.username == *username)
    }

    /// Gives the name to this member, or returns the ERROR if another member holds it or it has no
    /// visible character. A name in `former_member` is free. `parameter` is the parameter that the
    /// name came in.
    pub(super) fn take_name<'n>(
        &self,
        key: Key,
        parameter: &'static str,
        username: &'n Username,
    ) -> Result<Taken<'n>, Reply> {
        let other = |id: Option<MemberId>| id.filter(|&id| id != key.member);
        let taken = |holds_folded| Ok(Taken { username, holds_folded });
        self.seen(parameter, username)?;
        let Some(holder) = other(self.holder).or(other(self.namesake)) else {
            return taken(!username.folded().is_empty());
        };
        if self.was_done || self.has_it(username) {
            // As in an upgrade: of all members whose names have the same folded form, the one with
            // the lowest memberid holds it.
            return taken(self.was_done && key.member < holder && !username.folded().is_empty());
        }
        let Key { site, member } = key;
        Err(Reply::error(format_args!(
            "username \"{username}\" is held by member {holder} of site {site}, nothing was \
             changed for member {member}"
        )))
    }
}

/// The ERROR for a name without a visible character.
pub(super) fn unseen(parameter: &'static str, username: &Username) -> Reply {
    Refusal::malformed(parameter, VISIBLE_EXPECTED, username.as_str()).reply()
}

/// The change to a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing.
    None,
    /// A new row in `member_auth`.
    Insert(Member),
    /// A new row in `member_auth`; the one in `former_member` is deleted.
    Restore(Member),
    /// The row in `member_auth` changes to this.
    Update(Member),
    /// The row moves from `member_auth` to `former_member`.
    Leave(Former),
    /// The row is deleted, in whichever of the two tables it is.
    Erase(Key),
}

impl Change {
    /// The row in `member_auth` after the change.
    pub fn row(&self) -> Option<&Member> {
        match self {
            Change::Insert(row) | Change::Restore(row) | Change::Update(row) => Some(row),
            Change::None | Change::Leave(_) | Change::Erase(_) => None,
        }
    }
}

/// Ends the reply where the row had all values.
const WAS_SO_ALREADY: &str = "was so already";
/// In the reply to an ADD for a member who is there.
pub(super) const UPDATED_ON: &str = "updated on";

/// What an ADD that was answered OK did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The member was not there.
    New,
    /// The member was there, with other values.
    Changed,
    /// The member was there with these values.
    Same,
}

impl Added {
    /// Reads it from the reply; `None` if the ADD was refused.
    pub fn of(reply: &Reply) -> Option<Self> {
        let sentence = reply.sentence();
        match reply.word() {
            Word::NotOk | Word::Error => None,
            Word::Ok if sentence.ends_with(WAS_SO_ALREADY) => Some(Self::Same),
            Word::Ok => {
                // What follows the number of the site. Nothing in a name comes last.
                let behind = |words: String| {
                    let (_, rest) = sentence.rsplit_once(&words)?;
                    Some(rest.trim_start_matches(|c: char| c.is_ascii_digit()))
                };
                let is_updated = behind(format!("\" {UPDATED_ON} site "))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("; "));
                // A member who was provisional was there, under another memberid.
                let was_so = behind("\" of site ".into())
                    .is_some_and(|rest| rest.starts_with(&format!(" {WAS_SO_ALREADY}; ")));
                Some(if is_updated || was_so { Self::Changed } else { Self::New })
            }
        }
    }
}

/// The outcome of an action: the change and the reply.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The new state of the member.
    pub change: Change,
    /// The reply line.
    pub reply: Reply,
}

impl Decision {
    pub(super) fn ok(change: Change, sentence: std::fmt::Arguments<'_>) -> Self {
        Self { change, reply: Reply::ok(sentence) }
    }

    pub(super) fn refuse(sentence: std::fmt::Arguments<'_>) -> Self {
        Self::refused(Reply::error(sentence))
    }

    pub(super) fn refused(reply: Reply) -> Self {
        Self { change: Change::None, reply }
    }

    /// Adds to the reply the values that were given and ignored.
    pub(super) fn naming(mut self, not_taken: &Refusal) -> Self {
        self.reply.push(format_args!("; not taken: {not_taken}"));
        self
    }

    /// Changes the row to `new`. The reply has the word `done`, or says that the row already had
    /// these values.
    pub(super) fn update(old: &Member, new: Member, done: &str) -> Self {
        let (key, name) = (new.key, &new.username);
        if *old == new {
            let reply = Reply::ok(format_args!(
                "member {} \"{name}\" of site {} {WAS_SO_ALREADY}",
                key.member, key.site
            ));
            return Self { change: Change::None, reply };
        }
        let reply =
            Reply::ok(format_args!("member {} \"{name}\" {done} site {}", key.member, key.site));
        Self { change: Change::Update(new), reply }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_to_an_add_shows_what_it_did() {
        for (sentence, added) in [
            ("member 71 \"bob\" added to site 1", Added::New),
            ("member 71 \"bob\" added to site 1; until now the provisional member 9", Added::New),
            ("member 71 \"bob\" updated on site 1", Added::Changed),
            (
                "member 71 \"bob\" updated on site 1; until now the provisional member 9",
                Added::Changed,
            ),
            (
                "member 71 \"bob\" updated on site 1; the provisional member 9 was removed",
                Added::Changed,
            ),
            ("member 71 \"bob\" of site 1 was so already", Added::Same),
            (
                "member 71 \"bob\" of site 1 was so already; until now the provisional member 9",
                Added::Changed,
            ),
            ("member 71 \"a\" updated on site 1\" added to site 1", Added::New),
            ("member 71 \"a of site 1 was so already; b\" added to site 1", Added::New),
        ] {
            let reply = Reply::ok(format_args!("{sentence}"));
            assert_eq!(Added::of(&reply), Some(added), "{sentence}");
        }
        assert_eq!(Added::of(&Reply::error(format_args!("no"))), None);
    }
}
