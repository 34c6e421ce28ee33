//! The form of a page of the console, which every handler of a POST gets through [`Form`].

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use subtle::ConstantTimeEq as _;

use super::console::page::Page;
use super::session::{Signed, error, refuse, signed};
use super::state;
use crate::fields::Fields;
use crate::http::body;
use crate::http::form_origin::is_from_here;
use crate::http::respond::{plain, unread_form};

/// The field with the token.
pub const CSRF_FIELD: &str = "csrf";
const URLENCODED: &str = "application/x-www-form-urlencoded";

/// A form that a page of this console sent in a valid session, at most 64 KiB long. It has no
/// `Debug`: it may hold a password.
pub struct Form {
    /// Who sent it.
    pub signed: Signed,
    body: Bytes,
}

impl Form {
    /// The fields. Of two with one name the later counts.
    pub fn fields(&self) -> Fields<'_> {
        Fields::from_urlencoded(&self.body)
    }

    /// The value of a field, if it is text.
    pub fn get(&self, name: &str) -> Option<String> {
        self.fields().get(name).map(str::to_owned)
    }
}

impl FromRequest for Form {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move {
            let payload = payload.await?;
            // Before the body: nobody without a session makes us wait for one.
            let signed = signed(&request).await.map_err(error)?;
            let body = read(&request, payload).await.map_err(error)?;
            let form = Self { signed, body };
            let sent = form.get(CSRF_FIELD).unwrap_or_default();
            if !bool::from(sent.as_bytes().ct_eq(form.signed.csrf.expose().as_bytes())) {
                refuse(&request, "a form", "its token (csrf) is not that of the session");
                let page = refused(
                    "This form is of another login, and nothing was changed. Begin again, and \
                     repeat it.",
                );
                return Err(error(page));
            }
            Ok(form)
        })
    }
}

/// Reads the body of a form that a page of this listener sent.
///
/// # Errors
///
/// The response, if it is of another site, no form, or too long.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Bytes, HttpResponse> {
    if !is_from_here(request, state::of(request).1, "console") {
        return Err(refused(
            "This form was not sent from a page of this console, and nothing was changed.",
        ));
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map_or("", str::trim);
    if !kind.eq_ignore_ascii_case(URLENCODED) {
        refuse(request, "a form", "its content type is not that of a form");
        return Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("expected {URLENCODED}")));
    }
    body::read(request, payload).await.map_err(unread_form)
}

/// The page in a browser whose form was refused.
fn refused(sentence: &str) -> HttpResponse {
    Page::problem(StatusCode::FORBIDDEN, "Not done", sentence)
        .link("/", "Begin again")
        .respond_unsigned()
}
