//! `/health`: what `/health/ready` says, in words, and the checks of `doctor` that a running
//! service can do.

use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::page::{Page, times};
use crate::counted::counted;
use crate::http::state::ThreadState;
use crate::ops::Ops;
use crate::ops::checks::Checked;
use crate::ops::health::{Check, checks};
use crate::ops::session::Session;
use crate::unicode::Visible;

/// The handler.
pub async fn health(
    request: HttpRequest,
    Session(signed): Session,
    ops: Data<Ops>,
    state: Data<ThreadState>,
) -> HttpResponse {
    let (now, times) = (state.shared().clock.now(), times(&request));
    let ready: Value = checks(&ops, &state).await.iter().map(ready_row).collect();
    // It reads files of the machine, and asks its time service.
    let checks = ops.checks.clone();
    let (at, found) = web::block(move || checks.at(now)).await.unwrap_or_default();
    let mut found = found;
    // It is stable: checks of one level keep their order.
    found.sort_by_key(|one| rank(one.level));
    let count = |level: &str| found.iter().filter(|one| one.level == level).count() as u64;
    let counts = format!(
        "{} serious, {}, {}, {} ok",
        count("serious"),
        counted(count("warning"), "warning"),
        counted(count("note"), "note"),
        count("ok")
    );
    Page::new("health.html", "Health")
        .with(context! {
            ready,
            counts,
            checked_at => times.html(at),
            findings => found.iter().map(row).collect::<Value>(),
        })
        .respond(&request, &signed)
}

/// A check of `/health/ready` in words.
fn ready_row(check: &Check) -> Value {
    let good = match check.name {
        "running" => "the service runs",
        "database" => "the database is at its place",
        "commit" => "postbacks can be committed",
        "read" => "members can be read",
        name => name,
    };
    let remedy = check.remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
    match check.problem {
        None => context! { class => "good", word => "ok", text => good },
        Some(problem) => {
            context! { class => "bad", word => "not ready", text => format!("{problem}{remedy}") }
        }
    }
}

fn row(checked: &Checked) -> Value {
    context! {
        topic => checked.topic,
        name => checked.name,
        level => checked.level,
        class => class_of(checked.level),
        found => Visible(&checked.found).to_string(),
        remedy => checked.remedy.as_deref().map(|remedy| Visible(remedy).to_string()),
    }
}

/// What matters most comes first.
fn rank(level: &str) -> u8 {
    match level {
        "serious" => 0,
        "warning" => 1,
        "note" => 2,
        _ => 3,
    }
}

fn class_of(level: &str) -> &'static str {
    match level {
        "ok" => "good",
        "warning" => "warn",
        "serious" => "bad",
        _ => "",
    }
}
