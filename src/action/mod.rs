//! The eight actions. They are parsed once from the fields of a postback, and decided by pure
//! functions of the action, the known rows, and the time.
//!
//! Nothing here uses disk, network, clock or database. A new action needs its own file, a variant
//! of [`Action`], its name in [`NAMES`], and the changes that the compiler then requires.

mod activate;
mod add;
mod change;
mod check;
mod decision;
mod delete;
mod expire;
mod read;
mod stamp;
mod trial_to_full;

pub use activate::Activate;
pub use add::Add;
pub use change::ChangeMember;
pub use check::Check;
pub use decision::{Added, Change, Decision, Known, Standing};
pub use delete::Delete;
pub use expire::Expire;
pub use read::{Details, FieldsSource, Imported, NEVER, Recorded, Rules, Sender};
pub use stamp::{StaleGuard, Stamp};
pub use trial_to_full::TrialToFull;

use crate::clock::Moment;
use crate::fields::Fields;
use crate::identity::{Key, SessionHash, SiteId, Username};
use crate::member::{Credential, Member};
use crate::reply::Refusal;
use read::Parameters;

/// The words NATS sends in `action`, in the order of its documentation.
pub const NAMES: [&str; 8] =
    ["ADD", "MANUALADD", "TRIALTOFULL", "CHANGE", "DELETE", "EXPIRE", "CHECK", "ACTIVATE"];

/// The place of an action in [`NAMES`]; their number for none of them.
pub fn place(action: Option<&str>) -> usize {
    action.and_then(|action| NAMES.iter().position(|name| *name == action)).unwrap_or(NAMES.len())
}

/// What an action is expected to be.
pub const ACTION_EXPECTED: &str =
    "expected ADD, MANUALADD, TRIALTOFULL, CHANGE, DELETE, EXPIRE, CHECK or ACTIVATE";

/// The outcome of reading.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The action, or what is wrong with a parameter that it needs.
    pub action: Result<Action, Refusal>,
    /// Unreadable values that were ignored.
    pub ignored: Vec<Refusal>,
    /// `stamp`.
    pub stamp: Stamp,
}

/// A request of NATS. Source: TMM's "Site User Management".
#[derive(Clone, Debug)]
pub enum Action {
    /// A new membership.
    Add(Add),
    /// A membership added by hand or by a biller refresh. It is decided as [`Action::Add`] is.
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
    /// Reads the fields of a postback or of a journal record. An unreadable value that the action
    /// does not need counts as not given. [`Parsed::ignored`] lists it for the log.
    pub fn parse(fields: &Fields<'_>, source: &FieldsSource<'_>) -> Parsed {
        let mut parameters = Parameters::new(fields, source);
        let action = Self::read(&mut parameters);
        let stamp = parameters.stamp();
        Parsed { action, ignored: parameters.into_ignored(), stamp }
    }

    fn read(parameters: &mut Parameters<'_>) -> Result<Self, Refusal> {
        match parameters.text("action") {
            Some("ADD") => Add::read(parameters).map(Self::Add),
            Some("MANUALADD") => Add::read(parameters).map(Self::ManualAdd),
            Some("TRIALTOFULL") => TrialToFull::read(parameters).map(Self::TrialToFull),
            Some("CHANGE") => ChangeMember::read(parameters).map(Self::Change),
            Some("DELETE") => Delete::read(parameters).map(Self::Delete),
            Some("EXPIRE") => Expire::read(parameters).map(Self::Expire),
            Some("CHECK") => Check::read(parameters).map(Self::Check),
            Some("ACTIVATE") => Activate::read(parameters).map(Self::Activate),
            Some(other) => Err(Refusal::malformed("action", ACTION_EXPECTED, other)),
            None => Err(Refusal::missing("action", ACTION_EXPECTED)),
        }
    }

    /// Decides what becomes of the member, and the reply. `known` must have been loaded for
    /// [`Action::key`] and [`Action::wanted`], as of this moment.
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

    /// Passwords and cryptpasses that were given and are unreadable.
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

