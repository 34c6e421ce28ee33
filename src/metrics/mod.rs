//! Counters of what the process has done since its start. Every layer may add to them.

mod counts;
mod labels;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use counts::{BATCH_BOUNDS, Counts, Histogram, TIME_BOUNDS};
pub use labels::{Asker, Call, Label, Outcome, Refused, TypedAt, Way};

/// More requests than this during one hash are a rush: the hashing worker waits until it is over.
pub const RUSH_REQUESTS: u64 = 20;

/// The eight actions and none of them, the three reply words, and the statuses 200 and 503.
const POSTBACKS: usize = 9 * 3 * 2;
const REFUSED: usize = Refused::ALL.len();
const CHECKS: usize = Asker::ALL.len() * Way::ALL.len() * Outcome::ALL.len();
const LOGINS: usize = TypedAt::ALL.len() * Outcome::ALL.len();
const CALLS: usize = Call::ALL.len();

/// Handles on one set of counters; clones share them.
///
/// Counters of different threads have allocations of their own: all threads add to `requests`, and
/// would otherwise take the cache line of `transactions` from each other, which every read loads.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    requests: Arc<AtomicU64>,
    transactions: Arc<AtomicU64>,
    lost_transactions: Arc<AtomicU64>,
    handlers: Arc<OfHandlers>,
    writer: Arc<OfWriter>,
}

/// What the threads of the listeners count.
#[derive(Debug, Default)]
struct OfHandlers {
    postbacks: Counts<POSTBACKS>,
    refused: Counts<REFUSED>,
    checks: Counts<CHECKS>,
    logins: Counts<LOGINS>,
    calls: Counts<CALLS>,
    /// Postbacks that were queued, and those of them that were answered.
    queued: AtomicU64,
    answered: AtomicU64,
}

/// What the writer counts.
#[derive(Debug)]
struct OfWriter {
    waits: Histogram,
    batches: Histogram,
    commits: Histogram,
    checkpoints: Histogram,
    long_read_seconds: AtomicU64,
}

impl Default for OfWriter {
    fn default() -> Self {
        Self {
            waits: Histogram::of_times(),
            batches: Histogram::of_batches(),
            commits: Histogram::of_times(),
            checkpoints: Histogram::of_times(),
            long_read_seconds: AtomicU64::new(0),
        }
    }
}

/// A postback: the number of its action, where 8 is none of the eight, the number of its reply
/// word, and whether it was answered 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostbackLabels {
    /// The place in the list of actions.
    pub action: usize,
    /// OK, NOTOK or ERROR: 0, 1 or 2.
    pub word: usize,
    /// Whether the status is 503, and not 200.
    pub is_unavailable: bool,
}

impl PostbackLabels {
    fn number(self) -> usize {
        (self.action * 3 + self.word) * 2 + usize::from(self.is_unavailable)
    }
}

/// A postback that waits for its commit, until this is dropped.
#[derive(Debug)]
pub struct InQueue<'a>(&'a Metrics);

