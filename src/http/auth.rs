//! `/auth`: forward authentication for nginx's `auth_request`, Caddy's `forward_auth` and their
//! like. The status decides: 200 in, 401 log in first, 403 not this one; 503 where it cannot be
//! decided, 400 where the operator asks wrongly.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use actix_web::web::Data;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::area::{Admission, Reason, Undecided, Wanted, by_password};
use super::cookies::{not_kept, presented};
use super::login::{form, plain};
use super::postback::Desk;
use super::reply::RETRY_AFTER_SECONDS;
use super::sessions::by_cookie;
use crate::login::ask::{Ask, Challenge};
use crate::login::back::Back;
use crate::login::basic::Typed;
use crate::login::page::Said;
use crate::login::presented::Presented;
use crate::store::LoginRow;

const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"members\", charset=\"UTF-8\"");
pub(super) const AUTH_REASON: HeaderName = HeaderName::from_static("x-auth-reason");
const MEMBER_ID: HeaderName = HeaderName::from_static("x-member-id");
const MEMBER_NAME: HeaderName = HeaderName::from_static("x-member-name");
const MEMBER_SITE: HeaderName = HeaderName::from_static("x-member-site");
const MEMBER_TRIAL: HeaderName = HeaderName::from_static("x-member-trial");
/// Where nginx and Caddy say which address was asked for, to lead back there.
const ASKED_FOR: [HeaderName; 2] =
    [HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-forwarded-uri")];

/// Everything in a name that a header could trip over.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The handler, for every method.
pub async fn auth(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    let _under_way = desk.under_way();
    desk.shared().metrics.count_request();
    match Ask::parse(request.query_string().as_bytes()) {
        Ok(ask) => {
            let logins = presented(&request, &desk, desk.shared().clock.now());
            match admit(&request, &desk, &ask, &logins).await {
                Ok(Admission::In(row)) => let_in(&row),
                Ok(Admission::Out(reason)) => keep_out(&request, &desk, &ask, reason, &logins),
                Err(Undecided) => undecided(),
            }
        }
        Err(wrong) => {
            desk.asked_wrongly("/auth", &wrong);
            plain(StatusCode::BAD_REQUEST, wrong.to_string())
        }
    }
}

async fn admit(
    request: &HttpRequest,
    desk: &Desk,
    ask: &Ask,
    logins: &Presented,
) -> Result<Admission, Undecided> {
    let now = desk.shared().clock.now();
    let wanted = Wanted::of(ask);
    let by_cookie = by_cookie(request, desk, wanted, logins, now).await?;
    // A header that cannot be read is no login: like a wrong one it is asked for again.
    let header = request.headers().get(AUTHORIZATION);
    let typed = header.and_then(|value| Typed::read(value.as_bytes())).and_then(Result::ok);
    match (by_cookie, typed) {
        (Admission::Out(reason), Some(typed)) => {
            match by_password(desk, wanted, &typed, desk.caller(request), now).await? {
                // The better news of the two: whoever is logged in and on trial is told so.
                Admission::Out(other) if other == Reason::Login || reason == Reason::Trial => {
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
    // A name is at most 255 bytes, thrice that when escaped, and then of plain ASCII.
    headers
        .insert(MEMBER_NAME, HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("")));
    headers.insert(MEMBER_ID, HeaderValue::from(row.key.member.get()));
    headers.insert(MEMBER_SITE, HeaderValue::from(row.key.site.get()));
    headers.insert(MEMBER_TRIAL, HeaderValue::from_static(if row.trial { "1" } else { "0" }));
    response
}

fn keep_out(
    request: &HttpRequest,
    desk: &Desk,
    ask: &Ask,
    reason: Reason,
    logins: &Presented,
) -> HttpResponse {
    let status = match reason {
        Reason::Login | Reason::Idle => StatusCode::UNAUTHORIZED,
        Reason::Trial | Reason::Blocked => StatusCode::FORBIDDEN,
    };
    let mut response = match (ask.challenge, reason) {
        (Challenge::Page, Reason::Login) => {
            let back = asked_for(request);
            form(desk, status, ask, &back, not_kept(request, desk, logins, &back))
        }
        (Challenge::Page, Reason::Idle) => form(desk, status, ask, &asked_for(request), Said::Idle),
        // Who has another account, a full one, needs a way on.
        (Challenge::Page, Reason::Trial) => {
            form(desk, status, ask, &asked_for(request), Said::Trial)
        }
        (Challenge::Page, Reason::Blocked) | (Challenge::Basic, _) => {
            plain(status, sentence(reason).into())
        }
    };
    if ask.challenge == Challenge::Basic && status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    }
    response.headers_mut().insert(AUTH_REASON, HeaderValue::from_static(reason.as_str()));
    response
}

/// Which page the proxy asks about.
fn asked_for(request: &HttpRequest) -> Back {
    let page = ASKED_FOR.iter().find_map(|name| request.headers().get(name));
    page.map_or_else(Back::default, |value| Back::read(&String::from_utf8_lossy(value.as_bytes())))
}

/// What somebody reads who cancels the browser's prompt, where no page of the operator's stands
/// before it.
fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::Login | Reason::Idle => "Please log in with your username and password.",
        Reason::Trial => "This part is for full members.",
        Reason::Blocked => {
            "There were too many wrong passwords. Please wait a while before the next try."
        }
    }
}

fn undecided() -> HttpResponse {
    let mut response = plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "It cannot be decided now. Please try again in a moment.".into(),
    );
    response.headers_mut().insert(actix_web::http::header::RETRY_AFTER, RETRY_AFTER_SECONDS);
    response
}
