//! The site as the visitor's browser sees it: which host, and by http or https.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, HeaderValue, ORIGIN, X_FORWARDED_PROTO};

use super::postback::Desk;
use crate::login::cookie_domains::host_of;

/// The host that a form was sent to. A browser that sends a form of our own page names its origin,
/// which no proxy changes; the `Host` may be the proxy's.
pub(super) fn host(request: &HttpRequest) -> &str {
    let origin = text(request, &ORIGIN).and_then(|origin| origin.split_once("://"));
    host_of(
        origin.map_or_else(|| text(request, &HOST).unwrap_or_default(), |(_, authority)| authority),
    )
}

/// Whether the browser came by http: as its origin says, or else a listed proxy. On the machine
/// itself browsers treat http as https.
pub(super) fn is_by_http(request: &HttpRequest, desk: &Desk) -> bool {
    let host = host(request);
    let is_local =
        host.eq_ignore_ascii_case("localhost") || host.starts_with("127.") || host == "[::1]";
    let scheme = text(request, &ORIGIN)
        .and_then(|origin| origin.split_once("://"))
        .map(|(scheme, _)| scheme)
        .or_else(|| text(request, &X_FORWARDED_PROTO).filter(|_| desk.is_behind_proxy(request)));
    !is_local && scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
}

/// A header's value where it is text.
pub(super) fn text<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok())
}
