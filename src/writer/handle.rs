//! The handle on the writer: a bounded queue, a bounded wait, and an answer after the commit.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::lane::{Lane, PendingNote};
use super::queue::{Answer, Command, Done, QueuedPostback};
use crate::apply::Postback;
use crate::member_change::lift::Lift;
use crate::metrics::Metrics;
use crate::store::{Hardened, Note, Rehashed};

/// The longest a postback waits in the queue before it is withdrawn. Below a second, so that NATS
/// has an answer by then.
const QUEUE_WAIT_MAX: Duration = Duration::from_millis(500);

/// The longest a sender waits for the commit of a postback that the writer has taken, where the
/// commit crosses a network. A commit of a cluster waits up to 7 seconds for a node that has died,
/// and may be tried again; NATS must not wait without an end.
pub const COMMIT_WAIT_MAX: Duration = Duration::from_secs(20);

/// A handle on the writer; clones share the queue.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: SyncSender<Command>,
    metrics: Metrics,
    lane: Lane,
    /// See [`Setup::commit_wait`](super::Setup::commit_wait).
    commit_wait: Option<Duration>,
}

impl Writer {
    pub(super) fn new(
        postbacks_max: usize,
        commit_wait: Option<Duration>,
    ) -> (Self, Receiver<Command>) {
        let (queue, receiver) = sync_channel(postbacks_max);
        let (metrics, lane) = (Metrics::default(), Lane::default());
        (Self { queue, metrics, lane, commit_wait }, receiver)
    }

    /// Queues a postback and waits for its commit.
    pub async fn submit(&self, postback: Postback) -> Answer {
        self.metrics.count_request();
        let _in_queue = self.metrics.queued();
        let (queued, withdrawal, mut answered) = QueuedPostback::new(postback);
        if self.queue.try_send(Command::Postback(queued)).is_err() {
            return Answer::Unavailable;
        }
        let waited = tokio::time::timeout(QUEUE_WAIT_MAX, &mut answered).await;
        let answer = match waited {
            Ok(result) => result.ok(),
            Err(_) if withdrawal.withdraw() => return Answer::Unavailable,
            // The writer has taken the postback, so the commit decides.
            Err(_) => self.committed(answered).await,
        };
        // The writer ended without answering, or it takes too long: the outcome is unknown.
        answer.map_or(Answer::OutcomeUnknown, |(answer, _)| answer)
    }

    /// Lifts the blocks of a member, and waits for the commit. It cannot be withdrawn: a lift that
    /// comes late does no harm.
    pub async fn lift(&self, lift: Lift) -> Answer {
        let (answer, answered) = oneshot::channel();
        if self.queue.try_send(Command::Lift(Box::new(lift), answer)).is_err() {
            return Answer::Unavailable;
        }
        self.committed(answered).await.unwrap_or(Answer::OutcomeUnknown)
    }

    /// Waits for what the writer answers after a commit. `None` if there is no answer.
    async fn committed<T>(&self, answered: oneshot::Receiver<T>) -> Option<T> {
        self.in_time(answered).await?.ok()
    }

    /// Waits for the writer. With a database of this machine the timeout of its lock bounds that;
    /// over a network it has a bound of its own. `None` if that is over.
    async fn in_time<T>(&self, waiting: impl Future<Output = T>) -> Option<T> {
        match self.commit_wait {
            None => Some(waiting.await),
            Some(most) => tokio::time::timeout(most, waiting).await.ok(),
        }
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
        self.queue.try_send(Command::Probe(done)).is_ok()
            && self.committed(answered).await == Some(true)
    }

    /// Queues a note for the next transaction of notes and does not wait. Returns `false` if too
    /// many are waiting. A note that cannot be written is tried again, unless the database refuses
    /// its row.
    pub fn note(&self, note: Note) -> bool {
        self.put_in_lane(PendingNote { note, done: None })
    }

    /// Queues a note and waits for its commit. Returns `false` if it was not committed, or not in
    /// time.
    pub async fn note_and_wait(&self, note: Note) -> bool {
        let (done, answered) = oneshot::channel();
        self.put_in_lane(PendingNote { note, done: Some(done) })
            && self.committed(answered).await == Some(true)
    }

    /// Queues several notes and waits for all commits, together as long as for one. Returns `false`
    /// if one was not committed, or not in time.
    pub async fn note_all_and_wait(&self, notes: Vec<Note>) -> bool {
        let put = |note| {
            let (done, answered) = oneshot::channel();
            self.put_in_lane(PendingNote { note, done: Some(done) }).then_some(answered)
        };
        let answers: Vec<_> = notes.into_iter().map(put).collect();
        let are_committed = async {
            let mut all = true;
            for answered in answers {
                all &= match answered {
                    Some(answered) => answered.await == Ok(true),
                    None => false,
                };
            }
            all
        };
        self.in_time(are_committed).await == Some(true)
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

    /// Begins to try a commit, and does not wait. What is returned gets whether it succeeded.
    /// `None` if the queue is full.
    pub fn begin_probe(&self) -> Option<oneshot::Receiver<bool>> {
        let (done, answered) = oneshot::channel();
        self.queue.try_send(Command::Probe(done)).is_ok().then_some(answered)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::losing::postback;
    use crate::identity::{Key, MemberId, SiteId};
    use crate::reply::Reply;
    use crate::store::Seen;

    const BOUND: Duration = Duration::from_secs(20);

    /// A postback that the writer takes at once and answers after this time. Time passes as soon as
    /// no other work waits.
    async fn answered_after(commit_wait: Option<Duration>, takes: Duration) -> (Answer, Duration) {
        let (writer, queue) = Writer::new(1, commit_wait);
        let began = tokio::time::Instant::now();
        let sender = writer.submit(postback("action=DELETE&siteid=1&memberid=71"));
        let work = async {
            let Ok(Command::Postback(queued)) = queue.try_recv() else { panic!("not queued") };
            let taken = queued.take().unwrap();
            tokio::time::sleep(takes).await;
            taken.answer(Answer::Reply(Reply::ok("done")));
        };
        let answer = async { (sender.await, began.elapsed()) };
        let (answer, ()) = tokio::join!(answer, work);
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_waits_twenty_seconds_for_a_commit_over_a_network_and_else_to_its_end() {
        let done = Answer::Reply(Reply::ok("done"));
        for (commit_wait, takes, answer, after) in [
            (Some(BOUND), 0, done.clone(), Duration::ZERO),
            (Some(BOUND), 20, done.clone(), BOUND),
            (Some(BOUND), 60, Answer::OutcomeUnknown, BOUND + QUEUE_WAIT_MAX),
            (None, 60, done, Duration::from_secs(60)),
        ] {
            let takes = Duration::from_secs(takes);
            let (found, waited) = answered_after(commit_wait, takes).await;
            assert_eq!((found, waited.as_millis()), (answer, after.as_millis()), "{takes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_and_many_notes_do_not_wait_longer_than_a_postback() {
        let (writer, _queue) = Writer::new(4, Some(BOUND));
        let began = tokio::time::Instant::now();
        assert!(!writer.probe().await);
        assert_eq!(began.elapsed().as_secs(), BOUND.as_secs());
        let began = tokio::time::Instant::now();
        let key = Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() };
        let notes = (0..3).map(|at| Note::Seen(Seen { key, id: [0; 16], at })).collect();
        assert!(!writer.note_all_and_wait(notes).await);
        assert_eq!(began.elapsed().as_secs(), BOUND.as_secs());
    }
}