impl Drop for InQueue<'_> {
    fn drop(&mut self) {
        self.0.handlers.answered.fetch_add(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts a request: a postback, a CHECK, a query of the members area or of the REST API.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a login that costs a hash. A visitor waits for it, so one of them alone is a rush.
    pub fn count_login(&self) {
        self.requests.fetch_add(RUSH_REQUESTS + 1, Ordering::Relaxed);
    }

    /// Requests since the start. The hash worker measures by it how busy the service is.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts a transaction of the writer that has ended, committed or not. To be called before its
    /// answers leave.
    pub fn count_transaction(&self) {
        self.transactions.fetch_add(1, Ordering::Release);
    }

    /// Rises with every transaction of the writer, before its answers leave: if a reader gets an
    /// unchanged number, it has missed no acknowledged change.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Acquire)
    }

    /// Counts transactions that the database lost and that were run again.
    pub fn count_lost_transactions(&self, count: u32) {
        self.lost_transactions.fetch_add(count.into(), Ordering::Relaxed);
    }

    /// Transactions that the database lost since the start.
    pub fn lost_transactions(&self) -> u64 {
        self.lost_transactions.load(Ordering::Relaxed)
    }

    /// Counts a postback that was answered.
    pub fn count_postback(&self, labels: PostbackLabels) {
        self.handlers.postbacks.add(labels.number());
    }

    /// The postbacks with these labels.
    pub fn postbacks(&self, labels: PostbackLabels) -> u64 {
        self.handlers.postbacks.get(labels.number())
    }

    /// Counts a call that was refused.
    pub fn count_refused(&self, cause: Refused) {
        self.handlers.refused.add(cause.number());
    }

    /// The calls that were refused for this cause.
    pub fn refused(&self, cause: Refused) -> u64 {
        self.handlers.refused.get(cause.number())
    }

    /// Counts an answer about a visitor.
    pub fn count_check(&self, asker: Asker, way: Way, outcome: Outcome) {
        self.handlers.checks.add(check_number(asker, way, outcome));
    }

    /// The answers about visitors with these labels.
    pub fn checks(&self, asker: Asker, way: Way, outcome: Outcome) -> u64 {
        self.handlers.checks.get(check_number(asker, way, outcome))
    }

    /// Counts a name and a password that a visitor typed.
    pub fn count_typed(&self, at: TypedAt, outcome: Outcome) {
        self.handlers.logins.add(login_number(at, outcome));
    }

    /// The names and passwords with these labels.
    pub fn typed(&self, at: TypedAt, outcome: Outcome) -> u64 {
        self.handlers.logins.get(login_number(at, outcome))
    }

    /// Counts a call of the REST API.
    pub fn count_call(&self, outcome: Call) {
        self.handlers.calls.add(outcome.number());
    }

    /// The calls of the REST API with this outcome.
    pub fn calls(&self, outcome: Call) -> u64 {
        self.handlers.calls.get(outcome.number())
    }

    /// A postback comes into the queue.
    pub fn queued(&self) -> InQueue<'_> {
        self.handlers.queued.fetch_add(1, Ordering::Relaxed);
        InQueue(self)
    }

    /// The postbacks that wait for their commit.
    pub fn queue_depth(&self) -> u64 {
        // In this order, so that none counts as answered that does not count as queued.
        let answered = self.handlers.answered.load(Ordering::Relaxed);
        self.handlers.queued.load(Ordering::Relaxed).saturating_sub(answered)
    }

    /// Counts how long a postback waited until the writer took it.
    pub fn count_wait(&self, wait: Duration) {
        self.writer.waits.add_time(wait);
    }

    /// Counts a batch of this many postbacks.
    pub fn count_batch(&self, postbacks: usize) {
        self.writer.batches.add(postbacks as u64);
    }

    /// Counts how long a commit took.
    pub fn count_commit_time(&self, time: Duration) {
        self.writer.commits.add_time(time);
    }

    /// Counts how long a checkpoint took.
    pub fn count_checkpoint(&self, time: Duration) {
        self.writer.checkpoints.add_time(time);
    }

    /// Keeps how old the read transaction is that holds the database's log; none has no age.
    pub fn set_long_read(&self, age: Option<Duration>) {
        let seconds = age.map_or(0, |age| age.as_secs());
        self.writer.long_read_seconds.store(seconds, Ordering::Relaxed);
    }

    /// The age of the read transaction that holds the database's log, in seconds; 0 for none.
    pub fn long_read_seconds(&self) -> u64 {
        self.writer.long_read_seconds.load(Ordering::Relaxed)
    }

    /// How long postbacks waited until the writer took them.
    pub fn waits(&self) -> &Histogram {
        &self.writer.waits
    }

    /// How many postbacks the batches had.
    pub fn batches(&self) -> &Histogram {
        &self.writer.batches
    }

    /// How long commits took.
    pub fn commit_times(&self) -> &Histogram {
        &self.writer.commits
    }

    /// How long checkpoints took.
    pub fn checkpoints(&self) -> &Histogram {
        &self.writer.checkpoints
    }
}

fn check_number(asker: Asker, way: Way, outcome: Outcome) -> usize {
    (asker.number() * Way::ALL.len() + way.number()) * Outcome::ALL.len() + outcome.number()
}

fn login_number(at: TypedAt, outcome: Outcome) -> usize {
    at.number() * Outcome::ALL.len() + outcome.number()
}
