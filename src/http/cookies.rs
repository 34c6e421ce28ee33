//! Login cookies in requests and responses.

use actix_web::http::header::{COOKIE, HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse};

use super::state::ThreadState;
use super::visitor::{self, visit};
use crate::login::back::Back;
use crate::login::cookie::{Login, LoginId};
use crate::login::cookie_header::{self, CookieName};
use crate::login::page::LoginMessage;
use crate::login::presented::Presented;
use crate::login::unkept::Missing;
use crate::store::LoginRow;

/// The logins in the cookies of a request. See `Visit::presented`.
pub(super) fn presented(request: &HttpRequest, state: &ThreadState, now: i64) -> Presented {
    visit(request, state).presented(&state.area().shared, now)
}

/// Sets a cookie with a login for each of these rows and with the `kept` logins of other sites. If
/// there are too many, the last ones are left out. `stays`: whether the new logins stay when the
/// browser is closed.
pub(super) fn log_in(
    request: &HttpRequest,
    state: &ThreadState,
    response: &mut HttpResponse,
    rows: &[LoginRow],
    kept: &[Login],
    stays: bool,
    now: i64,
) {
    let area = &state.area().shared;
    let new = |row: &LoginRow| Login {
        key: row.key,
        id: LoginId::random(),
        issued: now,
        login_version: row.login_version,
        stays,
    };
    let mut logins: Vec<Login> = rows.iter().map(new).collect();
    for login in kept {
        if logins.iter().all(|newer| newer.key != login.key) {
            logins.push(*login);
        }
    }
    let host = visitor::host(request);
    let cookie = area.config.cookie_domains.cookie_at(host);
    if cookie.name == CookieName::Host && !area.config.cookie_domains.is_empty() {
        area.log.outside_cookie_domains(host);
    }
    let value = area.signers.current().1.sign(&logins);
    set(response, &cookie.set(&value, area.config.cookie_seconds(stays)));
    // The logins of a cookie under another name are in this one now, so that one is cleared.
    for other in area.config.cookie_domains.all_at(host) {
        if other.name != cookie.name && values(request, other.name).next().is_some() {
            set(response, &other.clear());
        }
    }
}

/// Clears all our cookies.
pub(super) fn clear(request: &HttpRequest, state: &ThreadState, response: &mut HttpResponse) {
    for cookie in state.area().shared.config.cookie_domains.all_at(visitor::host(request)) {
        set(response, &cookie.clear());
    }
}

/// Remembers that this browser was given a cookie, to detect that it does not keep it.
pub(super) fn was_given(request: &HttpRequest, state: &ThreadState, back: &Back) {
    let why_missing =
        if visitor::is_by_http(request, state) { Missing::ByHttp } else { Missing::Unknown };
    let (visit, area) = (visit(request, state), &state.area().shared);
    area.unkept.given(
        visit.visitor(),
        back,
        visit.scope(area),
        why_missing,
        state.shared().clock.steady(),
    );
}

/// The message to a browser that does not keep its login. See `Visit::not_kept`.
pub(super) fn not_kept(
    request: &HttpRequest,
    state: &ThreadState,
    logins: &Presented,
    page: &Back,
) -> LoginMessage {
    visit(request, state).not_kept(state.area(), logins, page)
}

fn values(request: &HttpRequest, name: CookieName) -> impl Iterator<Item = &str> {
    cookie_header::values(
        request.headers().get_all(COOKIE).map(|value| value.as_bytes()),
        name.as_str(),
    )
}

fn set(response: &mut HttpResponse, cookie: &str) {
    // It is ASCII without control characters.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
