//! Requests to NATS: a bounded number at a time, and one deadline for the wait and the request, so
//! that a members area gets its answer in time even if NATS hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::{Access, Client, Error};
use crate::authstring::{AuthString, Lookup, Resource};

/// Requests to NATS at a time: it is a PHP application, which has such a limit itself.
const CALLS_MAX: usize = 16;
/// Requests that wait for one of them to end.
const WAITING_MAX: usize = 256;

/// Why NATS gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The answer of NATS, or that it could not be reached.
    #[error(transparent)]
    Nats(#[from] Error),
    /// Too many requests wait already, or this one waited for half of its time.
    #[error("too many requests to NATS at once, it may be slow; try again in a moment")]
    Busy,
    /// The thread of the request ended without an answer.
    #[error("the request to NATS failed, try again in a moment")]
    Lost,
}

/// Requests authstrings from NATS. Shared by all threads.
#[derive(Debug)]
pub struct Relay {
    client: Arc<Client>,
    time_max: Duration,
    calls: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Relay {
    /// A relay to this NATS. `time_max` is the total timeout of a request.
    pub fn new(access: Access, time_max: Duration) -> Self {
        let client = Arc::new(Client::new(access, time_max));
        Self {
            client,
            time_max,
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            waiting: Arc::default(),
        }
    }

    /// A relay with other settings. It shares the limit of requests with this one.
    pub fn with(&self, access: Access, time_max: Duration) -> Self {
        let client = match access == *self.client.access() && time_max == self.time_max {
            // Its open connections are reused.
            true => Arc::clone(&self.client),
            false => Arc::new(Client::new(access, time_max)),
        };
        let (calls, waiting) = (Arc::clone(&self.calls), Arc::clone(&self.waiting));
        Self { client, time_max, calls, waiting }
    }

    /// The URL of NATS.
    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// The client for this NATS.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Requests one authstring; `Ok(None)` is an empty one of NATS.
    ///
    /// # Errors
    ///
    /// See [`Unanswered`].
    pub async fn ask(
        &self,
        resource: Resource,
        lookup: Lookup,
    ) -> Result<Option<AuthString>, Unanswered> {
        let now = Instant::now();
        // With less than half of the time left a request would mostly end without an answer, and
        // keep NATS busy for nothing.
        let (wait_until, until) = (now + self.time_max / 2, now + self.time_max);
        let place = WaitingRequest::take(&self.waiting).ok_or(Unanswered::Busy)?;
        let permit = timeout_at(wait_until.into(), Arc::clone(&self.calls).acquire_owned()).await;
        // The semaphore is never closed.
        let Ok(Ok(permit)) = permit else { return Err(Unanswered::Busy) };
        drop(place);
        let client = Arc::clone(&self.client);
        let asked = tokio::task::spawn_blocking(move || {
            // The request holds the permit, not the caller that waits for it: a caller that
            // disconnects does not allow another request.
            let _permit = permit;
            client.get(resource, &lookup, until)
        });
        asked.await.map_err(|_| Unanswered::Lost)?.map_err(Unanswered::Nats)
    }
}

/// A place in the queue of requests, until it is dropped.
struct WaitingRequest<'a>(&'a AtomicUsize);

impl<'a> WaitingRequest<'a> {
    fn take(count: &'a AtomicUsize) -> Option<Self> {
        let place = Self(count);
        // If it is refused, dropping it returns the place.
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(place)
    }
}

impl Drop for WaitingRequest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
