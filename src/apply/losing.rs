//! A database that loses transactions at the steps that a test chooses.

use std::collections::BTreeSet;
use std::time::Instant;

use tempfile::TempDir;

use super::Postback;
use crate::action::Rules;
use crate::block::{Block, Target};
use crate::clock::{ExpiryRule, Moment, Zone};
use crate::epoch::Epoch;
use crate::fields::Fields;
use crate::identity::Key;
use crate::journal::{Origin, Record};
use crate::operator::{Operator, OperatorName};
use crate::password::{Hash, KeyId, Vault};
use crate::store::{
    Cause, Conversion, Engine, Fault, Forgotten, Hardened, JournalFilter, Location, LongRead, Note,
    Outcome, Person, Rehashed, Residue, SharedKey, SharedSetting, Spent, TableRow, View, Wanted,
    open_reader, pages, with_engine,
};

/// 2026-06-15 12:00:00 UTC.
pub(crate) const NOON: i64 = 1_781_524_800;

/// A database of a test.
pub(crate) struct Scene {
    pub(crate) location: Location,
    pub(crate) vault: Vault,
    _dir: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        // In memory where there is such a directory: a sync costs nothing there.
        let dir = TempDir::new_in("/dev/shm").unwrap_or_else(|_| TempDir::new().unwrap());
        let location = Location::sqlite(dir.path().join("userman.db"));
        with_engine(&location, true, |_| ()).unwrap();
        Self { location, vault: Vault::from_key([7; 32]), _dir: dir }
    }

    /// Runs `work` over the database, which loses what `prepare` says.
    pub(crate) fn with_losing<T>(
        &self,
        prepare: impl FnOnce(&mut Losing<'_>),
        work: impl FnOnce(&mut Losing<'_>) -> T,
    ) -> T {
        with_engine(&self.location, false, |engine| {
            let mut losing = Losing::over(engine);
            prepare(&mut losing);
            work(&mut losing)
        })
        .unwrap()
    }

    /// All members, former members and journal records.
    pub(crate) fn content(&self) -> Vec<String> {
        let (reader, mut all) = (open_reader(&self.location).unwrap(), Vec::new());
        let mut add = |row: String| {
            all.push(row);
            Ok::<_, Fault>(())
        };
        let filter = JournalFilter::default();
        pages::each_record(&*reader, &filter, |record| add(format!("{record:?}"))).unwrap();
        pages::each_member(&*reader, None, 0, |member| add(format!("{member:?}"))).unwrap();
        pages::each_former(&*reader, None, |former| add(format!("{former:?}"))).unwrap();
        all
    }
}

/// A postback of NATS, sealed under the key of every [`Scene`].
pub(crate) fn postback(body: &str) -> Postback {
    let rules = Rules {
        vault: Vault::from_key([7; 32]),
        keep_cryptpass: false,
        expiry: ExpiryRule { zone: Zone::UTC, grace_hours: 0 },
        stale_guard: false,
    };
    Postback::read(&Fields::from_urlencoded(body.as_bytes()), &rules, Origin::Nats, None).0
}

/// Passes every call on to an engine, except those at which it loses the transaction. Panics if a
/// lost transaction is used again.
pub(crate) struct Losing<'e> {
    engine: &'e mut dyn Engine,
    /// Steps that lose the transaction; a step is a call within one, its begin and commit included.
    pub(crate) lost_at: BTreeSet<usize>,
    /// All steps from this one on lose it.
    pub(crate) lost_from: Option<usize>,
    /// A member whose row is refused, and whose logouts are.
    pub(crate) refused: Option<Key>,
    /// The next step of the conversion fails with this.
    pub(crate) convert_fails_with: Option<Fault>,
    /// Commits happen, and their outcome is not known.
    pub(crate) outcomes_are_unknown: bool,
    /// A refused row ends its transaction, as with MariaDB.
    pub(crate) ends_at_refused: bool,
    /// Steps that were taken.
    pub(crate) steps: usize,
    /// Transactions that were begun.
    pub(crate) begun: usize,
    is_lost: bool,
}

impl<'e> Losing<'e> {
    /// Loses no transaction until a test sets a step.
    pub(crate) fn over(engine: &'e mut dyn Engine) -> Self {
        Self {
            engine,
            lost_at: BTreeSet::new(),
            lost_from: None,
            refused: None,
            convert_fails_with: None,
            outcomes_are_unknown: false,
            ends_at_refused: false,
            steps: 0,
            begun: 0,
            is_lost: false,
        }
    }

    fn step(&mut self) -> Result<(), Fault> {
        assert!(!self.is_lost, "a transaction that was lost is used");
        let step = self.steps;
        self.steps += 1;
        if self.lost_at.contains(&step) || self.lost_from.is_some_and(|first| step >= first) {
            self.engine.rollback();
            self.is_lost = true;
            return Err(Fault::TransactionLost(Cause::new("deadlock", None)));
        }
        Ok(())
    }
}