    /// The member that the action concerns; `None` for a CHECK, which has only a name.
    pub fn key(&self) -> Option<Key> {
        match self {
            Action::Add(Add { key, .. }) | Action::ManualAdd(Add { key, .. }) => Some(*key),
            Action::Activate(Activate { key, .. })
            | Action::TrialToFull(TrialToFull { key, .. }) => Some(*key),
            Action::Change(ChangeMember { key, .. }) => Some(*key),
            Action::Delete(Delete { key, .. }) | Action::Expire(Expire { key, .. }) => Some(*key),
            Action::Check(_) => None,
        }
    }

    /// The username that the action needs: another member must not hold it.
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

    /// The member whom it adds, and the name that it gives them.
    pub fn added(&self) -> Option<(Key, &Username)> {
        match self {
            Action::Add(Add { key, username, .. })
            | Action::ManualAdd(Add { key, username, .. }) => Some((*key, username)),
            _ => None,
        }
    }

    /// What NATS calls the member: the name in the postback, and the new one of a CHANGE. A
    /// provisional member who holds such a name is this member.
    pub fn names(&self) -> [Option<&Username>; 2] {
        match self {
            Action::Add(Add { username, .. })
            | Action::ManualAdd(Add { username, .. })
            | Action::Activate(Activate { username, .. }) => [Some(username), None],
            Action::TrialToFull(TrialToFull { username, .. }) => [username.as_ref().ok(), None],
            Action::Change(ChangeMember { username, new_username, .. }) => {
                [username.as_ref(), new_username.as_ref()]
            }
            Action::Delete(Delete { username, .. }) | Action::Expire(Expire { username, .. }) => {
                [username.as_ref(), None]
            }
            Action::Check(_) => [None, None],
        }
    }

    /// The credential in the postback, if any.
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Action::Add(add) | Action::ManualAdd(add) => Some(&add.credential),
            Action::Activate(Activate { details, .. })
            | Action::TrialToFull(TrialToFull { details, .. }) => details.credential.as_ref(),
            Action::Change(change) => change.credential.as_ref(),
            Action::Delete(_) | Action::Expire(_) | Action::Check(_) => None,
        }
    }

    /// The credential in the postback, to replace it by the row's own seal of the same password.
    pub fn credential_mut(&mut self) -> Option<&mut Credential> {
        match self {
            Action::Add(add) | Action::ManualAdd(add) => Some(&mut add.credential),
            Action::Activate(Activate { details, .. })
            | Action::TrialToFull(TrialToFull { details, .. }) => details.credential.as_mut(),
            Action::Change(change) => change.credential.as_mut(),
            Action::Delete(_) | Action::Expire(_) | Action::Check(_) => None,
        }
    }

    /// The noted expiry of the member, if this is the import of a row that gives none: NATS does
    /// not send it again.
    pub fn kept_expiry(&self, row: &Member) -> Option<i64> {
        match self {
            Action::ManualAdd(add) if add.details.keeps_expiry => row.expire_at,
            _ => None,
        }
    }

    /// Gives the import of a row an expiry.
    pub fn note_expiry(&mut self, instant: i64) {
        if let Action::ManualAdd(add) = self {
            add.details.expire_at = Some(instant);
        }
    }

    /// The session in the postback, if any.
    pub fn session(&self) -> Option<SessionHash> {
        match self {
            Action::Add(Add { details, .. })
            | Action::ManualAdd(Add { details, .. })
            | Action::Activate(Activate { details, .. })
            | Action::TrialToFull(TrialToFull { details, .. }) => details.session,
            Action::Change(_) | Action::Delete(_) | Action::Expire(_) | Action::Check(_) => None,
        }
    }

    /// The instant of an EXPIRE, or of the expiry of an imported row, unix seconds.
    pub fn expire_at(&self) -> Option<i64> {
        match self {
            Action::Expire(expire) => expire.instant,
            Action::Add(Add { details, .. }) | Action::ManualAdd(Add { details, .. }) => {
                details.expire_at
            }
            Action::Activate(_)
            | Action::TrialToFull(_)
            | Action::Change(_)
            | Action::Delete(_)
            | Action::Check(_) => None,
        }
    }
}
