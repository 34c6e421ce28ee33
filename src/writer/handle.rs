//! The handle on the writer: a bounded queue, a bounded wait, and an answer after the commit.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::lane::{Lane, PendingNote};
use super::queue::{Answer, Command, Done, QueuedPostback};
use crate::apply::Postback;
use crate::metrics::Metrics;
use crate::store::{Hardened, Note, Rehashed};

/// The longest a postback waits in the queue before it is withdrawn. Below a second, so that NATS
/// has an answer by then.
const QUEUE_WAIT_MAX: Duration = Duration::from_millis(500);

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

    /// Queues a postback and waits for its commit.
    pub async fn submit(&self, postback: Postback) -> Answer {
        self.metrics.count_request();
        let (queued, withdrawal, mut answered) = QueuedPostback::new(postback);
        if self.queue.try_send(Command::Postback(queued)).is_err() {
            return Answer::Unavailable;
        }
        let waited = tokio::time::timeout(QUEUE_WAIT_MAX, &mut answered).await;
        let result = match waited {
            Ok(result) => result,
            Err(_) if withdrawal.withdraw() => return Answer::Unavailable,
            // The writer has taken the postback, so the commit decides. It is bounded by the
            // timeout of the database's lock.
            Err(_) => answered.await,
        };
        // An error means that the writer ended without answering: the outcome is unknown.
        result.map_or(Answer::OutcomeUnknown, |(answer, _)| answer)
    }

    /// The counters that the writer keeps. Clones of them do not keep its thread alive.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The lane, for the thread that writes its notes.
    pub(super) fn lane(&self) -> Lane {
        self.lane.clone()
    }

    /// Whether a commit succeeds now.
    pub async fn probe(&self) -> bool {
        let (done, answered) = oneshot::channel();
        self.queue.try_send(Command::Probe(done)).is_ok() && matches!(answered.await, Ok(true))
    }

    /// Queues a note for the next transaction of notes and does not wait. Returns `false` if too
    /// many are waiting. A note that cannot be written is tried again.
    pub fn note(&self, note: Note) -> bool {
        self.put_in_lane(PendingNote { note, done: None })
    }

    /// Queues a note and waits for its commit. Returns `false` if it was not committed.
    pub async fn note_and_wait(&self, note: Note) -> bool {
        let (done, answered) = oneshot::channel();
        self.put_in_lane(PendingNote { note, done: Some(done) })
            && matches!(answered.await, Ok(true))
    }

    /// Queues several notes and waits for all commits. Returns `false` if one was not committed.
    pub async fn note_all_and_wait(&self, notes: Vec<Note>) -> bool {
        let put = |note| {
            let (done, answered) = oneshot::channel();
            self.put_in_lane(PendingNote { note, done: Some(done) }).then_some(answered)
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

    fn put_in_lane(&self, pending: PendingNote) -> bool {
        let was_empty = self.lane.push(pending);
        if was_empty == Some(true) {
            // If the queue is full, the writer is awake, and it checks the lane after each batch.
            let _ = self.queue.try_send(Command::Wake);
        }
        was_empty.is_some()
    }

    /// Replaces seals by hashes and waits for the commit. Returns `false` if it was not committed.
    /// Blocks: for a thread outside the runtime.
    pub fn harden(&self, hardened: Vec<Hardened>) -> bool {
        self.run_and_wait(|done| Command::Harden(hardened, done))
    }

    /// Replaces a hash by another one and waits for the commit. Returns `false` if it was not
    /// committed. Blocks: for a thread outside the runtime.
    pub fn rehash(&self, rehashed: Rehashed) -> bool {
        self.run_and_wait(|done| Command::Rehash(Box::new(rehashed), done))
    }

    fn run_and_wait(&self, command: impl FnOnce(Done) -> Command) -> bool {
        let (done, answered) = oneshot::channel();
        // If the queue is full, postbacks are waiting, which have priority.
        self.queue.try_send(command(done)).is_ok() && answered.blocking_recv().unwrap_or(false)
    }

    /// Requests the writer to end after what is queued now. Blocks while the queue is full.
    pub fn stop(&self) {
        // An error means that it has ended already.
        let _ = self.queue.send(Command::Stop);
    }
}
