//! The engine for MariaDB and MySQL, where several receivers may share one database.

mod server;

use super::{
    Cause, CopyError, DatabaseState, Diagnosis, Engine, Fault, OpenError, Read, UpgradePlan,
};

pub(super) use server::SCHEME;
pub use server::{HOSTS_EXPECTED, Host, Server, ServerPassword, Tls, parse_hosts};

fn unfinished(server: &Server) -> OpenError {
    OpenError::Fault(server.setting(), Fault::Unusable(Cause::new("unfinished", None)))
}

pub(super) fn with_engine<T>(
    server: &Server,
    _create: bool,
    _work: impl FnOnce(&mut dyn Engine) -> T,
) -> Result<T, OpenError> {
    Err(unfinished(server))
}

pub(super) fn open_reader(server: &Server) -> Result<Box<dyn Read>, OpenError> {
    Err(unfinished(server))
}

pub(super) fn is_there(server: &Server) -> Result<bool, OpenError> {
    Err(unfinished(server))
}

pub(super) fn state_of(server: &Server, _was_used: bool) -> Result<DatabaseState, OpenError> {
    Err(unfinished(server))
}

pub(super) fn diagnose(server: &Server, _since: i64) -> Result<Diagnosis, OpenError> {
    Err(unfinished(server))
}

pub(super) fn planned_upgrade(server: &Server) -> Result<Option<UpgradePlan>, OpenError> {
    Err(unfinished(server))
}

pub(super) fn check_access(server: &Server) -> Result<(), OpenError> {
    Err(unfinished(server))
}

/// The databases of this engine are no files.
pub(super) fn no_copy() -> CopyError {
    CopyError::NoFile
}
