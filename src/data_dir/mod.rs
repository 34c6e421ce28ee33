//! The data directory: its mode, its lock, and the paths in it.

pub(crate) mod modes;
pub(crate) mod served;

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt, FileExt as _, MetadataExt as _, OpenOptionsExt, PermissionsExt,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;

use crate::denied::{explain, is_there};
use crate::key_file::ring::files_of;
use crate::key_file::rotation::remove_drafts as remove_key_drafts;
use crate::owner::{give_to_owner_of, open_unlinked};
use crate::whole_file::{draft_of, parent, remove, sync_name};

/// Full access for the owner, read access for the group: an Apache in the group reads the database.
/// The keys have modes of their own.
const DIR_MODE: u32 = 0o750;
/// Only the owner can take the lock.
const LOCK_MODE: u32 = 0o600;
/// What a `restore` writes to the lock file.
const RESTORE_MARK: &[u8] = b"restore\n";
/// How often a lock is tried that another process has, and the time between two tries.
const LOCK_TRIES: u32 = 10;
const LOCK_TRY_EVERY: Duration = Duration::from_millis(5);

/// The directory that has everything a backup needs.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be created or written.
    #[error("cannot use the data directory {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// The lock file cannot be used.
    #[error("cannot use the lock file {}", .0.display())]
    Lock(PathBuf, #[source] io::Error),
    /// Another process uses it.
    #[error("the data directory {} is in use by a running nats-userman", .0.display())]
    InUse(PathBuf),
    /// A link leads root to a directory of another user.
    #[error(
        "{}: a symbolic link of another user leads to another directory: replace the link by the \
         database", .0.display()
    )]
    ForeignLink(PathBuf),
    /// A `restore` uses it.
    #[error("the data directory {} is in use by a `restore`", .0.display())]
    Restoring(PathBuf),
}

impl DataDir {
    /// The directory at this path, which may not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key under which passwords are sealed.
    pub fn seal_key(&self) -> PathBuf {
        self.path.join("seal.key")
    }

    /// The key under which login cookies are signed.
    pub fn cookie_key(&self) -> PathBuf {
        self.path.join("cookie.key")
    }

    /// The files of both keys, with those of a rotation: each current one first.
    pub fn key_files(&self) -> [PathBuf; 6] {
        let [seal, seal_next, seal_former] = files_of(self.seal_key());
        let [cookie, cookie_next, cookie_former] = files_of(self.cookie_key());
        [seal, seal_next, seal_former, cookie, cookie_next, cookie_former]
    }

    /// The file of tokens, one a line.
    pub fn token_file(&self) -> PathBuf {
        self.path.join("postback-token")
    }

    /// How the service runs, for commands without its settings.
    pub(crate) fn served(&self) -> PathBuf {
        self.path.join("served.json")
    }

    /// Whether there are keys or the record of a service that ran: then there was a database.
    pub(crate) fn was_in_use(&self) -> bool {
        self.seal_key().exists() || self.served().exists()
    }

    /// The renames of a restore that has begun.
    pub(crate) fn restore_plan(&self) -> PathBuf {
        self.path.join("restore.json")
    }

