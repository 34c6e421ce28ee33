//! Puts a backup in the place of the database. Nothing is deleted: what was there gets another
//! name.
//!
//! First the backup is copied beside the database and checked, and the members of both are
//! compared. Until then nothing has changed, and what an interruption leaves is removed by the next
//! start. Then the renames are written down and done (see `plan`).

mod error;
mod lost;
mod plan;
mod target;

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub use error::RestoreError;
pub use lost::{Keys as Members, Lost, LostMembers};
use plan::{Plan, Replaced};
use target::target;

use super::keys::{self, Keys};
use super::name::{NUMBER_MAX, Name, stamp};
use super::place;
use crate::apply::in_transaction;
use crate::data_dir::DataDir;
use crate::denied::explain;
use crate::file_system::free_bytes;
use crate::owner;
use crate::password::Vault;
use crate::replay::end_all_logins;
use crate::seals::foreign_seals;
use crate::store::{
    Contents, CopyError, CopyWatch, DatabaseState, Location, OpenError, Read, SCHEMA_VERSION,
    check_copy, foreign_log, open_backup, open_for_check, state_of, with_engine,
};
use crate::whole_file::{Draft, draft_of, parent, remove, sync_name};

/// The group may read the database.
const MODE: u32 = 0o640;

/// What is restored, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The backup.
    pub file: &'a Path,
    /// The file of its keys; else the one beside it, if there is one.
    pub keys: Option<&'a Path>,
    /// The data directory, which the caller has locked.
    pub data_dir: &'a DataDir,
    /// The database.
    pub location: &'a Location,
}

/// A restore that is done.
#[derive(Debug)]
pub struct Restored {
    /// What the backup holds.
    pub contents: Contents,
    /// The names that the former files got, the database first if there was one.
    pub aside: Vec<PathBuf>,
    /// The former database, if there was one.
    pub former: Option<PathBuf>,
    /// What is in the former database and not in the backup, or why that is unknown.
    pub lost: Result<Lost, NotCompared>,
    /// The file of keys that was used.
    pub keys: Option<PathBuf>,
    /// Whether the file of keys has other tokens than the data directory, which keeps its own: a
    /// token of the backup may be retired since.
    pub keeps_tokens: bool,
    /// Whether the date of its name is in the future, so that another backup may be newer.
    pub is_dated_ahead: bool,
    /// Whether all logins by cookie were ended, as they are in a database of this release.
    pub logins_ended: bool,
}

/// Why two databases are not compared.
#[derive(Debug)]
pub enum NotCompared {
    /// There was no database.
    None,
    /// The former database has the schema of an earlier release.
    Version,
    /// They have no journal record in common.
    Other,
    /// The former database cannot be read.
    Unreadable(String),
}

/// Completes a restore that was interrupted during its renames, and removes what an earlier
/// interruption left. The caller has locked the data directory. Returns whether there was one to
/// complete.
///
/// # Errors
///
/// If the plan cannot be used, or a file cannot be renamed.
pub fn complete(data_dir: &DataDir, location: &Location) -> Result<bool, RestoreError> {
    let at = data_dir.restore_plan();
    let unreadable = |error| RestoreError::BadPlan(at.clone(), error);
    if let Some(plan) = Plan::load(data_dir).map_err(unreadable)? {
        let own = without_links(data_dir)?;
        let database = target(data_dir, location)?;
        let mut files = Vec::from(own.key_files());
        files.extend([database, own.token_file()]);
        if !plan.is_only_of(&files) {
            return Err(RestoreError::ForeignPlan(at));
        }
        plan.carry_out(data_dir).map_err(|error| RestoreError::Plan(at, error))?;
        return Ok(true);
    }
    // A plan that was not written to its end.
    let begun = draft_of(&data_dir.restore_plan());
    remove(&begun).map_err(|error| RestoreError::Io(begun, error))?;
    if let Ok(database) = target(data_dir, location) {
        let draft = draft_of(&database);
        remove_draft(&location.copy_at(&draft)).map_err(|error| RestoreError::Io(draft, error))?;
    }
    Ok(false)
}

/// Refuses a database that root must not restore, before any file is made beside it.
///
/// # Errors
///
/// If there is no such file, or a symbolic link of another user leads to it.
pub fn check_target(data_dir: &DataDir, location: &Location) -> Result<(), RestoreError> {
    target(data_dir, location).map(|_| ())
}

/// The data directory by a path that is the same from every directory, without symbolic links.
fn without_links(data_dir: &DataDir) -> Result<DataDir, RestoreError> {
    let path = data_dir.path();
    let path = path.canonicalize().map_err(|error| RestoreError::Io(path.to_owned(), error))?;
    Ok(DataDir::new(path))
}

/// Removes a database that is not in its place yet, with all its files.
fn remove_draft(draft: &Location) -> io::Result<()> {
    draft.files_of_draft().iter().try_for_each(|file| remove(file))
}

