//! `/login` and `/logout`: a page for sites that want no pop-up of the browser, and a signed
//! cookie.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use actix_web::web::{Data, Payload};

use super::area::{Reason, Undecided, Wanted, all_by_password};
use super::auth::AUTH_REASON;
use super::body::{self, Unread};
use super::cookies::{self, presented};
use super::form_origin::is_from_here;
use super::postback::Desk;
use super::reply::RETRY_AFTER_SECONDS;
use super::sessions;
use crate::fields::Fields;
use crate::identity::Username;
use crate::login::ask::Ask;
use crate::login::back::Back;
use crate::login::basic::Typed;
use crate::login::page::Said;
use crate::password::Password;
use crate::store::LoginRow;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Our page needs nothing from anywhere, and nobody shall show it in a frame of his.
const OUR_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);
/// An operator's own page has pictures and styles of its own, and may lead on to another host of
/// his.
const THEIR_POLICY: HeaderValue =
    HeaderValue::from_static("frame-ancestors 'none'; base-uri 'none'");

/// The login page.
pub(super) fn form(
    desk: &Desk,
    status: StatusCode,
    ask: &Ask,
    back: &Back,
    said: Said,
) -> HttpResponse {
    let page = &desk.shared().live.look().page;
    let mut response = HttpResponse::build(status).body(page.with_form(ask, back.as_str(), said));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(CONTENT_SECURITY_POLICY, if page.is_ours() { OUR_POLICY } else { THEIR_POLICY });
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// The handler of `/login?site=…`.
pub async fn login(request: HttpRequest, payload: Payload, desk: Data<Desk>) -> HttpResponse {
    let (ask, back) = match Ask::parse_for_page(request.query_string().as_bytes()) {
        Ok(asked) => asked,
        Err(wrong) => {
            desk.asked_wrongly("/login", &wrong);
            return plain(StatusCode::BAD_REQUEST, wrong.to_string());
        }
    };
    match *request.method() {
        Method::GET | Method::HEAD => {
            let now = desk.shared().clock.now();
            let logins = presented(&request, &desk, now);
            let said = match sessions::why_out(&desk, Wanted::of(&ask), &logins, now).await {
                Ok(Said::Nothing) | Err(Undecided) => {
                    cookies::not_kept(&request, &desk, &logins, &back)
                }
                Ok(said) => said,
            };
            form(&desk, StatusCode::OK, &ask, &back, said)
        }
        Method::POST => match body::read(&request, payload).await {
            Err(unread) => not_read(unread),
            Ok(body) => {
                // From here on: the end of the service waits for no form that comes byte by byte.
                let _under_way = desk.under_way();
                // From the body alone: a password in a URL would stand in access logs.
                let said = body::posted(&request, &body);
                submit(&request, &desk, &ask, &said.fields).await
            }
        },
        _ => method_not_allowed("GET, HEAD, POST"),
    }
}

/// A form that was sent.
async fn submit(
    request: &HttpRequest,
    desk: &Desk,
    ask: &Ask,
    fields: &Fields<'_>,
) -> HttpResponse {
    let back = fields.get("back").map_or_else(Back::default, Back::read);
    if !is_from_here(request, desk, "login") {
        return form(desk, StatusCode::FORBIDDEN, ask, &back, Said::Foreign);
    }
    let (name, password) = (
        fields.get("username").and_then(Username::typed),
        fields.get("password").and_then(Password::parse),
    );
    let Some((name, password)) = name.zip(password) else {
        return form(desk, StatusCode::UNAUTHORIZED, ask, &back, Said::Wrong);
    };
    let (address, now) = (desk.caller(request), desk.shared().clock.now());
    let busy = || form(desk, StatusCode::SERVICE_UNAVAILABLE, ask, &back, Said::Busy);
    match all_by_password(desk, Wanted::of(ask), &Typed { name, password }, address, now).await {
        Ok(Ok(rows)) => {
            enter(request, desk, &rows, &back, now).await.unwrap_or_else(|Undecided| busy())
        }
        Ok(Err(reason)) => {
            let (status, said) = match reason {
                Reason::Login | Reason::Idle => (StatusCode::UNAUTHORIZED, Said::Wrong),
                Reason::Trial => (StatusCode::FORBIDDEN, Said::Trial),
                Reason::Blocked => (StatusCode::FORBIDDEN, Said::Blocked),
            };
            let mut response = form(desk, status, ask, &back, said);
            response.headers_mut().insert(AUTH_REASON, HeaderValue::from_static(reason.as_str()));
            response
        }
        Err(Undecided) => busy(),
    }
}

/// The way back for whoever has logged in, with a cookie for these rows and for the logins of other
/// sites that the browser had and that are still good. Those of the same sites end, and those that
/// find no room: a copy of the old cookie is no login any more.
async fn enter(
    request: &HttpRequest,
    desk: &Desk,
    rows: &[LoginRow],
    back: &Back,
    now: i64,
) -> Result<HttpResponse, Undecided> {
    let address = desk.caller(request);
    let before = sessions::before(desk, &presented(request, desk, now), rows, now).await?;
    for row in rows.iter().filter(|row| has_line(desk, row)) {
        log::info!(site:% = row.key.site, member:% = row.key.member, address:% = address; "login");
    }
    let mut response = see_other(back);
    cookies::log_in(request, desk, &mut response, rows, &before.kept, now);
    cookies::was_given(request, desk, back);
    if sessions::end(desk, before.ended.iter()).await.is_err() {
        desk.session_not_ended();
    }
    Ok(response)
}

fn has_line(desk: &Desk, row: &LoginRow) -> bool {
    desk.area().login_lines().add(row.key, desk.shared().clock.steady())
}

/// The handler of `/logout`. All logins of the browser end, of whichever site: the cookies are
/// cleared, and the logins' ids remembered until nobody takes them any more, so that a copy of a
/// cookie is no login either.
pub async fn logout(request: HttpRequest, payload: Payload, desk: Data<Desk>) -> HttpResponse {
    if *request.method() != Method::POST {
        return method_not_allowed("POST");
    }
    let body = match body::read(&request, payload).await {
        Err(unread) => return not_read(unread),
        Ok(body) => body,
    };
    let _under_way = desk.under_way();
    if !is_from_here(&request, &desk, "logout") {
        return plain(
            StatusCode::FORBIDDEN,
            "this form was not sent from a page of this site".into(),
        );
    }
    let now = desk.shared().clock.now();
    let logins = presented(&request, &desk, now);
    let ended = sessions::end(&desk, logins.iter()).await;
    let mut response = match ended.and(if logins.is_cut() { Err(Undecided) } else { Ok(()) }) {
        Ok(()) => {
            let said = body::posted(&request, &body);
            see_other(&said.fields.get("back").map_or_else(Back::default, Back::read))
        }
        Err(Undecided) => {
            let text =
                "This browser is logged out. A copy of the login could not be ended just now.";
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, text.into());
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            response
        }
    };
    cookies::clear(&request, &desk, &mut response);
    response
}

fn see_other(back: &Back) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::SEE_OTHER);
    // ASCII without control characters, as its maker promises.
    let back = HeaderValue::from_str(back.as_str()).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, back);
    response
}

/// A form that did not come whole. What is left of it would be taken for the next request.
fn not_read(unread: Unread) -> HttpResponse {
    let (status, text) = match unread {
        Unread::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "the form is too long"),
        Unread::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the form did not come within 10 seconds"),
        Unread::BrokenOff => (StatusCode::BAD_REQUEST, "the form broke off"),
    };
    let mut response = plain(status, text.into());
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let mut response =
        plain(StatusCode::METHOD_NOT_ALLOWED, format!("expected the method {allowed}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn plain(status: StatusCode, text: String) -> HttpResponse {
    let mut response = HttpResponse::build(status).body(text);
    response.headers_mut().insert(CONTENT_TYPE, PLAIN_TEXT);
    response
}
