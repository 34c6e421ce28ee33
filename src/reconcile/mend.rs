//! Mends differences by postbacks of the operator, with the rules and the journal of all postbacks.

use std::time::Duration;

use super::changed::{Since, changed_since};
use super::list::MemberList;
use super::row::ListedSecret;
use super::{Difference, Kind};
use crate::action::{Rules, Standing};
use crate::apply::{Postback, apply, in_transaction};
use crate::chain::chain;
use crate::clock::Moment;
use crate::identity::Key;
use crate::replay::operator_postback_with;
use crate::reply::Word;
use crate::store::{Engine, Fault, Read, View, Wanted};

/// Members in one transaction: few enough that a postback to a running service waits for
/// milliseconds only.
const TRANSACTION_MEMBERS_MAX: usize = 64;
/// The pause between two transactions. SQLite has no queue for its lock: a process that waits tries
/// again every 25 to 50 ms, and without a pause would find the next transaction each time.
const PAUSE: Duration = Duration::from_millis(60);
/// How often the lock is tried. One try waits 400 ms, and a busy service has the lock most of the
/// time.
const LOCK_TRIES: usize = 25;

/// What is done with a member. In this order, because a member who leaves or is renamed makes a
/// name free, and nobody may leave whom NATS has under another memberid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planned {
    /// ACTIVATE, which gives a provisional member the memberid of NATS.
    Identify,
    /// DELETE.
    Leave,
    /// CHANGE of name or trial flag.
    Change,
    /// ACTIVATE, with the kept credential.
    Restore,
    /// MANUALADD, with the credential of the list.
    Add,
}

/// What will be done, some 24 bytes for each member.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    planned: Vec<(Planned, Key)>,
    /// Those for whom nothing can be done: who cannot be added, because no credential is known, and
    /// the provisional members who may be the same people.
    without_credential: u64,
    /// Provisional members whose names are not in the list.
    unknown: Vec<Key>,
}

impl Plan {
    /// Plans for a difference.
    pub fn add(&mut self, difference: &Difference) {
        let planned = match difference.kind {
            Kind::NotHere { is_former: true, .. } => Planned::Restore,
            Kind::NotHere { has_credential: true, .. } => Planned::Add,
            Kind::NotHere { .. } => {
                self.without_credential += 1;
                return;
            }
            Kind::NotThere if difference.key.member.is_provisional() => {
                self.unknown.push(difference.key);
                return;
            }
            Kind::NotThere => Planned::Leave,
            Kind::Provisional { .. } => Planned::Identify,
            Kind::Name { .. } | Kind::Trial { .. } => Planned::Change,
            // NATS's `expires` ends no membership, so another one is only reported.
            Kind::Expiry { .. } => return,
        };
        let one = (planned, difference.key);
        // One CHANGE has a new name and a new trial flag.
        if self.planned.last() != Some(&one) {
            self.planned.push(one);
        }
    }

    /// Ends the plan. A provisional member may be somebody of the list who has another name there:
    /// while there is one in it who was never a member here, provisional members stay.
    pub fn end(&mut self) {
        let unknown = std::mem::take(&mut self.unknown);
        match self.without_credential {
            0 => self.planned.extend(unknown.into_iter().map(|key| (Planned::Leave, key))),
            _ => self.without_credential += unknown.len() as u64,
        }
    }

    /// How many members will be changed.
    pub fn changes(&self) -> u64 {
        self.planned.len() as u64
    }
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Mended {
    /// Members who were changed.
    pub mended: u64,
    /// Members who have changed since the list was made, or for whom nothing was to do any more.
    pub changed: u64,
    /// Members whose postback was refused, and the reply.
    pub refused: Vec<(Key, String)>,
    /// Members who were not added, because no credential is known, and provisional members who may
    /// be the same people.
    pub without_credential: u64,
}

impl Mended {
    /// Members for whom nothing could be done.
    pub fn left(&self) -> u64 {
        self.refused.len() as u64 + self.without_credential
    }
}

/// With what is mended.
pub struct Mending<'a> {
    /// The list, with the credentials of those who are added.
    pub list: &'a MemberList,
    /// How postbacks are read.
    pub rules: &'a Rules,
    /// Another connection to the database.
    pub reader: &'a dyn Read,
    /// Changes from this time on are not undone.
    pub since: Since,
    /// The time of each transaction.
    pub moment: &'a dyn Fn() -> Moment,
}

impl std::fmt::Debug for Mending<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mending").field("since", &self.since).finish_non_exhaustive()
    }
}

/// The result for a member.
enum Outcome {
    Mended,
    Changed,
    Refused(String),
}

