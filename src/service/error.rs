//! Why a service does not start.

use std::io;
use std::net::SocketAddr;

use crate::backup::restore::RestoreError;
use crate::data_dir::DataDirError;
use crate::database::DatabaseError;
use crate::key_file::KeyFileError;
use crate::store::OpenError;
use crate::token_file::TokenError;

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A restore that was interrupted.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The database, or the key that belongs to it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The key of the cookies.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Threads or sockets.
    #[error("cannot start the service")]
    Io(#[from] io::Error),
    /// The address.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        DatabaseError::from(error).into()
    }
}

impl StartError {
    /// The error of a bind, with what the system does not say about it.
    pub(super) fn listen(address: SocketAddr, error: io::Error) -> Self {
        Self::Listen(address, not_listening(address, error))
    }
}

/// The error, with what the system does not say about it.
fn not_listening(address: SocketAddr, error: io::Error) -> io::Error {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another program uses that port; `ss -ltnp` shows which",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            "ports below 1024 are reserved for root; leave them to the proxy and use a higher one"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}: {why}"))
}
