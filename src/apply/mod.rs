//! From postbacks to rows: load, decide, save. HTTP, `replay` and the operator's commands all use
//! it.

#[cfg(test)]
pub(crate) mod losing;
mod provisional;
mod stale;
mod take_over;
pub(crate) mod transaction;

use std::net::IpAddr;

use crate::action::{Action, Change, FieldsSource, Parsed, Recorded, Rules, Stamp, Standing};
use crate::clock::Moment;
use crate::fields::Fields;
use crate::identity::{MemberId, SiteId};
use crate::journal::{Origin, Received, Record};
use crate::member::Member;
use crate::password::{Stored, Vault};
use crate::reply::{Refusal, Reply, Word};
use crate::store::{Cause, Engine, Fault, Outcome, View, Wanted};
pub use provisional::{Provisionals, Whose};
pub(crate) use take_over::PROVISIONAL;
pub(crate) use transaction::in_transaction;
use transaction::{RERUNS_MAX, in_counted_transaction};

/// A postback that was read: its action, or why it cannot be read, and the first half of its
/// journal record.
#[derive(Clone, Debug)]
pub struct Postback {
    /// The action.
    pub action: Result<Action, Refusal>,
    /// The first half of the journal record.
    pub received: Received,
    /// `stamp`, and whether it decides.
    pub stamp: Stamp,
    /// Whether nothing is recorded if nothing is changed: for a row of an import that is there
    /// already.
    pub is_quiet: bool,
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
        let source = match origin {
            Origin::Nats | Origin::Replay => FieldsSource::Wire(rules),
            Origin::Operator => FieldsSource::Operator(rules),
        };
        let Parsed { action, ignored, stamp } = Action::parse(fields, &source);
        let received = if action.is_ok() { Received::new } else { Received::refused };
        (
            Self { action, received: received(fields, origin, address), stamp, is_quiet: false },
            ignored,
        )
    }

    /// Logs the parameters that were ignored.
    pub fn log_ignored(&self, ignored: &[Refusal]) {
        let member = self.received.member().map_or_else(|| "-".into(), |member| member.to_string());
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
        self.received.action() == Some("CHECK")
    }
}

/// Decides one postback against the view and updates the view.
pub fn decide<'p>(
    vault: &Vault,
    postback: &'p Postback,
    view: &mut View,
    moment: impl Into<Moment>,
) -> Outcome<'p> {
    decide_again(vault, postback, view, moment.into(), None)
}

/// Decides a postback again that a journal recorded, with what it put into the row then. An older
/// release may have answered it OK: see [`crate::action::Known::was_done`].
pub(crate) fn decide_again<'p>(
    vault: &Vault,
    postback: &'p Postback,
    view: &mut View,
    moment: Moment,
    then: Option<(Word, &Recorded)>,
) -> Outcome<'p> {
    let received = &postback.received;
    let (at, moved_until) =
        (moment.now, (moment.moved_until != moment.now).then_some(moment.moved_until));
    let action = match &postback.action {
        Ok(action) => action,
        Err(refusal) => {
            let (reply, put) = (refusal.reply(), Recorded::default());
            let record = Record { at, received, moved_until, reply, put };
            return Outcome { change: Change::None, record, taken_over: None };
        }
    };
    let was_done = then.is_some_and(|(word, _)| word == Word::Ok);
    let recorded = then.and_then(|(_, put)| put.credential.as_ref());
    let taken = take_over::find(vault, action, view, recorded);
    let known = view.known(action, was_done);
    let known = match (&taken, action.key()) {
        (Some(taken), Some(key)) => take_over::known(taken, key, known),
        _ => known,
    };
    let settled = settle(vault, action, known.standing);
    let action = settled.as_ref().unwrap_or(action);
    let stamp = &postback.stamp;
    let stale = stamp.decide(action, known.standing);
    let is_stale = stale.is_some();
    let (action, has_stale_flag) = stamp.without_stale_flag(action, known.standing);
    let mut decision = stale.unwrap_or_else(|| action.decide(&known, moment));
    match (is_stale, has_stale_flag) {
        (true, _) => {}
        (false, true) => stamp.name_flag(&mut decision.reply, known.standing),
        (false, false) => stamp.keep_in(&mut decision, known.standing),
    }
    let version_before =
        if let Standing::Here(row) = known.standing { Some(row.login_version) } else { None };
    let taken = taken.filter(|_| decision.reply.word() == Word::Ok);
    if let (Some(taken), Some(key)) = (&taken, action.key()) {
        take_over::name_in(&mut decision.reply, taken);
        if taken.moved.is_some() {
            take_over::forget_before(&mut decision.change);
        }
        view.take_over(key, taken);
    }
    view.apply(&decision.change, moment);
    // The row that is written: with an expiry that is reached already, the view has it as former.
    let row_after = decision.change.row().or_else(|| action.key().and_then(|key| view.row(key)));
    let logins_ended =
        version_before.zip(row_after).is_some_and(|(before, row)| row.login_version > before);
    let mut put = Record::put(&action, row_after, logins_ended);
    put.is_stale = has_stale_flag;
    if let Some(taken) = taken.as_ref().filter(|taken| taken.moved.is_some()) {
        // The seal has to be found by its record, and a replay needs the hash that it becomes.
        put.credential =
            take_over::row_after(taken, &decision.change).map(|row| row.credential.clone());
    }
    Outcome {
        change: decision.change,
        record: Record { at, received, moved_until, reply: decision.reply, put },
        taken_over: taken,
    }
}

