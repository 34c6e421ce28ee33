//! From postbacks to rows: load, decide, save. HTTP, `replay` and the operator's commands all use
//! it.

#[cfg(test)]
pub(crate) mod losing;
pub(crate) mod transaction;

use std::net::IpAddr;

use crate::action::{Action, FieldsSource, Rules};
use crate::clock::Moment;
use crate::fields::Fields;
use crate::identity::{MemberId, SiteId};
use crate::journal::{Origin, Received, Record};
use crate::password::{Stored, Vault};
use crate::reply::{Refusal, Reply};
use crate::store::{Cause, Engine, Fault, Outcome, View, Wanted};
use transaction::in_counted_transaction;
pub(crate) use transaction::in_transaction;

/// A postback that was read: its action, or why it cannot be read, and the first half of its
/// journal record.
#[derive(Clone, Debug)]
pub struct Postback {
    /// The action.
    pub action: Result<Action, Refusal>,
    /// The first half of the journal record.
    pub received: Received,
}

impl Postback {
    /// Reads the fields of a postback in clear text. Also returns the parameters that were ignored,
    /// for the log.
    pub fn read(
        fields: &Fields<'_>,
        rules: &Rules,
        origin: Origin,
        address: Option<IpAddr>,
    ) -> (Self, Vec<Refusal>) {
        let parsed = Action::parse(fields, &FieldsSource::Wire(rules));
        let received = if parsed.action.is_ok() { Received::new } else { Received::refused };
        (
            Self { action: parsed.action, received: received(fields, origin, address) },
            parsed.ignored,
        )
    }

    /// Logs the parameters that were ignored.
    pub fn log_ignored(&self, ignored: &[Refusal]) {
        let member = self.received.member.map_or_else(|| "-".into(), |member| member.to_string());
        for refusal in ignored {
            log::warn!("ignored parameter, member {member}: {refusal}");
        }
    }

    /// Whether it gives a member a username that HTTP Basic cannot carry.
    pub fn gives_name_unfit_for_basic(&self) -> bool {
        let wanted = self.action.as_ref().ok().and_then(Action::wanted);
        !self.is_check() && wanted.is_some_and(|(_, name)| !name.fits_basic())
    }

    /// Logs that a member has a username that HTTP Basic cannot carry.
    pub fn log_unfit_for_basic(site: Option<SiteId>, member: Option<MemberId>) {
        if let Some((site, member)) = site.zip(member) {
            log::warn!(
                "the username of member {member} of site {site} has a colon, which HTTP Basic \
                 cannot carry: this member can use only the login page"
            );
        }
    }

    /// Whether it is a CHECK, readable or not: it is neither written nor journalled.
    pub fn is_check(&self) -> bool {
        self.received.action == Some("CHECK")
    }
}

/// Decides one postback against the view and updates the view.
pub fn decide<'p>(
    vault: &Vault,
    postback: &'p Postback,
    view: &mut View,
    moment: impl Into<Moment>,
) -> Outcome<'p> {
    decide_again(vault, postback, view, moment.into(), false)
}

/// Decides a postback that an older release may have answered OK. See
/// [`crate::action::Known::was_done`].
pub(crate) fn decide_again<'p>(
    vault: &Vault,
    postback: &'p Postback,
    view: &mut View,
    moment: Moment,
    was_done: bool,
) -> Outcome<'p> {
    let received = &postback.received;
    let (at, moved_until) =
        (moment.now, (moment.moved_until != moment.now).then_some(moment.moved_until));
    let action = match &postback.action {
        Ok(action) => action,
        Err(refusal) => {
            let record = Record {
                at,
                received,
                moved_until,
                reply: refusal.reply(),
                put: crate::action::Recorded::default(),
            };
            return Outcome { change: crate::action::Change::None, record };
        }
    };
    let settled = settle(vault, action, view);
    let action = settled.as_ref().unwrap_or(action);
    let decision = action.decide(&view.known(action, was_done), moment);
    let version_before = action.key().and_then(|key| view.row(key)).map(|row| row.login_version);
    view.apply(&decision.change, moment);
    let row_after = action.key().and_then(|key| view.row(key));
    let logins_ended =
        version_before.zip(row_after).is_some_and(|(before, row)| row.login_version > before);
    let put = Record::put(action, row_after, logins_ended);
    Outcome {
        change: decision.change,
        record: Record { at, received, moved_until, reply: decision.reply, put },
    }
}

