//! The HTTP surface: one file per address, and the one mapping from what happened to status and
//! body in `reply`.

pub mod api;
pub mod area;
pub mod auth;
pub mod body;
pub mod caller;
pub mod connections;
mod cookies;
mod failed;
mod form_origin;
pub mod health;
pub mod live;
pub mod login;
pub mod mistakes;
pub mod multipart;
pub mod postback;
pub mod refused;
pub mod relay;
pub mod reply;
mod response_headers;
mod sessions;
mod slots;
mod visited;

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Server, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Data, ServiceConfig};

use connections::{Table, Transport};
use health::Health;
use postback::{Desk, Shared};

use crate::authstring::Resource;
use crate::connection_limits::server_threads;

/// Connections that the system takes in before a thread does. The default of 128 is one burst of
/// visitors; whoever comes after that tries again after a second.
const BACKLOG: i32 = 1024;
/// After the last answer, how long the end of the service waits for idle connections.
const CLOSE_SECONDS_MAX: u64 = 1;

/// Builds the server on a bound listener. It runs when it is awaited, and stops through its handle
/// alone: signals are the caller's.
///
/// # Errors
///
/// Where the listener cannot be used.
pub fn server(listener: TcpListener, shared: Shared) -> std::io::Result<Server> {
    let connections = Arc::clone(&shared.connections);
    let health = Data::new(Health::new(shared.writer.clone(), shared.file.clone()));
    let app = move || {
        App::new()
            .app_data(Data::new(Desk::new(shared.clone())))
            .app_data(health.clone())
            .wrap_fn(slots::serve)
            .wrap(response_headers::on_every_response())
            .configure(routes)
    };
    // The listener listens already; this sets how many may wait.
    rustix::net::listen(&listener, BACKLOG)?;
    let threads = server_threads();
    let limits = *connections.limits();
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    // What actix-web's HttpServer does, but for the socket, which it does not let us wrap.
    let service = move || {
        let table = Table::start(Arc::clone(&connections), threads);
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // The table closes idle connections; a timer for each would cost each answer.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(limits.head)
            .client_disconnect_timeout(limits.rest)
            .on_connect_ext(|transport: &Transport, data| {
                data.insert(Rc::clone(transport.connection()));
            })
            .finish(map_config(
                app().into_factory().map_err(|error| error.error_response()),
                |()| AppConfig::default(),
            ));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            std::future::ready(Ok((Transport::accept(&table, stream), Protocol::Http1, peer)))
        })
        .and_then(http)
    };
    let server = builder
        .workers(threads)
        .max_concurrent_connections(limits.sockets().div_ceil(threads))
        .shutdown_timeout(CLOSE_SECONDS_MAX)
        .disable_signals()
        .listen("http", listener, service)?
        .run();
    Ok(server)
}

fn routes(app: &mut ServiceConfig) {
    app.route("/health", web::get().to(health::health))
        .route("/auth", web::to(auth::auth))
        .route("/login", web::to(login::login))
        .route("/logout", web::to(login::logout))
        .route(Resource::AUTHSTRING_PATH, web::to(api::authstring))
        .route(Resource::TOKENREBUYSTRING_PATH, web::to(api::tokenrebuystring))
        .route("/api/authstring/redeem", web::to(api::redeem))
        // Not a pattern of the router: matching one costs a regular expression on every postback.
        .default_service(web::to(postback::receive));
}

#[cfg(test)]
mod tests {
    use crate::connection_limits::ConnectionLimits;

    /// Regression: a proxy that keeps an idle connection longer than the service sends a form on it
    /// just as it is closed.
    #[test]
    fn each_proxy_of_the_examples_closes_an_idle_connection_before_the_service_does() {
        for (example, setting, times) in [
            (include_str!("../../examples/members-nginx.conf"), "keepalive_timeout ", 1),
            (include_str!("../../examples/apache.conf"), " ttl=", 1),
            (include_str!("../../examples/Caddyfile"), "keepalive ", 1),
            (include_str!("../../examples/members.Caddyfile"), "keepalive ", 2),
        ] {
            let lines = example.lines().filter(|line| !line.trim_start().starts_with('#'));
            let seconds = lines.filter_map(|line| line.split_once(setting)).map(|(_, value)| {
                value.trim_end_matches(['s', ';']).parse::<u64>().expect("a number of seconds")
            });
            let seconds: Vec<u64> = seconds.collect();
            assert_eq!(seconds.len(), times, "{setting}: {seconds:?}");
            assert!(
                seconds
                    .iter()
                    .all(|seconds| seconds + 5 <= ConnectionLimits::default().idle.as_secs()),
                "{setting}: {seconds:?}"
            );
        }
        // Without an upstream of its own, nginx opens a connection for each postback.
        let postbacks = include_str!("../../examples/nginx.conf");
        assert!(
            postbacks.contains("proxy_pass http://127.0.0.1:8080;")
                && !postbacks.contains("keepalive ")
        );
    }
}
