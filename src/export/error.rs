//! Why a file is not written.

use std::io;
use std::path::PathBuf;

use crate::store::{Fault, OpenError};

/// Why nothing was exported. The file is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database, or a row of it, cannot be read.
    #[error("cannot read the database")]
    Read(#[from] Fault),
    /// The database was replaced while it was read.
    #[error("the database was replaced meanwhile: the export begins again")]
    Replaced,
    /// The path is a symbolic link.
    #[error(
        "{} is a symbolic link, which an export would replace by a file: give the path that it \
         leads to", .0.display()
    )]
    Link(PathBuf),
    /// The path is a directory.
    #[error("{} is a directory: give the path of a file in it", .0.display())]
    Directory(PathBuf),
    /// The path is a device, a pipe or a socket.
    #[error("{} is a device, a pipe or a socket: give the path of a file", .0.display())]
    NoFile(PathBuf),
    /// The path is a file that this program needs.
    #[error(
        "{} is a file of nats-userman itself, such as its database or a key: give another path",
        .0.display()
    )]
    Own(PathBuf),
    /// Another process is writing the same file.
    #[error(
        "another export is writing {}: wait until it is done, or give another path", .0.display()
    )]
    InUse(PathBuf),
    /// The file that exists has another owner or group, which the new one cannot get.
    #[error(
        "cannot give the new {} the owner and the group of the existing one: run the export as \
         root or as a member of that group, or remove the existing file", .0.display()
    )]
    Owner(PathBuf, #[source] io::Error),
    /// The file cannot be written.
    #[error("cannot write {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// An .htpasswd of several sites.
    #[error(
        "the database has members of the sites {0} and {1}, which an .htpasswd cannot tell apart: \
         give --site, and export one file for each site"
    )]
    Sites(i64, i64),
    /// The caller has ended it.
    #[error("the export was stopped")]
    Stopped,
}
