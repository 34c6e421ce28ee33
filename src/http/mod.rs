//! The HTTP listener: one file per address, and the table of routes.

mod api;
mod auth;
pub mod body;
pub mod caller;
pub mod connections;
mod cookies;
pub mod form_origin;
mod health;
pub mod live;
mod login;
pub mod multipart;
mod postback;
pub mod probe;
pub mod refused;
pub mod respond;
mod response_headers;
mod server;
pub mod slots;
pub mod state;
mod visitor;
pub mod visitor_log;

use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::web::{self, ServiceConfig};

use state::ServerState;

use crate::authstring::Resource;

/// Builds the server on a bound listener, and the FastCGI authorizer on another one. It runs while
/// it is awaited, and only its handle stops it; the caller handles signals.
///
/// # Errors
///
/// If a listener cannot be used.
pub fn server(
    listener: TcpListener,
    fastcgi: Option<TcpListener>,
    shared: ServerState,
) -> std::io::Result<Server> {
    server::build(listener, fastcgi, shared, routes)
}

/// The only place that imports the handlers.
fn routes(app: &mut ServiceConfig) {
    app.route("/health", web::get().to(health::health))
        .route("/auth", web::to(auth::auth))
        .route("/login", web::to(login::login))
        .route("/logout", web::to(login::logout))
        .route(Resource::AUTHSTRING_PATH, web::to(api::authstring))
        .route(Resource::TOKENREBUYSTRING_PATH, web::to(api::tokenrebuystring))
        .route("/api/authstring/redeem", web::to(api::redeem))
        // Not a pattern of the router: it would match a regular expression for each postback.
        .default_service(web::to(postback::receive));
}
