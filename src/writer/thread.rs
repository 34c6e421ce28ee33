//! The writer's thread: it opens the database, runs commands until it has to be opened again, and
//! refuses them while it cannot be.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batch::{Batch, answer_to};
use super::conversion::JournalConversion;
use super::faults::{FaultLog, Work};
use super::handle::Writer;
use super::notes::Notes;
use super::queue::{Answer, Command, Done, QueuedPostback};
use super::readers::ReaderLog;
use super::replaced::{CannotGoOn, Replaced};
use super::setup::{Setup, UPKEEP_EVERY};
use super::transactions::Transactions;
use super::upkeep::Upkeep;
use crate::member_change::lift::Lift;
use crate::store::{CurrentReader, Engine, Fault, Replacement, with_engine};

/// Postbacks that may wait at once; one more is refused. At a few thousand a second this is well
/// below the longest wait.
const QUEUE_POSTBACKS_MAX: usize = 2048;
/// Postbacks in one transaction: enough to make the sync cheap, few enough that none waits for the
/// others' work.
const BATCH_POSTBACKS_MAX: usize = 256;
/// How long the writer polls the empty queue before it sleeps: a client that was answered often
/// sends again at once, and waking up takes as long as half a sync. Measured with one connection: a
/// fifth off the median.
const POLL_BEFORE_SLEEP: Duration = Duration::from_micros(150);
/// How long the writer waits before it tries again to open a database. Postbacks get 503 at once
/// meanwhile.
const REOPEN_AFTER: Duration = Duration::from_millis(500);

/// Starts the thread. It ends when [`Writer::stop`] is called or the last [`Writer`] is dropped.
///
/// # Errors
///
/// If the system gives no thread.
pub fn start(setup: Setup) -> std::io::Result<(Writer, JoinHandle<()>)> {
    let (writer, queue) = Writer::new(QUEUE_POSTBACKS_MAX, setup.commit_wait);
    // Clones the counters and the lane only: the handle would keep the thread alive.
    let (transactions, notes) =
        (Transactions::new(writer.metrics().clone()), Notes::of(writer.lane()));
    let first = setup.file.open().ok();
    let thread = std::thread::Builder::new().name("writer".into()).spawn(move || {
        let mut thread = Thread::new(setup, queue, transactions, notes);
        thread.first = first;
        thread.run();
    })?;
    Ok((writer, thread))
}

/// Why the loop over an open database ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Stop,
    Reopen,
    /// The files are not those that were opened.
    Replaced,
}

/// The queue was closed, or ended by a command.
struct Stopped;

struct Thread {
    setup: Setup,
    queue: Receiver<Command>,
    /// A command that ended the gathering of a batch, and is run after it.
    next: Option<Command>,
    transactions: Transactions,
    notes: Notes,
    upkeep: Upkeep,
    conversion: JournalConversion,
    faults: FaultLog,
    readers: ReaderLog,
    /// Set when no command came after the last one, until the next one.
    is_resting: bool,
    /// Set while the service has no database that it can use.
    replaced: Option<Replaced>,
    /// The first connection after a crash recovers the WAL's index, under a lock. This connection
    /// stays open, so that no later one is the first: a hashing thread, which may have to wait for
    /// a processor, would hold the lock.
    first: Option<CurrentReader>,
}

impl Thread {
    fn new(
        setup: Setup,
        queue: Receiver<Command>,
        transactions: Transactions,
        notes: Notes,
    ) -> Self {
        let conversion = JournalConversion::new(setup.conversion_pause);
        let upkeep = Upkeep::new(setup.moved_until);
        Self {
            setup,
            queue,
            next: None,
            transactions,
            notes,
            upkeep,
            conversion,
            faults: FaultLog::default(),
            readers: ReaderLog::default(),
            is_resting: false,
            replaced: None,
            first: None,
        }
    }

    fn run(&mut self) {
        loop {
            match self.open_and_work() {
                Ok(Some(End::Stop)) => return,
                Ok(Some(End::Reopen)) => continue,
                Ok(Some(End::Replaced)) => self.close(),
                // Readers still have the old file open, or the new one is still being written.
                Ok(None) => {}
                Err(error) => self.faults.cannot_open(&error),
            }
            if let Err(Stopped) = self.refuse_for(REOPEN_AFTER) {
                return;
            }
        }
    }