/// Restores a backup at `now`, unix seconds.
///
/// # Errors
///
/// See [`RestoreError`]. Nothing has changed then, unless the error says so.
pub fn restore(
    order: Order<'_>,
    now: i64,
    watch: &mut CopyWatch<'_>,
) -> Result<Restored, RestoreError> {
    let Order { file, data_dir, location, .. } = order;
    let database = target(data_dir, location)?;
    check_file(file, &database)?;
    let backup = location.copy_at(file);
    if let Some(log) = foreign_log(&backup) {
        return Err(RestoreError::ForeignLog(file.to_owned(), log));
    }
    match state_of(&backup, true) {
        Ok(DatabaseState::Missing) => return Err(RestoreError::Missing(file.to_owned())),
        Ok(_) => {}
        Err(error) => return Err(RestoreError::Unusable(file.to_owned(), error).of_backup(file)),
    }
    let (mut keys, keys_file) = find_keys(order)?;
    let draft = location.copy_at(&draft_of(&database));
    let made = make_draft(&backup, &draft, data_dir, watch).and_then(|contents| {
        check_seals(&draft, &contents, &keys, data_dir)?;
        Ok(contents)
    });
    let prepared = made.and_then(|contents| {
        let lost = compare(location, &draft, &contents, now);
        let logins_ended = contents.version == SCHEMA_VERSION;
        if logins_ended {
            end_logins(&draft, now)?;
        }
        Ok((contents, lost, logins_ended))
    });
    let (contents, lost, logins_ended) = prepared.map_err(|error| {
        // The failure is reported; the next start tries to remove it too.
        let _ = remove_draft(&draft);
        error.of_backup(file)
    })?;
    let own = without_links(data_dir)?;
    let keeps_tokens = keys.forget_tokens_if_there(&own);
    let (former, aside) = put(&draft, &database, &keys, &own, now)?;
    let name = file.file_name().and_then(|name| Name::parse(name.to_str()?));
    let is_dated_ahead = name.is_some_and(|name| name.at > now);
    let keys = keys_file;
    Ok(Restored { contents, aside, former, lost, keys, keeps_tokens, is_dated_ahead, logins_ended })
}

/// The file itself must not be the database that it is to replace.
fn check_file(file: &Path, database: &Path) -> Result<(), RestoreError> {
    let id = |path: &Path| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    match (id(file), id(database)) {
        (Some(file), Some(own)) if file == own => Err(RestoreError::Same(database.to_owned())),
        _ => Ok(()),
    }
}

/// The keys of the backup: of the file that was given, or of the one beside it.
fn find_keys(order: Order<'_>) -> Result<(Keys, Option<PathBuf>), RestoreError> {
    let beside = order.file.with_extension("keys");
    let file = match order.keys {
        Some(given) => given.to_owned(),
        None if beside.symlink_metadata().is_ok() => beside,
        None => return Ok((Keys::default(), None)),
    };
    Ok((Keys::read(&file)?, Some(file)))
}

/// Copies the backup beside the database, and checks the copy.
fn make_draft(
    backup: &Location,
    draft: &Location,
    data_dir: &DataDir,
    watch: &mut CopyWatch<'_>,
) -> Result<Contents, RestoreError> {
    let path = draft.file().ok_or(RestoreError::NoFile)?;
    let failed = |error| RestoreError::Io(path.to_owned(), explain(path, error));
    let reader = open_backup(backup).map_err(RestoreError::Open)?;
    let bytes = reader.copy_size().map_err(RestoreError::Read)?;
    if let Some(free) = free_bytes(parent(path)).map_err(failed)?
        && free < bytes
    {
        return Err(RestoreError::NoRoom { dir: parent(path).to_owned(), free, bytes });
    }
    remove_draft(draft).map_err(failed)?;
    let file = place::create(path).map_err(failed)?;
    let copied = reader.copy_to(path, &file, watch)?;
    let found = check_copy(draft, watch.stop)?;
    if let Some(what) = copied.contents.difference(&found) {
        return Err(CopyError::Differs(what).into());
    }
    owner::give(&file, data_dir.path(), MODE).map_err(failed)?;
    Ok(found)
}

/// Refuses a backup with passwords that the keys do not open, as a start would.
fn check_seals(
    draft: &Location,
    contents: &Contents,
    keys: &Keys,
    data_dir: &DataDir,
) -> Result<(), RestoreError> {
    if contents.version != SCHEMA_VERSION {
        return Ok(());
    }
    let reader = open_for_check(draft).map_err(RestoreError::Open)?;
    let sealed = reader.backlog().map_err(RestoreError::Read)?;
    if sealed == 0 {
        return Ok(());
    }
    let path = data_dir.seal_key();
    let vault = match keys.vault() {
        None if path.exists() => Some(Vault::load(&path)?),
        vault => vault,
    };
    let vault = vault.ok_or_else(|| RestoreError::KeyMissing(sealed, path.clone()))?;
    match foreign_seals(&vault, &*reader).map_err(RestoreError::Read)? {
        0 => Ok(()),
        foreign => Err(RestoreError::KeyForeign(foreign, path)),
    }
}

