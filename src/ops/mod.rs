//! The operations listener: health, metrics, and the console of the operators. It has an address,
//! connections and threads of its own, so that it delays neither postbacks nor checks.

pub mod access;
pub mod console;
pub mod form;
mod headers;
mod health;
mod login;
mod refused;
mod server;
pub mod session;
pub mod signed;
mod state;

pub use server::Operations;
pub use state::Ops;

use actix_web::Route;
use actix_web::web::{self, ServiceConfig};

/// The only place that imports the handlers. A resource answers other methods with 405.
fn routes(app: &mut ServiceConfig) {
    let get = |path: &str, route: Route| web::resource(path).route(route);
    app.service(get("/health/live", web::get().to(health::live)))
        .service(get("/health/ready", web::get().to(health::ready)))
        .service(get("/login", web::get().to(login::page)).route(web::post().to(login::submit)))
        .service(
            get("/logout", web::get().to(login::logout_page)).route(web::post().to(login::logout)),
        )
        .service(get("/style.css", web::get().to(console::page::style)))
        .service(get("/", web::get().to(console::home::home)))
        .default_service(web::to(console::home::not_found));
}
