//! The single writer: one thread, one connection, a bounded queue. It takes what has gathered, runs
//! it as one transaction, and answers after the commit. Expiries, pruning, hashed passwords, what
//! visitors cause and the health probe are jobs of the same thread.

mod faults;
mod lane;
mod logins;
mod queue;
mod readers;
mod replaced;

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use logins::LoginTimes;
pub use queue::{Answer, Writer};

use crate::apply::{Postback, in_transaction, transact};
use crate::clock::jump::Watch;
use crate::clock::{Clock, Moment};
use crate::metrics::Metrics;
use crate::password::{Stored, Vault};
use crate::store::{CurrentFile, CurrentReader, Engine, Fault, Replacement, with_engine};
use faults::{FaultLog, Work};
use lane::Lane;
use logins::Forgetting;
use queue::{Command, Job};
use readers::ReaderLog;
use replaced::{CannotGoOn, Replaced};

/// Postbacks that may wait at once; one more is refused. At a few thousand a second this is well
/// below the longest wait.
const QUEUE_POSTBACKS_MAX: usize = 2048;
/// Postbacks in one transaction: enough to make the sync cheap, few enough that none waits for the
/// others' work.
const BATCH_POSTBACKS_MAX: usize = 256;
/// How often the writer looks for expiries when nothing else wakes it: they are promised within a
/// second.
const TICK: Duration = Duration::from_millis(500);
/// Members moved in one transaction when their noted expiry is reached: thousands may be due at one
/// midnight, and a postback that comes then waits for some milliseconds, not for all of them. (To
/// every rule they count as gone from the instant on, moved or not.)
const EXPIRED_ROWS_MAX: usize = 500;
/// How long the writer looks at the empty queue before it sleeps: whoever was answered often sends
/// again at once, and waking up takes as long as half a sync. Measured with one connection: a fifth
/// off the median.
const LOOK_BEFORE_SLEEP: Duration = Duration::from_micros(150);
/// How long a database that could not be opened is left alone. Postbacks meanwhile get their 503 at
/// once.
const REOPEN_AFTER: Duration = Duration::from_millis(500);
/// Journal records that one transaction prunes, so that postbacks never wait long for it.
const PRUNE_RECORDS_MAX: usize = 1000;
/// How often the journal is looked at for records to prune.
const PRUNE_EVERY_SECONDS: i64 = 600;
const DAY_SECONDS: i64 = 86_400;

/// What the writer works with.
#[derive(Debug)]
pub struct Setup {
    /// The database; it must exist and be up to date.
    pub file: CurrentFile,
    /// Compares a sealed password with the one before it.
    pub vault: Vault,
    /// The time of effect.
    pub clock: Clock,
    /// Sees jumps of the clock: nothing is moved or deleted by one before it is confirmed.
    pub jumps: Watch,
    /// `--journal-days`.
    pub journal_days: Option<u32>,
    /// How long logins last, for what may be forgotten of them.
    pub logins: LoginTimes,
    /// Told when a credential was sealed, for the hashing worker.
    pub sealed: SyncSender<()>,
}

/// Starts the thread. It ends when [`Writer::stop`] is called or the last [`Writer`] is gone.
///
/// # Errors
///
/// Where the system gives no thread.
pub fn start(setup: Setup) -> std::io::Result<(Writer, JoinHandle<()>)> {
    let (writer, queue) = Writer::new(QUEUE_POSTBACKS_MAX);
    let (metrics, lane) = (writer.metrics().clone(), writer.lane());
    let first = setup.file.open().ok();
    let thread = std::thread::Builder::new().name("writer".into()).spawn(move || {
        let (faults, readers) = (FaultLog::default(), ReaderLog::default());
        let mut state = Thread {
            setup,
            queue,
            metrics,
            lane,
            faults,
            readers,
            ticked: None,
            more_are_due: false,
            moved_until: None,
            pruned: None,
            forgetting: Forgetting::default(),
            replaced: None,
            first,
            noted: None,
        };
        state.run();
    })?;
    Ok((writer, thread))
}

/// Why the loop over an open database ended.
enum End {
    Stop,
    Reopen,
    /// The files are not those that were opened.
    Replaced,
}

