//! Replays captured postbacks, and the journal of another database.

mod capture;
mod foreign;
mod input;
mod record;
mod record_text;

pub use capture::{Capture, CaptureError, Captured};
pub use foreign::Foreign;
pub use input::Input;
pub use record::{BadRecord, JournalLine};
pub use record_text::record_text;

use crate::action::{
    Action, Change, ChangeMember, FieldsSource, Parsed, Recorded, Rules, Sender, Stamp,
};
use crate::apply::{Postback, decide, decide_again, transact};
use crate::clock::Clock;
use crate::epoch::Epoch;
use crate::identity::{Key, SiteId};
use crate::journal::{Origin, Received, Record};
use crate::reply::{Reply, Word};
use crate::store::{Engine, Fault, Outcome, Read, StoredRecord, View, Wanted};

/// Postbacks in one transaction of a replay.
pub const REPLAY_BATCH: usize = 256;

/// How many replies of each word were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// OK.
    pub ok: u64,
    /// NOTOK.
    pub not_ok: u64,
    /// ERROR.
    pub error: u64,
}

impl Counts {
    /// Counts one.
    pub fn add(&mut self, word: Word) {
        match word {
            Word::Ok => self.ok += 1,
            Word::NotOk => self.not_ok += 1,
            Word::Error => self.error += 1,
        }
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.ok + self.not_ok + self.error
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} OK, {} NOTOK, {} ERROR", self.ok, self.not_ok, self.error)
    }
}

/// Applies captured postbacks in order. A CHECK reads the changes of the postbacks before it, and
/// is not journalled. `done` gets each reply after the commit of its change.
///
/// # Errors
///
/// If the database fails: at the first postback whose reply `done` did not get. The postbacks
/// before it are applied. This one is not, unless the outcome of the commit is unknown. Those after
/// it are not either, except the rest of its batch where the schema refused only this one.
pub fn apply_captured(
    engine: &mut dyn Engine,
    rules: &Rules,
    clock: &Clock,
    batch: &[Postback],
    mut done: impl FnMut(Reply),
) -> Result<(), Fault> {
    // A CHECK ends a run of writes, so that it reads the changes before it and none after it.
    for run in batch.chunk_by(|left, right| left.is_check() == right.is_check()) {
        if run.first().is_some_and(Postback::is_check) {
            check_all(engine, rules, clock, run)?.into_iter().for_each(&mut done);
            continue;
        }
        let postbacks: Vec<&Postback> = run.iter().collect();
        for reply in transact(engine, &rules.vault, &postbacks, || clock.now())? {
            done(reply?);
        }
    }
    Ok(())
}

fn check_all(
    engine: &mut dyn Engine,
    rules: &Rules,
    clock: &Clock,
    run: &[Postback],
) -> Result<Vec<Reply>, Fault> {
    let now = clock.now();
    engine.begin()?;
    let mut view = View::default();
    let loaded = engine.load(&wanted(run), &mut view, now.into());
    engine.rollback();
    loaded?;
    Ok(run
        .iter()
        .map(|postback| decide(&rules.vault, postback, &mut view, now).record.reply)
        .collect())
}

fn wanted(postbacks: &[Postback]) -> Wanted<'_> {
    let mut wanted = Wanted::default();
    for action in postbacks.iter().filter_map(|postback| postback.action.as_ref().ok()) {
        wanted.add(action);
    }
    wanted
}

/// Shows what captured postbacks would do. They are decided on a view that is never saved, so the
/// database may be in use by the service.
#[derive(Debug)]
pub struct DryRun<'a> {
    reader: Option<&'a dyn Read>,
    rules: &'a Rules,
    view: View,
}

impl<'a> DryRun<'a> {
    /// On a database, or on none, as if it were empty.
    pub fn new(reader: Option<&'a dyn Read>, rules: &'a Rules) -> Self {
        Self { reader, rules, view: View::default() }
    }

    /// The outcome of the next postback.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn next<'p>(&mut self, postback: &'p Postback, now: i64) -> Result<Outcome<'p>, Fault> {
        if let (Some(reader), Ok(action)) = (self.reader, &postback.action) {
            let mut wanted = Wanted::default();
            wanted.add(action);
            reader.load(&wanted, &mut self.view, now)?;
        }
        Ok(decide(&self.rules.vault, postback, &mut self.view, now))
    }
}