/// A password that the row already has under another seal takes that seal. So a postback that is
/// sent twice leaves the row unchanged, and the password is hashed once.
fn settle(vault: &Vault, action: &Action, view: &View) -> Option<Action> {
    let key = action.key()?;
    let Stored::Sealed(given) = &action.credential()?.stored else { return None };
    let held = &view.row(key)?.credential.stored;
    let Stored::Sealed(seal) = held else { return None };
    if !vault.same_secret(key, given, seal) {
        return None;
    }
    let mut action = action.clone();
    action.credential_mut()?.stored = held.clone();
    Some(action)
}

/// Applies a batch in order inside the open transaction.
///
/// # Errors
///
/// Any fault of the engine: then the transaction is to be rolled back, and no reply may leave.
pub fn apply(
    engine: &mut dyn Engine,
    vault: &Vault,
    postbacks: &[&Postback],
    mut moment: Moment,
) -> Result<Vec<Reply>, Fault> {
    let mut wanted = Wanted::default();
    for action in postbacks.iter().filter_map(|postback| postback.action.as_ref().ok()) {
        wanted.add(action);
    }
    let mut view = View::default();
    engine.load(&wanted, &mut view, moment)?;
    let mut outcomes = Vec::with_capacity(postbacks.len());
    for postback in postbacks {
        outcomes.push(decide(vault, postback, &mut view, moment));
        moment = moment.then();
    }
    engine.save(&outcomes)?;
    Ok(outcomes.into_iter().map(|outcome| outcome.record.reply).collect())
}

/// Applies a batch in a transaction of its own: the replies, each after the commit that holds its
/// change.
///
/// A row that the schema refuses affects only its own postback: the batch is run again with a
/// savepoint for each postback, and that one gets the fault. A transaction that the database loses
/// is run again as a whole: everything is loaded and decided again. A row that another transaction
/// has locked for too long affects only its own postback too.
///
/// # Errors
///
/// For the whole batch: where nothing could be changed, or the outcome of the commit is unknown.
pub fn transact<M: Into<Moment>>(
    engine: &mut dyn Engine,
    vault: &Vault,
    postbacks: &[&Postback],
    now: impl FnMut() -> M,
) -> Result<Vec<Result<Reply, Fault>>, Fault> {
    let mut reruns = 0;
    let done = transact_counted(engine, vault, postbacks, now, &mut reruns);
    transaction::log_reruns(reruns);
    done
}

/// Applies a batch as [`transact`] does, for a caller that counts and logs the reruns itself.
pub(crate) fn transact_counted<M: Into<Moment>>(
    engine: &mut dyn Engine,
    vault: &Vault,
    postbacks: &[&Postback],
    mut now: impl FnMut() -> M,
    reruns: &mut u32,
) -> Result<Vec<Result<Reply, Fault>>, Fault> {
    // The time of effect is read under the lock, so that it rises with the order of effect across
    // processes (while the machine's clock is not set back).
    let mut all = in_counted_transaction(engine, reruns, |engine| {
        apply(engine, vault, postbacks, now().into())
    });
    if !engine.isolates_rows() && all.as_ref().is_err_and(Fault::is_of_one_row) {
        // Another receiver may have written the same member or name meanwhile.
        all = in_counted_transaction(engine, reruns, |engine| {
            apply(engine, vault, postbacks, now().into())
        });
    }
    match all {
        Ok(replies) => Ok(replies.into_iter().map(Ok).collect()),
        Err(fault) if fault.is_of_one_row() && engine.isolates_rows() => {
            in_counted_transaction(engine, reruns, |engine| {
                apply_one_by_one(engine, vault, postbacks, now().into())
            })
        }
        Err(fault) if fault.is_of_one_postback() => {
            Ok(apply_each_alone(engine, vault, postbacks, now, reruns))
        }
        Err(fault) => Err(fault),
    }
}