struct Thread {
    setup: Setup,
    queue: Receiver<Command>,
    metrics: Metrics,
    lane: Lane,
    faults: FaultLog,
    readers: ReaderLog,
    ticked: Option<Instant>,
    /// The last tick moved as many members as one may.
    more_are_due: bool,
    /// Until when members were moved since the last record of the journal. Where the clock is set
    /// back then, the next record says so, and a replay moves them too.
    moved_until: Option<i64>,
    /// When the journal was last looked at, by the steady clock.
    pruned: Option<i64>,
    forgetting: Forgetting,
    /// Set while no file counts.
    replaced: Option<Replaced>,
    /// The first connection after a crash brings the WAL's index in order, under a lock. This one
    /// stays open, so that none of those that threads open later is the first: a hashing thread,
    /// which may have to wait for a processor, would hold the lock.
    first: Option<CurrentReader>,
    /// When notes were last written.
    noted: Option<Instant>,
}

impl Thread {
    fn run(&mut self) {
        loop {
            match self.open_and_work() {
                Ok(Some(End::Stop)) => return,
                Ok(Some(End::Reopen)) => continue,
                Ok(Some(End::Replaced)) => self.let_go(),
                // Not yet: whoever reads lets go of the file, or somebody writes to it.
                Ok(None) => {}
                Err(error) => self.faults.cannot_open(&error),
            }
            if self.refuse_for(REOPEN_AFTER).is_err() {
                return;
            }
        }
    }

    /// Works with the database until something ends it. `None` where it is too early for that.
    fn open_and_work(&mut self) -> Result<Option<End>, CannotGoOn> {
        match &mut self.replaced {
            Some(replaced) => {
                if !replaced.is_ready(&self.setup)? {
                    return Ok(None);
                }
            }
            None if self.setup.file.look() => {}
            None => return Ok(Some(End::Replaced)),
        }
        let location = self.setup.file.location().clone();
        let work = |engine: &mut dyn Engine| {
            if let Some(replaced) = &self.replaced {
                match replaced.take(&self.setup, engine) {
                    Ok(first) => self.first = Some(first),
                    Err(error) => {
                        self.setup.file.doubt(Replacement::ANOTHER);
                        return Err(error);
                    }
                }
                self.replaced = None;
            }
            let end = self.work(engine);
            if let End::Stop = end {
                self.write_all_notes(engine);
                engine.finish();
            }
            Ok(Some(end))
        };
        with_engine(&location, false, work)?
    }

    /// Nobody reads or writes the file any more, until there is one with which the service can go
    /// on.
    fn let_go(&mut self) {
        self.first = None;
        if let Some(change) = self.setup.file.change() {
            self.faults.note(&Fault::Replaced(change), Work::Upkeep);
        }
        self.replaced.get_or_insert_default();
        // The hashing worker, which reads too, may sleep.
        let _ = self.setup.sealed.try_send(());
    }

