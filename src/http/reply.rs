//! The one mapping from what happened to status and body. No text of a fault leaves here.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use super::body::Unread;
use crate::reply::Reply;

/// When to try again, in seconds: a full queue is over sooner, a full disk is not.
pub(super) const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A reply line as a response.
pub fn line(status: StatusCode, reply: Reply) -> HttpResponse {
    let mut response =
        HttpResponse::with_body(status, actix_web::body::BoxBody::new(String::from(reply)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PLAIN_TEXT);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// Wrong token or address: no hint which.
pub fn not_authorised() -> HttpResponse {
    line(StatusCode::FORBIDDEN, Reply::error("not authorised"))
}

/// Neither POST nor GET.
pub fn method_not_allowed() -> HttpResponse {
    let mut response =
        line(StatusCode::METHOD_NOT_ALLOWED, Reply::error("expected the method POST or GET"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET"));
    response
}

/// A body that was not read.
pub fn unread(unread: Unread) -> HttpResponse {
    let mut response = line(status_of(unread), Reply::error(why(unread)));
    // What is left of the body would be taken for the next request.
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// The status for a body that was not read.
pub fn status_of(unread: Unread) -> StatusCode {
    match unread {
        Unread::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Unread::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Unread::BrokenOff => StatusCode::BAD_REQUEST,
    }
}

/// The sentence for a body that was not read.
pub fn why(unread: Unread) -> &'static str {
    match unread {
        Unread::TooLong => "body: expected at most 65536 bytes, found more",
        Unread::TooSlow => "body: expected whole within 10 seconds, found it incomplete",
        Unread::BrokenOff => "body: expected whole, found it broken off",
    }
}

/// The service is stopping.
pub fn unavailable() -> HttpResponse {
    let mut response = line(StatusCode::SERVICE_UNAVAILABLE, nothing_changed());
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// Not done, and surely not.
pub fn nothing_changed() -> Reply {
    Reply::error("temporarily unavailable, nothing was changed")
}

/// Done or not: nobody knows.
pub fn outcome_unknown() -> Reply {
    Reply::error("temporarily unavailable, outcome unknown, send it again")
}
