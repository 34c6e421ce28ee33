//! What an action is decided on, and what comes of it.

use crate::identity::{Key, MemberId, Username, VISIBLE_EXPECTED};
use crate::member::{Former, Member};
use crate::reply::{Refusal, Reply};

/// Where a member stands.
#[derive(Clone, Debug, Default)]
pub enum Standing {
    /// In `member_auth`: may log in now.
    Here(Member),
    /// In `member_auth`, and the noted expiry is reached by a clock that may have jumped: counts as
    /// not there, and is not moved before that is confirmed. See [`crate::clock::jump`].
    Lapsed(Member),
    /// In `former_member`.
    Former(Former),
    /// In neither.
    #[default]
    Unknown,
}

/// What is known of the member and of the name that an action is about.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The member of [`super::Action::key`].
    pub standing: &'a Standing,
    /// Who holds the folded form of the name of [`super::Action::wanted`] now.
    pub holder: Option<MemberId>,
    /// Who has this very name, but for ASCII case, without holding its folded form: see
    /// [`Member::holds_folded`].
    pub namesake: Option<MemberId>,
    /// From a journal record that was answered OK: before names were folded, two members could have
    /// names of one folded form.
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
    /// The ERROR for a name of which no character can be seen. Of before names were folded: who has
    /// such a name keeps it, also where NATS repeats it at a rebill.
    pub(super) fn seen(&self, parameter: &'static str, username: &Username) -> Result<(), Reply> {
        let is_refused = username.folded().is_empty() && !self.has_it(username) && !self.was_done;
        if is_refused { Err(unseen(parameter, username)) } else { Ok(()) }
    }

    fn has_it(&self, username: &Username) -> bool {
        matches!(self.standing, Standing::Here(row) if row.username == *username)
    }

    /// The name for this member, or the ERROR where somebody else holds it, or where no character
    /// of it can be seen. A name in `former_member` is free. `parameter` is the one that the name
    /// came in.
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
            // As an upgrade does it: of all who have names of one folded form, the lowest memberid
            // holds it.
            return taken(self.was_done && key.member < holder && !username.folded().is_empty());
        }
        let Key { site, member } = key;
        Err(Reply::error(format_args!(
            "username \"{username}\" is held by member {holder} of site {site}, nothing was changed for member {member}"
        )))
    }
}

/// The ERROR for a name of which no character can be seen.
pub(super) fn unseen(parameter: &'static str, username: &Username) -> Reply {
    Refusal::malformed(parameter, VISIBLE_EXPECTED, username.as_str()).reply()
}

/// What becomes of a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing.
    None,
    /// A new row in `member_auth`.
    Insert(Member),
    /// A new row in `member_auth`, and the one in `former_member` goes.
    Restore(Member),
    /// The row in `member_auth` becomes this.
    Update(Member),
    /// The row moves from `member_auth` to `former_member`.
    Leave(Former),
}

impl Change {
    /// The row that stands in `member_auth` after it.
    pub fn row(&self) -> Option<&Member> {
        match self {
            Change::Insert(row) | Change::Restore(row) | Change::Update(row) => Some(row),
            Change::None | Change::Leave(_) => None,
        }
    }
}

/// The outcome of an action: the change and the reply.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What becomes of the member.
    pub change: Change,
    /// The line that goes back.
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

    /// The same, and the reply names what was given and not taken.
    pub(super) fn naming(mut self, not_taken: &Refusal) -> Self {
        self.reply.push(format_args!("; not taken: {not_taken}"));
        self
    }

    /// The row becomes `new`: said as `done`, or as unchanged if it was so already.
    pub(super) fn update(old: &Member, new: Member, done: &str) -> Self {
        let (key, name) = (new.key, &new.username);
        if *old == new {
            let reply = Reply::ok(format_args!(
                "member {} \"{name}\" of site {} was so already",
                key.member, key.site
            ));
            return Self { change: Change::None, reply };
        }
        let reply =
            Reply::ok(format_args!("member {} \"{name}\" {done} site {}", key.member, key.site));
        Self { change: Change::Update(new), reply }
    }
}
