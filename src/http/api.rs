//! `/api/member/authstring`, `/api/member/tokenrebuystring` and `/api/authstring/redeem`: NATS's
//! REST API for a members area, which then needs no key of NATS and does not depend on NATS's
//! response time.

use std::sync::atomic::Ordering;

use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SERVER};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::body::{self, Unread};
use super::live::LiveSettings;
use super::respond::{self, RETRY_AFTER_SECONDS};
use super::state::ThreadState;
use crate::authstring::AuthString;
use crate::authstring::query::StringQuery;
use crate::metrics::Call;
use crate::nats_client::Error;
use crate::nats_client::relay::Unanswered;
use crate::reply::Refusal;
use crate::rest_api::{ApiError, ApiRequest, authenticate};

const KEY: HeaderName = HeaderName::from_static("api-key");
const USERNAME: HeaderName = HeaderName::from_static("api-username");
/// Says that the authstring is unknown to NATS.
const STAND_IN: HeaderName = HeaderName::from_static("x-stand-in");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Names this program to another nats-userman that uses it in place of NATS, and that may pass on
/// the text of our errors.
const US: HeaderValue = HeaderValue::from_static(crate::authstring::answer::USERMAN);

/// Why there is no answer.
enum ApiFailure {
    /// The API refused it or could not answer it.
    Api(ApiError),
    /// The body of a redemption was not read.
    Unread(Unread),
    /// The service is stopping.
    Stopping,
    /// The method is wrong; this one is expected.
    Method(&'static str),
}

impl From<ApiError> for ApiFailure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// `GET /api/member/authstring`.
pub async fn authstring(request: HttpRequest, state: Data<ThreadState>) -> HttpResponse {
    member(&request, &state, StringQuery::authstring).await
}

/// `GET /api/member/tokenrebuystring`.
pub async fn tokenrebuystring(request: HttpRequest, state: Data<ThreadState>) -> HttpResponse {
    member(&request, &state, StringQuery::tokenrebuystring).await
}

async fn member(
    request: &HttpRequest,
    state: &ThreadState,
    read: fn(&[u8]) -> Result<StringQuery, Refusal>,
) -> HttpResponse {
    let _in_flight = state.begin_request();
    state.shared().metrics.count_request();
    let answered = async {
        check_stopping(state)?;
        let live = state.shared().live.now();
        let api = authenticated(request, state, &live)?;
        if *request.method() != Method::GET {
            return Err(ApiFailure::Method("GET"));
        }
        let question = read(request.query_string().as_bytes()).map_err(ApiError::Refused)?;
        let string = api.authstring(&question).await?;
        let outcome = if string.is_some() { Call::Answered } else { Call::Empty };
        state.shared().metrics.count_call(outcome);
        let text = string.as_ref().map_or("", AuthString::expose);
        // Hexadecimal digits: nothing in it has to be escaped.
        Ok(format!("{{\"{}\":\"{text}\"}}", question.resource.key()))
    };
    respond(state, answered.await)
}

/// `POST /api/authstring/redeem` with `{"authstring":"…"}`: says, once, what an authstring of the
/// stand-in was for.
pub async fn redeem(
    request: HttpRequest,
    payload: Payload,
    state: Data<ThreadState>,
) -> HttpResponse {
    let _in_flight = state.begin_request();
    state.shared().metrics.count_request();
    let answered = async {
        check_stopping(&state)?;
        let live = state.shared().live.now();
        let api = authenticated(&request, &state, &live)?;
        if *request.method() != Method::POST {
            return Err(ApiFailure::Method("POST"));
        }
        let body = body::read(&request, payload).await.map_err(ApiFailure::Unread)?;
        let redeemed = api.redeem(&body).await?;
        state.shared().metrics.count_call(Call::Answered);
        Ok(redeemed)
    };
    respond(&state, answered.await)
}

/// While the service stops and sends its last answers, no request is started.
fn check_stopping(state: &ThreadState) -> Result<(), ApiFailure> {
    match state.shared().stopping.load(Ordering::SeqCst) {
        true => Err(ApiFailure::Stopping),
        false => Ok(()),
    }
}

fn authenticated<'a>(
    request: &HttpRequest,
    state: &'a ThreadState,
    live: &'a LiveSettings,
) -> Result<ApiRequest<'a>, ApiError> {
    let header = |name| {
        let mut values = request.headers().get_all(name);
        // If there are two, another program on the way may have checked the other one.
        values.next().filter(|_| values.next().is_none()).map_or(&b""[..], HeaderValue::as_bytes)
    };
    let shared = state.shared();
    let (address, now) = (state.caller(request), shared.clock.steady());
    let key =
        authenticate(&live.keys, header(USERNAME), header(KEY), address, &shared.api_log, now)?;
    let strings = shared.strings(live);
    let members = &state.area().members;
    Ok(ApiRequest { key, strings, members, clock: &shared.clock, log: &shared.api_log })
}

