//! The eight actions: parsed once from the fields of a postback, decided by pure functions of
//! (action, what is known, time).
//!
//! Nothing here touches disk, network, clock or database. An action is added by a file of its own,
//! a variant of [`Action`], its name in [`NAMES`] and whatever the compiler then asks for.

mod activate;
mod add;
mod change;
mod check;
mod delete;
mod expire;
mod read;
mod trial_to_full;

pub use activate::Activate;
pub use add::Add;
pub use change::ChangeMember;
pub use check::Check;
pub use delete::Delete;
pub use expire::Expire;
pub use read::{Details, Parsed, Recorded, Rules, Source};
pub use trial_to_full::TrialToFull;

use crate::clock::Moment;
use crate::fields::Fields;
use crate::identity::{Key, MemberId, SessionHash, SiteId, Username, VISIBLE_EXPECTED};
use crate::member::{Credential, Former, Member};
use crate::reply::{Refusal, Reply};
use read::Reader;

/// The words NATS sends in `action`, in the order of its documentation.
pub const NAMES: [&str; 8] =
    ["ADD", "MANUALADD", "TRIALTOFULL", "CHANGE", "DELETE", "EXPIRE", "CHECK", "ACTIVATE"];

/// What an action is expected to be.
pub const ACTION_EXPECTED: &str =
    "expected ADD, MANUALADD, TRIALTOFULL, CHANGE, DELETE, EXPIRE, CHECK or ACTIVATE";

/// What NATS asks for. Source: TMM's "Site User Management".
#[derive(Clone, Debug)]
pub enum Action {
    /// A new membership.
    Add(Add),
    /// A membership added by hand or by a biller refresh: the same story as [`Action::Add`].
    ManualAdd(Add),
    /// A member comes back after a DELETE, has rebilled or was activated by hand.
    Activate(Activate),
    /// A trial became a full membership; NATS may send it more than once.
    TrialToFull(TrialToFull),
    /// A new name, password, e-mail address or trial flag.
    Change(ChangeMember),
    /// The member leaves now.
    Delete(Delete),
    /// The member leaves on a date, which may be past.
    Expire(Expire),
    /// Is this username taken?
    Check(Check),
}

