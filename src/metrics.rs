//! Counters of what the process has done since its start. Every layer may add to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// More requests than this during one hash are a rush: the hashing worker waits until it is over.
pub const RUSH_REQUESTS: u64 = 20;

/// Handles on one set of counters; clones share them.
///
/// Each counter has an allocation of its own: all threads add to `requests`, and would otherwise
/// take the cache line of `commits` from each other, which every read loads.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    requests: Arc<AtomicU64>,
    commits: Arc<AtomicU64>,
    lost_transactions: Arc<AtomicU64>,
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

    /// Counts a transaction of the writer that has ended. To be called before its answers leave.
    pub fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Release);
    }

    /// Rises with every transaction of the writer, before its answers leave: if a reader gets an
    /// unchanged number, it has missed no acknowledged change.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// Counts transactions that the database lost and that were run again.
    pub fn count_lost_transactions(&self, count: u32) {
        self.lost_transactions.fetch_add(count.into(), Ordering::Relaxed);
    }

    /// Transactions that the database lost since the start.
    pub fn lost_transactions(&self) -> u64 {
        self.lost_transactions.load(Ordering::Relaxed)
    }
}
