//! Builds the HTTP server.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::TcpListener;
use std::rc::{Rc, Weak};
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
use crate::fastcgi;

/// How long a stop waits, after the last answer, for idle connections.
const CLOSE_SECONDS_MAX: u64 = 1;

thread_local! {
    /// What the listeners of this thread share.
    static WORKER: RefCell<Weak<Worker>> = const { RefCell::new(Weak::new()) };
}

/// What the listeners of a thread share: the table of its connections, and the state of its
/// handlers.
struct Worker {
    table: Rc<Table>,
    state: Data<ThreadState>,
}

impl Worker {
    /// That of this thread, which is one of `threads`. Each thread serves one server.
    fn of_this_thread(shared: &ServerState, threads: usize) -> Rc<Self> {
        WORKER.with_borrow_mut(|of_thread| {
            of_thread.upgrade().unwrap_or_else(|| {
                let worker = Rc::new(Self {
                    table: Table::start(Arc::clone(&shared.connections), threads),
                    state: Data::new(ThreadState::new(shared.clone())),
                });
                *of_thread = Rc::downgrade(&worker);
                worker
            })
        })
    }
}

/// Builds a server with these routes on a listener, and the FastCGI authorizer on another one. It
/// runs while it is awaited, and only its handle stops it; the caller handles signals.
///
/// # Errors
///
/// If a listener cannot be used.
pub fn build(
    listener: TcpListener,
    fastcgi: Option<TcpListener>,
    shared: ServerState,
    routes: fn(&mut ServiceConfig),
) -> std::io::Result<Server> {
    let limits = *shared.connections.limits();
    let probe = Data::new(HealthProbe::new(shared.writer.clone(), shared.file.clone()));
    let app = move |state: Data<ThreadState>| {
        App::new()
            .app_data(state)
            .app_data(probe.clone())
            .wrap_fn(slots::serve)
            .wrap(response_headers::on_every_response())
            .configure(routes)
    };
    let threads = server_threads();
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let (fastcgi_shared, fastcgi_stopping) = (shared.clone(), stopping.clone());
    // As actix-web's HttpServer, which does not let us wrap the socket.
    let service = move || {
        let worker = Worker::of_this_thread(&shared, threads);
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
                app(worker.state.clone()).into_factory().map_err(|error| error.error_response()),
                |()| AppConfig::default(),
            ));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            std::future::ready(Ok((
                Transport::accept(&worker.table, stream),
                Protocol::Http1,
                peer,
            )))
        })
        .and_then(http)
    };
    let mut builder = builder
        .workers(threads)
        .max_concurrent_connections(limits.sockets().div_ceil(threads))
        .shutdown_timeout(CLOSE_SECONDS_MAX)
        .disable_signals()
        .listen("http", listener, service)?;
    if let Some(listener) = fastcgi {
        let service = move || {
            let worker = Worker::of_this_thread(&fastcgi_shared, threads);
            let stopping = fastcgi_stopping.clone();
            fn_service(move |stream: TcpStream| {
                let (worker, stopping) = (Rc::clone(&worker), stopping.clone());
                async move {
                    let stopping = async move { stopping.notified().await };
                    fastcgi::serve(stream, &worker.table, &worker.state, stopping).await;
                    Ok::<(), Infallible>(())
                }
            })
        };
        builder = builder.listen("fastcgi", listener, service)?;
    }
    Ok(builder.run())
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
            (include_str!("../../examples/members-apache.conf"), " ttl=", 1),
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
