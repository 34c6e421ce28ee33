//! `/postbacks/tail`: new records of the journal as server-sent events, for a page that stays open.
//!
//! Each second the journal is read behind the last record that was sent, in a read transaction of
//! its own. A tail ends with the session, with the service, and after a bounded number of bytes;
//! the browser then connects again and names the last record that it has.

use std::collections::{BTreeSet, VecDeque};
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
use crate::store::{Fault, JournalFilter, JournalSpan, Read, ReadError, Reads};

/// How often the journal is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks without a record after which a line is sent, so that proxies keep the
/// connection, and a browser that is gone is noticed.
const QUIET_LOOKS_MAX: u32 = 5;
/// Records of one look.
const RECORDS_MAX: u32 = 100;
/// Numbers of records that one look goes through, where few match.
const LOOKED_MAX: i64 = 20_000;
/// Looks whose part of the journal is read again, where other receivers write: those of ten
/// seconds.
const LOOKS_AGAIN: usize = 10;
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
        reached: Reached { last, ..Reached::default() },
        sent: 0,
        quiet: Quiet::default(),
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
    reached: Reached,
    /// Bytes.
    sent: usize,
    quiet: Quiet,
    /// Keeps the connection from being closed as idle.
    _streaming: Option<Streaming>,
    _place: TailPlace,
}

/// The looks since something was sent.
struct Quiet {
    looks: u32,
    /// Whether nothing was sent yet.
    is_new: bool,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { looks: 0, is_new: true }
    }
}

impl Quiet {
    /// Counts a look. Returns whether a line without a record has to be sent: at the beginning, and
    /// after some looks without a record.
    fn needs_line(&mut self, has_records: bool) -> bool {
        let is_first = std::mem::replace(&mut self.is_new, false);
        self.looks += 1;
        let needs_line = is_first || (!has_records && self.looks >= QUIET_LOOKS_MAX);
        if needs_line || has_records {
            self.looks = 0;
        }
        needs_line
    }
}

/// What is sent, and the tail if it goes on.
type Sent = (Result<Bytes, actix_web::Error>, Option<Tail>);

impl Tail {
    /// Waits until there is something to send.
    async fn next(mut self) -> Option<Sent> {
        loop {
            if !self.quiet.is_new {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let mut text = match self.look().await {
                Ok(Some(text)) => text,
                Ok(None) => return Some(ended("The session has ended: log in again.")),
                Err(error) => {
                    log::warn!("the console cannot follow the journal: {}", chain(&error));
                    return Some(ended("The database cannot be read now: follow again later."));
                }
            };
            if self.quiet.needs_line(!text.is_empty()) {
                text.insert_str(0, ": following\n\n");
            }
            if text.is_empty() {
                continue;
            }
            self.sent += text.len();
            // Without an event `end`, the browser connects again.
            let goes_on = self.sent < BYTES_MAX;
            return Some((Ok(Bytes::from(text)), goes_on.then_some(self)));
        }
    }

    /// The events of the records that are new since the last look; `None` if the session has
    /// ended.
    async fn look(&mut self) -> Result<Option<String>, ReadError> {
        let (filter, times) = (self.filter.clone(), self.times.clone());
        let mut reached = self.reached.clone();
        let reads_again = matches!(self.state.reads(), Reads::Remote(_));
        let (token, now) = (self.token, self.state.shared().clock.now());
        let job = move |read: &dyn Read| match read.operator_session(&token, now)? {
            None => Ok(None),
            Some(_) => {
                let text = look(read, &filter, &mut reached, reads_again, &times)?;
                Ok(Some((text, reached)))
            }
        };
        let Some((text, reached)) = self.state.reads().read(job).await? else { return Ok(None) };
        self.reached = reached;
        Ok(Some(text))
    }
}

fn ended(why: &str) -> Sent {
    (Ok(Bytes::from(format!("event: end\ndata: {why}\n\n"))), None)
}

/// How far a tail has come.
#[derive(Clone, Debug, Default)]
struct Reached {
    /// The record up to which the journal was read; `None`: the newest of the first look.
    last: Option<i64>,
    /// With several receivers, a record can be committed after one with a higher number. So what
    /// the last looks read is read again: `last` after each of them, the oldest first.
    before: VecDeque<i64>,
    /// The records that were sent, of those that are read again.
    sent: BTreeSet<i64>,
}

impl Reached {
    /// The number behind which the next look reads.
    fn after(&self, last: i64) -> i64 {
        let oldest = self.before.front().copied().unwrap_or(last);
        oldest.max(last.saturating_sub(LOOKED_MAX))
    }

