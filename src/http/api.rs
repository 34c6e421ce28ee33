//! `/api/member/authstring`, `/api/member/tokenrebuystring` and `/api/authstring/redeem`: NATS's
//! REST API for a members area, which then needs neither NATS's key nor a NATS that answers in
//! time.

use std::sync::atomic::Ordering;

use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SERVER};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::body::{self, Unread};
use super::live::LiveSettings;
use super::mistakes::Mistake;
use super::postback::Desk;
use super::relay::{Relay, Unanswered};
use super::reply;
use crate::authstring::keys::ApiKey;
use crate::authstring::question::Question;
use crate::authstring::stand_in::StandIn;
use crate::authstring::{AuthString, Lookup, Session};
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::reply::{Found, Refusal};
use crate::store::if_readable;

const KEY: HeaderName = HeaderName::from_static("api-key");
const USERNAME: HeaderName = HeaderName::from_static("api-username");
/// Says that NATS knows nothing of the string.
const STAND_IN: HeaderName = HeaderName::from_static("x-stand-in");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Names us to a nats-userman that asks here as it would ask NATS: what we say of an error may be
/// said on.
const US: HeaderValue = HeaderValue::from_static(crate::authstring::answer::USERMAN);
const NO_KEY: &str = "api-key, api-username: expected both headers, once each, with a key that is set with --api-key or --api-key-file";
const NO_SOURCE: &str = "there are no authstrings here: start the service with --nats-url, or with --stand-in while you develop";

