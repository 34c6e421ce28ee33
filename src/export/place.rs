//! The file of an export: what may be replaced, and its owner and mode.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::{ExportError, Format};
use crate::denied::explain;
use crate::owner::own_like;
use crate::whole_file::{Draft, draft_of};

/// The mode of CSV and JSON lines, and of every file while it is written.
const PRIVATE: u32 = 0o600;
/// The mode of a new .htpasswd: the group may be that of the web server.
const FOR_A_GROUP: u32 = 0o640;

/// The file that an export replaces.
#[derive(Clone, Debug)]
pub struct Target {
    path: PathBuf,
    /// Device and inode of the files of this program, which an export must not replace.
    own: Vec<(u64, u64)>,
}

/// A new file that is not in its place yet. It is removed on drop.
pub(super) struct NewFile<'a> {
    target: &'a Target,
    draft: Draft,
}

impl Target {
    pub(super) fn new(path: &Path, own: &[PathBuf]) -> Result<Self, ExportError> {
        let own = own.iter().filter_map(|path| fs::metadata(path).ok());
        let target = Self { path: path.to_owned(), own: own.map(|file| inode(&file)).collect() };
        target.existing().map(|_| target)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Identifies the file that has the path now; `None` if none has it.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        fs::symlink_metadata(&self.path).ok().as_ref().map(inode)
    }

    /// The file that is replaced; `None` if there is none yet.
    fn existing(&self) -> Result<Option<Metadata>, ExportError> {
        let path = || self.path.clone();
        let file = match fs::symlink_metadata(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io(error)),
        };
        match file.file_type() {
            kind if kind.is_symlink() => Err(ExportError::Link(path())),
            kind if kind.is_dir() => Err(ExportError::Directory(path())),
            kind if !kind.is_file() => Err(ExportError::NoFile(path())),
            _ if self.own.contains(&inode(&file)) => Err(ExportError::Own(path())),
            _ => Ok(Some(file)),
        }
    }

    fn io(&self, error: io::Error) -> ExportError {
        ExportError::Io(self.path.clone(), explain(&self.path, error))
    }

    /// Begins the new file beside the existing one.
    pub(super) fn begin(&self, format: Format) -> Result<NewFile<'_>, ExportError> {
        let existing = self.existing()?;
        let left = draft_of(&self.path);
        // A draft that no process has locked was left by one that was killed.
        if File::open(&left).is_ok_and(|file| file.try_lock().is_err()) {
            return Err(ExportError::InUse(self.path.clone()));
        }
        let draft = Draft::begin(&self.path, PRIVATE)
            .map_err(|error| ExportError::Io(self.path.clone(), explain(&left, error)))?;
        draft.file().try_lock().map_err(|_| ExportError::InUse(self.path.clone()))?;
        let new = NewFile { target: self, draft };
        if let Some(existing) = &existing {
            new.own_as(existing)?;
        }
        if format == Format::Htpasswd {
            let mode = existing.map_or(FOR_A_GROUP, |file| file.mode() & 0o777);
            let file = new.draft.file();
            file.set_permissions(Permissions::from_mode(mode)).map_err(|error| self.io(error))?;
        }
        Ok(new)
    }
}

impl NewFile<'_> {
    /// Gives the file the owner and the group of the existing one, or at least the group: the owner
    /// can be changed by root alone.
    fn own_as(&self, existing: &Metadata) -> Result<(), ExportError> {
        let file = self.draft.file();
        let denied = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
        match own_like(file, existing) {
            Err(error) if denied(&error) => fchown(file, None, Some(existing.gid()))
                .map_err(|error| ExportError::Owner(self.target.path.clone(), error)),
            done => done.map_err(|error| self.target.io(error)),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.draft.file().write_all(bytes).map_err(|error| self.target.io(error))
    }

    /// Replaces the file in the place.
    pub(super) fn replace(self) -> Result<(), ExportError> {
        let Self { target, draft } = self;
        let own = draft.file().metadata().map_err(|error| target.io(error))?;
        // Another process may have begun the same file before this one had locked it.
        let there = fs::symlink_metadata(draft_of(&target.path));
        if !there.is_ok_and(|there| inode(&there) == inode(&own)) {
            return Err(ExportError::InUse(target.path.clone()));
        }
        target.existing()?;
        draft.replace(b"").map_err(|error| target.io(error))
    }
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
