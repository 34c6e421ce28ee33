//! The code that the login page and `/auth` share: the login form, and the site's address in the
//! visitor's browser.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, USER_AGENT, X_FORWARDED_PROTO,
};
use actix_web::{HttpRequest, HttpResponse};

use super::respond;
use super::state::ThreadState;
use super::visitor_log::Queried;
use crate::login::admission::Denial;
use crate::login::cookie_domains::host_of;
use crate::login::page::Facts;
use crate::login::visit::Visit;
use crate::reply::Refusal;

/// Says why a visitor is not admitted.
const AUTH_REASON: HeaderName = HeaderName::from_static("x-auth-reason");

/// A page for this visitor. It is shown in their language and in the design of the site.
pub(super) fn page(
    request: &HttpRequest,
    state: &ThreadState,
    status: StatusCode,
    facts: Facts<'_>,
) -> HttpResponse {
    let live = state.shared().live.load();
    let languages = text(request, &ACCEPT_LANGUAGE).unwrap_or_default();
    let facts = Facts { host: host(request), languages, ..state.with_settings(&live, facts) };
    respond::page(status, live.pages.render(&facts))
}

/// Sets the header that says why the visitor is not admitted.
pub(super) fn tell_reason(response: &mut HttpResponse, reason: Denial) {
    response.headers_mut().insert(AUTH_REASON, HeaderValue::from_static(reason.as_str()));
}

/// The visitor, from the headers and the connection.
pub(super) fn visit<'a>(request: &'a HttpRequest, state: &ThreadState) -> Visit<'a> {
    Visit {
        address: state.caller(request),
        cookies: request.headers().get_all(COOKIE).map(HeaderValue::as_bytes).collect(),
        agent: request.headers().get(USER_AGENT).map_or(&[], HeaderValue::as_bytes),
        host: text(request, &HOST).unwrap_or_default(),
    }
}

/// The response to a query that is wrong.
pub(super) fn invalid_query(
    state: &ThreadState,
    queried: Queried,
    wrong: &Refusal,
) -> HttpResponse {
    let shared = state.shared();
    shared.visitor_log.invalid_query(queried, wrong, shared.clock.steady());
    respond::plain(StatusCode::BAD_REQUEST, wrong.to_string())
}

/// The host that a form was sent to. With a form of our own page the browser sends its origin,
/// which no proxy changes; `Host` may be the proxy's.
pub(super) fn host(request: &HttpRequest) -> &str {
    let origin = text(request, &ORIGIN).and_then(|origin| origin.split_once("://"));
    host_of(
        origin.map_or_else(|| text(request, &HOST).unwrap_or_default(), |(_, authority)| authority),
    )
}

/// Whether the browser uses http, according to its origin or else to a listed proxy. On the machine
/// itself browsers treat http as https.
pub(super) fn is_by_http(request: &HttpRequest, state: &ThreadState) -> bool {
    let host = host(request);
    let is_local =
        host.eq_ignore_ascii_case("localhost") || host.starts_with("127.") || host == "[::1]";
    let scheme = text(request, &ORIGIN)
        .and_then(|origin| origin.split_once("://"))
        .map(|(scheme, _)| scheme)
        .or_else(|| text(request, &X_FORWARDED_PROTO).filter(|_| state.is_behind_proxy(request)));
    !is_local && scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
}

/// The value of a header, if it is text.
pub(super) fn text<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok())
}
