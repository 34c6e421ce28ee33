//! The writer's engine: transactions on one connection, which is opened again where it was lost.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use mysql::Value;

use super::connect::{Attempt, Connected, LOCK_WAIT, NO_LOCK_WAIT, Purpose, connect};
use super::connection::Connection;
use super::fault::leaves_commit_open;
use super::identity::ServerIdentity;
use super::lease::Lease;
use super::outcome::{CommitOutcome, Session, Written, look_up};
use super::server::{Host, Server};
use super::verify::{Verified, warn_of_clock, warn_of_replica, warn_of_too_few_nodes};
use super::{
    agreement, fold, login_records, logins, migration, notes, operators, probe, prune, schema,
    seals, sharing,
};
use crate::block::{Block, Target};
use crate::clock::Moment;
use crate::epoch::Epoch;
use crate::identity::Key;
use crate::journal::Record;
use crate::operator::{Operator, OperatorName};
use crate::password::{Hash, KeyId};
use crate::store::bounds::KNOWN_TRIM_EVERY;
use crate::store::shaped::KnownShapes;
use crate::store::{
    Cause, Conversion, Engine, EngineTimes, Fault, Forgotten, Hardened, LongRead, Note, Outcome,
    Person, Rehashed, Residue, SharedKey, SharedSetting, Spent, TableRow, View, Wanted,
};

/// The longest pause before a transaction that was lost is run again, for each time that it was
/// lost. Two receivers that wait for the same time would meet again.
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// How long the writer waits for no lock after a lock timeout.
const NO_LOCK_WAIT_TIME: Duration = Duration::from_secs(5);
/// How often the settings of the server are checked while it is connected.
const VERIFY_EVERY: Duration = Duration::from_secs(5);

/// The writer's connection and its cached state.
pub(super) struct Mysql<'s> {
    server: &'s Server,
    connection: Option<Connection>,
    /// The node of the connection, and when it was last verified.
    host: Host,
    identity: ServerIdentity,
    verified_at: Instant,
    /// This process, among the receivers that share the database.
    receiver: [u8; 16],
    lease: Lease,
    /// How often a transaction was lost since the last commit.
    lost: u32,
    /// A transaction is open, and nothing of it was lost.
    is_open: bool,
    /// The time from which on the writer waits for locks again.
    waits_from: Instant,
    /// Whether the session waits for locks. MySQL cannot set this timeout to zero.
    session_waits: bool,
    pub(super) is_mysql: bool,
    /// The random id of the open transaction.
    batch: i64,
    /// What it wrote.
    pub(super) written: Written,
    /// Members in this transaction who are not moved although their expiry is reached, because the
    /// clock may be wrong.
    pub(super) lapsed: Vec<Key>,
    /// The number of the last journal record of each member that this transaction has read.
    pub(super) numbers: HashMap<Key, i64>,
    pub(super) shapes: KnownShapes,
    /// Whether there may be members who do not hold the folded form of their names.
    pub(super) has_unfolded: bool,
    times: EngineTimes,
    /// Known networks that were noted.
    known_noted: u32,
}

impl<'s> Mysql<'s> {
    /// An engine on an open connection.
    pub(super) fn new(server: &'s Server, connected: Connected) -> Result<Self, Fault> {
        let Connected { mut connection, verified, host } = connected;
        warn_of_too_few_nodes(&verified);
        warn_of_clock(&verified);
        warn_of_replica(server, &verified);
        let has_unfolded = fold::has_unfolded(&mut connection)?;
        connection.plain(LOCK_WAIT)?;
        let receiver = random()?;
        Ok(Self {
            server,
            connection: Some(connection),
            host,
            identity: verified.identity,
            verified_at: Instant::now(),
            receiver,
            lease: Lease::new(receiver),
            lost: 0,
            is_open: false,
            waits_from: Instant::now(),
            session_waits: true,
            is_mysql: verified.is_mysql,
            batch: 0,
            written: Written::Nothing,
            lapsed: Vec::new(),
            numbers: HashMap::new(),
            shapes: KnownShapes::default(),
            has_unfolded,
            times: EngineTimes::default(),
            known_noted: 0,
        })
    }

