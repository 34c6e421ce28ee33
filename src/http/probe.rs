//! Probes whether the writer can commit and whether members can be read. A probe writes, so there
//! is at most one in a second.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::logging::limit::Interval;
use crate::login::members::Members;
use crate::store::CurrentDatabase;
use crate::writer::Writer;

const PROBE_EVERY: Duration = Duration::from_secs(1);
/// As long as the writer waits for a lock, or longer. A later answer counts as a failure.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Reads that take too long have at most one line in this time.
const LOG_EVERY_SECONDS: i64 = 60;

/// The state of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// A postback could be committed now, and members can be read.
    Good,
    /// Both work, but no host that the operator named for reading answers: others do.
    ReadsElsewhere,
    /// No postback can be committed.
    CannotCommit,
    /// Postbacks can be committed, and no member can be admitted.
    CannotRead,
}

/// The last probe, shared by all threads.
#[derive(Debug)]
pub struct HealthProbe {
    writer: Writer,
    file: CurrentDatabase,
    last: Mutex<Option<(Instant, Health)>>,
    late: Interval,
}

impl HealthProbe {
    /// Probes this writer. Without a database file at its path, the service is unhealthy.
    pub fn new(writer: Writer, file: CurrentDatabase) -> Self {
        let late = Interval::new(LOG_EVERY_SECONDS);
        Self { writer, file, last: Mutex::new(None), late }
    }

    /// Probes the writer, and how the caller's thread reads members. Callers that come while a
    /// probe runs wait for it and share its result.
    pub(crate) async fn health(&self, members: &Members) -> Health {
        if !self.file.is_available() {
            return Health::CannotCommit;
        }
        let mut last = self.last.lock().await;
        if let Some((when, health)) = *last
            && when.elapsed() < PROBE_EVERY
        {
            return health;
        }
        // What a visitor with a cookie causes to be read first.
        let read = members.read(|reader| reader.login_epoch().map(|_| reader.is_fallback()));
        let (committed, read) = tokio::join!(
            tokio::time::timeout(PROBE_TIMEOUT, self.writer.probe()),
            tokio::time::timeout(PROBE_TIMEOUT, read)
        );
        let health = match (committed, read) {
            (Ok(true), Ok(Ok(false))) => Health::Good,
            (Ok(true), Ok(Ok(true))) => Health::ReadsElsewhere,
            // A fault is in the log.
            (Ok(true), Ok(Err(_))) => Health::CannotRead,
            (Ok(true), Err(_)) => {
                if self.late.is_due(Clock::System.steady()) {
                    log::error!(
                        "cannot read members: a read has taken longer than {} second, or has \
                         waited for that long: the database is slow or does not answer",
                        PROBE_TIMEOUT.as_secs()
                    );
                }
                Health::CannotRead
            }
            (Ok(false) | Err(_), _) => Health::CannotCommit,
        };
        *last = Some((Instant::now(), health));
        health
    }
}
