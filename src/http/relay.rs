//! The way to NATS: a bounded number of calls at a time, and one deadline for the wait and the
//! call, so that a members area has its answer in time whatever NATS does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::mistakes::Mistake;
use crate::authstring::{Access, AuthString, Client, Error, Lookup, Resource};

/// Calls to NATS at a time: it is a PHP application, which has a bound of that kind itself.
const CALLS_MAX: usize = 16;
/// Questions that wait for one of them to end.
const WAITING_MAX: usize = 256;

/// Why NATS gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// What it answered, or that it could not be reached.
    #[error(transparent)]
    Nats(#[from] Error),
    /// Too many questions wait already, or this one waited for half of its time.
    #[error("too many questions to NATS are under way, it may be slow; try again in a moment")]
    Busy,
    /// The thread that asked is gone.
    #[error("NATS could not be asked, try again in a moment")]
    Lost,
}

impl Unanswered {
    /// As a gateway says it.
    pub fn status(&self) -> StatusCode {
        match self {
            Unanswered::Nats(Error::TimedOut) => StatusCode::GATEWAY_TIMEOUT,
            Unanswered::Nats(
                Error::Unreachable(_) | Error::NoTls | Error::Tls(_) | Error::Wrong(_),
            ) => StatusCode::BAD_GATEWAY,
            Unanswered::Busy | Unanswered::Lost => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Unanswered {
    /// As what it is logged.
    pub(super) fn mistake(&self) -> Mistake {
        match self {
            Unanswered::Nats(Error::TimedOut) => Mistake::NatsIsSilent,
            Unanswered::Nats(Error::Unreachable(_) | Error::NoTls | Error::Tls(_)) => {
                Mistake::NatsIsNotThere
            }
            Unanswered::Nats(Error::Wrong(_)) => Mistake::NatsIsWrong,
            Unanswered::Busy | Unanswered::Lost => Mistake::NatsIsBusy,
        }
    }
}

/// Asks NATS. Shared by all threads.
#[derive(Debug)]
pub struct Relay {
    client: Arc<Client>,
    time_max: Duration,
    calls: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Relay {
    /// To this NATS, which has so long for an answer.
    pub fn new(access: Access, time_max: Duration) -> Self {
        let client = Arc::new(Client::new(access, time_max));
        Self {
            client,
            time_max,
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            waiting: Arc::default(),
        }
    }

    /// The same with this key and these certificates. Both together make no more calls than one.
    pub fn with(&self, access: Access) -> Self {
        let client = match access == *self.client.access() {
            // It has connections that are worth keeping.
            true => Arc::clone(&self.client),
            false => Arc::new(Client::new(access, self.time_max)),
        };
        let (calls, waiting) = (Arc::clone(&self.calls), Arc::clone(&self.waiting));
        Self { client, time_max: self.time_max, calls, waiting }
    }

    /// Where NATS is.
    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// Asks for one string; `Ok(None)` is NATS's blank.
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
        // A call that begins with less time than that would mostly end without an answer, and keep
        // NATS busy for nothing.
        let (wait_until, until) = (now + self.time_max / 2, now + self.time_max);
        let place = Waiting::take(&self.waiting).ok_or(Unanswered::Busy)?;
        let permit = timeout_at(wait_until.into(), Arc::clone(&self.calls).acquire_owned()).await;
        // The semaphore is never closed.
        let Ok(Ok(permit)) = permit else { return Err(Unanswered::Busy) };
        drop(place);
        let client = Arc::clone(&self.client);
        let asked = tokio::task::spawn_blocking(move || {
            // Held by the call, not by whoever waits for it: a caller who hangs up does not make
            // room for another call.
            let _permit = permit;
            client.get(resource, &lookup, until)
        });
        asked.await.map_err(|_| Unanswered::Lost)?.map_err(Unanswered::Nats)
    }
}

/// A place among those who wait for a call, for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn take(count: &'a AtomicUsize) -> Option<Self> {
        let place = Self(count);
        // On refusal the place is given back as it was taken.
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
