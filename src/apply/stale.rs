//! `stamp`: when NATS wrote the record of a postback, and postbacks that arrive late.
//!
//! NATS sends no sequence number, so the order of arrival decides. With `--stale-guard`, a DELETE,
//! an EXPIRE, a TRIALTOFULL or a trial flag does not count whose stamp is older than that of the
//! last change of a member who is here. Nothing is known about how NATS sets `stamp`: a wrong guess
//! would let a person in who has left. So the guard is off unless the operator wants it.

use std::borrow::Cow;

use crate::action::{Action, Add, Change, Decision, StaleGuard, Stamp, Standing};
use crate::member::Member;
use crate::reply::{Reply, Word};

impl Stamp {
    /// The row of the member and its stamp, if this action is stale, as a whole or in its trial
    /// flag.
    fn last<'r>(&self, action: &Action, standing: &'r Standing) -> Option<&'r Member> {
        let Standing::Here(row) = standing else { return None };
        let is_stale = match self.guard {
            StaleGuard::Off => false,
            StaleGuard::On => matters(action) && row.stamp.zip(self.at).is_some_and(|(a, b)| b < a),
            StaleGuard::Recorded(was_stale) => was_stale,
        };
        is_stale.then_some(row)
    }

    /// The decision of an action that is stale as a whole.
    pub(crate) fn decide(&self, action: &Action, standing: &Standing) -> Option<Decision> {
        let row = self.last(action, standing)?;
        match action {
            Action::Delete(_) | Action::Expire(_) | Action::TrialToFull(_) => {
                let mut reply = Reply::ok(format_args!(
                    "nothing was changed for member {} \"{}\" of site {}",
                    row.key.member, row.username, row.key.site
                ));
                self.name_in(&mut reply, row);
                Some(Decision { change: Change::None, reply })
            }
            Action::Add(_)
            | Action::ManualAdd(_)
            | Action::Activate(_)
            | Action::Change(_)
            | Action::Check(_) => None,
        }
    }

    /// The action without a trial flag that is stale.
    pub(crate) fn without_stale_flag<'a>(
        &self,
        action: &'a Action,
        standing: &Standing,
    ) -> (Cow<'a, Action>, bool) {
        if self.last(action, standing).is_none() {
            return (Cow::Borrowed(action), false);
        }
        let mut action = action.clone();
        match &mut action {
            Action::Add(Add { details, .. }) | Action::ManualAdd(Add { details, .. }) => {
                details.trial = None;
            }
            Action::Activate(activate) => activate.details.trial = None,
            Action::Change(change) => change.trial = None,
            Action::TrialToFull(_) | Action::Delete(_) | Action::Expire(_) | Action::Check(_) => {}
        }
        (Cow::Owned(action), true)
    }

    /// Says in the reply that a trial flag was not taken.
    pub(crate) fn name_flag(&self, reply: &mut Reply, standing: &Standing) {
        if let Standing::Here(row) = standing {
            reply.push(format_args!("; trial not taken"));
            self.name_in(reply, row);
        }
    }

    fn name_in(&self, reply: &mut Reply, row: &Member) {
        if let Some((last, at)) = row.stamp.zip(self.at) {
            reply.push(format_args!(
                ": its stamp {at} is older than that of the last change, {last}"
            ));
        }
    }

    /// Keeps the stamp in the row, as that of the last change, where the postback was done.
    pub(crate) fn keep_in(&self, decision: &mut Decision, standing: &Standing) {
        if self.at.is_none() || decision.reply.word() != Word::Ok {
            return;
        }
        match &mut decision.change {
            Change::Insert(row) | Change::Restore(row) | Change::Update(row) => row.stamp = self.at,
            Change::Leave(former) => former.member.stamp = self.at,
            Change::Erase(_) => {}
            Change::None => {
                if let Standing::Here(row) = standing
                    && row.stamp != self.at
                {
                    decision.change = Change::Update(Member { stamp: self.at, ..row.clone() });
                }
            }
        }
    }
}

/// Whether the action takes something from a member, or sets the trial flag.
fn matters(action: &Action) -> bool {
    match action {
        Action::Delete(_) | Action::Expire(_) | Action::TrialToFull(_) => true,
        Action::Add(Add { details, .. }) | Action::ManualAdd(Add { details, .. }) => {
            details.trial.is_some()
        }
        Action::Activate(activate) => activate.details.trial.is_some(),
        Action::Change(change) => change.trial.is_some(),
        Action::Check(_) => false,
    }
}
