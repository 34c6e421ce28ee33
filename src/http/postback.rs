//! `/postback/{token}`: the URL that is pasted into NATS. A postback is authenticated, read to its
//! end, parsed, queued for the writer and answered.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::body::{self, Unread};
use super::refused::RefusedCall;
use super::respond;
use super::state::{ServerState, ThreadState};
use crate::action::{Action, Known, Standing, place};
use crate::apply::Postback;
use crate::identity::{MemberId, SiteId};
use crate::journal::Origin;
use crate::metrics::{PostbackLabels, Refused};
use crate::network;
use crate::reply::{Refusal, Reply, Word};
use crate::store::{Fault, Read, ReadError};
use crate::writer::Answer;

/// Which check fails, if one does.
fn refused(shared: &ServerState, address: IpAddr, token: &str) -> Option<RefusedCall> {
    let allowed = &shared.live.load().allowed;
    let from_here = allowed.is_empty() || network::contains(allowed, address);
    // Both are always checked, so that the duration does not reveal which was wrong.
    let with_token = shared.tokens.contain(token);
    match (with_token, from_here) {
        (true, true) => None,
        (false, true) => Some(RefusedCall::Token),
        (true, false) => Some(RefusedCall::Address),
        (false, false) => Some(RefusedCall::Both),
    }
}

/// Answers a CHECK from the committed state.
async fn check(state: &ThreadState, postback: Postback) -> Result<Reply, ReadError> {
    state.shared().metrics.count_request();
    let now = state.shared().clock.now();
    state.reads().read(move |reader| read_check(reader, &postback, now)).await
}

/// Reads what a CHECK is about, and decides as for every action.
fn read_check(reader: &dyn Read, postback: &Postback, now: i64) -> Result<Reply, Fault> {
    let action = match &postback.action {
        Ok(action) => action,
        Err(refusal) => return Ok(refusal.reply()),
    };
    let holder = match action.wanted() {
        Some((site, name)) => reader.holder(site, name, now)?,
        None => None,
    };
    Ok(action
        .decide(
            &Known { standing: &Standing::Unknown, holder, namesake: None, was_done: false },
            now,
        )
        .reply)
}

/// The part of the path that is the token, possibly empty; `None` for another path.
fn token(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/postback")?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

/// The handler of `/postback/{token}`, for every method.
pub async fn receive(
    request: HttpRequest,
    payload: Payload,
    state: Data<ThreadState>,
) -> HttpResponse {
    let began = Instant::now();
    let shared = state.shared();
    let Some(token) = token(request.path()) else { return respond::not_found() };
    let address = state.caller(&request);
    if let Some(why) = refused(shared, address, token) {
        shared.metrics.count_refused(match why {
            RefusedCall::Token | RefusedCall::Both => Refused::Token,
            RefusedCall::Address => Refused::Address,
        });
        shared.refused.refused(why, address, shared.clock.steady());
        return respond::not_authorised();
    }
    if !matches!(*request.method(), Method::GET | Method::POST) {
        shared.metrics.count_refused(Refused::Method);
        return respond::postback_method_not_allowed();
    }
    // Counted before the flag is read, so that no request is missed by a stop, which sets the flag
    // and then reads the count.
    let _in_flight = state.begin_request();
    if shared.stopping.load(Ordering::SeqCst) {
        shared.metrics.count_refused(Refused::Stopping);
        return respond::unavailable();
    }
    let read = if *request.method() == Method::POST {
        body::read(&request, payload).await
    } else {
        Ok(actix_web::web::Bytes::new())
    };
    let body = match read {
        Ok(body) => body,
        Err(unread) => {
            shared.metrics.count_refused(match unread {
                Unread::TooLong => Refused::BodyTooLong,
                Unread::TooSlow => Refused::BodyTooSlow,
                Unread::BrokenOff => Refused::BodyBrokenOff,
            });
            log::warn!("a postback from {address} was not read: {}", respond::why(unread));
            return respond::unread(unread);
        }
    };
    let postback = parse(&request, &body, shared, address);
    let entry = LogEntry::new(&postback, shared);
    let action = postback.action.as_ref().ok().map(Action::name);
    let (status, response) = answer(&state, postback).await;
    shared.metrics.count_postback(PostbackLabels {
        action: place(action),
        word: response.word() as usize,
        is_unavailable: status == StatusCode::SERVICE_UNAVAILABLE,
    });
    entry.log(&response, status, began);
    respond::line(status, response)
}

fn parse(
    request: &HttpRequest,
    body: &actix_web::web::Bytes,
    shared: &ServerState,
    address: IpAddr,
) -> Postback {
    let read = body::fields(request, body);
    let rules = &shared.live.load().rules;
    let (mut postback, ignored) = Postback::read(&read.fields, rules, Origin::Nats, Some(address));
    postback.log_ignored(&ignored);
    if postback.received.member().is_some_and(MemberId::is_test) {
        // The operator's own trial, by `try`: no postback of NATS.
        postback.received.origin = Origin::Operator;
    }
    if let Some(what) = read.no_form {
        if read.fields.get("action").is_none() {
            let expected = "expected application/x-www-form-urlencoded or multipart/form-data";
            postback.action = Err(Refusal::malformed("body", expected, &what));
        }
        postback.received = postback.received.with_note(&what);
    }
    postback
}

async fn answer(state: &ThreadState, postback: Postback) -> (StatusCode, Reply) {
    if postback.is_check() {
        return match check(state, postback).await {
            Ok(reply) => (StatusCode::OK, reply),
            Err(error) => {
                if let ReadError::Fault(error) = error {
                    log::error!("cannot read the database for a CHECK: {error}");
                }
                (StatusCode::SERVICE_UNAVAILABLE, respond::nothing_changed())
            }
        };
    }
    match state.shared().writer.submit(postback).await {
        Answer::Reply(reply) => (StatusCode::OK, reply),
        Answer::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, respond::nothing_changed()),
        Answer::OutcomeUnknown => (StatusCode::SERVICE_UNAVAILABLE, respond::outcome_unknown()),
    }
}

/// The log entry of one postback. It is made before the postback is queued.
struct LogEntry {
    id: String,
    action: &'static str,
    site: Option<SiteId>,
    member: Option<MemberId>,
    username: Option<String>,
    unfit_for_basic: bool,
}

impl LogEntry {
    fn new(postback: &Postback, shared: &ServerState) -> Self {
        let number = shared.requests.fetch_add(1, Ordering::Relaxed);
        let received = &postback.received;
        Self {
            id: format!("{}-{number}", shared.run),
            action: received
                .action()
                .or(postback.action.as_ref().ok().map(Action::name))
                .unwrap_or("-"),
            site: received.site(),
            member: received.member(),
            username: received.username().map(|name| name.as_str().to_owned()),
            unfit_for_basic: postback.gives_name_unfit_for_basic(),
        }
    }

    fn log(&self, reply: &Reply, status: StatusCode, began: Instant) {
        if self.unfit_for_basic && reply.word() == Word::Ok {
            Postback::log_unfit_for_basic(self.site, self.member);
        }
        log::info!(
            id = self.id.as_str(), action = self.action, site:% = OrDash(self.site),
            member:% = OrDash(self.member), username = self.username.as_deref().unwrap_or("-"),
            status = status.as_u16(), reply = reply.as_str(),
            us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            "postback"
        );
    }
}

/// A value, or `-`.
struct OrDash<T>(Option<T>);

impl<T: std::fmt::Display> std::fmt::Display for OrDash<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}