    /// Runs commands on the database until a command or a fault ends the loop. `None` if it is too
    /// early to open it.
    fn open_and_work(&mut self) -> Result<Option<End>, CannotGoOn> {
        match &mut self.replaced {
            Some(replaced) => {
                if !replaced.is_ready(&self.setup)? {
                    return Ok(None);
                }
            }
            None if self.setup.file.check() => {}
            None => return Ok(Some(End::Replaced)),
        }
        let location = self.setup.file.location().clone();
        let work = |engine: &mut dyn Engine| {
            if let Some(replaced) = &self.replaced {
                match replaced.take(&self.setup, engine) {
                    Ok(first) => self.first = Some(first),
                    Err(error) => {
                        self.setup.file.suspend(Replacement::ANOTHER);
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

    /// Suspends the database for every thread until there is one that the service can use.
    fn close(&mut self) {
        self.first = None;
        if let Some(change) = self.setup.file.replacement() {
            self.faults.note(&Fault::Replaced(change), Work::Upkeep);
        }
        self.replaced.get_or_insert_default();
        // The hashing worker reads too, and may be asleep.
        wake(&self.setup.sealed);
    }

    /// Answers 503 for a while.
    fn refuse_for(&mut self, time: Duration) -> Result<(), Stopped> {
        let until = Instant::now() + time;
        loop {
            self.setup.heartbeat.progress();
            self.notes.refuse();
            let left = until.saturating_duration_since(Instant::now());
            match self.queue.recv_timeout(self.setup.heartbeat.limit_wait(left)) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
                Ok(command) => {
                    if let Command::Postback(_) = command {
                        self.faults.refused_a_postback();
                    }
                    command.refuse();
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
                Err(RecvTimeoutError::Timeout) => return Ok(()),
            }
        }
    }

    fn work(&mut self, engine: &mut dyn Engine) -> End {
        let turn = self.setup.file.generation();
        self.conversion.opened();
        loop {
            self.setup.heartbeat.progress();
            let Ok(command) = self.next_command() else { return End::Stop };
            self.setup.heartbeat.progress();
            match command {
                Command::Stop => return End::Stop,
                Command::Wake => {}
                _ => self.is_resting = false,
            }
            // A reading thread may have noticed it first.
            if self.setup.file.generation() != turn {
                command.refuse();
                // Saves content that is only in a removed WAL. Any other change was noticed
                // already.
                let _ = engine.check_current();
                return End::Replaced;
            }
            let work = command.work();
            let done = match self.run_command(engine, command) {
                Ok(is_committed) => {
                    if is_committed {
                        self.faults.committed(work);
                    }
                    self.run_upkeep(engine)
                }
                Err(fault) => Err((fault, work)),
            };
            let Err((fault, work)) = done else { continue };
            self.faults.note(&fault, work);
            if fault.wants_reopening() {
                let end = self.end_after(fault, engine);
                return match self.next.take() {
                    Some(Command::Stop) => End::Stop,
                    other => {
                        other.into_iter().for_each(Command::refuse);
                        end
                    }
                };
            }
        }
    }

    /// Runs one command and answers it. Returns whether it was committed.
    fn run_command(&mut self, engine: &mut dyn Engine, command: Command) -> Result<bool, Fault> {
        match command {
            Command::Postback(first) => self.run_batch(engine, first),
            Command::Harden(hardened, done) => {
                self.run_for(engine, done, |engine| engine.harden(&hardened))
            }
            Command::Rehash(rehashed, done) => {
                self.run_for(engine, done, |engine| engine.rehash(&rehashed))
            }
            Command::Lift(lift, answer) => self.run_lift(engine, &lift, answer),
            Command::Probe(done) => {
                // The next start uses it as evidence that the database was in use at that time.
                let sure = self.setup.moment().sure();
                self.run_for(engine, done, |engine| engine.probe(sure))
            }
            Command::Wake | Command::Stop => Ok(false),
        }
    }

    /// Runs a transaction for the caller that waits on `done`.
    fn run_for(
        &mut self,
        engine: &mut dyn Engine,
        done: Done,
        work: impl FnMut(&mut dyn Engine) -> Result<(), Fault>,
    ) -> Result<bool, Fault> {
        let result = self.transactions.run(engine, work);
        let _ = done.send(result.is_ok());
        result.map(|()| true)
    }

    fn run_lift(
        &mut self,
        engine: &mut dyn Engine,
        lift: &Lift,
        answer: oneshot::Sender<Answer>,
    ) -> Result<bool, Fault> {
        let Self { setup, transactions, upkeep, .. } = self;
        let result = transactions
            .run(engine, |engine| lift.run(engine, upkeep.moment_of_batch(setup.moment())));
        if result.is_ok() {
            self.upkeep.recorded();
        }
        let _ = answer.send(match &result {
            Ok(reply) => Answer::Reply(reply.clone()),
            Err(fault) => answer_to(fault),
        });
        result.map(|_| true)
    }

    fn run_batch(&mut self, engine: &mut dyn Engine, first: QueuedPostback) -> Result<bool, Fault> {
        self.conversion.postbacks_came();
        let batch = self.gather(first);
        let Self { setup, transactions, upkeep, .. } = self;
        let vault = setup.vault.clone();
        let committed =
            batch.run(engine, &vault, transactions, || upkeep.moment_of_batch(setup.moment()))?;
        if committed.any {
            self.upkeep.recorded();
        }
        if committed.sealed {
            wake(&self.setup.sealed);
        }
        // This one ends the work on the database, also where postbacks before it were committed.
        let (mut ending, others): (Vec<Fault>, Vec<Fault>) =
            committed.faults.into_iter().partition(Fault::wants_reopening);
        others.iter().for_each(|fault| self.faults.note_one(fault));
        if ending.is_empty() { Ok(committed.any) } else { Err(ending.swap_remove(0)) }
    }

    /// Runs the work that is due after each command.
    fn run_upkeep(&mut self, engine: &mut dyn Engine) -> Result<(), (Fault, Work)> {
        // Notes first: a client may wait for a note, but not for upkeep.
        if self.notes.due_in() == Some(Duration::ZERO) {
            self.write_notes(engine).map_err(|fault| (fault, Work::Job))?;
        }
        self.upkeep
            .run_if_due(&mut self.setup, &mut self.transactions, engine)
            .and_then(|()| self.conversion.run_if_due(&mut self.transactions, engine))
            .and_then(|()| self.tidy(engine))
            .map_err(|fault| (fault, Work::Upkeep))
    }

    fn tidy(&mut self, engine: &mut dyn Engine) -> Result<(), Fault> {
        let now = Instant::now();
        if self.is_resting {
            engine.maintain_early(now)?;
        }
        let held = engine.maintain(now)?;
        self.transactions.count_maintenance(engine, held, now);
        self.conversion.set_blocked(held.is_some());
        self.readers.report(held, now);
        Ok(())
    }

    fn write_notes(&mut self, engine: &mut dyn Engine) -> Result<(), Fault> {
        let sure = self.setup.moment().sure();
        self.notes.write(engine, sure, &mut self.transactions)?;
        self.faults.committed(Work::Job);
        Ok(())
    }

    /// Writes at the end what is still in memory. If that fails, it is lost, and that is logged.
    fn write_all_notes(&mut self, engine: &mut dyn Engine) {
        while self.notes.due_in().is_some() {
            if let Err(fault) = self.write_notes(engine) {
                self.faults.note(&fault, Work::Job);
                return;
            }
        }
    }

    /// Opens the database again after a fault that requires it: another program may have
    /// overwritten the file.
    fn end_after(&self, fault: Fault, engine: &mut dyn Engine) -> End {
        let found =
            if let Fault::Replaced(_) = fault { Err(fault) } else { engine.check_current() };
        match found {
            Err(Fault::Replaced(change)) => {
                self.setup.file.suspend(change);
                End::Replaced
            }
            _ => End::Reopen,
        }
    }

    /// The next command, or a `Wake` when upkeep or notes are due, or once when the writer is about
    /// to sleep. Polls for a moment before it sleeps.
    fn next_command(&mut self) -> Result<Command, Stopped> {
        if let Some(command) = self.next.take() {
            return Ok(command);
        }
        let until = Instant::now() + POLL_BEFORE_SLEEP;
        while Instant::now() < until {
            match self.queue.try_recv() {
                Ok(command) => return Ok(command),
                Err(TryRecvError::Disconnected) => return Err(Stopped),
                Err(TryRecvError::Empty) if self.upkeep.more_are_due() => return Ok(Command::Wake),
                Err(TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
        if !std::mem::replace(&mut self.is_resting, true) {
            return Ok(Command::Wake);
        }
        let wait = self.conversion.wait(self.notes.due_in().unwrap_or(UPKEEP_EVERY));
        match self.queue.recv_timeout(self.setup.heartbeat.limit_wait(wait)) {
            Ok(command) => Ok(command),
            Err(RecvTimeoutError::Timeout) => Ok(Command::Wake),
            Err(RecvTimeoutError::Disconnected) => Err(Stopped),
        }
    }

    /// The first postback and those that wait behind it, without the withdrawn ones. A command of
    /// another kind ends the batch and is run next.
    fn gather(&mut self, first: QueuedPostback) -> Batch {
        let mut batch = Vec::with_capacity(64);
        batch.extend(first.take());
        while batch.len() < BATCH_POSTBACKS_MAX {
            match self.queue.try_recv() {
                Ok(Command::Postback(queued)) => batch.extend(queued.take()),
                Ok(other) => {
                    self.next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.transactions.count_batch(&batch);
        Batch::new(batch)
    }
}

/// A full channel means that the hashing worker has a message already.
fn wake(sealed: &SyncSender<()>) {
    let _ = sealed.try_send(());
}

#[cfg(test)]
mod tests;
