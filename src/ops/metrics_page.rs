//! `GET /metrics`, for Prometheus.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;

use super::access::MayRead;
use crate::exposition::{self, Exposed};
use crate::http::state::ThreadState;

/// The handler. It reads what is in memory, and no table.
pub(super) async fn metrics(_: MayRead, thread: Data<ThreadState>) -> HttpResponse {
    let shared = thread.shared();
    let now = shared.clock.now();
    let backup_age = shared.backup_age.as_ref().and_then(|age| age.seconds(now));
    let compared = shared.compared.as_ref().and_then(|last| last.get());
    let text = exposition::text(&Exposed {
        metrics: &shared.metrics,
        snapshot: shared.statistics.snapshot(),
        hash_queue: shared.area.pool.queued(),
        hash_waits: shared.area.pool.waits(),
        backup_at: backup_age.map(|age| now - age),
        differences: compared.map(|(count, _)| count),
        alarms: shared.alarms.as_ref().map(|alarms| alarms.raised().len()),
        engine: if shared.file.location().file().is_some() { "sqlite" } else { "mysql" },
        started_at: shared.started_at,
    });
    let mut response = HttpResponse::Ok().body(text);
    let kind = HeaderValue::from_static(exposition::CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
