//! Owner and mode of files that root may write in the place of the service's user.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

/// What the owner alone has.
const OWNER: u32 = 0o700;

/// Gives a file to the owner and group of the data directory, with this mode. Where the owner
/// cannot be changed, only the owner that it has may access it.
pub(super) fn give(file: &File, data_dir: &Path, mode: u32) -> io::Result<()> {
    let (own, wanted) = (file.metadata()?, fs::metadata(data_dir)?);
    let is_same = (own.uid(), own.gid()) == (wanted.uid(), wanted.gid());
    let is_given = is_same || fchown(file, Some(wanted.uid()), Some(wanted.gid())).is_ok();
    file.set_permissions(Permissions::from_mode(if is_given { mode } else { mode & OWNER }))
}
