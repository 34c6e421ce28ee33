//! `GET /health`: `ok` only if the writer can commit.

use actix_web::web::Data;
use actix_web::{HttpResponse, http::StatusCode};

use super::probe::HealthProbe;
use super::respond;

/// The handler.
pub async fn health(probe: Data<HealthProbe>) -> HttpResponse {
    let (status, word) = match probe.is_healthy().await {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    respond::plain(status, word)
}
