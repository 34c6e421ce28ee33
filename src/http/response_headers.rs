//! The security headers of every response. Most responses are not pages, so these headers forbid
//! everything. A handler can set others.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::DefaultHeaders;

/// A policy for responses that are not pages: no scripts, no loading, no forms, no frames.
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Not `no-referrer`, because with it browsers send `Origin: null` with the login form.
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// Sets each header that a handler has not set. The response to a request that is not HTTP has
/// neither these headers nor a body, because it never gets to a handler.
pub(super) fn on_every_response() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((CACHE_CONTROL, NO_STORE))
        .add((CONTENT_SECURITY_POLICY, NOTHING))
        .add((REFERRER_POLICY, SAME_ORIGIN))
        .add((X_CONTENT_TYPE_OPTIONS, NO_SNIFF))
}
