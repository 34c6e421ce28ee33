//! `/auth`: forward authentication for nginx's `auth_request`, Caddy's `forward_auth` and similar
//! ones. The status decides: 200 is admitted, 401 must log in, 403 is denied; 503 means that it
//! cannot be decided now, 400 that the query is wrong.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use actix_web::web::Data;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::cookies::{not_kept, presented};
use super::respond::{plain, plain_unavailable};
use super::state::ThreadState;
use super::visitor::{AUTH_REASON, invalid_query, page};
use crate::login::admission::{Admission, Allowed, Denial, by_password};
use crate::login::ask::{Ask, Challenge};
use crate::login::back::Back;
use crate::login::basic::Typed;
use crate::login::members::Undecided;
use crate::login::page::{Facts, LoginMessage, Shown};
use crate::login::presented::Presented;
use crate::login::sessions::by_cookie;
use crate::store::LoginRow;

const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"members\", charset=\"UTF-8\"");
const MEMBER_ID: HeaderName = HeaderName::from_static("x-member-id");
const MEMBER_NAME: HeaderName = HeaderName::from_static("x-member-name");
const MEMBER_SITE: HeaderName = HeaderName::from_static("x-member-site");
const MEMBER_TRIAL: HeaderName = HeaderName::from_static("x-member-trial");
/// The headers in which nginx and Caddy send the requested address, to return to it.
const ASKED_FOR: [HeaderName; 2] =
    [HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-forwarded-uri")];

/// All characters of a name that are escaped in a header.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The handler, for every method.
pub async fn auth(request: HttpRequest, state: Data<ThreadState>) -> HttpResponse {
    let _in_flight = state.begin_request();
    state.shared().metrics.count_request();
    match Ask::parse(request.query_string().as_bytes()) {
        Ok(ask) => {
            let logins = presented(&request, &state, state.shared().clock.now());
            match admit(&request, &state, &ask, &logins).await {
                Ok(Admission::In(row)) => let_in(&row),
                Ok(Admission::Out(reason)) => keep_out(&request, &state, &ask, reason, &logins),
                Err(Undecided) => undecided(&request, &state, &ask),
            }
        }
        Err(wrong) => invalid_query(&state, "/auth", &wrong),
    }
}

async fn admit(
    request: &HttpRequest,
    state: &ThreadState,
    ask: &Ask,
    logins: &Presented,
) -> Result<Admission, Undecided> {
    let now = state.shared().clock.now();
    let allowed = Allowed::of(ask);
    let by_cookie = by_cookie(state.area(), allowed, logins, || state.caller(request), now).await?;
    // A header that cannot be read is treated as a wrong login: the browser asks again.
    let header = request.headers().get(AUTHORIZATION);
    let typed = header.and_then(|value| Typed::read(value.as_bytes())).and_then(Result::ok);
    match (by_cookie, typed) {
        (Admission::Out(reason), Some(typed)) => {
            match by_password(state.area(), allowed, &typed, state.caller(request), now).await? {
                // The better of the two reasons: a visitor who is logged in and on trial learns it.
                Admission::Out(other) if other == Denial::Login || reason == Denial::Trial => {
                    Ok(Admission::Out(reason))
                }
                other => Ok(other),
            }
        }
        (decided, _) => Ok(decided),
    }
}

fn let_in(row: &LoginRow) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::OK);
    let headers = response.headers_mut();
    let name = utf8_percent_encode(row.username.as_str(), ESCAPED).to_string();
    // An escaped name is plain ASCII of at most 765 bytes.
    headers
        .insert(MEMBER_NAME, HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("")));
    headers.insert(MEMBER_ID, HeaderValue::from(row.key.member.get()));
    headers.insert(MEMBER_SITE, HeaderValue::from(row.key.site.get()));
    headers.insert(MEMBER_TRIAL, HeaderValue::from_static(if row.trial { "1" } else { "0" }));
    response
}

fn keep_out(
    request: &HttpRequest,
    state: &ThreadState,
    ask: &Ask,
    reason: Denial,
    logins: &Presented,
) -> HttpResponse {
    let status = match reason {
        Denial::Login | Denial::Idle => StatusCode::UNAUTHORIZED,
        Denial::Trial | Denial::Blocked => StatusCode::FORBIDDEN,
    };
    let mut response = match ask.challenge {
        Challenge::Basic => plain(status, sentence(reason)),
        Challenge::Page => {
            let back = asked_for(request);
            let shown = match reason {
                Denial::Login => Shown::Login(not_kept(request, state, logins, &back)),
                Denial::Idle => Shown::Login(LoginMessage::Idle),
                // The visitor may have another account, with a full membership.
                Denial::Trial => Shown::Trial(LoginMessage::Trial),
                Denial::Blocked => Shown::Blocked,
            };
            page(request, state, status, Facts::new(shown, ask, back.as_str()))
        }
    };
    if ask.challenge == Challenge::Basic && status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    }
    response.headers_mut().insert(AUTH_REASON, HeaderValue::from_static(reason.as_str()));
    response
}

/// The page that the visitor requested, according to the proxy.
fn asked_for(request: &HttpRequest) -> Back {
    let page = ASKED_FOR.iter().find_map(|name| request.headers().get(name));
    page.map_or_else(Back::default, |value| Back::read(&String::from_utf8_lossy(value.as_bytes())))
}

/// What visitors read who cancel the browser's prompt, if the operator has no page for that.
fn sentence(reason: Denial) -> &'static str {
    match reason {
        Denial::Login | Denial::Idle => "Please log in with your username and password.",
        Denial::Trial => "This part is for full members.",
        Denial::Blocked => {
            "There were too many wrong passwords. Please wait a while before the next try."
        }
    }
}

fn undecided(request: &HttpRequest, state: &ThreadState, ask: &Ask) -> HttpResponse {
    match ask.challenge {
        Challenge::Basic => {
            plain_unavailable("It cannot be decided now. Please try again in a moment.")
        }
        Challenge::Page => {
            let (status, back) = (StatusCode::SERVICE_UNAVAILABLE, asked_for(request));
            page(request, state, status, Facts::new(Shown::Unavailable, ask, back.as_str()))
        }
    }
}
