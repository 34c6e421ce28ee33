//! `GET /health`: `ok` only if the writer can commit. The probe writes, so it runs at most once a
//! second, for all callers together.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use actix_web::{HttpResponse, http::StatusCode};
use tokio::sync::Mutex;

use crate::store::CurrentFile;
use crate::writer::Writer;

const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Longer than the writer waits for a lock: an answer later than this is as good as none.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(1);

/// The last probe, shared by all threads.
#[derive(Debug)]
pub struct Health {
    writer: Writer,
    file: CurrentFile,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// Probes this writer, while a file counts.
    pub fn new(writer: Writer, file: CurrentFile) -> Self {
        Self { writer, file, last: Mutex::new(None) }
    }

    /// Callers that come while a probe is under way wait for it and share its result.
    async fn is_fine(&self) -> bool {
        if !self.file.is_counting() {
            return false;
        }
        let mut last = self.last.lock().await;
        if let Some((when, fine)) = *last
            && when.elapsed() < PROBE_EVERY
        {
            return fine;
        }
        let fine = tokio::time::timeout(PROBE_WAIT_MAX, self.writer.probe()).await.unwrap_or(false);
        *last = Some((Instant::now(), fine));
        fine
    }
}

/// The handler.
pub async fn health(health: Data<Health>) -> HttpResponse {
    let (status, word) = if health.is_fine().await {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(word)
}