    /// The open connection, in a transaction or for a statement of its own.
    ///
    /// # Errors
    ///
    /// [`Fault::TransactionLost`] where the connection was lost.
    pub(super) fn connection(&mut self) -> Result<&mut Connection, Fault> {
        self.connection_and_shapes().map(|(connection, _)| connection)
    }

    /// The open connection, for statements outside of transactions.
    ///
    /// # Errors
    ///
    /// [`Fault::TransactionLost`] where the connection was lost, or a transaction is open.
    fn alone(&mut self) -> Result<&mut Connection, Fault> {
        if self.is_open {
            return Err(Fault::TransactionLost(Cause::new("a transaction is open", None)));
        }
        let connection = self.connection()?;
        connection.end_transactions()?;
        Ok(connection)
    }

    /// The connection and the shapes of the journal.
    pub(super) fn connection_and_shapes(
        &mut self,
    ) -> Result<(&mut Connection, &mut KnownShapes), Fault> {
        let Self { connection, shapes, .. } = self;
        connection
            .as_mut()
            .filter(|connection| !connection.is_broken())
            .map(|connection| (connection, shapes))
            .ok_or_else(|| Fault::TransactionLost(Cause::new("the connection was lost", None)))
    }

    /// The random id of the open transaction.
    pub(super) fn batch(&self) -> i64 {
        self.batch
    }

    /// Runs work of an open transaction. A statement after its end would commit alone; and after a
    /// time-out the server has undone one statement, and a COMMIT would commit the others.
    fn within<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if !self.is_open {
            return Err(Fault::TransactionLost(Cause::new("no transaction is open", None)));
        }
        let done = work(self);
        self.is_open = !matches!(&done, Err(fault) if !fault.is_of_one_row());
        if matches!(&done, Err(Fault::RowLocked(_))) && self.session_waits {
            self.waits_from = Instant::now() + NO_LOCK_WAIT_TIME;
        }
        done
    }

    /// Connects where the connection was lost, after a pause where a transaction was.
    fn reconnect(&mut self) -> Result<(), Fault> {
        if self.lost > 0 {
            let [part, ..] = random::<1>()?;
            std::thread::sleep(PAUSE_MAX * self.lost.min(3) * u32::from(part) / 256);
        }
        self.connection.take_if(|connection| connection.is_broken());
        if self.connection.is_none() {
            let attempt = Attempt { last: Some(&self.host), ..Attempt::default() };
            let Connected { mut connection, verified, host } =
                connect(self.server, Purpose::Write, attempt)?;
            check_tables(&mut connection)?;
            connection.plain(LOCK_WAIT)?;
            (self.session_waits, self.is_mysql) = (true, verified.is_mysql);
            (self.connection, self.host) = (Some(connection), host);
            self.has_verified(verified);
            // The lists of names of the transaction that was lost are not known to be there.
            self.shapes = KnownShapes::default();
        }
        Ok(())
    }

    fn take_lease(&mut self) -> Result<bool, Fault> {
        self.alone()?;
        let Self { lease, connection, .. } = self;
        connection.as_mut().map_or(Ok(false), |connection| lease.take(connection))
    }

    /// Checks regularly that the required settings still apply: a setting can be changed while the
    /// connection is open.
    fn verify_if_due(&mut self) -> Result<(), Fault> {
        if self.verified_at.elapsed() < VERIFY_EVERY {
            return Ok(());
        }
        let connection = self.alone()?;
        let verified = connection.verify()?;
        check_tables(connection)?;
        self.has_verified(verified);
        Ok(())
    }

    fn has_verified(&mut self, verified: Verified) {
        warn_of_too_few_nodes(&verified);
        warn_of_clock(&verified);
        self.identity = verified.identity;
        self.verified_at = Instant::now();
    }

    /// A COMMIT without an answer.
    fn commit_in_doubt(&mut self, error: mysql::Error) -> Result<(), Fault> {
        let session = self.connection.take().map(|connection| connection.id()).map(|id| Session {
            id,
            host: self.host.clone(),
            server: self.identity.clone(),
        });
        let cause = super::fault::cause(error);
        // What may be written again is.
        let Some(session) = session.filter(|_| self.written != Written::Nothing) else {
            return Err(Fault::TransactionLost(cause));
        };
        let heartbeat = self.server.heartbeat().clone();
        let written = (self.written, self.batch);
        let outcome = look_up(self.server, &session, written, || heartbeat.progress());
        match outcome {
            CommitOutcome::Committed => {
                log::warn!(
                    "the connection was lost during a commit, which took place: {}",
                    crate::chain::chain(&cause)
                );
                Ok(())
            }
            CommitOutcome::Absent => Err(Fault::TransactionLost(cause)),
            CommitOutcome::Unknown => Err(Fault::OutcomeUnknown(cause)),
        }
    }
}

