//! `/postbacks/tail`: new records of the journal as server-sent events, for a page that stays open.
//!
//! Each second the journal is read behind the last record that was sent, in a read transaction of
//! its own. A tail ends with the session, with the service, and after a bounded number of bytes;
//! the browser then connects again and names the last record that it has.

use std::rc::Rc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::query::Query;
use super::shown::RecordRow;
use crate::chain::chain;
use crate::http::connections::{Connection, Streaming};
use crate::http::state::ThreadState;
use crate::operator::TokenDigest;
use crate::ops::Ops;
use crate::ops::console::page::times;
use crate::ops::console::times::Times;
use crate::ops::session::Session;
use crate::ops::tails::TailPlace;
use crate::store::{Fault, JournalFilter, JournalSpan, Read, ReadError};

/// How often the journal is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks without a record after which a line is sent, so that proxies keep the
/// connection, and a browser that is gone is noticed.
const QUIET_LOOKS_MAX: u32 = 5;
/// Records of one look.
const RECORDS_MAX: u32 = 100;
/// Numbers of records that one look goes through, where few match.
const LOOKED_MAX: i64 = 20_000;
/// Bytes of one tail. A browser connects again after them.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The handler of `/tail.js`.
pub async fn script() -> HttpResponse {
    let mut response = HttpResponse::Ok().body(include_str!("../tail.js"));
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The handler.
pub async fn tail(
    request: HttpRequest,
    Session(signed): Session,
    ops: Data<Ops>,
    state: Data<ThreadState>,
) -> HttpResponse {
    let times = times(&request);
    let filter = match Query::parse(request.query_string()).asked(times.zone()) {
        Ok(asked) => asked.filter,
        Err(_) => return plain(StatusCode::BAD_REQUEST, "a filter cannot be used"),
    };
    let Some(place) = ops.tails.take() else {
        let mut response =
            plain(StatusCode::SERVICE_UNAVAILABLE, "too many pages follow the journal");
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
        return response;
    };
    let last = request.headers().get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.parse::<i64>().ok()).filter(|&id| id > 0);
    let streaming = request.conn_data::<Rc<Connection>>().map(Connection::stream);
    let tail = Tail {
        state,
        token: signed.token,
        filter,
        times,
        last,
        sent: 0,
        quiet: 0,
        is_new: true,
        _streaming: streaming,
        _place: place,
    };
    let events = stream::unfold(Some(tail), |tail| async move { tail?.next().await });
    let mut response = HttpResponse::Ok().streaming(Box::pin(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(status).body(text);
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// An open tail.
struct Tail {
    state: Data<ThreadState>,
    /// The session, which ends the tail.
    token: TokenDigest,
    filter: JournalFilter,
    times: Times,
    /// The record up to which all were sent; `None`: the newest of the first look.
    last: Option<i64>,
    /// Bytes.
    sent: usize,
    /// Looks since something was sent.
    quiet: u32,
    /// Whether nothing was sent yet.
    is_new: bool,
    /// Keeps the connection from being closed as idle.
    _streaming: Option<Streaming>,
    _place: TailPlace,
}

/// What is sent, and the tail if it goes on.
type Sent = (Result<Bytes, actix_web::Error>, Option<Tail>);

impl Tail {
    /// Waits until there is something to send.
    async fn next(mut self) -> Option<Sent> {
        loop {
            if !self.is_new {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let is_first = std::mem::replace(&mut self.is_new, false);
            let mut text = match self.look().await {
                Ok(Some(text)) => text,
                Ok(None) => return Some(ended("The session has ended: log in again.")),
                Err(error) => {
                    log::warn!("the console cannot follow the journal: {}", chain(&error));
                    return Some(ended("The database cannot be read now: follow again later."));
                }
            };
            self.quiet += 1;
            if is_first || (text.is_empty() && self.quiet >= QUIET_LOOKS_MAX) {
                text.insert_str(0, ": following\n\n");
            }
            if text.is_empty() {
                continue;
            }
            self.quiet = 0;
            self.sent += text.len();
            // Without an event `end`, the browser connects again.
            let goes_on = self.sent < BYTES_MAX;
            return Some((Ok(Bytes::from(text)), goes_on.then_some(self)));
        }
    }

    /// The events of the records that are new since the last look; `None` if the session has
    /// ended.
    async fn look(&mut self) -> Result<Option<String>, ReadError> {
        let (filter, last, times) = (self.filter.clone(), self.last, self.times.clone());
        let (token, now) = (self.token, self.state.shared().clock.now());
        let job = move |read: &dyn Read| match read.operator_session(&token, now)? {
            None => Ok(None),
            Some(_) => look(read, &filter, last, &times).map(Some),
        };
        let Some((text, last)) = self.state.reads().read(job).await? else { return Ok(None) };
        self.last = Some(last);
        Ok(Some(text))
    }
}

fn ended(why: &str) -> Sent {
    (Ok(Bytes::from(format!("event: end\ndata: {why}\n\n"))), None)
}

/// The events of the records behind `last`, and the number up to which the journal was read.
fn look(
    read: &dyn Read,
    filter: &JournalFilter,
    last: Option<i64>,
    times: &Times,
) -> Result<(String, i64), Fault> {
    let newest = read.newest_record()?.map_or(0, |(id, _)| id);
    let Some(after) = last.filter(|&last| last < newest) else {
        return Ok((String::new(), newest));
    };
    let newest = newest.min(after.saturating_add(LOOKED_MAX));
    let span = JournalSpan { after, newest, most: RECORDS_MAX, newest_first: false };
    let records = read.journal_span(filter, span)?;
    let is_full = records.len() >= RECORDS_MAX as usize;
    let mut text = String::new();
    let mut reached = newest;
    for found in &records {
        let id = super::listed::number(found);
        if is_full {
            reached = id;
        }
        // One that cannot be read is on the page after a reload.
        if let Ok(record) = found
            && let Ok(row) = serde_json::to_string(&RecordRow::of(record, times))
        {
            text.push_str(&format!("id: {id}\nevent: record\ndata: {row}\n\n"));
        }
    }
    Ok((text, reached))
}
