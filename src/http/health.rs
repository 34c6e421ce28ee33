//! `GET /health`: `ok` only if the writer can commit and members can be read. Where the service
//! makes backups, the header `X-Backup-Age` has the seconds since the newest one, or `none`. Where
//! no host of `--database-read` answers, the header `X-Reads` is `database`.

use actix_web::web::Data;
use actix_web::{
    HttpResponse,
    http::StatusCode,
    http::header::{HeaderName, HeaderValue},
};

use super::probe::{Health, HealthProbe};
use super::respond;
use super::state::ThreadState;

const X_BACKUP_AGE: HeaderName = HeaderName::from_static("x-backup-age");
const X_READS: HeaderName = HeaderName::from_static("x-reads");

/// The handler.
pub async fn health(probe: Data<HealthProbe>, state: Data<ThreadState>) -> HttpResponse {
    let health = probe.health(&state.area().members).await;
    let (status, line) = match health {
        Health::Good | Health::ReadsElsewhere => (StatusCode::OK, "ok"),
        Health::CannotCommit => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Health::CannotRead => {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable: members cannot be read")
        }
    };
    let mut response = respond::plain(status, line);
    if health == Health::ReadsElsewhere {
        response.headers_mut().insert(X_READS, HeaderValue::from_static("database"));
    }
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
