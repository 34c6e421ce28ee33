//! The listening socket: the one that systemd holds for the service, or one of its own.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

use super::error::StartError;

/// Connections that the system queues until a thread accepts them. The default of 128 is one burst
/// of visitors, and a client beyond it tries again only after a second. For a passed socket,
/// `Backlog=` of its unit says how many.
const BACKLOG: i32 = 1024;

/// Why a socket that was passed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PassedError {
    /// More than one.
    #[error(
        "{0} sockets were passed (LISTEN_FDS), expected one: the socket unit must have one \
         ListenStream="
    )]
    Several(usize),
    /// It is of another kind.
    #[error(
        "the socket that was passed (LISTEN_FDS) is no TCP socket: the socket unit must have one \
         ListenStream=ADDRESS:PORT"
    )]
    Kind(#[source] io::Error),
    /// It is one connection.
    #[error(
        "the socket that was passed (LISTEN_FDS) does not listen: the socket unit must have \
         Accept=no"
    )]
    NotListening,
}

/// The listening socket that this process was started with, if there is one. Call it before there
/// are other threads: it removes the variables that announce the socket.
///
/// # Errors
///
/// If several sockets were passed, or one that is no listening TCP socket.
pub fn passed() -> Result<Option<TcpListener>, PassedError> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() > 1 {
        return Err(PassedError::Several(sockets.len()));
    }
    let Some(listener) = sockets.take_tcp_listener(0).map_err(PassedError::Kind)? else {
        return Ok(None);
    };
    match rustix::net::sockopt::socket_acceptconn(&listener) {
        Ok(true) => Ok(Some(listener)),
        _ => Err(PassedError::NotListening),
    }
}

/// The passed socket, or a new one at this address.
pub(super) fn take_or_bind(
    passed: Option<TcpListener>,
    address: SocketAddr,
) -> Result<TcpListener, StartError> {
    let Some(listener) = passed else { return bind(address) };
    let here = listener.local_addr()?;
    if here != address {
        log::warn!("{}", ignored(address, here));
    }
    Ok(listener)
}

/// A new socket at this address.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        // It listens already; this sets the length of the queue.
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(listener)
    };
    listen().map_err(|error| StartError::listen(address, error))
}

/// What there is to say where the setting has another address than the passed socket.
pub(super) fn ignored(set: SocketAddr, here: SocketAddr) -> String {
    format!(
        "--listen {set} is ignored: the service was started with a socket that listens on {here}; \
         ListenStream= of its socket unit sets that address"
    )
}
