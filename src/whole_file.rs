//! Writes small files atomically and durably: keys, tokens, and what `serve` records for commands.
//!
//! A file is written as `NAME.new` in the same directory, synced and renamed; then the directory is
//! synced. The name is always the same, so that the next write replaces what a killed process left.
//! Crates for this use random names, which would pile up in a directory of secrets.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::owner::give_to_owner_of;

/// The directory of a file, as its path says.
pub(crate) fn parent(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the name of this file in its directory durable.
pub(crate) fn sync_name(file: &Path) -> io::Result<()> {
    File::open(parent(file))?.sync_all()
}

/// A file that is not in its place yet. It is removed on drop.
#[derive(Debug)]
pub(crate) struct Draft {
    file: File,
    name: Option<PathBuf>,
    place: PathBuf,
}

/// Where a file is written before it is renamed.
pub(crate) fn draft_of(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

impl Draft {
    /// Begins a file for this place, with this mode regardless of the umask. If root begins it, it
    /// belongs to the owner of the directory. Only one caller at a time may write for a place.
    pub(crate) fn begin(place: &Path, mode: u32) -> io::Result<Self> {
        let name = draft_of(place);
        // A file that was left may belong to another user, who could continue to write to it.
        remove(&name)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&name)?;
        let draft = Self { file, name: Some(name), place: place.to_owned() };
        give_to_owner_of(parent(place), &draft.file)?;
        draft.file.set_permissions(Permissions::from_mode(mode))?;
        Ok(draft)
    }

    /// The open file, to change its owner.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Writes the content and replaces the file in the place.
    pub(crate) fn replace(self, content: &[u8]) -> io::Result<()> {
        self.put(content, |name, place| fs::rename(name, place))
    }

    /// Writes the content to a place that is empty. If another file has come there meanwhile, it is
    /// kept and this fails.
    pub(crate) fn create(self, content: &[u8]) -> io::Result<()> {
        self.put(content, rename_to_new)
    }

    /// Writes the content and keeps the file under the name of the draft.
    pub(crate) fn keep(mut self, content: &[u8]) -> io::Result<()> {
        self.file.write_all(content)?;
        self.file.sync_all()?;
        self.name = None;
        Ok(())
    }

    fn put(
        mut self,
        content: &[u8],
        rename: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> io::Result<()> {
        self.file.write_all(content)?;
        self.file.sync_all()?;
        if let Some(name) = &self.name {
            rename(name, &self.place)?;
        }
        self.name = None;
        sync_name(&self.place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // The caller reports what failed. The draft holds no further information.
        let _ = self.name.as_deref().map(remove);
    }
}

/// Renames a file to a name that no file has.
pub(crate) fn rename_to_new(name: &Path, place: &Path) -> io::Result<()> {
    match renameat_with(CWD, name, CWD, place, RenameFlags::NOREPLACE) {
        // The file system does not support the flag. Any other program that makes this file holds
        // the lock of the directory first.
        Err(Errno::INVAL | Errno::NOSYS) if place.symlink_metadata().is_err() => {
            fs::rename(name, place)
        }
        Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
        done => Ok(done?),
    }
}

/// Locks a file until the result is dropped, against commands that replace it as a whole.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    loop {
        let file = File::open(path)?;
        file.lock()?;
        // Each change replaces the file.
        if file.metadata()?.ino() == fs::metadata(path)?.ino() {
            return Ok(file);
        }
    }
}

/// Removes a file, which may not exist.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(place: &Path, content: &[u8]) -> io::Result<()> {
        Draft::begin(place, 0o600)?.create(content)
    }

    #[test]
    fn a_file_is_put_in_place_with_its_mode_and_takes_the_place_of_another_only_if_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("key");
        write(&place, b"first").unwrap();
        assert_eq!(write(&place, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&place).unwrap(), b"first");
        Draft::begin(&place, 0o640).unwrap().replace(b"third").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"third");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a draft is left");
    }

    #[test]
    fn what_a_kill_has_left_is_written_anew_and_never_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("key");
        fs::write(draft_of(&place), "half of a longer one").unwrap();
        let left = File::open(draft_of(&place)).unwrap();
        write(&place, b"whole").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"whole");
        assert_eq!(io::read_to_string(left).unwrap(), "half of a longer one");
    }
}
