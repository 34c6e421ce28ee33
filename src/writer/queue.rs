//! The writer's queue: its commands, and postbacks that can be withdrawn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::faults::Work;
use crate::apply::Postback;
use crate::member_change::lift::Lift;
use crate::reply::Reply;
use crate::store::{Hardened, Rehashed};

/// The result of a postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Committed: the reply line.
    Reply(Reply),
    /// Nothing was changed: the queue is full, the wait was too long, or the database cannot be
    /// written.
    Unavailable,
    /// A commit ended without a known outcome.
    OutcomeUnknown,
}

/// Receives `true` after the commit, `false` if nothing was committed.
pub(super) type Done = oneshot::Sender<bool>;

/// A command of the writer.
pub(super) enum Command {
    /// Apply a postback, together with those that wait behind it.
    Postback(QueuedPostback),
    /// Replace seals by hashes.
    Harden(Vec<Hardened>, Done),
    /// Replace a hash by another one.
    Rehash(Box<Rehashed>, Done),
    /// Lift the blocks of a member, for an operator.
    Lift(Box<Lift>, oneshot::Sender<Answer>),
    /// Commit the probe of `GET /health`.
    Probe(Done),
    /// The lane has notes, or upkeep is due.
    Wake,
    /// End the thread.
    Stop,
}

impl Command {
    /// The kind of work, for the log of faults.
    pub(super) fn work(&self) -> Work {
        match self {
            Command::Postback(_) => Work::Postbacks,
            Command::Harden(..) | Command::Rehash(..) | Command::Lift(..) => Work::Job,
            Command::Probe(_) | Command::Wake | Command::Stop => Work::Upkeep,
        }
    }

    /// Answers the command while the database cannot be used.
    pub(super) fn refuse(self) {
        match self {
            Command::Postback(queued) => {
                if let Some(queued) = queued.take() {
                    queued.answer(Answer::Unavailable);
                }
            }
            Command::Harden(_, done) | Command::Rehash(_, done) | Command::Probe(done) => {
                let _ = done.send(false);
            }
            Command::Lift(_, answer) => {
                let _ = answer.send(Answer::Unavailable);
            }
            Command::Wake | Command::Stop => {}
        }
    }
}

/// A postback in the queue. Either the writer takes it, or its sender withdraws it, never both.
pub(super) struct QueuedPostback {
    /// The number of the thread that waits for the answer.
    thread: usize,
    postback: Box<Postback>,
    claim: Arc<Claim>,
    answer: oneshot::Sender<Answered>,
    queued: Instant,
}

/// The answer. It returns the postback to the thread that made it, because freeing memory is
/// cheapest where it was allocated, and the writer is the busiest thread.
pub(super) type Answered = (Answer, Box<Postback>);

impl QueuedPostback {
    /// A job of the calling thread, with the handle that withdraws it and the receiver of its
    /// answer.
    pub(super) fn new(postback: Postback) -> (Self, Withdrawal, oneshot::Receiver<Answered>) {
        let (answer, answered) = oneshot::channel();
        let claim = Arc::new(Claim(AtomicU8::new(WAITING)));
        let withdrawal = Withdrawal(Arc::clone(&claim));
        let thread = THREAD.with(|number| *number);
        let (postback, queued) = (Box::new(postback), Instant::now());
        (Self { thread, postback, claim, answer, queued }, withdrawal, answered)
    }

    /// Takes the postback; `None` if it was withdrawn. Once taken it gets the answer of its commit.
    pub(super) fn take(self) -> Option<Self> {
        self.claim.set(TAKEN).then_some(self)
    }

    pub(super) fn thread(&self) -> usize {
        self.thread
    }

    /// How long it has waited until `now`.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.queued)
    }

    pub(super) fn postback(&self) -> &Postback {
        &self.postback
    }

    pub(super) fn answer(self, answer: Answer) {
        // The caller may have hung up. The change is committed anyway.
        let _ = self.answer.send((answer, self.postback));
    }
}

/// Withdraws a postback from the queue.
pub(super) struct Withdrawal(Arc<Claim>);

impl Withdrawal {
    /// Returns `false` if the writer has taken it.
    pub(super) fn withdraw(self) -> bool {
        self.0.set(WITHDRAWN)
    }
}

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Decides which side took the postback first. No other memory depends on it, so the weakest
/// ordering is enough.
#[derive(Debug)]
struct Claim(AtomicU8);

impl Claim {
    fn set(&self, state: u8) -> bool {
        self.0.compare_exchange(WAITING, state, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Numbers the threads that wait for answers.
static THREADS: AtomicUsize = AtomicUsize::new(0);
thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}