    /// Ends a look. `reads_again`: other receivers write too.
    fn end_look(&mut self, last: i64, reads_again: bool) {
        self.last = Some(last);
        if !reads_again {
            self.sent.clear();
            return;
        }
        self.before.push_back(last);
        if self.before.len() > LOOKS_AGAIN {
            self.before.pop_front();
        }
        let after = self.after(last);
        self.sent = self.sent.split_off(&after.saturating_add(1));
    }
}

/// The events of the records that are new since the last look.
fn look(
    read: &dyn Read,
    filter: &JournalFilter,
    reached: &mut Reached,
    reads_again: bool,
    times: &Times,
) -> Result<String, Fault> {
    let newest = read.newest_record()?.map_or(0, |(id, _)| id);
    let Some(last) = reached.last else {
        reached.end_look(newest, reads_again);
        return Ok(String::new());
    };
    let after = reached.after(last);
    let newest = newest.min(last.saturating_add(LOOKED_MAX));
    if newest <= after {
        if newest < after {
            // The numbers went back, as in another database.
            *reached = Reached::default();
        }
        reached.end_look(newest.max(reached.last.unwrap_or(newest)), reads_again);
        return Ok(String::new());
    }
    let most = RECORDS_MAX.saturating_add(reached.sent.len().try_into().unwrap_or(u32::MAX));
    let span = JournalSpan { after, newest, most, newest_first: false };
    let records = read.journal_span(filter, span)?;
    let is_full = records.len() >= most as usize;
    let mut text = String::new();
    let mut highest = last;
    for found in &records {
        let id = super::listed::number(found);
        highest = highest.max(id);
        if !reached.sent.insert(id) {
            continue;
        }
        // One that cannot be read is on the page after a reload.
        if let Ok(record) = found
            && let Ok(row) = serde_json::to_string(&RecordRow::of(record, times))
        {
            // A browser that comes again names the highest number, also after a late record.
            text.push_str(&format!("id: {highest}\nevent: record\ndata: {row}\n\n"));
        }
    }
    reached.end_look(if is_full { highest } else { newest.max(last) }, reads_again);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ten_looks_are_read_again_where_other_receivers_write() {
        let mut reached = Reached::default();
        for last in [100, 110, 120] {
            reached.end_look(last, true);
        }
        assert_eq!(reached.after(120), 100);
        reached.sent.extend([105, 115]);
        for last in 121..=131 {
            reached.end_look(last, true);
        }
        assert_eq!((reached.after(131), reached.sent.len()), (122, 0));
        reached.end_look(131 + 10 * LOOKED_MAX, true);
        assert_eq!(reached.after(131 + 10 * LOOKED_MAX), 131 + 9 * LOOKED_MAX, "a bound");
    }

    #[test]
    fn a_line_is_sent_at_the_beginning_and_after_five_looks_without_a_record() {
        let mut quiet = Quiet::default();
        let mut looks = |has_records: &[bool]| {
            has_records.iter().map(|has| quiet.needs_line(*has)).collect::<Vec<_>>()
        };
        assert_eq!(looks(&[false]), [true], "a browser shows that it follows");
        assert_eq!(looks(&[false; 5]), [false, false, false, false, true]);
        assert_eq!(looks(&[false, false, false, false, true]), [false; 5], "a record is a line");
        assert_eq!(looks(&[false; 5]), [false, false, false, false, true]);
    }

    #[test]
    fn one_receiver_reads_each_record_once() {
        let mut reached = Reached::default();
        reached.end_look(100, false);
        reached.sent.insert(101);
        reached.end_look(101, false);
        assert_eq!((reached.after(101), reached.sent.len()), (101, 0));
    }
}