/// Where strings come from.
enum Strings<'a> {
    Nats(&'a Relay),
    StandIn(&'a StandIn),
}

fn strings<'a>(desk: &'a Desk, live: &'a LiveSettings) -> Result<Strings<'a>, Failure> {
    match (&desk.shared().stand_in, &live.relay) {
        (Some(stand_in), _) => Ok(Strings::StandIn(stand_in)),
        (None, Some(relay)) => Ok(Strings::Nats(relay)),
        (None, None) => Err(Failure::Nowhere),
    }
}

/// Why there is no answer.
enum Failure {
    /// Key missing or wrong.
    NoKey,
    /// The key is not good from there, or for that site.
    NotAllowed(String),
    /// The parameters.
    Refused(Refusal),
    /// Neither NATS nor a stand-in.
    Nowhere,
    /// The redeemed string is none.
    NotFound(&'static str),
    /// NATS, or the way to it.
    Unanswered(Unanswered),
    /// The body of a redemption.
    Unread(Unread),
    /// The database, or the system. Logged where it happened.
    CannotTell,
    /// The service ends.
    Stopping,
    /// Not this method, but that one.
    Method(&'static str),
}

/// `GET /api/member/authstring`.
pub async fn authstring(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    member(&request, &desk, Question::authstring).await
}

/// `GET /api/member/tokenrebuystring`.
pub async fn tokenrebuystring(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    member(&request, &desk, Question::tokenrebuystring).await
}

async fn member(
    request: &HttpRequest,
    desk: &Desk,
    read: fn(&[u8]) -> Result<Question, Refusal>,
) -> HttpResponse {
    let _under_way = desk.under_way();
    desk.shared().metrics.count_request();
    let answered = async {
        go_on(desk)?;
        let live = desk.shared().live.now();
        let key = key(request, desk, &live)?;
        if *request.method() != Method::GET {
            return Err(Failure::Method("GET"));
        }
        let question = read(request.query_string().as_bytes()).map_err(Failure::Refused)?;
        let string = string(desk, &live, key, &question).await?;
        let text = string.as_ref().map_or("", AuthString::expose);
        // Hexadecimal digits: nothing in it has to be escaped.
        Ok(format!("{{\"{}\":\"{text}\"}}", question.resource.key()))
    };
    respond(desk, answered.await)
}

/// `POST /api/authstring/redeem`, with `{"authstring":"…"}`: what a string of the stand-in was for,
/// once.
pub async fn redeem(request: HttpRequest, payload: Payload, desk: Data<Desk>) -> HttpResponse {
    let _under_way = desk.under_way();
    desk.shared().metrics.count_request();
    let answered = async {
        go_on(&desk)?;
        let live = desk.shared().live.now();
        let key = key(&request, &desk, &live)?;
        if *request.method() != Method::POST {
            return Err(Failure::Method("POST"));
        }
        let body = body::read(&request, payload).await.map_err(Failure::Unread)?;
        redeemed(&desk, &live, key, &body).await
    };
    respond(&desk, answered.await)
}

/// After the call for the end, which the last answers are waited for, nothing more is begun.
fn go_on(desk: &Desk) -> Result<(), Failure> {
    if desk.shared().stopping.load(Ordering::SeqCst) { Err(Failure::Stopping) } else { Ok(()) }
}

/// The key that a caller has shown.
fn key<'a>(
    request: &HttpRequest,
    desk: &Desk,
    live: &'a LiveSettings,
) -> Result<&'a ApiKey, Failure> {
    let header = |name| {
        let mut values = request.headers().get_all(name);
        // Two of them: who knows which of both another program on the way has looked at.
        values.next().filter(|_| values.next().is_none()).map_or(&b""[..], HeaderValue::as_bytes)
    };
    let address = desk.caller(request);
    let say = |why: &str| {
        desk.shared().mistakes.say(Mistake::ApiRefused, desk.shared().clock.steady(), || {
            log::warn!("a call of /api from {address} was refused: {why}");
        });
    };
    let Some(key) = live.keys.find(header(USERNAME), header(KEY)) else {
        say("api-key or api-username is missing or wrong");
        return Err(Failure::NoKey);
    };
    if !key.is_good_from(address) {
        say("its key is limited to other addresses");
        return Err(Failure::NotAllowed(format!("address: this key is not good from {address}")));
    }
    Ok(key)
}

/// The string that is asked for; `None` is a blank.
async fn string(
    desk: &Desk,
    live: &LiveSettings,
    key: &ApiKey,
    question: &Question,
) -> Result<Option<AuthString>, Failure> {
    let strings = strings(desk, live)?;
    let now = desk.shared().clock.now();
    let Some(meant) = find(desk, key, question, now).await? else {
        log::debug!("authstring: a blank, no active member is meant");
        return Ok(None);
    };
    match strings {
        Strings::StandIn(stand_in) => {
            let (plus, member) = (question.resource.plus(), meant.key);
            log::info!(plus = plus.as_str(), site:% = member.site, member:% = member.member; "authstring of the stand-in");
            let string =
                stand_in.issue(plus, member, desk.shared().clock.steady()).map_err(|error| {
                    log::error!("no random bytes for an authstring: {error}");
                    Failure::CannotTell
                })?;
            Ok(Some(string))
        }
        Strings::Nats(relay) => ask_nats(desk, relay, question, meant).await,
    }
}

/// Whom a question is about.
struct Meant {
    key: Key,
    /// The name as NATS sent it, where the question was by a name: NATS compares names in a way of
    /// its own.
    username: Option<Username>,
}

/// Who is meant, as of `now`; `None` where nobody is.
async fn find(
    desk: &Desk,
    key: &ApiKey,
    question: &Question,
    now: i64,
) -> Result<Option<Meant>, Failure> {
    let (username, parameter, sites) = match &question.lookup {
        Lookup::Session { member, session } if question.active => {
            let found = by_session(desk, key, *member, session, now).await?;
            return Ok(found.map(|key| Meant { key, username: None }));
        }
        Lookup::Session { .. } => return Ok(None),
        Lookup::Site { username, site } => (username, "siteid", std::slice::from_ref(site)),
        Lookup::Sites { username, sites } => (username, "siteids", sites.as_slice()),
    };
    // Each of them, and before anything is looked up: the answer does not depend on the name.
    sites.iter().try_for_each(|&site| may_ask(desk, key, site, parameter))?;
    if !question.active {
        return Ok(None);
    }
    let found = desk.logins_by_name(sites, username, now).await;
    let found = found.map_err(|_| Failure::CannotTell)?.into_iter().next();
    Ok(found.map(|row| Meant { key: row.key, username: Some(row.username) }))
}

/// A memberid is one member to NATS, who may have a row on several sites; each is compared, and
/// none of them sooner than another.
async fn by_session(
    desk: &Desk,
    key: &ApiKey,
    member: MemberId,
    session: &Session,
    now: i64,
) -> Result<Option<Key>, Failure> {
    let presented = session.hash();
    let rows = desk.read(move |reader| reader.sessions(member, now)).await;
    let rows = rows.map_err(|_| Failure::CannotTell)?;
    let matching: Vec<SiteId> = rows
        .into_iter()
        .filter(|(_, kept)| bool::from(kept.0.ct_eq(&presented.0)))
        .map(|(site, _)| site)
        .collect();
    match matching.iter().find(|&&site| key.is_good_for(site)).or(matching.first()) {
        None => Ok(None),
        Some(&site) => may_ask(desk, key, site, "memberid").map(|()| Some(Key { site, member })),
    }
}

/// Whether a key is good for the site that this parameter leads to.
fn may_ask(desk: &Desk, key: &ApiKey, site: SiteId, parameter: &str) -> Result<(), Failure> {
    if key.is_good_for(site) {
        return Ok(());
    }
    desk.shared().mistakes.say(Mistake::ApiRefused, desk.shared().clock.steady(), || {
        log::warn!(
            "a call of /api was refused: the key of {} is not good for site {site}",
            key.username()
        );
    });
    Err(Failure::NotAllowed(format!("{parameter}: this key is not good for site {site}")))
}

/// NATS is asked for the member who was found here, so that both speak of the same one.
async fn ask_nats(
    desk: &Desk,
    relay: &Relay,
    question: &Question,
    meant: Meant,
) -> Result<Option<AuthString>, Failure> {
    let member = meant.key;
    let lookup = match meant.username {
        Some(username) => Lookup::Site { username, site: member.site },
        None => question.lookup.clone(),
    };
    let answer = relay.ask(question.resource, lookup).await;
    let (Key { site, member }, plus) = (member, question.resource.plus().as_str());
    let (mistakes, now) = (&desk.shared().mistakes, desk.shared().clock.steady());
    match &answer {
        Ok(Some(_)) => log::info!(plus = plus, site:% = site, member:% = member; "authstring of NATS"),
        Ok(None) => mistakes.say(Mistake::NatsBlank, now, || {
            log::warn!(plus = plus, site:% = site, member:% = member; "NATS has no authstring for a member who is active here");
        }),
        Err(unanswered) => mistakes.say(unanswered.mistake(), now, || {
            let url = relay.url();
            log::error!(plus = plus, site:% = site, member:% = member; "no authstring from {url}: {unanswered}");
        }),
    }
    answer.map_err(Failure::Unanswered)
}

/// The body of a redemption.
#[derive(Deserialize)]
struct ToRedeem {
    authstring: String,
}

const TO_REDEEM_EXPECTED: &str =
    "expected JSON as in {\"authstring\":\"877ae8d2c00e617d443643326bb848e2\"}";

async fn redeemed(
    desk: &Desk,
    live: &LiveSettings,
    key: &ApiKey,
    body: &[u8],
) -> Result<String, Failure> {
    let shared = desk.shared();
    let stand_in = match strings(desk, live)? {
        Strings::Nats(_) => {
            return Err(Failure::NotFound(
                "authstring: NATS redeems its own, only a --stand-in does it here",
            ));
        }
        Strings::StandIn(stand_in) => stand_in,
    };
    // Its text may be a string of somebody's, so only its length is told.
    let wrong = || {
        let found = Found::Secret(body.len());
        Failure::Refused(Refusal { parameter: "authstring", expected: TO_REDEEM_EXPECTED, found })
    };
    // serde would take an array for the object as well.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(wrong());
    }
    let given: ToRedeem = serde_json::from_slice(body).map_err(|_| wrong())?;
    let now = shared.clock.now();
    let unknown = || Failure::NotFound("authstring: unknown, expired or redeemed already");
    let ticket = stand_in.look(&given.authstring, shared.clock.steady()).ok_or_else(unknown)?;
    let Key { site, member } = ticket.key;
    may_ask(desk, key, site, "authstring")?;
    let key = ticket.key;
    let row = desk.read(move |reader| if_readable(reader.login_row(key, now))).await;
    let row = desk.readable(row.map_err(|_| Failure::CannotTell)?);
    let Some(row) = row else { return Err(Failure::NotFound("authstring: its member has left")) };
    // Last: what could not be answered is not used up.
    stand_in.redeem(&given.authstring, shared.clock.steady()).ok_or_else(unknown)?;
    log::info!(plus = ticket.plus.as_str(), site:% = site, member:% = member; "authstring redeemed by the stand-in");
    let answer = json!({
        "type": ticket.plus.as_str(), "siteid": site.get(), "memberid": member.get(), "username": row.username.as_str(),
    });
    Ok(answer.to_string())
}