/// Ends all logins by cookie: some were ended since the backup, by a logout or a new password.
fn end_logins(draft: &Location, now: i64) -> Result<(), RestoreError> {
    let is_whole = with_engine(draft, false, |engine| {
        in_transaction(engine, |engine| end_all_logins(engine, now))
            .map(|_| engine.finish())
            .map_err(RestoreError::Write)
    });
    if !is_whole.map_err(RestoreError::Open)?? {
        return Err(RestoreError::Unfinished);
    }
    // All of it is in the file itself, and the former database's files have these names.
    let path = draft.file().ok_or(RestoreError::NoFile)?;
    let failed = |error| RestoreError::Io(path.to_owned(), error);
    for file in draft.files_of_draft().iter().filter(|file| *file != path) {
        remove(file).map_err(failed)?;
    }
    Ok(())
}

fn compare(
    location: &Location,
    draft: &Location,
    contents: &Contents,
    now: i64,
) -> Result<Lost, NotCompared> {
    let unreadable = |error: OpenError| NotCompared::Unreadable(crate::chain::chain(&error));
    match state_of(location, true).map_err(unreadable)? {
        DatabaseState::Missing | DatabaseState::Begun => return Err(NotCompared::None),
        DatabaseState::Older(_) => return Err(NotCompared::Version),
        DatabaseState::Current => {}
    }
    let old: Box<dyn Read> = open_for_check(location).map_err(unreadable)?;
    let compared = match contents.version == SCHEMA_VERSION {
        true => lost::compare(&*old, &*open_for_check(draft).map_err(unreadable)?, now),
        false => lost::compare_with_earlier(&*old, contents.newest),
    };
    match compared {
        Ok(Some(lost)) => Ok(lost),
        Ok(None) => Err(NotCompared::Other),
        Err(fault) => Err(NotCompared::Unreadable(crate::chain::chain(&fault))),
    }
}

/// The name that a file gets which is replaced, and that no file has.
fn aside_name(file: &Path, now: i64) -> Result<PathBuf, RestoreError> {
    let name = |number: u32| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".before-{}", stamp(now)));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        PathBuf::from(name)
    };
    (1..=NUMBER_MAX)
        .map(name)
        .find(|name| name.symlink_metadata().is_err())
        .ok_or_else(|| RestoreError::InTheWay(name(1)))
}

/// Puts the draft and the keys in their places. Returns the names that the former database and all
/// former files got.
fn put(
    draft: &Location,
    database: &Path,
    keys: &Keys,
    data_dir: &DataDir,
    now: i64,
) -> Result<(Option<PathBuf>, Vec<PathBuf>), RestoreError> {
    let path = draft.file().ok_or(RestoreError::NoFile)?.to_owned();
    let former = aside_name(database, now)?;
    // A log keeps the name that belongs to its database, so that both can be opened together.
    let of_former = draft.copy_at(&former).files();
    let of_database = draft.copy_at(database).files();
    let logs = of_database.into_iter().zip(of_former).filter(|(from, _)| from != database);
    let mut plan = Plan {
        moves: logs.filter(|(from, _)| from.symlink_metadata().is_ok()).collect(),
        replaced: vec![Replaced { draft: path, place: database.to_owned(), aside: former }],
    };
    for (place, content) in keys.files(data_dir) {
        let is_same = std::fs::read(&place).is_ok_and(|there| there == content.as_bytes());
        if !is_same {
            let draft = draft_of(&place);
            write_key(&place, content.as_bytes(), data_dir)
                .map_err(|error| RestoreError::Io(draft.clone(), explain(&draft, error)))?;
            plan.replaced.push(Replaced { draft, aside: aside_name(&place, now)?, place });
        }
    }
    let is_there = |replaced: &&Replaced| replaced.place.symlink_metadata().is_ok();
    let aside_of = |replaced: &Replaced| replaced.aside.clone();
    let former = plan.replaced.first().filter(is_there).map(aside_of);
    let aside = plan.replaced.iter().filter(is_there).map(aside_of).collect();
    let at_plan = |error| RestoreError::Plan(data_dir.restore_plan(), error);
    plan.save(data_dir).map_err(|error| RestoreError::Io(data_dir.restore_plan(), error))?;
    plan.carry_out(data_dir).map_err(at_plan)?;
    Ok((former, aside))
}

/// Writes the draft of a key, which stays under its draft's name.
fn write_key(place: &Path, content: &[u8], data_dir: &DataDir) -> io::Result<()> {
    let draft = Draft::begin(place, keys::MODE)?;
    owner::give(draft.file(), data_dir.path(), keys::MODE)?;
    draft.keep(content)?;
    sync_name(place)
}
