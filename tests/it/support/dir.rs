//! Where tests keep their files.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

/// What a test writes at most, several tests at once included.
const ROOM: u64 = 1 << 30;

/// A temporary directory in memory where the system has one with room, so that no test waits for
/// the disk. Tests about the disk itself use [`TempDir::new`].
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
