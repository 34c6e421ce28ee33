//! Why a service does not start.

use std::io;
use std::net::SocketAddr;

use crate::backup::restore::RestoreError;
use crate::data_dir::DataDirError;
use crate::database::DatabaseError;
use crate::key_file::KeyFileError;
use crate::store::{OpenError, UpgradeError};
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
    /// Whether a setting is wrong, or a file or directory that a setting names cannot be used: then
    /// each further start fails as this one did, until the operator has changed something. Other
    /// errors may pass by themselves: a full disk, a port or directory in use. The state of the
    /// data, such as a missing key, is no setting.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::DataDir(error) => match error {
                DataDirError::Io(_, error) | DataDirError::Lock(_, error) => is_lasting(error),
                DataDirError::ForeignLink(_) => true,
                DataDirError::InUse(_) | DataDirError::Restoring(_) => false,
            },
            Self::Database(DatabaseError::Open(error)) => is_wrong_place(error),
            Self::Database(DatabaseError::Network(_)) => true,
            Self::Database(DatabaseError::Key(error)) | Self::Key(error) => match error {
                KeyFileError::Form(..) => true,
                KeyFileError::Unreadable(_, error) | KeyFileError::Create(_, error) => {
                    is_lasting(error)
                }
                KeyFileError::Missing(_) => false,
            },
            Self::Database(
                DatabaseError::Read(_)
                | DatabaseError::Write(_)
                | DatabaseError::OtherKey(_)
                | DatabaseError::KeyMissing(..)
                | DatabaseError::KeyForeign(..),
            ) => false,
            Self::Token(error) => match error {
                TokenError::Io(_, error) => is_lasting(error),
                TokenError::Malformed { .. } | TokenError::Empty(_) => true,
            },
            Self::Listen(_, error) => is_lasting(error),
            Self::Restore(_) | Self::Io(_) => false,
        }
    }

    /// The error of a bind, with what the system does not say about it.
    pub(super) fn listen(address: SocketAddr, error: io::Error) -> Self {
        Self::Listen(address, not_listening(address, error))
    }
}

/// Whether the database of the settings is at a place that cannot be used, or another program's.
fn is_wrong_place(error: &OpenError) -> bool {
    match error {
        OpenError::Create(_, error) | OpenError::Unreadable(_, error) => is_lasting(error),
        OpenError::Upgrade(_, UpgradeError::Foreign) => true,
        OpenError::Upgrade(..)
        | OpenError::Missing(_)
        | OpenError::Lost(_)
        | OpenError::Fault(..)
        | OpenError::Damaged(..)
        | OpenError::BrokenPages(..)
        | OpenError::NotWhole(..)
        | OpenError::Inconsistent(_)
        | OpenError::Empty(_)
        | OpenError::Begun(_)
        | OpenError::InDoubt(_) => false,
    }
}

/// Whether the next try fails in the same way: the path, its owner or its mode is wrong.
fn is_lasting(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidData
            | ErrorKind::InvalidFilename
            | ErrorKind::AddrNotAvailable
    )
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