/// What an action takes over from the row of its member. A password that the row already has under
/// another seal takes that seal: so a postback that is sent twice leaves the row unchanged, and the
/// password is hashed once. An imported row without an expiry takes the noted one: so the record
/// has it too.
fn settle(vault: &Vault, action: &Action, standing: &Standing) -> Option<Action> {
    let Standing::Here(row) = standing else { return None };
    let (is_held, expiry) = (holds_secret(vault, action, row), action.kept_expiry(row));
    if !is_held && expiry.is_none() {
        return None;
    }
    let mut action = action.clone();
    if is_held {
        action.credential_mut()?.stored = row.credential.stored.clone();
    }
    if let Some(instant) = expiry {
        action.note_expiry(instant);
    }
    Some(action)
}

/// Whether the row has the password of this action under another seal.
fn holds_secret(vault: &Vault, action: &Action, row: &Member) -> bool {
    let given = action.credential().map(|given| &given.stored);
    match (given, &row.credential.stored) {
        (Some(Stored::Sealed(given)), Stored::Sealed(held)) => {
            vault.same_secret(row.key, given, held)
        }
        _ => false,
    }
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
    tell_move(engine, moment)?;
    let mut outcomes = Vec::with_capacity(postbacks.len());
    for postback in postbacks {
        outcomes.push(decide(vault, postback, &mut view, moment));
        moment = moment.then();
    }
    if postbacks.iter().any(|postback| postback.is_quiet) {
        return save_changes(engine, postbacks, outcomes);
    }
    engine.save(&outcomes)?;
    Ok(outcomes.into_iter().map(|outcome| outcome.record.reply).collect())
}

/// Where members were moved by a clock that was set back since, the first record says so. After it,
/// no other one may: the database shows the present time again, also to the next start.
pub(crate) fn tell_move(engine: &mut dyn Engine, moment: Moment) -> Result<(), Fault> {
    if moment.moved_until > moment.now { engine.probe(moment.now) } else { Ok(()) }
}

/// Saves a batch without the outcomes of quiet postbacks that change nothing.
fn save_changes(
    engine: &mut dyn Engine,
    postbacks: &[&Postback],
    outcomes: Vec<Outcome<'_>>,
) -> Result<Vec<Reply>, Fault> {
    let mut replies = Vec::with_capacity(outcomes.len());
    let mut changes = Vec::with_capacity(outcomes.len());
    for (postback, outcome) in postbacks.iter().zip(outcomes) {
        replies.push(outcome.record.reply.clone());
        let is_done = outcome.record.reply.word() == Word::Ok;
        let changes_nothing = outcome.change == Change::None && outcome.taken_over.is_none();
        if !(postback.is_quiet && is_done && changes_nothing) {
            changes.push(outcome);
        }
    }
    if !changes.is_empty() {
        engine.save(&changes)?;
    }
    Ok(replies)
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
        // Several receivers may write the members of a large batch, so that it is lost each time.
        Err(fault)
            if fault.is_of_one_postback()
                || matches!(fault, Fault::TransactionLost(_)) && !engine.isolates_rows() =>
        {
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

/// How often the postbacks of one batch, each alone, are run again because the database has lost
/// their transactions; each of them up to [`RERUNS_MAX`].
const ALONE_RERUNS_MAX: u32 = 64;

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
    let (mut is_usable, mut locked, mut lost) = (true, 0, 0);
    for postback in postbacks {
        if !is_usable {
            let cause = Cause::new("an earlier postback of the batch met a fault", None);
            results.push(Err(Fault::Unusable(cause)));
            continue;
        }
        // Counted for each: the deadlocks of one postback must not leave those behind it without.
        let spared = RERUNS_MAX.saturating_sub(ALONE_RERUNS_MAX.saturating_sub(lost));
        let mut own = spared;
        let mut run = || {
            in_counted_transaction(engine, &mut own, |engine| {
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
        lost += own - spared;
        is_usable = result.as_ref().err().is_none_or(Fault::is_of_one_postback);
        results.push(result);
    }
    *reruns += lost;
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
