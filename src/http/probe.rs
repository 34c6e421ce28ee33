//! Probes whether the writer can commit. A probe writes, so there is at most one in a second.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::store::CurrentDatabase;
use crate::writer::Writer;

const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Longer than the writer waits for a lock. A later answer counts as a failure.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The last probe, shared by all threads.
#[derive(Debug)]
pub struct HealthProbe {
    writer: Writer,
    file: CurrentDatabase,
    last: Mutex<Option<(Instant, bool)>>,
}

impl HealthProbe {
    /// Probes this writer. Without a database file at its path, the service is unhealthy.
    pub fn new(writer: Writer, file: CurrentDatabase) -> Self {
        Self { writer, file, last: Mutex::new(None) }
    }

    /// Whether the writer can commit. Callers that come while a probe runs wait for it and share
    /// its result.
    pub(super) async fn is_healthy(&self) -> bool {
        if !self.file.is_available() {
            return false;
        }
        let mut last = self.last.lock().await;
        if let Some((when, is_healthy)) = *last
            && when.elapsed() < PROBE_EVERY
        {
            return is_healthy;
        }
        let is_healthy =
            tokio::time::timeout(PROBE_TIMEOUT, self.writer.probe()).await.unwrap_or(false);
        *last = Some((Instant::now(), is_healthy));
        is_healthy
    }
}
