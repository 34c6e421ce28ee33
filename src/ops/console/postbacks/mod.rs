//! `/postbacks`: the journal with filters, and `/postbacks/{id}`: a record whole, which can be
//! replayed as a dry run.

mod listed;
mod query;
mod shown;
pub mod tail;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::page::{Page, Pages, times};
use super::times::Times;
use super::trial::{Trial, is_command, postback_of, problem};
use crate::action::Rules;
use crate::chain::chain;
use crate::http::state::ThreadState;
use crate::ops::session::Session;
use crate::store::{Fault, Read};
use listed::{LOOKED_MAX, Listed};
use query::{BadFilter, Query};

const MENU: &str = "/postbacks";
/// The heading of what a record would do now.
const DRY_RUN: &str = "Replayed now, as a dry run";

/// The list.
pub async fn list(
    request: HttpRequest,
    Session(signed): Session,
    state: Data<ThreadState>,
) -> HttpResponse {
    let query = Query::parse(request.query_string());
    let times = times(&request);
    let asked = match query.asked(times.zone()) {
        Ok(asked) => asked,
        Err(bad) => return refused(&query, &bad).respond(&request, &signed),
    };
    match state.reads().read(move |read| listed::read(read, &asked)).await {
        Ok(listed) => page(&query, &listed, &times).respond(&request, &signed),
        Err(error) => {
            log::warn!("the console cannot read the journal: {}", chain(&error));
            Page::unreadable().respond(&request, &signed)
        }
    }
}

fn page(query: &Query, listed: &Listed, times: &Times) -> Page {
    let records: Value = listed.records.iter().map(|found| shown::row(found, times)).collect();
    let count = listed.records.len();
    let note = listed
        .has_looked_enough
        .then(|| format!("Looked at {LOOKED_MAX} records, and {count} of them match."));
    let pages = Pages {
        first: (!query.is_first_page()).then(|| query.address(MENU, None)),
        next: listed.next.map(|next| query.address(MENU, Some(next))),
        next_name: note.as_ref().map(|_| "Look further".into()),
        note,
    };
    let follows = query.is_first_page();
    let page = Page::new("postbacks.html", "Postbacks").with(context! {
        form => query.form(),
        has_filter => query.has_filter(),
        bad_filters => Vec::<Value>::new(),
        refresh => query.address(MENU, None),
        tail => query.address("/postbacks/tail", None),
        follows,
        records,
        pages => pages.value(),
    });
    if follows { page.with_script() } else { page }
}

fn refused(query: &Query, bad: &[BadFilter]) -> Page {
    let bad: Value = bad
        .iter()
        .map(|bad| context! { name => query::label(bad.name), why => bad.why.clone() })
        .collect();
    Page::new("postbacks.html", "Postbacks").status(StatusCode::BAD_REQUEST).with(context! {
        form => query.form(),
        has_filter => query.has_filter(),
        bad_filters => bad,
        follows => false,
    })
}

/// A record.
pub async fn one(
    id: Path<String>,
    request: HttpRequest,
    Session(signed): Session,
    state: Data<ThreadState>,
) -> HttpResponse {
    let is_admin = signed.is_admin();
    let is_trial = request.query_string() == "dry-run=1";
    if is_trial && !is_admin {
        let only = "Only operators of the role admin may replay a record as a dry run.";
        return Page::problem(StatusCode::FORBIDDEN, "Not allowed", only)
            .respond(&request, &signed);
    }
    let times = times(&request);
    let number = id.parse::<i64>().ok().filter(|&id| id > 0);
    let rules = state.shared().live.load().rules.clone();
    let now = state.shared().clock.now();
    let (zone, none) = (times.clone(), Ok(None));
    let found = match number {
        Some(id) => {
            state
                .reads()
                .read(move |read| Found::read(read, id, is_trial, &rules, now, &zone))
                .await
        }
        None => none,
    };
    let title = format!("Record {}", number.unwrap_or_default());
    match found {
        Ok(Some(Found { context, can_try, trial })) => Page::new("record.html", title)
            .with(context! { id => number, can_try => is_admin && can_try, trial, ..context })
            .respond(&request, &signed),
        Ok(None) => Page::problem(
            StatusCode::NOT_FOUND,
            "No such postback",
            "The journal has no record with this number. It may have been pruned.",
        )
        .respond(&request, &signed),
        Err(error) => {
            log::warn!("the console cannot read the journal: {}", chain(&error));
            Page::unreadable().respond(&request, &signed)
        }
    }
}

/// A record, and what it would do now.
struct Found {
    context: Value,
    /// Whether it is a postback.
    can_try: bool,
    trial: Option<Value>,
}

impl Found {
    fn read(
        read: &dyn Read,
        id: i64,
        is_trial: bool,
        rules: &Rules,
        now: i64,
        times: &Times,
    ) -> Result<Option<Self>, Fault> {
        let record = match listed::one(read, id)? {
            None => return Ok(None),
            Some(Err(unreadable)) => {
                let context = context! { unreadable => chain(&unreadable) };
                return Ok(Some(Self { context, can_try: false, trial: None }));
            }
            Some(Ok(record)) => record,
        };
        let trial = match postback_of(&record) {
            _ if !is_trial => None,
            Ok(postback) => Some(Trial::run(read, rules, &postback, now, times)?.value(DRY_RUN)),
            Err(why) => Some(problem(DRY_RUN, &why)),
        };
        let can_try = !is_command(&record);
        Ok(Some(Self { context: shown::whole(&record, times), can_try, trial }))
    }
}