impl Mending<'_> {
    /// Does what is planned, some members in each transaction. `report` gets their number.
    ///
    /// # Errors
    ///
    /// Any fault of the database. What was committed before stays.
    pub fn run(
        &self,
        engine: &mut dyn Engine,
        mut plan: Plan,
        report: &mut dyn FnMut(u64),
    ) -> Result<Mended, Fault> {
        plan.planned.sort_unstable();
        let without_credential = plan.without_credential;
        let mut mended = Mended { without_credential, ..Mended::default() };
        for (number, batch) in plan.planned.chunks(TRANSACTION_MEMBERS_MAX).enumerate() {
            if number > 0 {
                std::thread::sleep(PAUSE);
            }
            for (key, outcome) in self.when_unlocked(engine, batch)? {
                match outcome {
                    Outcome::Mended => mended.mended += 1,
                    Outcome::Changed => mended.changed += 1,
                    Outcome::Refused(why) => mended.refused.push((key, why)),
                }
            }
            report(batch.len() as u64);
        }
        Ok(mended)
    }

    fn when_unlocked(
        &self,
        engine: &mut dyn Engine,
        batch: &[(Planned, Key)],
    ) -> Result<Vec<(Key, Outcome)>, Fault> {
        for _ in 1..LOCK_TRIES {
            match self.together_or_each(engine, batch) {
                Err(Fault::Busy(_)) => {}
                done => return done,
            }
        }
        self.together_or_each(engine, batch)
    }

    /// A row that the schema refuses affects only its own member.
    fn together_or_each(
        &self,
        engine: &mut dyn Engine,
        batch: &[(Planned, Key)],
    ) -> Result<Vec<(Key, Outcome)>, Fault> {
        match (self.batch(engine, batch), batch) {
            (Err(fault), [(_, key)]) if fault.is_of_one_row() => {
                Ok(vec![(*key, Outcome::Refused(chain(&fault)))])
            }
            (Err(fault), batch) if fault.is_of_one_row() => {
                let mut all = Vec::with_capacity(batch.len());
                for one in batch {
                    all.extend(self.together_or_each(engine, std::slice::from_ref(one))?);
                }
                Ok(all)
            }
            (done, _) => done,
        }
    }

    /// One transaction, after a check of the present state of each member.
    fn batch(
        &self,
        engine: &mut dyn Engine,
        batch: &[(Planned, Key)],
    ) -> Result<Vec<(Key, Outcome)>, Fault> {
        in_transaction(engine, |engine| {
            let (moment, mut view) = ((self.moment)(), View::default());
            let keys = batch.iter().map(|(_, key)| *key).collect();
            engine.load(&Wanted { keys, ..Wanted::default() }, &mut view, moment)?;
            // The rows are locked now: what comes later, comes after this transaction.
            let changed = changed_since(self.reader, self.since)?;
            let mut outcomes = Vec::with_capacity(batch.len());
            for &(planned, key) in batch {
                let postback = match changed.contains(&key) {
                    true => None,
                    false => self.postback(planned, key, &view.standing(key).clone()),
                };
                outcomes.push((key, self.say(engine, postback, moment)?));
            }
            Ok(outcomes)
        })
    }

    fn say(
        &self,
        engine: &mut dyn Engine,
        postback: Option<Postback>,
        moment: Moment,
    ) -> Result<Outcome, Fault> {
        let Some(postback) = postback else { return Ok(Outcome::Changed) };
        let replies = apply(engine, &self.rules.vault, &[&postback], moment)?;
        Ok(match replies.into_iter().next() {
            Some(reply) if reply.word() == Word::Ok => Outcome::Mended,
            Some(reply) => Outcome::Refused(reply.as_str().to_owned()),
            None => Outcome::Changed,
        })
    }

    /// The postback that mends; `None` if there is nothing to mend any more.
    fn postback(&self, planned: Planned, key: Key, standing: &Standing) -> Option<Postback> {
        let (site, member) = (key.site.to_string(), key.member.to_string());
        let entry = self.list.entry(key);
        let name = entry.and_then(|entry| self.list.name(entry));
        let trial = entry.and_then(|entry| entry.trial).map(|trial| if trial { "1" } else { "0" });
        let mut pairs = vec![("siteid", site.as_str()), ("memberid", member.as_str())];
        match (planned, standing) {
            (Planned::Leave, Standing::Here(_)) => pairs.insert(0, ("action", "DELETE")),
            (Planned::Change, Standing::Here(row)) => {
                pairs.insert(0, ("action", "CHANGE"));
                // Another spelling of the name is no difference.
                let new = name.as_ref().filter(|name| name.folded() != row.username.folded());
                pairs.extend(new.map(|name| ("new_username", name.as_str())));
                pairs.extend(trial.map(|trial| ("new_trial", trial)));
            }
            // A member whose expiry was reached while no service ran is not moved yet.
            (Planned::Identify, Standing::Unknown | Standing::Former(_))
            | (Planned::Restore, Standing::Former(_) | Standing::Lapsed(_)) => {
                pairs.insert(0, ("action", "ACTIVATE"));
                pairs.push(("username", name.as_ref()?.as_str()));
                pairs.extend(trial.map(|trial| ("trial", trial)));
            }
            (Planned::Add, Standing::Unknown) => {
                pairs.insert(0, ("action", "MANUALADD"));
                pairs.extend(name.as_ref().map(|name| ("username", name.as_str())));
                pairs.extend(trial.map(|trial| ("trial", trial)));
                pairs.push(match self.list.secret(entry?)? {
                    ListedSecret::Password(text) => ("password", text),
                    ListedSecret::Cryptpass(text) => ("cryptpass", text),
                });
            }
            _ => return None,
        }
        Some(operator_postback_with(&pairs, self.rules))
    }
}
