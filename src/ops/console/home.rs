//! Addresses that are no page.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::page::Page;
use crate::ops::session::Session;

/// The handler of addresses that are no page. Only operators learn which there are.
pub async fn not_found(request: HttpRequest, session: Session) -> HttpResponse {
    Page::problem(StatusCode::NOT_FOUND, "Not found", "There is no page with this address.")
        .respond(&request, &session.0)
}
