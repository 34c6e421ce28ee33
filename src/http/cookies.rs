//! Login cookies in requests and responses.

use actix_web::http::header::{COOKIE, HOST, HeaderValue, SET_COOKIE, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse};

use super::postback::Desk;
use super::visited;
use crate::login::back::Back;
use crate::login::cookie::{Login, LoginId};
use crate::login::cookie_header::{self, CookieName};
use crate::login::page::Said;
use crate::login::presented::Presented;
use crate::login::unkept::{Missing, Visitor};
use crate::store::LoginRow;

/// The logins in the cookies of a request: signed by us and not too old. Whether they still count,
/// the members' rows say.
pub(super) fn presented(request: &HttpRequest, desk: &Desk, now: i64) -> Presented {
    let area = desk.area();
    let names = area.config.cookie_domains.names().iter();
    let cookies = names.flat_map(|&name| values(request, name).map(move |value| (name, value)));
    let presented =
        Presented::gather(cookies, &area.signers.current().1, now, area.config.login_seconds);
    if let Some(newest) = presented.newest() {
        area.unkept.shown(visitor(request, desk), newest, now);
    }
    presented
}

/// Gives the browser a cookie with a login for each of these rows, and with those of other sites
/// that it keeps, the newest first: the last ones fall out where there are too many.
pub(super) fn log_in(
    request: &HttpRequest,
    desk: &Desk,
    response: &mut HttpResponse,
    rows: &[LoginRow],
    kept: &[Login],
    now: i64,
) {
    let area = desk.area();
    let new = |row: &LoginRow| Login {
        key: row.key,
        id: LoginId::random(),
        issued: now,
        login_version: row.login_version,
    };
    let mut logins: Vec<Login> = rows.iter().map(new).collect();
    for login in kept {
        if logins.iter().all(|newer| newer.key != login.key) {
            logins.push(*login);
        }
    }
    let host = visited::host(request);
    let cookie = area.config.cookie_domains.cookie_at(host);
    if cookie.name == CookieName::Host && !area.config.cookie_domains.is_empty() {
        desk.outside_cookie_domains(host);
    }
    set(response, &cookie.set(&area.signers.current().1.sign(&logins), area.config.login_seconds));
    // A cookie under another name is in this one now, and would linger.
    for other in area.config.cookie_domains.all_at(host) {
        if other.name != cookie.name && values(request, other.name).next().is_some() {
            set(response, &other.clear());
        }
    }
}

/// Takes all our cookies out of the browser.
pub(super) fn clear(request: &HttpRequest, desk: &Desk, response: &mut HttpResponse) {
    for cookie in desk.area().config.cookie_domains.all_at(visited::host(request)) {
        set(response, &cookie.clear());
    }
}

/// Remembers that this browser was given a cookie, so that its absence can be told.
pub(super) fn was_given(request: &HttpRequest, desk: &Desk, back: &Back) {
    let why_missing =
        if visited::is_by_http(request, desk) { Missing::ByHttp } else { Missing::Unknown };
    desk.area().unkept.given(
        visitor(request, desk),
        back,
        why_missing,
        desk.shared().clock.steady(),
    );
}

/// What the page says to a browser that brings no login and was given one just now. `page` is where
/// it wants to go.
pub(super) fn not_kept(
    request: &HttpRequest,
    desk: &Desk,
    logins: &Presented,
    page: &Back,
) -> Said {
    if !logins.is_empty() {
        return Said::Nothing;
    }
    let visitor = visitor(request, desk);
    let Some(missing) = desk.area().unkept.missing(visitor, page, desk.shared().clock.steady())
    else {
        return Said::Nothing;
    };
    desk.login_not_kept(missing, visited::text(request, &HOST).unwrap_or("-"), visitor.address);
    Said::NotKept(missing)
}

fn values(request: &HttpRequest, name: CookieName) -> impl Iterator<Item = &str> {
    cookie_header::values(
        request.headers().get_all(COOKIE).map(|value| value.as_bytes()),
        name.as_str(),
    )
}

fn visitor<'a>(request: &'a HttpRequest, desk: &Desk) -> Visitor<'a> {
    let agent = request.headers().get(USER_AGENT).map(|value| value.as_bytes());
    Visitor { address: desk.caller(request), agent: agent.unwrap_or_default() }
}

fn set(response: &mut HttpResponse, cookie: &str) {
    // ASCII without control characters, as its makers promise.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
