//! Builds the HTTP server.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Server, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::web::{Data, ServiceConfig};

use super::connections::{Table, Transport};
use super::probe::HealthProbe;
use super::state::{ServerState, ThreadState};
use super::{response_headers, slots};
use crate::connection_limits::server_threads;

/// How long a stop waits, after the last answer, for idle connections.
const CLOSE_SECONDS_MAX: u64 = 1;

/// Builds a server with these routes on a listener. It runs while it is awaited, and only its
/// handle stops it; the caller handles signals.
///
/// # Errors
///
/// If the listener cannot be used.
pub fn build(
    listener: TcpListener,
    shared: ServerState,
    routes: fn(&mut ServiceConfig),
) -> std::io::Result<Server> {
    let connections = Arc::clone(&shared.connections);
    let probe = Data::new(HealthProbe::new(shared.writer.clone(), shared.file.clone()));
    let app = move || {
        App::new()
            .app_data(Data::new(ThreadState::new(shared.clone())))
            .app_data(probe.clone())
            .wrap_fn(slots::serve)
            .wrap(response_headers::on_every_response())
            .configure(routes)
    };
    let threads = server_threads();
    let limits = *connections.limits();
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    // As actix-web's HttpServer, which does not let us wrap the socket.
    let service = move || {
        let table = Table::start(Arc::clone(&connections), threads);
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // The table closes idle connections; a timer for each would make each response slower.
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
        // Without a keepalive upstream, nginx opens a connection for each postback.
        let postbacks = include_str!("../../examples/nginx.conf");
        assert!(
            postbacks.contains("proxy_pass http://127.0.0.1:8080;")
                && !postbacks.contains("keepalive ")
        );
    }
}
