//! A middleware for requests: each takes a slot of its kind, and if its body is not read, the
//! connection is closed.

use std::future::{Future, ready};
use std::rc::Rc;

use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{Error, HttpResponse};
use futures_util::future::Either;

use super::connections::{Connection, RequestKind};
use super::respond::RETRY_AFTER_SECONDS;

/// The response if the share of slots is used up.
const BUSY: &str = "Too many requests are under way. Please try again in a moment.";
const BUSY_API: &str = r#"{"error":"too many requests are under way, try again in a moment"}"#;

/// Ends the request of a connection when it is dropped, also if the client disconnects.
struct ActiveRequest(Rc<Connection>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Passes the request on, or answers it at once if the share of its kind is used up.
pub fn serve<S>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    serve_as(RequestKind::of(request.path()), request, service)
}

/// Does what [`serve`] does, for a request of this kind.
pub fn serve_as<S>(
    kind: RequestKind,
    mut request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    // Every connection that the server accepts has one.
    let connection = request.conn_data::<Rc<Connection>>().cloned();
    let has_body = !matches!(request.parts_mut().1, Payload::None);
    let has_slot = connection.as_ref().is_none_or(|connection| connection.begin(kind, has_body));
    let active = connection.map(ActiveRequest);
    if !has_slot {
        return Either::Left(ready(Ok(request.into_response(busy(kind)))));
    }
    let answer = service.call(request);
    Either::Right(async move {
        let mut answer = answer.await?;
        if active.is_some_and(|active| active.0.ends_with_response()) {
            // The rest of a body would be read as the next request, or the service stops.
            answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        Ok(answer)
    })
}

fn busy(kind: RequestKind) -> HttpResponse {
    let (content_type, body) = match kind {
        RequestKind::Api => ("application/json", BUSY_API),
        RequestKind::Caller | RequestKind::Login | RequestKind::Visitor => {
            ("text/plain; charset=utf-8", BUSY)
        }
    };
    let mut response = HttpResponse::with_body(
        StatusCode::SERVICE_UNAVAILABLE,
        actix_web::body::BoxBody::new(body),
    );
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    response.head_mut().set_connection_type(ConnectionType::Close);
    response
}
