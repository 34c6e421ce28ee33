//! Checks whether the data directory and the database exist or can be created, and changes nothing.

use std::io::ErrorKind;
use std::path::{Path, absolute};

use rustix::fs::Access;

use super::alarms;
use super::machine::Machine;
use super::sandbox::Sandbox;
use super::unread::unread_files;
use crate::backup;
use crate::chain::chain;
use crate::config::Config;
use crate::data_dir::modes;
use crate::denied;
use crate::store::{OpenError, check_access, missing_privilege};
use crate::whole_file::parent;

/// Problems of paths and modes, and settings of alarms that do not do what they should.
pub(crate) fn problems(config: &Config) -> Vec<String> {
    let mut problems = no_access(config);
    let denied = missing_privilege(&config.location);
    problems
        .extend(denied.map(|fault| format!("the database cannot be written: {}", chain(&fault))));
    problems.extend(
        modes::loose_secrets(&config.data_dir)
            .iter()
            .map(|loose| format!("{loose}; `serve` will fix it")),
    );
    problems.extend(
        modes::loose_rest(&config.data_dir, &config.location.files())
            .iter()
            .map(modes::Loose::open_to_others),
    );
    problems
        .extend(modes::loose_named(&config.secret_files).iter().map(modes::Loose::open_to_others));
    let sandbox = Sandbox::of(config, &Machine::default());
    let unread = unread_files(config, &sandbox).into_iter();
    problems.extend(unread.map(|unread| format!("{}: {}", unread.found, unread.remedy)));
    let unwritable = sandbox.unwritable(config).into_iter();
    problems.extend(unwritable.map(|it| format!("{}: {}", it.found, it.remedy)));
    let idle = alarms::idle(config, &sandbox).into_iter();
    problems.extend(idle.map(|idle| format!("{}: {}", idle.found, idle.remedy)));
    problems.extend(backup::problem(&config.backup).map(|error| chain(&error)));
    problems
}

/// What this user cannot read, write or create of the data directory and the database.
pub(super) fn no_access(config: &Config) -> Vec<String> {
    let dir = config.data_dir.path();
    let of_dir = data_dir_problem(dir);
    // Also the files that the engine keeps beside it.
    let of_files = || check_access(&config.location).err();
    let of_files = || of_files().filter(|error| !is_among(error, &of_dir)).map(|it| chain(&it));
    // Whether a server answers is a finding of its own.
    let of_database =
        config.location.file().and_then(|file| database_problem(dir, file).or_else(of_files));
    of_dir.iter().cloned().chain(of_database).collect()
}

/// Whether one of the problems has the same cause as this error: a file or directory without
/// access.
pub(super) fn is_among<'p>(
    error: &OpenError,
    problems: impl IntoIterator<Item = &'p String>,
) -> bool {
    let OpenError::Unreadable(_, cause) = error else { return false };
    let cause = cause.to_string();
    problems.into_iter().any(|problem| problem.ends_with(&cause))
}

/// What is wrong with the data directory. A start creates it with its missing parents.
fn data_dir_problem(dir: &Path) -> Option<String> {
    let above = || {
        dir.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path })
    };
    // A broken symbolic link counts as existing: nothing can be created there.
    let there = above().find(|path| path.symlink_metadata().is_ok())?;
    let why = unusable(there)?;
    Some(if there == dir {
        format!("the data directory {} {why}", dir.display())
    } else {
        format!("the data directory {} cannot be made: {} {why}", dir.display(), there.display())
    })
}

/// What is wrong with the database file. A start creates it, but no directory other than the data
/// directory.
fn database_problem(dir: &Path, database: &Path) -> Option<String> {
    let beside = parent(database);
    if let (Ok(beside), Ok(dir)) = (absolute(beside), absolute(dir))
        && beside == dir
    {
        return database
            .exists()
            .then(|| file_problem(database))
            .flatten()
            .map(|why| problem(database, &why));
    }
    match unusable(beside) {
        Some(why) => {
            Some(problem(database, &format!("cannot be there: {} {why}", beside.display())))
        }
        None if database.exists() => file_problem(database).map(|why| problem(database, &why)),
        None => None,
    }
}

fn problem(database: &Path, why: &str) -> String {
    format!("the database {} {why}", database.display())
}

/// Why no files can be created in this directory.
fn unusable(dir: &Path) -> Option<String> {
    match dir.metadata() {
        Err(_) if dir.is_symlink() => Some("is a broken symbolic link".into()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Some(format!("cannot be accessed: {}", denied::explain(dir, error)))
        }
        Err(error) => Some(format!("is not there: {error}")),
        Ok(metadata) if !metadata.is_dir() => Some("is not a directory".into()),
        Ok(_) => denied::check(dir, Access::WRITE_OK | Access::EXEC_OK)
            .err()
            .map(|error| format!("cannot be written: {error}")),
    }
}

fn file_problem(file: &Path) -> Option<String> {
    denied::check(file, Access::READ_OK | Access::WRITE_OK)
        .err()
        .map(|error| format!("cannot be read and written: {error}"))
}