impl Action {
    /// Reads the fields of a postback, or of a journal record. An unreadable value that the action
    /// does not need counts as not given and is listed in [`Parsed::ignored`], for the log.
    pub fn parse(fields: &Fields<'_>, source: &Source<'_>) -> Parsed {
        let mut reader = Reader::new(fields, source);
        let action = Self::read(&mut reader);
        Parsed { action, ignored: reader.into_ignored() }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Refusal> {
        match reader.text("action") {
            Some("ADD") => Add::read(reader).map(Self::Add),
            Some("MANUALADD") => Add::read(reader).map(Self::ManualAdd),
            Some("TRIALTOFULL") => TrialToFull::read(reader).map(Self::TrialToFull),
            Some("CHANGE") => ChangeMember::read(reader).map(Self::Change),
            Some("DELETE") => Delete::read(reader).map(Self::Delete),
            Some("EXPIRE") => Expire::read(reader).map(Self::Expire),
            Some("CHECK") => Check::read(reader).map(Self::Check),
            Some("ACTIVATE") => Activate::read(reader).map(Self::Activate),
            Some(other) => Err(Refusal::malformed("action", ACTION_EXPECTED, other)),
            None => Err(Refusal::missing("action", ACTION_EXPECTED)),
        }
    }

    /// The rules table of the contract: what becomes of the member, and the line that goes back.
    /// `known` must have been loaded for [`Action::key`] and [`Action::wanted`], as of this moment.
    pub fn decide(&self, known: &Known<'_>, moment: impl Into<Moment>) -> Decision {
        let moment = moment.into();
        let decision = match self {
            Action::Add(add) | Action::ManualAdd(add) => add.decide(known),
            Action::Activate(activate) => activate.decide(known),
            Action::TrialToFull(full) => full.decide(known),
            Action::Change(change) => change.decide(known),
            Action::Delete(delete) => delete.decide(known, moment.now),
            Action::Expire(expire) => expire.decide(known, moment),
            Action::Check(check) => check.decide(known),
        };
        self.not_taken().iter().fold(decision, Decision::naming)
    }

    /// Passwords and cryptpasses that were given and cannot be read.
    fn not_taken(&self) -> &[Refusal] {
        match self {
            Action::Add(Add { details, .. })
            | Action::ManualAdd(Add { details, .. })
            | Action::Activate(Activate { details, .. })
            | Action::TrialToFull(TrialToFull { details, .. }) => &details.not_taken,
            Action::Change(change) => &change.not_taken,
            Action::Delete(_) | Action::Expire(_) | Action::Check(_) => &[],
        }
    }

    /// The word as NATS writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Add(_) => "ADD",
            Action::ManualAdd(_) => "MANUALADD",
            Action::Activate(_) => "ACTIVATE",
            Action::TrialToFull(_) => "TRIALTOFULL",
            Action::Change(_) => "CHANGE",
            Action::Delete(_) => "DELETE",
            Action::Expire(_) => "EXPIRE",
            Action::Check(_) => "CHECK",
        }
    }

    /// The member it is about; CHECK is about a name alone.
    pub fn key(&self) -> Option<Key> {
        match self {
            Action::Add(Add { key, .. }) | Action::ManualAdd(Add { key, .. }) => Some(*key),
            Action::Activate(Activate { key, .. })
            | Action::TrialToFull(TrialToFull { key, .. }) => Some(*key),
            Action::Change(ChangeMember { key, .. }) => Some(*key),
            Action::Delete(Delete { key }) | Action::Expire(Expire { key, .. }) => Some(*key),
            Action::Check(_) => None,
        }
    }

    /// The name whose holder decides about it, if any.
    pub fn wanted(&self) -> Option<(SiteId, &Username)> {
        match self {
            Action::Add(Add { key, username, .. })
            | Action::ManualAdd(Add { key, username, .. }) => Some((key.site, username)),
            Action::Activate(Activate { key, username, .. }) => Some((key.site, username)),
            Action::TrialToFull(TrialToFull { key, username, .. }) => {
                username.as_ref().ok().map(|name| (key.site, name))
            }
            Action::Change(ChangeMember { key, new_username, .. }) => {
                new_username.as_ref().map(|name| (key.site, name))
            }
            Action::Delete(_) | Action::Expire(_) => None,
            Action::Check(Check { site, username }) => Some((*site, username)),
        }
    }

    /// The credential it brings, if any.
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Action::Add(add) | Action::ManualAdd(add) => Some(&add.credential),
            Action::Activate(Activate { details, .. })
            | Action::TrialToFull(TrialToFull { details, .. }) => details.credential.as_ref(),
            Action::Change(change) => change.credential.as_ref(),
            Action::Delete(_) | Action::Expire(_) | Action::Check(_) => None,
        }
    }

    /// The same, to be replaced by an equal one: a password that the row holds under another seal.
    pub fn credential_mut(&mut self) -> Option<&mut Credential> {
        match self {
            Action::Add(add) | Action::ManualAdd(add) => Some(&mut add.credential),
            Action::Activate(Activate { details, .. })
            | Action::TrialToFull(TrialToFull { details, .. }) => details.credential.as_mut(),
            Action::Change(change) => change.credential.as_mut(),
            Action::Delete(_) | Action::Expire(_) | Action::Check(_) => None,
        }
    }

    /// The session it brings, if any.
    pub fn session(&self) -> Option<SessionHash> {
        match self {
            Action::Add(Add { details, .. })
            | Action::ManualAdd(Add { details, .. })
            | Action::Activate(Activate { details, .. })
            | Action::TrialToFull(TrialToFull { details, .. }) => details.session,
            Action::Change(_) | Action::Delete(_) | Action::Expire(_) | Action::Check(_) => None,
        }
    }

    /// The instant of an EXPIRE, unix seconds.
    pub fn expire_at(&self) -> Option<i64> {
        match self {
            Action::Expire(expire) => Some(expire.instant),
            Action::Add(_)
            | Action::ManualAdd(_)
            | Action::Activate(_)
            | Action::TrialToFull(_)
            | Action::Change(_)
            | Action::Delete(_)
            | Action::Check(_) => None,
        }
    }
}

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
    /// The member of [`Action::key`].
    pub standing: &'a Standing,
    /// Who holds the folded form of the name of [`Action::wanted`] now.
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
struct Taken<'a> {
    username: &'a Username,
    /// See [`Member::holds_folded`].
    holds_folded: bool,
}

impl Taken<'_> {
    fn put_into(self, row: &mut Member) {
        row.username = self.username.clone();
        row.holds_folded = self.holds_folded;
    }
}

impl Known<'_> {
    /// The ERROR for a name of which no character can be seen. Of before names were folded: who has
    /// such a name keeps it, also where NATS repeats it at a rebill.
    fn seen(&self, parameter: &'static str, username: &Username) -> Result<(), Reply> {
        let is_refused = username.folded().is_empty() && !self.has_it(username) && !self.was_done;
        if is_refused { Err(unseen(parameter, username)) } else { Ok(()) }
    }

    fn has_it(&self, username: &Username) -> bool {
        matches!(self.standing, Standing::Here(row) if row.username == *username)
    }

    /// The name for this member, or the ERROR where somebody else holds it, or where no character
    /// of it can be seen. A name in `former_member` is free. `parameter` is the one that the name
    /// came in.
    fn take_name<'n>(
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
fn unseen(parameter: &'static str, username: &Username) -> Reply {
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
    fn ok(change: Change, sentence: std::fmt::Arguments<'_>) -> Self {
        Self { change, reply: Reply::ok(sentence) }
    }

    fn refuse(sentence: std::fmt::Arguments<'_>) -> Self {
        Self::refused(Reply::error(sentence))
    }

    fn refused(reply: Reply) -> Self {
        Self { change: Change::None, reply }
    }

    /// The same, and the reply names what was given and not taken.
    fn naming(mut self, not_taken: &Refusal) -> Self {
        self.reply.push(format_args!("; not taken: {not_taken}"));
        self
    }

    /// The row becomes `new`: said as `done`, or as unchanged if it was so already.
    fn update(old: &Member, new: Member, done: &str) -> Self {
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
