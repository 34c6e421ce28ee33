//! The HTTP surface: one file per address, and the one mapping from what happened to status and body in `reply`.

pub mod api;
pub mod area;
pub mod auth;
pub mod body;
pub mod caller;
mod cookies;
mod form_origin;
pub mod health;
pub mod live;
pub mod login;
pub mod mistakes;
pub mod multipart;
pub mod postback;
mod reading;
pub mod refused;
pub mod relay;
pub mod reply;
mod response_headers;
pub mod said_once;
mod sessions;
pub mod tokens;
mod visited;

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};

use health::Health;
use postback::{Desk, Shared};

use crate::authstring::Resource;

/// How long an idle connection is kept: NATS's next postback of a busy minute finds it. The proxies of the examples keep theirs for
/// less.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a request's head may take.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Connections of all threads together, at about 35 KiB each; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;
/// After the last answer, how long the end of the service waits for idle connections.
const CLOSE_SECONDS_MAX: u64 = 1;

/// Builds the server on a bound listener. It runs when it is awaited, and stops through its handle alone: signals are the
/// caller's.
///
/// # Errors
///
/// Where the listener cannot be used.
pub fn server(listener: TcpListener, shared: Shared) -> std::io::Result<Server> {
    let health = Data::new(Health::new(shared.writer.clone()));
    let app = move || {
        App::new()
            .app_data(Data::new(Desk::new(shared.clone())))
            .app_data(health.clone())
            .wrap(response_headers::on_every_response())
            .route("/health", web::get().to(health::health))
            .route("/auth", web::to(auth::auth))
            .route("/login", web::to(login::login))
            .route("/logout", web::to(login::logout))
            .route(Resource::AUTHSTRING_PATH, web::to(api::authstring))
            .route(Resource::TOKENREBUYSTRING_PATH, web::to(api::tokenrebuystring))
            .route("/api/authstring/redeem", web::to(api::redeem))
            // Not a pattern of the router: matching one costs a regular expression on every postback.
            .default_service(web::to(postback::receive))
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let server = HttpServer::new(app)
        .workers(threads)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIME_MAX)
        .max_connections(CONNECTIONS_MAX.div_ceil(threads))
        .shutdown_timeout(CLOSE_SECONDS_MAX)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::KEEP_ALIVE;

    /// Regression: a proxy that keeps an idle connection longer than the service sends a form on it just as it is closed.
    #[test]
    fn each_proxy_of_the_examples_closes_an_idle_connection_before_the_service_does() {
        for (example, setting, times) in [
            (include_str!("../../examples/members-nginx.conf"), "keepalive_timeout ", 1),
            (include_str!("../../examples/apache.conf"), " ttl=", 1),
            (include_str!("../../examples/Caddyfile"), "keepalive ", 1),
            (include_str!("../../examples/members.Caddyfile"), "keepalive ", 2),
        ] {
            let lines = example.lines().filter(|line| !line.trim_start().starts_with('#'));
            let seconds = lines
                .filter_map(|line| line.split_once(setting))
                .map(|(_, value)| value.trim_end_matches(['s', ';']).parse::<u64>().expect("a number of seconds"));
            let seconds: Vec<u64> = seconds.collect();
            assert_eq!(seconds.len(), times, "{setting}: {seconds:?}");
            assert!(seconds.iter().all(|seconds| seconds + 5 <= KEEP_ALIVE.as_secs()), "{setting}: {seconds:?}");
        }
        // Without an upstream of its own, nginx opens a connection for each postback.
        let postbacks = include_str!("../../examples/nginx.conf");
        assert!(postbacks.contains("proxy_pass http://127.0.0.1:8080;") && !postbacks.contains("keepalive "));
    }
}
