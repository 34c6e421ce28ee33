//! `GET /health`: `ok` only if the writer can commit. Where the service makes backups, the header
//! `X-Backup-Age` has the seconds since the newest one, or `none`.

use actix_web::web::Data;
use actix_web::{
    HttpResponse,
    http::StatusCode,
    http::header::{HeaderName, HeaderValue},
};

use super::probe::HealthProbe;
use super::respond;
use super::state::ThreadState;

const X_BACKUP_AGE: HeaderName = HeaderName::from_static("x-backup-age");

/// The handler.
pub async fn health(probe: Data<HealthProbe>, state: Data<ThreadState>) -> HttpResponse {
    let (status, word) = match probe.is_healthy().await {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let mut response = respond::plain(status, word);
    let shared = state.shared();
    if let Some(age) = &shared.backup_age {
        let age = match age.seconds(shared.clock.now()) {
            Some(seconds) => HeaderValue::from(seconds),
            None => HeaderValue::from_static("none"),
        };
        response.headers_mut().insert(X_BACKUP_AGE, age);
    }
    response
}