/// The one mapping to status, body and headers.
fn respond(desk: &Desk, answered: Result<String, Failure>) -> HttpResponse {
    let (allow, closes) = match &answered {
        Err(Failure::Method(method)) => (Some(*method), false),
        // What is left of the body would be taken for the next request; and the service ends when
        // its callers have gone.
        Err(Failure::Unread(_) | Failure::Stopping) => (None, true),
        _ => (None, false),
    };
    let (status, body) = match answered {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => {
            let (status, text) = told(failure);
            (status, json!({ "error": text }).to_string())
        }
    };
    let mut response = HttpResponse::with_body(status, actix_web::body::BoxBody::new(body));
    if closes {
        response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(SERVER, US);
    if desk.shared().stand_in.is_some() {
        headers.insert(STAND_IN, US);
    }
    if let Some(method) = allow {
        headers.insert(ALLOW, HeaderValue::from_static(method));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, reply::RETRY_AFTER_SECONDS);
    }
    response
}

fn told(failure: Failure) -> (StatusCode, String) {
    match failure {
        Failure::NoKey => (StatusCode::UNAUTHORIZED, NO_KEY.into()),
        Failure::NotAllowed(why) => (StatusCode::FORBIDDEN, why),
        Failure::Refused(refusal) => {
            (StatusCode::BAD_REQUEST, refusal.reply().sentence().to_owned())
        }
        Failure::Nowhere => (StatusCode::SERVICE_UNAVAILABLE, NO_SOURCE.into()),
        Failure::NotFound(why) => (StatusCode::NOT_FOUND, why.into()),
        Failure::Unanswered(unanswered) => (unanswered.status(), unanswered.to_string()),
        Failure::Unread(unread) => (reply::status_of(unread), reply::why(unread).into()),
        Failure::CannotTell | Failure::Stopping => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily unavailable, try again in a moment".into(),
        ),
        Failure::Method(method) => {
            (StatusCode::METHOD_NOT_ALLOWED, format!("expected the method {method}"))
        }
    }
}
