//! The way to the writer: a bounded queue, a wait with an end, and an answer that comes after the
//! commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::faults::Work;
use super::lane::{Lane, Waiting};
use crate::apply::Postback;
use crate::metrics::Metrics;
use crate::reply::Reply;
use crate::store::{Hardened, Note, Rehashed};

/// The longest a postback waits in the queue before it is withdrawn. Below a second, so that NATS
/// has an answer by then.
const QUEUE_WAIT_MAX: Duration = Duration::from_millis(500);

/// What became of a postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Committed: the line that goes back.
    Reply(Reply),
    /// Nothing was changed: the queue is full, the wait was too long, or the database cannot be
    /// written.
    Unavailable,
    /// A commit ended without a known outcome.
    OutcomeUnknown,
}

/// What the writer does.
pub(super) enum Command {
    Postback(Job),
    Harden(Vec<Hardened>, std::sync::mpsc::Sender<bool>),
    Rehash(Box<Rehashed>, std::sync::mpsc::Sender<bool>),
    Probe(oneshot::Sender<bool>),
    /// There is something in the lane, or it is time for upkeep.
    Wake,
    Tick(oneshot::Sender<bool>),
    Stop,
}

impl Command {
    /// What a fault of it means, and its commit.
    pub(super) fn work(&self) -> Work {
        match self {
            Command::Postback(_) => Work::Postbacks,
            Command::Harden(..) | Command::Rehash(..) => Work::Job,
            Command::Probe(_) | Command::Wake | Command::Tick(_) | Command::Stop => Work::Upkeep,
        }
    }

    /// The answer while the database cannot be used.
    pub(super) fn refuse(self) {
        match self {
            Command::Postback(job) => {
                if let Some(job) = job.take() {
                    job.answer(Answer::Unavailable);
                }
            }
            Command::Harden(_, done) | Command::Rehash(_, done) => drop(done.send(false)),
            Command::Probe(done) | Command::Tick(done) => drop(done.send(false)),
            Command::Wake | Command::Stop => {}
        }
    }
}

/// A postback on its way. Either the writer takes it, or its sender withdraws it, never both.
pub(super) struct Job {
    /// Numbers the thread that waits for the answer.
    thread: usize,
    postback: Box<Postback>,
    ticket: Arc<Ticket>,
    answer: oneshot::Sender<Answered>,
}

/// The answer, and the postback back to the thread that made it: memory is freed cheapest where it
/// was taken, and the writer has more to do than that.
type Answered = (Answer, Box<Postback>);

impl Job {
    /// `None` if it was withdrawn. Once taken it gets the answer of its commit.
    pub(super) fn take(self) -> Option<Self> {
        self.ticket.claim(TAKEN).then_some(self)
    }

    pub(super) fn thread(&self) -> usize {
        self.thread
    }

    pub(super) fn postback(&self) -> &Postback {
        &self.postback
    }

    pub(super) fn answer(self, answer: Answer) {
        // The caller may have hung up; what was done is done.
        let _ = self.answer.send((answer, self.postback));
    }
}

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Who got to the postback first. No other memory hangs on it, so the weakest ordering is enough.
#[derive(Debug)]
struct Ticket(AtomicU8);

