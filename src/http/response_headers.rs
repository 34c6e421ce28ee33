//! What every response tells a browser. Most of ours are no pages, and a browser shall make nothing
//! of them; a response that says more of its own keeps that.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::DefaultHeaders;

/// A policy for what is no page: nothing runs, is loaded, is sent or is framed.
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Not `no-referrer`: with it browsers send `Origin: null` with the form of the login page.
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// Sets each of them where a handler has not set its own. A request that is no HTTP never gets to
/// a handler; its answer has neither these nor a body.
pub(super) fn on_every_response() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((CACHE_CONTROL, NO_STORE))
        .add((CONTENT_SECURITY_POLICY, NOTHING))
        .add((REFERRER_POLICY, SAME_ORIGIN))
        .add((X_CONTENT_TYPE_OPTIONS, NO_SNIFF))
}