    /// The lock of a `serve`, `replay` or `restore`.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.path.join("userman.lock")
    }

    /// Whether a `serve` or `replay` has it now.
    pub(crate) fn is_in_use(&self) -> bool {
        // A shared lock that is released at once does not disturb other readers.
        File::open(self.lock_file())
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Whether a `serve` or `replay` of this directory, or of that of the database, runs now.
    pub(crate) fn is_served(&self, database: Option<&Path>) -> bool {
        database.map_or_else(|| is_locked(&self.path), is_served)
    }

    /// The alarms that are raised.
    pub fn alarms(&self) -> PathBuf {
        self.path.join("alarms.json")
    }

    /// The database, unless a setting says otherwise.
    pub fn database(&self) -> PathBuf {
        self.path.join("userman.db")
    }

    /// Creates the directory if it does not exist.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn make(&self) -> Result<(), DataDirError> {
        let failed = |error| DataDirError::Io(self.path.clone(), explain(&self.path, error));
        if is_there(&self.path).map_err(failed)? && self.path.is_dir() {
            return Ok(());
        }
        let make = || {
            let new: Vec<_> = self
                .path
                .ancestors()
                .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
                .collect();
            fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(&self.path)?;
            // The umask has limited the mode above.
            fs::set_permissions(&self.path, Permissions::from_mode(DIR_MODE))?;
            // The directory entries too are durable before anything in it is acknowledged.
            new.into_iter().try_for_each(sync_name)
        };
        make().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                failed(io::Error::new(error.kind(), not_a_directory(&self.path)))
            }
            _ => failed(error),
        })
    }

    /// Locks the directory, and that of a database in another directory, for one `serve` or
    /// `replay`. The lock ends with the process, however it ends.
    ///
    /// # Errors
    ///
    /// If another process has it, the lock file cannot be written, or a link would lead root to a
    /// directory of another user.
    pub fn lock(&self, database: Option<&Path>) -> Result<Vec<Lock>, DataDirError> {
        // Before a lock file is created in the directory to which a link leads.
        let file = database.map(|database| (database, database.canonicalize()));
        if let Some((link, Ok(file))) = &file
            && self.leads_root_away(link, file)
        {
            return Err(DataDirError::ForeignLink(link.to_path_buf()));
        }
        let mut locks = vec![self.lock_this()?];
        // A database in another directory belongs to the service there. One that does not exist yet
        // will be created at its path.
        let elsewhere = file.and_then(|(database, file)| match file {
            Ok(file) => file.parent().map(Path::to_owned),
            Err(_) => parent(database).canonicalize().ok(),
        });
        if let Some(dir) =
            elsewhere.filter(|dir| self.path.canonicalize().is_ok_and(|own| own != *dir))
        {
            locks.push(Self::new(dir).lock_this()?);
        }
        Ok(locks)
    }

    /// Locks as [`DataDir::lock`] does, for a `restore`: a service that is started meanwhile waits.
    ///
    /// # Errors
    ///
    /// If another process has it, or the lock file cannot be written.
    pub(crate) fn lock_for_restore(
        &self,
        database: Option<&Path>,
    ) -> Result<Vec<Lock>, DataDirError> {
        let locks = self.lock(database)?;
        for lock in &locks {
            lock.file
                .write_all_at(RESTORE_MARK, 0)
                .map_err(|error| DataDirError::Lock(self.lock_file(), error))?;
        }
        Ok(locks)
    }

    /// Whether a `restore` has it now, or the directory of the database.
    pub(crate) fn is_being_restored(&self, database: Option<&Path>) -> bool {
        let elsewhere = database.map(|database| Self::new(parent(database)));
        [Some(self.clone()), elsewhere].into_iter().flatten().any(|dir| dir.has_restore())
    }

    fn has_restore(&self) -> bool {
        self.is_in_use() && fs::read(self.lock_file()).is_ok_and(|text| text == RESTORE_MARK)
    }

    /// Whether a link at this path of the database would lead root to a directory of a third user.
    /// `target` is the path without links. Whoever owns the data directory can put a link there,
    /// and it must lead root to no files of others.
    pub(crate) fn leads_root_away(&self, database: &Path, target: &Path) -> bool {
        let owner = |path: &Path| fs::metadata(path).map(|file| file.uid()).ok();
        let leads_away = parent(database).canonicalize().is_ok_and(|dir| dir != parent(target));
        let is_of_root = || fs::symlink_metadata(database).is_ok_and(|link| link.uid() == 0);
        geteuid().is_root()
            && leads_away
            && !is_of_root()
            && owner(parent(target)) != owner(&self.path)
    }

    /// Removes unfinished files of a start or of a `key` command that was killed: keys that were
    /// never used. The caller must hold the lock.
    pub(crate) fn remove_drafts(&self) {
        remove_key_drafts(&self.seal_key());
        remove_key_drafts(&self.cookie_key());
        // The second one is of releases up to 0.2.0.
        for draft in [draft_of(&self.served()), self.path.join("served.new")] {
            if let Err(error) = remove(&draft) {
                log::warn!(
                    "cannot remove {}, a leftover of an interrupted start: {error}",
                    draft.display()
                );
            }
        }
    }

    fn lock_this(&self) -> Result<Lock, DataDirError> {
        let io = |error| DataDirError::Io(self.path.clone(), explain(&self.path, error));
        let path = self.lock_file();
        // Where it cannot be created, the error is about the directory.
        let file = self.open_lock(&path).map_err(|error| {
            DataDirError::Lock(
                path.clone(),
                explain(if path.exists() { &path } else { &self.path }, error),
            )
        })?;
        // The directory as well: if the lock file is removed, the next process creates another one,
        // which would not exclude us.
        let dir = File::open(&self.path).map_err(io)?;
        for taken in [&file, &dir] {
            match take(taken) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if self.has_restore() => {
                    return Err(DataDirError::Restoring(self.path.clone()));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(DataDirError::InUse(self.path.clone()));
                }
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
        }
        // The mark of a `restore`, which has ended.
        file.set_len(0).map_err(io)?;
        Ok(Lock { file, _dir: dir })
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        let new = OpenOptions::new().write(true).create_new(true).mode(LOCK_MODE).open(path);
        match new {
            Ok(file) => {
                give_to_owner_of(&self.path, &file)?;
                // The umask has limited the mode above; without write permission the next start
                // could not take the lock.
                file.set_permissions(Permissions::from_mode(LOCK_MODE))?;
                Ok(file)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                open_unlinked(path, OpenOptions::new().write(true))
            }
            Err(error) => Err(error),
        }
    }
}

/// Why a directory cannot be created at this path.
fn not_a_directory(path: &Path) -> &'static str {
    if path.is_symlink() && !path.exists() {
        "it is a broken symbolic link"
    } else {
        "it is not a directory"
    }
}

/// Takes a lock. A command that calls [`is_served`] holds it for a moment, so this waits a little.
fn take(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_TRY_EVERY),
            taken => return taken,
        }
    }
    file.try_lock()
}

/// Whether a `serve` or `replay` has locked the directory of this database.
pub(crate) fn is_served(database: &Path) -> bool {
    database.canonicalize().is_ok_and(|database| is_locked(parent(&database)))
}

fn is_locked(dir: &Path) -> bool {
    // The directory and not the lock file: a command of another user must not create that file.
    let is_locked = |dir: File| matches!(dir.try_lock_shared(), Err(TryLockError::WouldBlock));
    File::open(dir).is_ok_and(is_locked)
}

/// The lock of a directory, held while it is in use.
#[derive(Debug)]
pub struct Lock {
    file: File,
    _dir: File,
}
