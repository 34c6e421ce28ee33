//! The size of the WAL, and the processes whose read transactions keep it from being reset.
//!
//! Each read transaction holds a POSIX lock on a byte of the -shm file, which says which of five
//! "read marks" it uses: the last frame of the WAL that it reads. The kernel lists who holds which
//! lock. Formats: sqlite.org/walformat.html, "The WAL-Index File Format" and "WAL Locks"; proc(5),
//! "/proc/locks".

use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use super::checkpoint::{CHECKPOINT_PAGES, FRAME_BYTES};
use super::files::beside;
use crate::store::{LogReader, LogState};

const LOCKS: &str = "/proc/locks";
/// How often the list of locks is read. The kernel gives it a page at a time, and a line is skipped
/// where another process releases a lock in between.
const READINGS: usize = 3;
/// The part of the -shm file that is read: two copies of a header and the information for
/// checkpoints.
const INDEX_BYTES: usize = 136;
/// Where the header has the number of the last frame.
const LAST_FRAME_AT: usize = 16;
/// Where the read marks begin.
const MARKS_AT: usize = 100;
/// The bytes that readers lock, one for each mark.
const READ_LOCKS: RangeInclusive<u64> = 123..=127;

/// The WAL of a database; `None` if there is none. Reads the -shm file beside SQLite, so it is only
/// for a process that has no connection to the database: closing the file releases the locks of the
/// process (POSIX).
///
/// # Errors
///
/// If a file cannot be read.
pub fn log_state(path: &Path) -> io::Result<Option<LogState>> {
    // If the path is a symbolic link, SQLite keeps the others beside its target.
    let Ok(database) = path.canonicalize() else { return Ok(None) };
    let bytes = match beside(&database, "-wal").metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let usual_bytes_max = (i64::from(CHECKPOINT_PAGES) * FRAME_BYTES * 2).unsigned_abs();
    let readers = match readers(&beside(&database, "-shm")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        readers => readers?,
    };
    Ok(Some(LogState { name: "WAL", bytes, usual_bytes_max, readers }))
}

fn readers(index: &Path) -> io::Result<Vec<LogReader>> {
    let file = File::open(index)?;
    let mut header = [0; INDEX_BYTES];
    if file.read_exact_at(&mut header, 0).is_err() {
        // Until the first transaction, the file is empty.
        return Ok(Vec::new());
    }
    let last_frame = number(&header, LAST_FRAME_AT);
    let (inode, mut held) = (file.metadata()?.ino(), Vec::new());
    for _ in 0..READINGS {
        held.extend(read_locks(&fs::read_to_string(LOCKS)?, inode));
    }
    let mut readers = Vec::new();
    for (process, lock) in held {
        let slot = usize::try_from(lock - READ_LOCKS.start()).unwrap_or(0);
        // Who holds the first lock reads the database file alone, so that no frame may be copied
        // into it.
        let mark = if slot == 0 { 0 } else { number(&header, MARKS_AT + 4 * slot) };
        let behind = last_frame.saturating_sub(mark);
        if behind > 0 {
            let behind_bytes = behind * FRAME_BYTES.unsigned_abs();
            readers.push(LogReader { process, mark, behind_bytes });
        }
    }
    readers.sort_unstable();
    readers.dedup();
    Ok(readers)
}

/// The header has the byte order of the machine.
fn number(header: &[u8; INDEX_BYTES], at: usize) -> u64 {
    header[at..].first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes).into())
}

/// The locks of readers on the file with this inode, as (process, byte). A line of the list:
/// `1: POSIX  ADVISORY  READ 1095 fe:00:5309042 124 124`. A process that waits for a lock has `->`.
fn read_locks(locks: &str, inode: u64) -> Vec<(i32, u64)> {
    let mut found = Vec::new();
    for line in locks.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "POSIX", _, _, process, file, from, to] = fields[..] else { continue };
        let is_ours = file.rsplit(':').next().is_some_and(|last| last == inode.to_string());
        let (Ok(process), Ok(from), Ok(to)) = (process.parse(), from.parse(), to.parse::<u64>())
        else {
            continue;
        };
        if is_ours {
            let bytes = READ_LOCKS.filter(|byte| (from..=to).contains(byte));
            found.extend(bytes.map(|byte| (process, byte)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locks_of_readers_are_found_among_all_locks() {
        let locks = "1: POSIX  ADVISORY  READ 1095 fe:00:42 124 124\n\
             1: -> POSIX  ADVISORY  WRITE 1096 fe:00:42 120 120\n\
             2: POSIX  ADVISORY  READ 1095 fe:00:42 128 128\n\
             3: POSIX  ADVISORY  READ 1097 fe:00:43 124 124\n\
             4: FLOCK  ADVISORY  WRITE 1095 fe:00:42 0 EOF\n\
             5: POSIX  ADVISORY  WRITE 1098 fe:00:42 121 127\n\
             6: OFDLCK ADVISORY  READ -1 fe:00:42 123 123\n";
        let five = (123..=127).map(|byte| (1098, byte));
        assert_eq!(
            read_locks(locks, 42),
            [(1095, 124)].into_iter().chain(five).collect::<Vec<_>>()
        );
        assert_eq!(read_locks("", 42), []);
    }
}
