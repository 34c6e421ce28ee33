//! Directories for the files of tests.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

/// The maximum that tests write at the same time.
const ROOM: u64 = 1 << 30;

/// A temporary directory in memory, if there is a file system in memory with enough space, so that
/// tests do not wait for the disk. Tests about the disk use [`TempDir::new`].
pub fn temp_dir() -> TempDir {
    static IN_MEMORY: OnceLock<bool> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let has_room =
        || rustix::fs::statvfs(memory).is_ok_and(|stat| stat.f_bavail * stat.f_frsize >= ROOM);
    if *IN_MEMORY.get_or_init(has_room) {
        TempDir::new_in(memory).unwrap()
    } else {
        TempDir::new().unwrap()
    }
}
