//! Responses: each outcome is mapped to status, headers and body in one place. The text of a fault
//! is never part of one.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::header::{
    ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use actix_web::http::{ConnectionType, StatusCode};

use super::body::Unread;
use crate::login::back::Back;
use crate::login::check::Status;
use crate::login::page::Rendered;
use crate::reply::Reply;

/// When to try again, in seconds: a full queue is over sooner, a full disk is not.
pub(super) const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// A reply line to NATS.
pub fn line(status: StatusCode, reply: Reply) -> HttpResponse {
    let mut response = HttpResponse::with_body(status, BoxBody::new(String::from(reply)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PLAIN_TEXT);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// The token or the address is wrong; the reply does not say which.
pub fn not_authorised() -> HttpResponse {
    line(StatusCode::FORBIDDEN, Reply::error("not authorised"))
}

/// The method of a postback is neither POST nor GET.
pub fn postback_method_not_allowed() -> HttpResponse {
    let mut response =
        line(StatusCode::METHOD_NOT_ALLOWED, Reply::error("expected the method POST or GET"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET"));
    response
}

/// The body of a postback was not read.
pub fn unread(unread: Unread) -> HttpResponse {
    closing(line(status_of(unread), Reply::error(why(unread))))
}

/// The status for a body that was not read.
pub fn status_of(unread: Unread) -> StatusCode {
    match unread {
        Unread::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Unread::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Unread::BrokenOff => StatusCode::BAD_REQUEST,
    }
}

/// The status for the answer about a visitor.
pub fn status_of_answer(status: Status) -> StatusCode {
    match status {
        Status::Admitted => StatusCode::OK,
        Status::LogIn => StatusCode::UNAUTHORIZED,
        Status::Denied => StatusCode::FORBIDDEN,
        Status::Undecided => StatusCode::SERVICE_UNAVAILABLE,
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
    closing(line(StatusCode::SERVICE_UNAVAILABLE, nothing_changed()))
}

/// The reply to a postback that was not done.
pub fn nothing_changed() -> Reply {
    Reply::error("temporarily unavailable, nothing was changed")
}

/// The reply to a postback with an unknown outcome.
pub fn outcome_unknown() -> Reply {
    Reply::error("temporarily unavailable, outcome unknown, send it again")
}

/// Plain text.
pub(crate) fn plain(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    let mut response = HttpResponse::build(status).body(text.into());
    response.headers_mut().insert(CONTENT_TYPE, PLAIN_TEXT);
    response
}

/// No handler has this address. With an empty body, actix would keep the connection of a request
/// whose body nobody read for a second.
pub fn not_found() -> HttpResponse {
    plain(StatusCode::NOT_FOUND, "not found")
}

/// Plain text with status 503.
pub(crate) fn plain_unavailable(text: &'static str) -> HttpResponse {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    response
}

/// The method of a page is not one of these.
pub(super) fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let mut response =
        plain(StatusCode::METHOD_NOT_ALLOWED, format!("expected the method {allowed}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The form of a page was not read.
pub(crate) fn unread_form(unread: Unread) -> HttpResponse {
    let text = match unread {
        Unread::TooLong => "the form is too long",
        Unread::TooSlow => "the form did not come within 10 seconds",
        Unread::BrokenOff => "the form broke off",
    };
    closing(plain(status_of(unread), text))
}

/// Closes the connection after this response, because the rest of the body would be read as the
/// next request.
fn closing(mut response: HttpResponse) -> HttpResponse {
    response.head_mut().set_connection_type(ConnectionType::Close);
    response
}

/// A page of the members area.
pub(super) fn page(status: StatusCode, page: Rendered) -> HttpResponse {
    let mut response = HttpResponse::build(status).body(page.html);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    // It is made of addresses that were checked.
    if let Ok(policy) = HeaderValue::from_str(&page.policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// A redirect after a form.
pub(crate) fn see_other(back: &Back) -> HttpResponse {
    // `Back` is ASCII without control characters.
    led_to(HeaderValue::from_str(back.as_str()).unwrap_or(HeaderValue::from_static("/")))
}

/// A redirect to this address.
pub(super) fn led_to(address: HeaderValue) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::SEE_OTHER);
    response.headers_mut().insert(LOCATION, address);
    response
}