    /// Answers 503 for a while. `Err` means stop.
    fn refuse_for(&mut self, time: Duration) -> Result<(), RecvTimeoutError> {
        let until = Instant::now() + time;
        loop {
            self.lane.refuse();
            match self.queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Command::Stop) => return Err(RecvTimeoutError::Disconnected),
                Ok(command) => {
                    if let Command::Postback(_) = command {
                        self.faults.refused_a_postback();
                    }
                    command.refuse();
                }
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(stop) => return Err(stop),
            }
        }
    }

    fn work(&mut self, engine: &mut dyn Engine) -> End {
        let turn = self.setup.file.turn();
        // A command that ended the gathering of a batch comes after it.
        let mut next = None;
        loop {
            let command = match next.take() {
                Some(command) => command,
                None => match self.next_command() {
                    Ok(command) => command,
                    Err(RecvTimeoutError::Timeout) => Command::Wake,
                    Err(RecvTimeoutError::Disconnected) => return End::Stop,
                },
            };
            // A thread that reads may have been the first to notice.
            if self.setup.file.turn() != turn && !matches!(command, Command::Stop) {
                command.refuse();
                // Saves what is only in a WAL that was removed. What else it finds was noticed
                // already.
                let _ = engine.check_current();
                return End::Replaced;
            }
            let work = command.work();
            let done = match command {
                Command::Stop => return End::Stop,
                Command::Postback(job) => {
                    let (batch, other) = self.gather(job);
                    next = other;
                    self.run_batch(engine, batch)
                }
                Command::Harden(hardened, done) => {
                    let result = in_transaction(engine, |engine| engine.harden(&hardened));
                    self.metrics.count_commit();
                    let _ = done.send(result.is_ok());
                    result.map(|()| true)
                }
                Command::Rehash(rehashed, done) => {
                    let result = in_transaction(engine, |engine| engine.rehash(&rehashed));
                    self.metrics.count_commit();
                    let _ = done.send(result.is_ok());
                    result.map(|()| true)
                }
                Command::Probe(done) => {
                    // The next start takes it for a sign of life at that time.
                    let sure = self.setup.moment().sure();
                    let result = in_transaction(engine, |engine| engine.probe(sure));
                    let _ = done.send(result.is_ok());
                    result.map(|()| true)
                }
                Command::Wake => Ok(false),
                Command::Tick(done) => {
                    let result = self.tick(engine);
                    self.metrics.count_commit();
                    let _ = done.send(result.is_ok());
                    result.map(|()| true)
                }
            };
            let done = match done {
                Ok(committed) => {
                    if committed {
                        self.faults.committed(work);
                    }
                    let upkeep = self.tick_if_due(engine).and_then(|()| self.tidy(engine));
                    upkeep
                        .map_err(|fault| (fault, Work::Upkeep))
                        .and_then(|()| self.write_notes_if_due(engine))
                }
                Err(fault) => Err((fault, work)),
            };
            match done {
                Ok(()) => {}
                Err((fault, work)) => {
                    self.faults.note(&fault, work);
                    if fault.wants_reopening() {
                        // What is broken may be what somebody has written over it.
                        let moved = if let Fault::Replaced(_) = fault {
                            Err(fault)
                        } else {
                            engine.check_current()
                        };
                        let is_replaced = matches!(moved, Err(Fault::Replaced(_)));
                        if let Err(Fault::Replaced(change)) = moved {
                            self.setup.file.doubt(change);
                        }
                        return match next {
                            Some(Command::Stop) => End::Stop,
                            other => {
                                other.into_iter().for_each(Command::refuse);
                                if is_replaced { End::Replaced } else { End::Reopen }
                            }
                        };
                    }
                }
            }
        }
    }

    /// The next command, within [`TICK`]. Looks for a moment before it sleeps.
    fn next_command(&self) -> Result<Command, RecvTimeoutError> {
        let until = Instant::now() + LOOK_BEFORE_SLEEP;
        while Instant::now() < until {
            match self.queue.try_recv() {
                Ok(command) => return Ok(command),
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    return Err(RecvTimeoutError::Disconnected);
                }
                Err(std::sync::mpsc::TryRecvError::Empty) if self.more_are_due => {
                    return Err(RecvTimeoutError::Timeout);
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
        let wait = if self.lane.is_empty() { TICK } else { self.until_notes_are_due() };
        self.queue.recv_timeout(wait)
    }

    /// The first job and those that wait behind it, without the withdrawn ones; and the command
    /// that ended the gathering.
    fn gather(&self, first: Job) -> (Vec<Job>, Option<Command>) {
        let mut batch = Vec::with_capacity(64);
        batch.extend(first.take());
        while batch.len() < BATCH_POSTBACKS_MAX {
            match self.queue.try_recv() {
                Ok(Command::Postback(job)) => batch.extend(job.take()),
                Ok(other) => return (batch, Some(other)),
                Err(_) => break,
            }
        }
        (batch, None)
    }

    fn until_notes_are_due(&self) -> Duration {
        self.noted.map_or(Duration::ZERO, |last| lane::EVERY.saturating_sub(last.elapsed()))
    }

    fn write_notes_if_due(&mut self, engine: &mut dyn Engine) -> Result<(), (Fault, Work)> {
        if self.lane.is_empty() || self.until_notes_are_due() > Duration::ZERO {
            return Ok(());
        }
        self.write_notes(engine).map_err(|fault| (fault, Work::Job))
    }

    /// One transaction of notes. What nobody waits for is tried again, unless the database refuses
    /// the note itself.
    fn write_notes(&mut self, engine: &mut dyn Engine) -> Result<(), Fault> {
        let waiting = self.lane.take();
        let sure = self.setup.moment().sure();
        let write = |engine: &mut dyn Engine| {
            waiting.iter().try_for_each(|waiting| engine.note(&waiting.note, sure))
        };
        let result = in_transaction(engine, write);
        self.noted = Some(Instant::now());
        self.metrics.count_commit();
        let (waited, others): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|waiting| waiting.done.is_some());
        for done in waited.into_iter().filter_map(|waiting| waiting.done) {
            let _ = done.send(result.is_ok());
        }
        match &result {
            Ok(()) => self.faults.committed(Work::Job),
            Err(Fault::Constraint(_) | Fault::BadRow(_)) => {}
            Err(_) => self.lane.put_back(others),
        }
        result
    }

    /// At the end. What cannot be written now is lost, and the log says so.
    fn write_all_notes(&mut self, engine: &mut dyn Engine) {
        while !self.lane.is_empty() {
            if let Err(fault) = self.write_notes(engine) {
                self.faults.note(&fault, Work::Job);
                return;
            }
        }
    }

    /// Whether one of them was committed: all may be withdrawn.
    fn run_batch(&mut self, engine: &mut dyn Engine, batch: Vec<Job>) -> Result<bool, Fault> {
        if batch.is_empty() {
            return Ok(false);
        }
        let postbacks: Vec<&Postback> = batch.iter().map(Job::postback).collect();
        let sealed = postbacks.iter().any(|postback| brings_a_seal(postback));
        let (vault, moved) = (self.setup.vault.clone(), self.moved_until);
        let outcome = transact(engine, &vault, &postbacks, || {
            let moment = self.setup.moment();
            // A clock that was set back since.
            moved
                .filter(|moved| *moved > moment.now)
                .map_or(moment, |moved_until| Moment { moved_until, ..moment })
        });
        self.metrics.count_commit();
        match outcome {
            Ok(results) => {
                let committed = results.iter().any(Result::is_ok);
                if committed {
                    self.moved_until = None;
                }
                let mut answers: Vec<_> = batch.into_iter().zip(results).collect();
                // All of one thread, then all of the next: the first answer wakes the thread, and
                // the others are there when it looks. Taking turns between threads would wake each
                // of them many times.
                answers.sort_by_key(|(job, _)| job.thread());
                for (job, result) in answers {
                    job.answer(result.map_or_else(
                        |fault| {
                            self.faults.note_one(&fault);
                            Answer::Unavailable
                        },
                        Answer::Reply,
                    ));
                }
                if sealed {
                    // A full channel means that the worker has been told already.
                    let _ = self.setup.sealed.try_send(());
                }
                Ok(committed)
            }
            Err(fault) => {
                let unknown = matches!(fault, Fault::OutcomeUnknown(_));
                for job in batch {
                    job.answer(if unknown { Answer::OutcomeUnknown } else { Answer::Unavailable });
                }
                Err(fault)
            }
        }
    }

    fn tidy(&mut self, engine: &mut dyn Engine) -> Result<(), Fault> {
        let now = Instant::now();
        let held = engine.maintain(now)?;
        self.readers.look(held, now);
        Ok(())
    }

    fn tick_if_due(&mut self, engine: &mut dyn Engine) -> Result<(), Fault> {
        if !self.more_are_due && self.ticked.is_some_and(|last| last.elapsed() < TICK) {
            Ok(())
        } else {
            self.tick(engine)
        }
    }

    /// Moves whoever has expired, and prunes.
    fn tick(&mut self, engine: &mut dyn Engine) -> Result<(), Fault> {
        self.ticked = Some(Instant::now());
        let sure = self.setup.moment().sure();
        let moved = in_transaction(engine, |engine| engine.expire_due(sure, EXPIRED_ROWS_MAX))?;
        if moved > 0 {
            log::info!("{moved} members expired");
            self.moved_until = self.moved_until.max(Some(sure));
        }
        self.more_are_due = moved == EXPIRED_ROWS_MAX;
        self.forgetting.go_on(engine, self.setup.logins, sure, self.setup.clock.steady())?;
        self.prune_if_due(engine, sure)
    }

    fn prune_if_due(&mut self, engine: &mut dyn Engine, now: i64) -> Result<(), Fault> {
        let Some(days) = self.setup.journal_days else { return Ok(()) };
        let steady = self.setup.clock.steady();
        if self.pruned.is_some_and(|last| steady.saturating_sub(last) < PRUNE_EVERY_SECONDS) {
            return Ok(());
        }
        let before = now - i64::from(days) * DAY_SECONDS;
        let gone = in_transaction(engine, |engine| engine.prune(before, PRUNE_RECORDS_MAX))?;
        if gone > 0 {
            log::info!("{gone} journal records older than {days} days removed");
        }
        // A full helping means that there is more: the next tick goes on.
        self.pruned = (gone < PRUNE_RECORDS_MAX).then_some(steady);
        Ok(())
    }
}

impl Setup {
    /// What time it is, and until when is moved and deleted. A jump of the clock is told when it is
    /// seen.
    fn moment(&mut self) -> Moment {
        let (moment, seen) = self.jumps.look(self.clock.read());
        if let Some(seen) = seen {
            log::warn!("{seen}");
        }
        moment
    }
}

fn brings_a_seal(postback: &Postback) -> bool {
    let credential = postback.action.as_ref().ok().and_then(|action| action.credential());
    credential.is_some_and(|given| matches!(given.stored, Stored::Sealed(_)))
}