/// Maps the outcome to status, body and headers.
fn respond(state: &ThreadState, answered: Result<String, ApiFailure>) -> HttpResponse {
    if let Err(failure) = &answered {
        state.shared().metrics.count_call(outcome(failure));
    }
    let (allow, closes) = match &answered {
        Err(ApiFailure::Method(method)) => (Some(*method), false),
        // The rest of the body would be read as the next request, and the service ends when its
        // callers have disconnected.
        Err(ApiFailure::Unread(_) | ApiFailure::Stopping) => (None, true),
        _ => (None, false),
    };
    let (status, body) = match answered {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => {
            let (status, text) = status_and_text(failure);
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
    if state.shared().stand_in.is_some() {
        headers.insert(STAND_IN, US);
    }
    if let Some(method) = allow {
        headers.insert(ALLOW, HeaderValue::from_static(method));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// What is counted of a call that failed.
fn outcome(failure: &ApiFailure) -> Call {
    match failure {
        ApiFailure::Unread(_) | ApiFailure::Method(_) => Call::Invalid,
        ApiFailure::Stopping => Call::Unavailable,
        ApiFailure::Api(error) => match error {
            ApiError::NoKey | ApiError::NotAllowed(_) => Call::NotAllowed,
            ApiError::Refused(_) | ApiError::NotFound(_) => Call::Invalid,
            ApiError::Unanswered(Unanswered::Nats(Error::TimedOut)) => Call::TimedOut,
            ApiError::Unanswered(Unanswered::Nats(
                Error::Unreachable(_) | Error::NoTls | Error::Tls(_) | Error::Wrong(_),
            )) => Call::NatsFailed,
            ApiError::NoSource
            | ApiError::Unanswered(Unanswered::Busy | Unanswered::Lost)
            | ApiError::Unavailable => Call::Unavailable,
        },
    }
}

fn status_and_text(failure: ApiFailure) -> (StatusCode, String) {
    match failure {
        ApiFailure::Api(error) => (status_of(&error), error.to_string()),
        ApiFailure::Unread(unread) => (respond::status_of(unread), respond::why(unread).into()),
        ApiFailure::Stopping => {
            (StatusCode::SERVICE_UNAVAILABLE, ApiError::Unavailable.to_string())
        }
        ApiFailure::Method(method) => {
            (StatusCode::METHOD_NOT_ALLOWED, format!("expected the method {method}"))
        }
    }
}

fn status_of(error: &ApiError) -> StatusCode {
    match error {
        ApiError::NoKey => StatusCode::UNAUTHORIZED,
        ApiError::NotAllowed(_) => StatusCode::FORBIDDEN,
        ApiError::Refused(_) => StatusCode::BAD_REQUEST,
        ApiError::NotFound(_) => StatusCode::NOT_FOUND,
        ApiError::Unanswered(Unanswered::Nats(Error::TimedOut)) => StatusCode::GATEWAY_TIMEOUT,
        ApiError::Unanswered(Unanswered::Nats(
            Error::Unreachable(_) | Error::NoTls | Error::Tls(_) | Error::Wrong(_),
        )) => StatusCode::BAD_GATEWAY,
        ApiError::NoSource
        | ApiError::Unanswered(Unanswered::Busy | Unanswered::Lost)
        | ApiError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}