impl Engine for Losing<'_> {
    fn begin(&mut self) -> Result<(), Fault> {
        self.is_lost = false;
        self.begun += 1;
        self.step()?;
        self.engine.begin()
    }

    fn expire_due(&mut self, now: i64, most: usize) -> Result<usize, Fault> {
        self.step()?;
        self.engine.expire_due(now, most)
    }

    fn load(&mut self, wanted: &Wanted<'_>, view: &mut View, moment: Moment) -> Result<(), Fault> {
        self.step()?;
        self.engine.load(wanted, view, moment)
    }

    fn save(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault> {
        self.step()?;
        let keys = outcomes.iter().filter_map(|outcome| outcome.change.row()).map(|row| row.key);
        if keys.into_iter().any(|key| Some(key) == self.refused) {
            return Err(Fault::Constraint(Cause::new("refused", None)));
        }
        self.engine.save(outcomes)
    }

    fn isolates_rows(&self) -> bool {
        !self.ends_at_refused
    }

    fn savepoint(&mut self) -> Result<(), Fault> {
        self.step()?;
        self.engine.savepoint()
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), Fault> {
        self.step()?;
        self.engine.rollback_to_savepoint()
    }

    fn release_savepoint(&mut self) -> Result<(), Fault> {
        self.step()?;
        self.engine.release_savepoint()
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.step()?;
        self.engine.commit()?;
        match self.outcomes_are_unknown {
            true => Err(Fault::OutcomeUnknown(Cause::new("connection lost", None))),
            false => Ok(()),
        }
    }

    fn rollback(&mut self) {
        self.engine.rollback();
    }

    fn unfold(&mut self, key: Key) -> Result<(), Fault> {
        self.step()?;
        self.engine.unfold(key)
    }

    fn harden(&mut self, hardened: &[Hardened]) -> Result<(), Fault> {
        self.step()?;
        self.engine.harden(hardened)
    }

    fn rehash(&mut self, rehashed: &Rehashed) -> Result<(), Fault> {
        self.step()?;
        self.engine.rehash(rehashed)
    }

    fn note(&mut self, note: &Note, sure: i64) -> Result<(), Fault> {
        self.step()?;
        if matches!(note, Note::LogOut(login) if Some(login.key) == self.refused) {
            return Err(Fault::Constraint(Cause::new("refused", None)));
        }
        self.engine.note(note, sure)
    }

    fn forget_logins(&mut self, spent: Spent, most: usize) -> Result<bool, Fault> {
        self.step()?;
        self.engine.forget_logins(spent, most)
    }

    fn lift(&mut self, target: &Target) -> Result<(), Fault> {
        self.step()?;
        self.engine.lift(target)
    }

    fn lift_sharing(&mut self, key: Key, now: i64) -> Result<bool, Fault> {
        self.step()?;
        self.engine.lift_sharing(key, now)
    }

    fn forget(
        &mut self,
        person: &Person,
        record: &Record<'_>,
        until: i64,
    ) -> Result<Forgotten, Fault> {
        self.step()?;
        self.engine.forget(person, record, until)
    }

    fn forget_notes(&mut self, person: &Person) -> Result<Forgotten, Fault> {
        self.step()?;
        self.engine.forget_notes(person)
    }

    fn keep_blocks(&mut self, blocks: &[Block]) -> Result<(), Fault> {
        self.step()?;
        self.engine.keep_blocks(blocks)
    }

    fn probe(&mut self, now: i64) -> Result<(), Fault> {
        self.step()?;
        self.engine.probe(now)
    }

    fn prune(&mut self, before: i64, now: i64, most: usize) -> Result<usize, Fault> {
        self.step()?;
        self.engine.prune(before, now, most)
    }

    fn convert_journal(&mut self, most: usize) -> Result<Option<Conversion>, Fault> {
        self.step()?;
        self.convert_fails_with.take().map_or(Ok(()), Err)?;
        self.engine.convert_journal(most)
    }

    fn insert_rows(&mut self, rows: &[TableRow]) -> Result<(), Fault> {
        self.step()?;
        self.engine.insert_rows(rows)
    }

    fn set_seal_key(&mut self, id: KeyId) -> Result<(), Fault> {
        self.step()?;
        self.engine.set_seal_key(id)
    }

    fn set_cookie_key(&mut self, id: KeyId) -> Result<(), Fault> {
        self.step()?;
        self.engine.set_cookie_key(id)
    }

    fn agree_on_key(&mut self, key: SharedKey, id: KeyId) -> Result<KeyId, Fault> {
        self.step()?;
        self.engine.agree_on_key(key, id)
    }

    fn agree_on_settings(
        &mut self,
        settings: &[SharedSetting],
    ) -> Result<Vec<SharedSetting>, Fault> {
        self.step()?;
        self.engine.agree_on_settings(settings)
    }

    fn begin_login_epoch(&mut self, epoch: Epoch) -> Result<(), Fault> {
        self.step()?;
        self.engine.begin_login_epoch(epoch)
    }

    fn add_operator(&mut self, operator: &Operator) -> Result<(), Fault> {
        self.step()?;
        self.engine.add_operator(operator)
    }

    fn set_operator_password(
        &mut self,
        name: &OperatorName,
        hash: &Hash,
        now: i64,
    ) -> Result<bool, Fault> {
        self.step()?;
        self.engine.set_operator_password(name, hash, now)
    }

    fn remove_operator(&mut self, name: &OperatorName) -> Result<bool, Fault> {
        self.step()?;
        self.engine.remove_operator(name)
    }

    fn is_empty(&mut self) -> Result<bool, Fault> {
        self.step()?;
        self.engine.is_empty()
    }

    fn maintain(&mut self, now: Instant) -> Result<Option<LongRead>, Fault> {
        self.engine.maintain(now)
    }

    fn expect_many(&mut self) -> Result<(), Fault> {
        self.engine.expect_many()
    }

    fn index_emails(&mut self, is_wanted: bool) -> Result<(), Fault> {
        self.engine.index_emails(is_wanted)
    }

    fn maintain_early(&mut self, now: Instant) -> Result<(), Fault> {
        self.engine.maintain_early(now)
    }

    fn check_current(&mut self) -> Result<(), Fault> {
        self.engine.check_current()
    }

    fn clear_deleted(&mut self) -> Result<Residue, Fault> {
        self.engine.clear_deleted()
    }

    fn finish(&mut self) -> bool {
        self.engine.finish()
    }
}
