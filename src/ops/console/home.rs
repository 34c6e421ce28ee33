//! `/`: who is logged in.

use actix_web::{HttpRequest, HttpResponse};
use minijinja::context;

use super::page;
use crate::http::respond;
use crate::ops::session::Session;

/// The handler.
pub async fn home(request: HttpRequest, session: Session) -> HttpResponse {
    page::render(&request, &session.0, "message.html", context! { title => "Console" })
}

/// The handler of addresses that are no page. Only operators learn which there are.
pub async fn not_found(_: Session) -> HttpResponse {
    respond::not_found()
}
