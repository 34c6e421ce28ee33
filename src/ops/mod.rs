//! The operations listener: health, metrics, and the console of the operators. It has an address,
//! connections and threads of its own, so that it delays neither postbacks nor checks.

pub mod access;
pub mod checks;
pub mod console;
pub mod form;
mod headers;
mod health;
mod login;
mod metrics_page;
mod refused;
mod server;
pub mod session;
pub mod signed;
mod state;
pub mod tails;

pub use server::Operations;
pub use state::Ops;

use actix_web::web::{self, ServiceConfig};
use actix_web::{Route, guard};

/// The only place that imports the handlers. A resource answers other methods with 405.
fn routes(app: &mut ServiceConfig) {
    use console::{blocks, lab, members, postbacks};
    let get = |path: &str, route: Route| web::resource(path).route(route);
    // Programs that watch an address ask by HEAD, too.
    let watched = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    app.service(get("/health/live", watched().to(health::live)))
        .service(get("/metrics", watched().to(metrics_page::metrics)))
        .service(get("/health/ready", watched().to(health::ready)))
        .service(get("/login", web::get().to(login::page)).route(web::post().to(login::submit)))
        .service(
            get("/logout", web::get().to(login::logout_page)).route(web::post().to(login::logout)),
        )
        .service(get("/style.css", web::get().to(console::page::style)))
        .service(get("/tail.js", web::get().to(postbacks::tail::script)))
        .service(get("/", web::get().to(console::today::today)))
        .service(get("/postbacks", web::get().to(postbacks::list)))
        .service(get("/postbacks/tail", web::get().to(postbacks::tail::tail)))
        .service(get("/postbacks/{id}", web::get().to(postbacks::one)))
        .service(get("/lab", web::get().to(lab::form)).route(web::post().to(lab::run)))
        .service(get("/blocks", web::get().to(blocks::list)))
        .service(
            get("/blocks/lift", web::get().to(blocks::confirm_lift))
                .route(web::post().to(blocks::lift)),
        )
        .service(
            get("/blocks/sharing", web::get().to(blocks::confirm_sharing))
                .route(web::post().to(blocks::lift_sharing)),
        )
        .service(get("/members", web::get().to(members::list)))
        .service(get("/members/{site}/{memberid}", web::get().to(members::member)))
        .service(
            get("/members/{site}/{memberid}/{change}", web::get().to(members::confirm))
                .route(web::post().to(members::apply)),
        )
        .service(get("/settings", web::get().to(console::settings::settings)))
        .service(get("/health", web::get().to(console::health::health)))
        .default_service(web::to(console::home::not_found));
}
