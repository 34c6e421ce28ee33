//! `/login` and `/logout`: a page for sites that want no pop-up of the browser, and a signed cookie.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, LOCATION, ORIGIN,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, Payload};

use super::area::{Admission, Reason, Undecided, Wanted, by_password};
use super::auth::{AUTH_REASON, NO_STORE};
use super::body;
use super::postback::Desk;
use super::reply::RETRY_AFTER_SECONDS;
use crate::fields::Fields;
use crate::login::ask::{SITES_EXPECTED, sites};
use crate::login::back::Back;
use crate::login::basic::Typed;
use crate::login::cookie::{Login, LoginId};
use crate::login::cookie_header;
use crate::login::page::Said;
use crate::member::{SiteId, Username};
use crate::password::Password;
use crate::reply::Refusal;
use crate::store::LoggedOut;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Our page needs nothing from anywhere, and nobody shall show it in a frame of his.
const OUR_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);
/// An operator's own page has pictures and styles of its own.
const THEIR_POLICY: HeaderValue = HeaderValue::from_static("form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
/// Not `no-referrer`: with it browsers send `Origin: null` with the form.
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The logins in the cookies of a request: signed by us and not too old. Whether they still count, the member's row says.
pub(super) fn presented(request: &HttpRequest, desk: &Desk, now: i64) -> Vec<Login> {
    let area = desk.area();
    let values = request.headers().get_all(COOKIE).map(|value| value.as_bytes());
    let values = cookie_header::values(values, area.config.cookie.name());
    values.filter_map(|value| area.signer.read(value, now, area.config.login_seconds)).collect()
}

/// The login page.
pub(super) fn form(desk: &Desk, status: StatusCode, sites: &[SiteId], back: &Back, said: Said) -> HttpResponse {
    let page = &desk.area().config.page;
    let mut response = HttpResponse::build(status).body(page.with_form(sites, back.as_str(), said));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(CONTENT_SECURITY_POLICY, if page.is_ours() { OUR_POLICY } else { THEIR_POLICY });
    headers.insert(REFERRER_POLICY, SAME_ORIGIN);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// The handler of `/login?site=…`.
pub async fn login(request: HttpRequest, payload: Payload, desk: Data<Desk>) -> HttpResponse {
    let query = Fields::from_urlencoded(request.query_string().as_bytes());
    let Some(sites) = query.get("site").and_then(sites) else {
        desk.asked_wrongly("/login", &Refusal::missing("site", SITES_EXPECTED));
        return plain(StatusCode::BAD_REQUEST, format!("site: {SITES_EXPECTED}"));
    };
    match *request.method() {
        Method::GET | Method::HEAD => {
            let back = query.get("back").map_or_else(Back::default, Back::read);
            form(&desk, StatusCode::OK, &sites, &back, Said::Nothing)
        }
        Method::POST => match body::read(&request, payload).await {
            Err(unread) => super::reply::unread(unread),
            Ok(body) => {
                let said = body::fields(&request, &body).await;
                submit(&request, &desk, &sites, &said.fields).await
            }
        },
        _ => method_not_allowed("GET, HEAD, POST"),
    }
}

/// A form that was sent.
async fn submit(request: &HttpRequest, desk: &Desk, sites: &[SiteId], fields: &Fields<'_>) -> HttpResponse {
    let back = fields.get("back").map_or_else(Back::default, Back::read);
    if !is_from_here(request, desk) {
        return form(desk, StatusCode::FORBIDDEN, sites, &back, Said::Foreign);
    }
    let (name, password) = (fields.get("username").and_then(Username::parse), fields.get("password").and_then(Password::parse));
    let Some((name, password)) = name.zip(password) else {
        return form(desk, StatusCode::UNAUTHORIZED, sites, &back, Said::Wrong);
    };
    let (address, now) = (desk.caller(request), desk.shared().clock.now());
    let admission = by_password(desk, Wanted { sites, full_only: false }, &Typed { name, password }, address, now).await;
    match admission {
        Ok(Admission::In(row)) => {
            log::info!(site:% = row.key.site, member:% = row.key.member, address:% = address; "login");
            let area = desk.area();
            let login = Login { key: row.key, id: LoginId::random(), issued: now, login_version: row.login_version };
            see_other(&back, &area.config.cookie.set(&area.signer.sign(&login), area.config.login_seconds))
        }
        Ok(Admission::Out(reason)) => {
            let (status, said) = match reason {
                Reason::Login => (StatusCode::UNAUTHORIZED, Said::Wrong),
                Reason::Trial => (StatusCode::FORBIDDEN, Said::Trial),
                Reason::Blocked => (StatusCode::FORBIDDEN, Said::Blocked),
            };
            let mut response = form(desk, status, sites, &back, said);
            response.headers_mut().insert(AUTH_REASON, HeaderValue::from_static(reason.as_str()));
            response
        }
        Err(Undecided) => form(desk, StatusCode::SERVICE_UNAVAILABLE, sites, &back, Said::Busy),
    }
}

/// The handler of `/logout`. The cookie is cleared, and its id remembered until nobody takes the cookie any more: a copy of it is no
/// login either.
pub async fn logout(request: HttpRequest, payload: Payload, desk: Data<Desk>) -> HttpResponse {
    if *request.method() != Method::POST {
        return method_not_allowed("POST");
    }
    let body = match body::read(&request, payload).await {
        Err(unread) => return super::reply::unread(unread),
        Ok(body) => body,
    };
    if !is_from_here(&request, &desk) {
        return plain(StatusCode::FORBIDDEN, "this form was not sent from a page of this site".into());
    }
    let (area, now) = (desk.area(), desk.shared().clock.now());
    for login in presented(&request, &desk, now) {
        let logged_out = LoggedOut { id: login.id.0, until: login.ends_at(area.config.login_seconds) };
        if !desk.shared().writer.log_out(logged_out).await {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "temporarily unavailable, you are still logged in".into());
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            return response;
        }
    }
    let said = body::fields(&request, &body).await;
    let back = said.fields.get("back").map_or_else(Back::default, Back::read);
    see_other(&back, &area.config.cookie.clear())
}

/// Whether a form was sent from a page of ours: as the browser says, or else by the origin it names.
fn is_from_here(request: &HttpRequest, desk: &Desk) -> bool {
    if let Some(site) = request.headers().get(FETCH_SITE) {
        return site.as_bytes() == b"same-origin";
    }
    let text = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(origin) = text(ORIGIN) else { return false };
    let own_host = || {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        host.zip(text(HOST)).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
    };
    let ours = desk.shared().public_origin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(origin)) || own_host();
    if !ours {
        desk.foreign_form(origin, text(HOST).unwrap_or("-"));
    }
    ours
}

fn see_other(back: &Back, cookie: &str) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::SEE_OTHER);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, NO_STORE);
    // Both are ASCII without control characters, as their makers promise.
    headers.insert(LOCATION, HeaderValue::from_str(back.as_str()).unwrap_or(HeaderValue::from_static("/")));
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, format!("expected the method {allowed}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn plain(status: StatusCode, text: String) -> HttpResponse {
    let mut response = HttpResponse::build(status).body(text);
    response.headers_mut().insert(CONTENT_TYPE, PLAIN_TEXT);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}