/// How often the postbacks of one batch, each alone, are run again because of a locked row. Mostly
/// another receiver has locked it for some milliseconds.
const LOCKED_RERUNS_MAX: u32 = 8;

/// How often a postback alone is run again because of a refused row. Other receivers may write the
/// same member or name at the same moment, each time.
const REFUSED_RERUNS_MAX: u32 = 3;

/// Each postback in a transaction of its own. After a fault that is not of one postback, those
/// behind it get none: the database cannot be used.
fn apply_each_alone<M: Into<Moment>>(
    engine: &mut dyn Engine,
    vault: &Vault,
    postbacks: &[&Postback],
    mut now: impl FnMut() -> M,
    reruns: &mut u32,
) -> Vec<Result<Reply, Fault>> {
    let mut results = Vec::with_capacity(postbacks.len());
    let (mut is_usable, mut locked) = (true, 0);
    for postback in postbacks {
        if !is_usable {
            let cause = Cause::new("an earlier postback of the batch met a fault", None);
            results.push(Err(Fault::Unusable(cause)));
            continue;
        }
        let mut run = || {
            in_counted_transaction(engine, reruns, |engine| {
                // Each postback has exactly one reply.
                apply(engine, vault, &[postback], now().into())?
                    .pop()
                    .ok_or_else(|| Fault::BadRow("no reply was decided".into()))
            })
        };
        let mut result = run();
        let mut refused = 0;
        while result.as_ref().is_err_and(Fault::is_of_one_row) && refused < REFUSED_RERUNS_MAX {
            refused += 1;
            result = run();
        }
        while matches!(result, Err(Fault::RowLocked(_))) && locked < LOCKED_RERUNS_MAX {
            locked += 1;
            result = run();
        }
        is_usable = result.as_ref().err().is_none_or(Fault::is_of_one_postback);
        results.push(result);
    }
    results
}

/// Each postback within a savepoint of its own. The inner results are those of the postbacks, the
/// outer one that of the transaction.
fn apply_one_by_one(
    engine: &mut dyn Engine,
    vault: &Vault,
    postbacks: &[&Postback],
    mut moment: Moment,
) -> Result<Vec<Result<Reply, Fault>>, Fault> {
    let mut results = Vec::with_capacity(postbacks.len());
    for postback in postbacks {
        let result = apply_within_savepoint(engine, vault, postback, moment)?;
        if result.is_ok() {
            moment = moment.then();
        }
        results.push(result);
    }
    Ok(results)
}

/// Only the fault of one row is its postback's own. After any other, and where the savepoint cannot
/// be ended as meant, the whole transaction counts as lost: the outer result is an error, and
/// nothing of the batch is acknowledged.
fn apply_within_savepoint(
    engine: &mut dyn Engine,
    vault: &Vault,
    postback: &Postback,
    moment: Moment,
) -> Result<Result<Reply, Fault>, Fault> {
    engine.savepoint()?;
    match apply(engine, vault, &[postback], moment) {
        Ok(mut replies) => {
            engine.release_savepoint()?;
            // Each postback has exactly one reply.
            replies.pop().map(Ok).ok_or_else(|| Fault::BadRow("no reply was decided".into()))
        }
        Err(fault) if fault.is_of_one_row() => {
            engine.rollback_to_savepoint()?;
            Ok(Err(fault))
        }
        Err(fault) => Err(fault),
    }
}
