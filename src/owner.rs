//! Files in the directory of another user: what root creates there belongs to that user, and a link
//! that this user put there leads root to no other file.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// What the owner alone has.
const OWNER: u32 = 0o700;

/// Gives a file that root has just created in this directory to the owner and the group of the
/// directory. Does nothing for other users, whose files belong to them anyway.
///
/// The file is named by its descriptor alone, so that no other process can replace it.
pub(crate) fn give_to_owner_of(dir: &Path, file: &File) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    match own_like(file, &fs::metadata(dir)?) {
        // Root of a container without the capability: there is no other user there.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// Gives a file to the owner and group of the data directory, with this mode. Where the owner
/// cannot be changed, only the owner that it has may access it.
pub(crate) fn give(file: &File, data_dir: &Path, mode: u32) -> io::Result<()> {
    let is_given = own_like(file, &fs::metadata(data_dir)?).is_ok();
    file.set_permissions(Permissions::from_mode(if is_given { mode } else { mode & OWNER }))
}

/// Gives a file the owner and group of another one, if it has others.
pub(crate) fn own_like(file: &File, wanted: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (wanted.uid(), wanted.gid()) {
        return Ok(());
    }
    fchown(file, Some(wanted.uid()), Some(wanted.gid()))
}

/// Opens an existing file, but not through a symbolic link in the last part of its path, and
/// without waiting for the other end of a pipe.
pub(crate) fn open_unlinked(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    options.custom_flags(flags).open(path).map_err(|error| match path.is_symlink() {
        true => io::Error::new(error.kind(), "it is a symbolic link: expected a file"),
        false => error,
    })
}