fn check_tables(connection: &mut Connection) -> Result<(), Fault> {
    match schema::odd_table(connection)? {
        Some(problem) => Err(Fault::Unusable(Cause::new(problem, None))),
        None => Ok(()),
    }
}

/// Random bytes.
fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Fault::Unusable(Cause::new(error.to_string(), None)))?;
    Ok(bytes)
}

impl Engine for Mysql<'_> {
    fn begin(&mut self) -> Result<(), Fault> {
        // Each attempt can wait for a lock, or for a node that does not answer.
        self.server.heartbeat().progress();
        self.reconnect()?;
        self.lapsed.clear();
        self.numbers.clear();
        self.written = Written::Nothing;
        self.batch = i64::from_be_bytes(random()?) & i64::MAX;
        let waits = self.is_mysql || Instant::now() >= self.waits_from;
        if waits != self.session_waits {
            self.connection()?.plain(if waits { LOCK_WAIT } else { NO_LOCK_WAIT })?;
            self.session_waits = waits;
        }
        if let Err(error) = self.connection()?.begin() {
            self.lost += 1;
            return Err(error.into());
        }
        self.is_open = true;
        Ok(())
    }

    fn expire_due(&mut self, now: i64, most: usize) -> Result<usize, Fault> {
        self.within(|engine| engine.move_expired(now, most))
    }

    fn load(&mut self, wanted: &Wanted<'_>, view: &mut View, moment: Moment) -> Result<(), Fault> {
        self.within(|engine| engine.load_view(wanted, view, moment))
    }

    fn save(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault> {
        self.within(|engine| engine.save_all(outcomes))
    }

    fn isolates_rows(&self) -> bool {
        false
    }

    fn savepoint(&mut self) -> Result<(), Fault> {
        self.within(|engine| Ok(engine.connection()?.plain("SAVEPOINT postback")?))
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), Fault> {
        self.shapes.rolled_back();
        self.numbers.clear();
        self.within(|engine| Ok(engine.connection()?.plain("ROLLBACK TO SAVEPOINT postback")?))
    }

    fn release_savepoint(&mut self) -> Result<(), Fault> {
        self.within(|engine| Ok(engine.connection()?.plain("RELEASE SAVEPOINT postback")?))
    }

    fn commit(&mut self) -> Result<(), Fault> {
        match self.written {
            Written::Nothing => {}
            Written::Records { count, .. } => {
                log::debug!("commit of batch {} with {count} records", self.batch);
            }
            Written::Copies => {
                let batch = self.batch;
                self.within(|engine| migration::note_batch(engine.connection()?, batch))?;
            }
        }
        // It has an answer within seconds, or its outcome is looked up in steps of seconds.
        self.server.heartbeat().progress();
        let began = Instant::now();
        self.within(|engine| match engine.connection()?.plain("COMMIT") {
            Ok(()) => Ok(()),
            Err(error) if leaves_commit_open(&error) => engine.commit_in_doubt(error),
            Err(error) => Err(error.into()),
        })?;
        self.times.commit = Some(began.elapsed());
        (self.is_open, self.lost) = (false, 0);
        self.shapes.committed();
        Ok(())
    }

    fn rollback(&mut self) {
        self.shapes.rolled_back();
        self.is_open = false;
        self.lost += 1;
        let Some(connection) = &mut self.connection else { return };
        if connection.is_broken() || connection.plain("ROLLBACK").is_err() {
            // The server rolls back when the session ends.
            self.connection = None;
        }
    }

    fn unfold(&mut self, key: Key) -> Result<(), Fault> {
        self.within(|engine| engine.take_folded(key))
    }

    fn harden(&mut self, hardened: &[Hardened]) -> Result<(), Fault> {
        self.within(|engine| seals::replace_seals(engine.connection()?, hardened))
    }

    fn rehash(&mut self, rehashed: &Rehashed) -> Result<(), Fault> {
        self.within(|engine| seals::replace_hash(engine.connection()?, rehashed))
    }

    fn note(&mut self, note: &Note, sure: i64) -> Result<(), Fault> {
        self.within(|engine| {
            let trims = engine.known_noted.is_multiple_of(KNOWN_TRIM_EVERY);
            let connection = engine.connection()?;
            match note {
                Note::LogOut(login) => logins::log_out(connection, login, sure),
                Note::Seen(seen) => logins::see(connection, seen),
                Note::Block(block) => notes::write_block(connection, block),
                Note::Lift(target) => notes::delete_block(connection, target).map(|_| ()),
                Note::Known(known) => {
                    notes::note_known(connection, known)?;
                    // Counting all rows for each note would be slow.
                    if trims {
                        notes::trim_known(connection)?;
                    }
                    engine.known_noted = engine.known_noted.wrapping_add(1);
                    Ok(())
                }
                Note::Login(login) => login_records::record(connection, login),
                Note::Network(used) => sharing::note_network(connection, used),
                Note::Shared(block) => sharing::write_block(connection, block),
                Note::OperatorLogin(session) => operators::begin_session(connection, session),
                Note::OperatorLogout(token) => operators::end_session(connection, token),
            }
        })
    }

    fn forget_logins(&mut self, spent: Spent, most: usize) -> Result<bool, Fault> {
        self.within(|engine| logins::forget(engine.connection()?, spent, most))
    }

    fn lift(&mut self, target: &Target) -> Result<(), Fault> {
        self.within(|engine| notes::delete_block(engine.connection()?, target).map(|_| ()))
    }

    fn lift_sharing(&mut self, key: Key, now: i64) -> Result<bool, Fault> {
        self.within(|engine| sharing::lift(engine.connection()?, key, now))
    }

    fn forget(
        &mut self,
        person: &Person,
        record: &Record<'_>,
        until: i64,
    ) -> Result<Forgotten, Fault> {
        self.within(|engine| engine.forget_person(person, record, until))
    }

    fn forget_notes(&mut self, person: &Person) -> Result<Forgotten, Fault> {
        self.within(|engine| engine.forget_notes_of(person))
    }

    fn keep_blocks(&mut self, blocks: &[Block]) -> Result<(), Fault> {
        self.within(|engine| {
            let connection = engine.connection()?;
            connection.run("DELETE FROM block", Vec::new())?;
            blocks.iter().try_for_each(|block| notes::write_block(connection, block))
        })
    }

    fn probe(&mut self, now: i64) -> Result<(), Fault> {
        let [slot, ..] = self.receiver;
        self.within(|engine| {
            let connection = engine.connection()?;
            probe::as_a_postback(connection)?;
            let write = "REPLACE INTO health (slot, probed_at) VALUES (?, ?)";
            connection.run(write, vec![slot.into(), now.into()])?;
            Ok(())
        })
    }

    fn prune(&mut self, before: i64, now: i64, most: usize) -> Result<usize, Fault> {
        self.within(|engine| prune::prune(engine.connection()?, before, now, most))
    }

    fn convert_journal(&mut self, _most: usize) -> Result<Option<Conversion>, Fault> {
        // No release has written another form here.
        Ok(None)
    }

    fn insert_rows(&mut self, rows: &[TableRow]) -> Result<(), Fault> {
        self.within(|engine| engine.insert_all(rows))
    }

    fn set_seal_key(&mut self, id: KeyId) -> Result<(), Fault> {
        self.within(|engine| agreement::set_key(engine.connection()?, SharedKey::Seals, id))
    }

    fn set_cookie_key(&mut self, id: KeyId) -> Result<(), Fault> {
        self.within(|engine| agreement::set_key(engine.connection()?, SharedKey::Cookies, id))
    }

    fn agree_on_key(&mut self, key: SharedKey, id: KeyId) -> Result<KeyId, Fault> {
        self.within(|engine| agreement::agree_on_key(engine.connection()?, key, id))
    }

    fn agree_on_settings(
        &mut self,
        settings: &[SharedSetting],
    ) -> Result<Vec<SharedSetting>, Fault> {
        self.within(|engine| agreement::agree_on_settings(engine.connection()?, settings))
    }

    fn begin_login_epoch(&mut self, epoch: Epoch) -> Result<(), Fault> {
        self.within(|engine| {
            let write = "REPLACE INTO login_epoch (one, id) VALUES (1, ?)";
            engine.connection()?.run(write, vec![Value::Bytes(epoch.0.to_vec())])?;
            Ok(())
        })
    }

    fn add_operator(&mut self, operator: &Operator) -> Result<(), Fault> {
        self.within(|engine| operators::add(engine.connection()?, operator))
    }

    fn set_operator_password(
        &mut self,
        name: &OperatorName,
        hash: &Hash,
        now: i64,
    ) -> Result<bool, Fault> {
        self.within(|engine| operators::set_password(engine.connection()?, name, hash, now))
    }

    fn remove_operator(&mut self, name: &OperatorName) -> Result<bool, Fault> {
        self.within(|engine| operators::remove(engine.connection()?, name))
    }

    fn is_empty(&mut self) -> Result<bool, Fault> {
        let any = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM member_auth)
                       OR EXISTS (SELECT 1 FROM former_member)";
        let connection = if self.is_open { self.connection()? } else { self.alone()? };
        let found = connection.first(any, Vec::new())?;
        found.map_or(Ok(true), |mut row| Ok(!super::rows::get::<bool>(&mut row, 0)?))
    }

    fn lead(&mut self) -> Result<bool, Fault> {
        self.reconnect()?;
        match self.verify_if_due().and_then(|()| self.take_lease()) {
            // Another receiver takes it at this moment, or the connection was lost.
            Err(Fault::TransactionLost(_) | Fault::RowLocked(_)) => Ok(false),
            taken => taken,
        }
    }

    fn take_times(&mut self) -> EngineTimes {
        std::mem::take(&mut self.times)
    }

    fn maintain(&mut self, _now: Instant) -> Result<Option<LongRead>, Fault> {
        // The server's own work.
        Ok(None)
    }

    fn check_current(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn clear_deleted(&mut self) -> Result<Residue, Fault> {
        Ok(Residue::Server)
    }

    fn finish(&mut self) -> bool {
        // The next receiver need not wait for the end of the lease.
        if self.alone().is_ok()
            && let Some(connection) = &mut self.connection
        {
            let _ = self.lease.give_back(connection);
        }
        true
    }
}
