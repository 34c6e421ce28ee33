//! `GET /health/live` and `GET /health/ready`, as JSON.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;
use serde::Serialize;

use super::Ops;
use super::access::MayRead;
use crate::http::probe::Health;
use crate::http::state::ThreadState;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The word for programs.
    pub name: &'static str,
    /// Whether it succeeded.
    pub ok: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<&'static str>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    checks: Vec<Check>,
}

impl Check {
    fn of(name: &'static str, wrong: Option<(&'static str, &'static str)>) -> Self {
        let (problem, remedy) = wrong.unzip();
        Self { name, ok: wrong.is_none(), problem, remedy }
    }
}

/// The handler of `/health/live`: the process answers.
pub(super) async fn live(_: MayRead) -> HttpResponse {
    json(StatusCode::OK, "{\"live\":true}".to_owned())
}

/// The handler of `/health/ready`: postbacks can be committed and members read, now.
pub(super) async fn ready(_: MayRead, ops: Data<Ops>, thread: Data<ThreadState>) -> HttpResponse {
    let checks = checks(&ops, &thread).await;
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // It has no map whose keys could be no text.
    let body = serde_json::to_string(&Readiness { ready, checks }).unwrap_or_default();
    json(status, body)
}

/// All checks of readiness.
pub(super) async fn checks(ops: &Ops, thread: &ThreadState) -> Vec<Check> {
    let shared = thread.shared();
    let is_stopping = shared.stopping.load(Ordering::SeqCst);
    let is_there = shared.file.is_available();
    let health = ops.probe.health(&thread.area().members).await;
    let cannot_commit = health == Health::CannotCommit;
    vec![
        Check::of(
            "running",
            is_stopping.then_some(("the service is stopping", "wait until it has started again")),
        ),
        Check::of(
            "database",
            (!is_there).then_some((
                "the database is not at its place, or another one is",
                "put the right database in its place, or restart the service to use the one that \
                 is there; the log says what was found",
            )),
        ),
        Check::of(
            "commit",
            cannot_commit.then_some((
                "no postback can be committed now",
                "look at the last errors in the log, and run `nats-userman doctor`",
            )),
        ),
        Check::of(
            "read",
            (health == Health::CannotRead).then_some((
                "members cannot be read, so that nobody is let in",
                "look at the last errors in the log, and run `nats-userman doctor`",
            )),
        ),
    ]
}

fn json(status: StatusCode, body: String) -> HttpResponse {
    let mut response = HttpResponse::build(status).body(body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