impl Ticket {
    fn claim(&self, state: u8) -> bool {
        self.0.compare_exchange(WAITING, state, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Numbers the threads that wait for answers.
static THREADS: AtomicUsize = AtomicUsize::new(0);
thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// A handle on the writer; clones share the queue.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: SyncSender<Command>,
    metrics: Metrics,
    lane: Lane,
}

impl Writer {
    pub(super) fn new(postbacks_max: usize) -> (Self, Receiver<Command>) {
        let (queue, receiver) = sync_channel(postbacks_max);
        (Self { queue, metrics: Metrics::default(), lane: Lane::default() }, receiver)
    }

    /// Hands a postback over and waits for its commit.
    pub async fn submit(&self, postback: Postback) -> Answer {
        self.metrics.count_request();
        let (answer, mut answered) = oneshot::channel();
        let ticket = Arc::new(Ticket(AtomicU8::new(WAITING)));
        let job = Job {
            thread: THREAD.with(|number| *number),
            postback: Box::new(postback),
            ticket: Arc::clone(&ticket),
            answer,
        };
        if self.queue.try_send(Command::Postback(job)).is_err() {
            return Answer::Unavailable;
        }
        let waited = tokio::time::timeout(QUEUE_WAIT_MAX, &mut answered).await;
        let result = match waited {
            Ok(result) => result,
            Err(_) if ticket.claim(WITHDRAWN) => return Answer::Unavailable,
            // The writer has it: its commit decides, and it is bounded by the wait for the
            // database's lock.
            Err(_) => answered.await,
        };
        // The writer is gone without a word, in the middle of something.
        result.map_or(Answer::OutcomeUnknown, |(answer, _)| answer)
    }

    /// The counters that the writer keeps. Clones of them do not keep its thread alive.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The lane itself, for the thread that empties it.
    pub(super) fn lane(&self) -> Lane {
        self.lane.clone()
    }

    /// Whether a commit works now.
    pub async fn probe(&self) -> bool {
        let (done, answered) = oneshot::channel();
        self.queue.try_send(Command::Probe(done)).is_ok() && matches!(answered.await, Ok(true))
    }

    /// Has a note written down with the next ones, and waits for nothing; `false` where too many
    /// wait already. One that cannot be written now is tried again.
    pub fn note(&self, note: Note) -> bool {
        self.put_in_lane(Waiting { note, done: None })
    }

    /// The same, and waits for the commit; `false` if it did not happen.
    pub async fn note_and_wait(&self, note: Note) -> bool {
        let (done, answered) = oneshot::channel();
        self.put_in_lane(Waiting { note, done: Some(done) }) && matches!(answered.await, Ok(true))
    }

    /// The same with several at once; `false` if one of them did not happen.
    pub async fn note_all_and_wait(&self, notes: Vec<Note>) -> bool {
        let put = |note| {
            let (done, answered) = oneshot::channel();
            self.put_in_lane(Waiting { note, done: Some(done) }).then_some(answered)
        };
        let answers: Vec<_> = notes.into_iter().map(put).collect();
        let mut all = true;
        for answered in answers {
            all &= match answered {
                Some(answered) => matches!(answered.await, Ok(true)),
                None => false,
            };
        }
        all
    }

    fn put_in_lane(&self, waiting: Waiting) -> bool {
        let was_empty = self.lane.push(waiting);
        if was_empty == Some(true) {
            // A full queue means that the writer is awake, and it looks at the lane after each
            // batch.
            let _ = self.queue.try_send(Command::Wake);
        }
        was_empty.is_some()
    }

    /// Does now what is done every half second: moves whoever has expired. For tests, whose clock
    /// stands still.
    pub async fn tick(&self) -> bool {
        let (done, answered) = oneshot::channel();
        self.queue.try_send(Command::Tick(done)).is_ok() && matches!(answered.await, Ok(true))
    }

    /// Puts hashes in the place of seals and waits for the commit; `false` if it did not happen.
    /// Blocks: for the worker's thread.
    pub fn harden(&self, hardened: Vec<Hardened>) -> bool {
        self.hashed(|done| Command::Harden(hardened, done))
    }

    /// The same with a hash in the place of another one.
    pub fn rehash(&self, rehashed: Rehashed) -> bool {
        self.hashed(|done| Command::Rehash(Box::new(rehashed), done))
    }

    fn hashed(&self, command: impl FnOnce(std::sync::mpsc::Sender<bool>) -> Command) -> bool {
        let (done, answered) = std::sync::mpsc::channel();
        // A full queue means that postbacks wait, and they come first.
        match self.queue.try_send(command(done)) {
            Ok(()) => answered.recv().unwrap_or(false),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Asks the writer to end after what is queued now. Blocks while the queue is full.
    pub fn stop(&self) {
        // An error means that it has ended already.
        let _ = self.queue.send(Command::Stop);
    }
}
