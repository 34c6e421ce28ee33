//! Old backups on a file system that is mounted with `discard`. There, the deletion of a large file
//! keeps the disk busy for so long that postbacks wait for it. To shorten the file in steps does
//! not, but a program that still reads the backup would get a part of it. So the file is put aside
//! under another name, and shortened by a later backup.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::name::Name;
use crate::file_system::is_mounted_with_discard;
use crate::whole_file::remove;

/// What can be deleted at once. Measured: 16 MiB delay a sync of another program by some 17 ms.
const STEP_BYTES: u64 = 16 << 20;
/// How long a file stays aside at least, in seconds: who began to read it before has finished.
const STAYS_SECONDS: u64 = 3_600;
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// Takes a backup out of use at `now` (unix seconds): deletes its file, or puts it aside.
pub(super) fn take_away(dir: &Path, name: Name, now: i64) -> io::Result<()> {
    let path = dir.join(name.database());
    match path.symlink_metadata() {
        Ok(file) if file.len() > STEP_BYTES && is_mounted_with_discard(&path)? => {
            put_aside(dir, name, now).or_else(|error| if_denied(error, || remove(&path)))
        }
        _ => remove(&path),
    }
}

/// A file of another user can be deleted by the owner of the directory, but only as a whole.
fn if_denied(error: io::Error, remove: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => remove(),
        _ => Err(error),
    }
}

fn put_aside(dir: &Path, name: Name, now: i64) -> io::Result<()> {
    let (path, aside) = (dir.join(name.database()), dir.join(name.aside()));
    let file = File::open(&path)?;
    // The date from which it is aside. One before 1970 is taken for 1970.
    let since = UNIX_EPOCH + Duration::from_secs(u64::try_from(now).unwrap_or(0));
    file.set_times(FileTimes::new().set_modified(since))?;
    fs::rename(path, aside)
}

/// Deletes a backup that was put aside long enough ago. What is left of it when `stop` is set is
/// for a later call. Only one thread may do this at a time.
pub(super) fn remove_aside(dir: &Path, name: Name, now: i64, stop: &AtomicBool) -> io::Result<()> {
    let path = dir.join(name.aside());
    // One of a later date is of a clock that was wrong, then or now.
    let stayed = now.saturating_sub(path.symlink_metadata()?.mtime());
    if stayed.unsigned_abs() < STAYS_SECONDS {
        return Ok(());
    }
    remove_in_steps(&path, stop)
}

/// Deletes a file that nobody reads, without keeping the disk busy. If `stop` is set meanwhile, a
/// part of it is left.
pub(super) fn remove_in_steps(path: &Path, stop: &AtomicBool) -> io::Result<()> {
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) => return if_denied(error, || remove(path)),
    };
    let mut bytes = file.metadata()?.len();
    while bytes > STEP_BYTES {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let began = Instant::now();
        bytes -= STEP_BYTES;
        file.set_len(bytes)?;
        // Only then are the blocks discarded, so that the next step does not add to these.
        file.sync_all()?;
        thread::sleep(began.elapsed().max(PAUSE_MIN));
    }
    remove(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_781_524_800;
    const HOUR: i64 = 3_600;

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_backup_that_is_put_aside_can_still_be_read_and_goes_with_a_backup_an_hour_later() {
        let dir = tempfile::tempdir().unwrap();
        let (dir, name, go_on) = (dir.path(), Name::new(NOON, 1), AtomicBool::new(false));
        let path = dir.join(name.database());
        fs::write(&path, "the content").unwrap();
        let mut reader = File::open(&path).unwrap();
        put_aside(dir, name, NOON + 5).unwrap();
        remove_aside(dir, name, NOON + 5 + HOUR - 1, &go_on).unwrap();
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "the content");
        assert_eq!(fs::read_to_string(dir.join(name.aside())).unwrap(), "the content");
        remove_aside(dir, name, NOON + 5 + HOUR, &go_on).unwrap();
        assert_eq!(names(dir), [""; 0]);
    }

    #[test]
    fn one_that_was_put_aside_by_a_clock_far_ahead_goes_too() {
        let dir = tempfile::tempdir().unwrap();
        let (dir, name, go_on) = (dir.path(), Name::new(NOON, 1), AtomicBool::new(false));
        File::create(dir.join(name.database())).unwrap();
        put_aside(dir, name, NOON + HOUR).unwrap();
        remove_aside(dir, name, NOON + 1, &go_on).unwrap();
        assert_eq!(names(dir), [name.aside()]);
        remove_aside(dir, name, NOON, &go_on).unwrap();
        assert_eq!(names(dir), [""; 0]);
    }

    #[test]
    fn a_deletion_in_steps_that_is_stopped_leaves_a_part_and_is_finished_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        File::create(&path).unwrap().set_len(3 * STEP_BYTES + 1).unwrap();
        remove_in_steps(&path, &AtomicBool::new(true)).unwrap();
        assert_eq!(path.metadata().unwrap().len(), 3 * STEP_BYTES + 1);
        remove_in_steps(&path, &AtomicBool::new(false)).unwrap();
        assert!(!path.exists());
    }
}
