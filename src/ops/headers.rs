//! The security headers of every response of the operations listener. A handler can set others.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::DefaultHeaders;

/// Styles and images of this listener, and forms to it: no scripts, no frames, no other host.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'",
);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Not `no-referrer`, because with it browsers send `Origin: null` with a form.
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Sets each header that a handler has not set.
pub(super) fn on_every_response() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((CACHE_CONTROL, NO_STORE))
        .add((CONTENT_SECURITY_POLICY, POLICY))
        .add((REFERRER_POLICY, SAME_ORIGIN))
        .add((X_CONTENT_TYPE_OPTIONS, NO_SNIFF))
        .add((OPENER, SAME_ORIGIN))
        .add((RESOURCE, SAME_ORIGIN))
}