/// Applies journal records to the open transaction, each at its own time. Returns the replies whose
/// word differs from the recorded one, with the numbers of the records.
///
/// # Errors
///
/// If the database fails.
pub fn apply_records(
    engine: &mut dyn Engine,
    rules: &Rules,
    records: &[JournalLine],
) -> Result<Vec<(u64, Reply)>, Fault> {
    let mut diverged = Vec::new();
    for line in records {
        let (postback, put) = line.postback();
        let at = line.at;
        // Where the clock was set back, the service had moved more members than this time says.
        // Otherwise only the members of this record are moved, when they are loaded: of two
        // receivers one may have been a second ahead. The caller moves the rest at the end.
        if at.moved_until > at.now {
            engine.expire_due(at.moved_until, usize::MAX)?;
        }
        let mut view = View::default();
        engine.load(&wanted(std::slice::from_ref(&postback)), &mut view, at)?;
        let done = line.reply.word() == Word::Ok;
        let holder =
            postback.action.as_ref().ok().and_then(|action| view.known(action, done).holder);
        let then = Some((line.reply.word(), &put));
        let mut outcome = decide_again(&rules.vault, &postback, &mut view, at, then);
        // Two receivers of a cluster number their records before the cluster orders them: where a
        // name was refused because another member had it, that member's record of giving it up may
        // have a lower number. A refusal changed nothing, and changes nothing now.
        let wants_a_name = postback.action.as_ref().is_ok_and(|action| action.wanted().is_some());
        let was_refused = wants_a_name && line.reply.word() == Word::Error;
        if was_refused {
            outcome.change = Change::None;
            outcome.taken_over = None;
        }
        let is_gone = |member| {
            let mut gone = outcome.taken_over.iter().flat_map(|taken| &taken.gone);
            gone.any(|gone| gone.key.member == member)
        };
        let holder = holder.filter(|&holder| !is_gone(holder));
        if let (Some(holder), Some(row)) = (holder, outcome.change.row())
            && row.holds_folded
            && holder != row.key.member
        {
            engine.unfold(Key { member: holder, ..row.key })?;
        }
        // An operator's command that concerns no member's row is not decided again.
        let is_exempt =
            done && postback.action.is_err() && postback.received.origin == Origin::Operator;
        if outcome.record.reply.word() != line.reply.word() && !is_exempt && !was_refused {
            diverged.push((line.id, outcome.record.reply));
        }
        // The record stays as it was.
        outcome.record.reply = line.reply.clone();
        outcome.record.put = put;
        engine.save(std::slice::from_ref(&outcome))?;
    }
    Ok(diverged)
}

/// An operator's command in the form of a postback.
pub fn operator_postback(
    action: &str,
    site: SiteId,
    member: crate::identity::MemberId,
    username: Option<&str>,
    expire: Option<&str>,
    rules: &Rules,
) -> Postback {
    let (site, member) = (site.to_string(), member.to_string());
    let mut pairs =
        vec![("action", action), ("siteid", site.as_str()), ("memberid", member.as_str())];
    pairs.extend(username.map(|name| ("username", name)));
    pairs.extend(expire.map(|expire| ("expire", expire)));
    operator_postback_with(&pairs, rules)
}

/// An operator's postback with these parameters.
pub fn operator_postback_with(pairs: &[(&str, &str)], rules: &Rules) -> Postback {
    let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let fields = crate::fields::Fields::from_pairs(pairs);
    Postback::read(&fields, rules, Origin::Operator, None).0
}

/// The operator's command to end a member's logins, in the form of a postback.
pub fn operator_logout(key: Key) -> Postback {
    let (site, member) = (key.site.to_string(), key.member.to_string());
    let received =
        operator_received(&[("action", "CHANGE"), ("siteid", &site), ("memberid", &member)]);
    let action = Ok(Action::Change(ChangeMember::ending_logins(key)));
    Postback { action, received, stamp: Stamp::default(), is_quiet: false }
}

/// Ends all logins by cookie, in the open transaction: begins a new epoch, which is part of the key
/// that signs cookies. The journal records it. A replay ignores that record, as logins are not
/// among the rows that it restores.
///
/// # Errors
///
/// If the database cannot be written.
pub fn end_all_logins(engine: &mut dyn Engine, now: i64) -> Result<Reply, Fault> {
    let received = operator_received(&[("action", "LOGOUT")]);
    let reply = Reply::ok("all logins were ended");
    engine.begin_login_epoch(Epoch::random())?;
    let record = Record {
        at: now,
        received: &received,
        moved_until: None,
        reply: reply.clone(),
        put: Recorded::default(),
    };
    engine.save(&[Outcome { change: Change::None, record, taken_over: None }])?;
    Ok(reply)
}

/// Whether this is the record of [`end_all_logins`].
pub fn is_end_of_all_logins(record: &StoredRecord) -> bool {
    record.source == "operator"
        && record.fields == operator_received(&[("action", "LOGOUT")]).fields()
}

/// The received part of the record of an operator's command. A replay accepts one that is none of
/// the eight actions: see [`apply_records`].
pub fn operator_received(pairs: &[(&str, &str)]) -> Received {
    let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    Received::new(&crate::fields::Fields::from_pairs(pairs), Origin::Operator, None)
}

/// Reads a record's fields again. `put` has what became of its hidden secrets, and `then` is the
/// word of its reply.
fn read_again(received: &Received, put: &crate::action::Recorded, then: Word) -> Parsed {
    let fields = crate::fields::Fields::from_urlencoded(received.fields().as_bytes());
    let sender = match received.origin {
        Origin::Nats | Origin::Replay => Sender::Nats,
        Origin::Operator => Sender::Operator,
    };
    Action::parse(&fields, &FieldsSource::Journal(put, then, sender))
}
