//! Builds the server of the operations listener, on a thread of its own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Server, ServerHandle, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;

use super::state::Ops;
use super::{headers, routes};
use crate::connection_limits::ConnectionLimits;
use crate::http::connections::{Connections, RequestKind, Table, Transport};
use crate::http::slots;
use crate::http::state::{ServerState, ThreadState};
use crate::idle;
use crate::store::{ReadLimits, ReadSource};

/// Threads that serve requests.
const THREADS: usize = 2;
/// Connections of both together.
const CONNECTIONS_MAX: usize = 64;
/// Reads over a network, on threads of their own: those of checks are never busy with a page.
const READS: ReadLimits = ReadLimits { threads: 3, waiting: 64, time: Duration::from_secs(5) };
/// How long a stop waits for answers.
const CLOSE_SECONDS_MAX: u64 = 1;
/// How often limited log lines are counted.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The operations listener, while it runs.
#[derive(Debug)]
pub struct Operations {
    address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<()>,
}

impl Operations {
    /// Starts it on a bound listener.
    ///
    /// # Errors
    ///
    /// If the listener cannot be used, or the system gives no thread.
    pub fn start(listener: TcpListener, ops: Ops, shared: ServerState) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let source = ReadSource::with_limits(shared.file.clone(), shared.metrics.clone(), READS)?;
        let shared = ServerState { reads: source, ..shared };
        let (built, started) = sync_channel(1);
        let thread = std::thread::Builder::new().name("operations".into()).spawn(move || {
            let _ = actix_web::rt::System::new().block_on(async move {
                let limits = ConnectionLimits {
                    connections: CONNECTIONS_MAX,
                    ..ConnectionLimits::default()
                };
                let (ops, connections) =
                    (Data::new(ops), Arc::new(Connections::of_operations(limits)));
                let (watched, counts) = (ops.clone(), Arc::clone(&connections));
                let clock = shared.clock.clone();
                let server = match build(listener, ops, shared, connections) {
                    Ok(server) => server,
                    Err(error) => {
                        let _ = built.send(Err(error));
                        return Ok(());
                    }
                };
                let _ = built.send(Ok(server.handle()));
                let watch = async {
                    loop {
                        tokio::time::sleep(LOOK_EVERY).await;
                        counts.log_closed(clock.steady());
                        watched.log.end_window(clock.steady());
                        watched.logins.end_window(clock.steady());
                    }
                };
                tokio::select! {
                    ended = server => ended,
                    () = watch => Ok(()),
                }
            });
        })?;
        let handle = started.recv().map_err(|_| io::Error::other("its thread has ended"))??;
        Ok(Self { address, handle, thread })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it. A request that takes longer than a second is cut off.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        if self.thread.join().is_err() {
            log::error!("the thread of the operations listener panicked");
        }
    }
}

fn build(
    listener: TcpListener,
    ops: Data<Ops>,
    shared: ServerState,
    connections: Arc<Connections>,
) -> io::Result<Server> {
    let limits = *connections.limits();
    let app = move |state: Data<ThreadState>, ops: Data<Ops>| {
        App::new()
            .app_data(state)
            .app_data(ops)
            .wrap_fn(|request, service| {
                slots::serve_as(RequestKind::of_operations(request.path()), request, service)
            })
            .wrap(headers::on_every_response())
            .configure(routes)
    };
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let service = move || {
        // On the worker's thread.
        idle::let_requests_pass();
        let table = Table::start(Arc::clone(&connections), THREADS);
        let state = Data::new(ThreadState::new(shared.clone()));
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(limits.head)
            .client_disconnect_timeout(limits.rest)
            .on_connect_ext(|transport: &Transport, data| {
                data.insert(Rc::clone(transport.connection()));
            })
            .finish(map_config(
                app(state, ops.clone()).into_factory().map_err(|error| error.error_response()),
                |()| AppConfig::default(),
            ));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            std::future::ready(Ok((Transport::accept(&table, stream), Protocol::Http1, peer)))
        })
        .and_then(http)
    };
    let builder = builder
        .workers(THREADS)
        .max_concurrent_connections(limits.sockets().div_ceil(THREADS))
        .shutdown_timeout(CLOSE_SECONDS_MAX)
        .disable_signals()
        .listen("operations", listener, service)?;
    Ok(builder.run())
}
