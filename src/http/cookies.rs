//! Login cookies in requests and responses.

use actix_web::http::header::{COOKIE, HOST, HeaderValue, SET_COOKIE, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse};

use super::state::ThreadState;
use super::visitor;
use crate::login::back::Back;
use crate::login::cookie::{Login, LoginId};
use crate::login::cookie_domain::CookieDomain;
use crate::login::cookie_domains::host_of;
use crate::login::cookie_header::{self, CookieName};
use crate::login::page::LoginMessage;
use crate::login::presented::Presented;
use crate::login::unkept::{Missing, Visitor};
use crate::store::LoginRow;

/// The logins in the cookies of a request that we signed and that are not too old. The members'
/// rows decide whether they are still valid.
pub(super) fn presented(request: &HttpRequest, state: &ThreadState, now: i64) -> Presented {
    let area = &state.area().shared;
    let names = area.config.cookie_domains.names().iter();
    let cookies = names.flat_map(|&name| values(request, name).map(move |value| (name, value)));
    let presented =
        Presented::gather(cookies, &area.signers.current().1, now, area.config.login_seconds);
    if let Some(newest) = presented.newest() {
        area.unkept.shown(visitor(request, state), newest, now);
    }
    presented
}

/// Sets a cookie with a login for each of these rows and with the `kept` logins of other sites. If
/// there are too many, the last ones are left out.
pub(super) fn log_in(
    request: &HttpRequest,
    state: &ThreadState,
    response: &mut HttpResponse,
    rows: &[LoginRow],
    kept: &[Login],
    now: i64,
) {
    let area = &state.area().shared;
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
    let host = visitor::host(request);
    let cookie = area.config.cookie_domains.cookie_at(host);
    if cookie.name == CookieName::Host && !area.config.cookie_domains.is_empty() {
        area.log.outside_cookie_domains(host);
    }
    set(response, &cookie.set(&area.signers.current().1.sign(&logins), area.config.login_seconds));
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
    let scope = scope(request, state);
    state.area().shared.unkept.given(
        visitor(request, state),
        back,
        scope,
        why_missing,
        state.shared().clock.steady(),
    );
}

/// The message to a browser that sends no login and was given one just now. `page` is where it
/// wants to go.
pub(super) fn not_kept(
    request: &HttpRequest,
    state: &ThreadState,
    logins: &Presented,
    page: &Back,
) -> LoginMessage {
    if !logins.is_empty() {
        return LoginMessage::Nothing;
    }
    let visitor = visitor(request, state);
    let (scope, now) = (scope(request, state), state.shared().clock.steady());
    let Some(missing) = state.area().shared.unkept.missing(visitor, page, scope, now) else {
        return LoginMessage::Nothing;
    };
    let host = super::visitor::text(request, &HOST).unwrap_or("-");
    let steady = state.shared().clock.steady();
    state.area().shared.log.login_not_kept(missing, host, visitor.address, steady);
    LoginMessage::NotKept(missing)
}

/// The hosts to which browsers send a cookie that is set at this host: its domain, or the host. A
/// proxy names the same host in each request, so that two of them can be compared.
fn scope<'a>(request: &'a HttpRequest, state: &'a ThreadState) -> &'a str {
    let host = host_of(visitor::text(request, &HOST).unwrap_or_default());
    let cookie = state.area().shared.config.cookie_domains.cookie_at(host);
    cookie.domain.map_or(host, CookieDomain::as_str)
}

fn values(request: &HttpRequest, name: CookieName) -> impl Iterator<Item = &str> {
    cookie_header::values(
        request.headers().get_all(COOKIE).map(|value| value.as_bytes()),
        name.as_str(),
    )
}

fn visitor<'a>(request: &'a HttpRequest, state: &ThreadState) -> Visitor<'a> {
    let agent = request.headers().get(USER_AGENT).map(|value| value.as_bytes());
    Visitor { address: state.caller(request), agent: agent.unwrap_or_default() }
}

fn set(response: &mut HttpResponse, cookie: &str) {
    // It is ASCII without control characters.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
