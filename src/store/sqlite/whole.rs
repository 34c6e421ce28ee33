//! Determines whether the database file has lost its end. A detailed check runs once, before the
//! process has a connection (see [`super::check_whole`]). A short check by `stat` runs before every
//! connection, for the worst case.
//!
//! SQLite notices this too late. It treats a file of zero bytes as a new database and removes the
//! WAL beside it, and with it the newest postbacks. It ignores the size of a short file while the
//! WAL has a size. File formats: sqlite.org/fileformat2.html, "The Database Header" and "The WAL
//! File Format".

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::fault;
use super::files::beside;
use crate::store::Fault;

const HEADER_BYTES: usize = 100;
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;
const LOCK_BYTES_AT: u64 = 1 << 30;
const EMPTIED: &str = "the file is empty and its log is not";

/// Refuses a file that is shorter than its header says, unless the WAL has the missing pages, as
/// after an interrupted checkpoint. Leaves a file that cannot be read, or is not a SQLite database,
/// to SQLite.
pub(super) fn check(database: &Path) -> Result<(), Fault> {
    // If the path is a symbolic link, SQLite keeps the WAL beside its target.
    let Ok(database) = database.canonicalize() else { return Ok(()) };
    let Ok(file) = File::open(&database) else { return Ok(()) };
    let length = || file.metadata().map_or(0, |metadata| metadata.len());
    let mut header = [0; HEADER_BYTES];
    if file.read_exact_at(&mut header, 0).is_err() {
        return match length() {
            0 if log_pages(&database, u64::MAX).is_empty() => Ok(()),
            0 => damage(EMPTIED),
            bytes if bytes < HEADER_BYTES as u64 => damage("the file ends within its header"),
            _ => Ok(()),
        };
    }
    let Some((page_bytes, pages)) = size(&header) else { return Ok(()) };
    check_length(&database, page_bytes, pages, "the file is shorter than its header says")
}

/// Refuses a file that ends before the last of these pages, unless the WAL has the missing ones.
/// Does not open the file, so it is safe at any time.
pub(super) fn check_end(database: &Path, page_bytes: u64, pages: u64) -> Result<(), Fault> {
    let Ok(database) = database.canonicalize() else { return Ok(()) };
    check_length(&database, page_bytes, pages, "the file has lost its end")
}

fn check_length(database: &Path, page_bytes: u64, pages: u64, what: &str) -> Result<(), Fault> {
    let length = || std::fs::metadata(database).map_or(0, |metadata| metadata.len());
    let found = length();
    let whole_pages = found / page_bytes;
    if whole_pages >= pages {
        return Ok(());
    }
    let log = log_pages(database, page_bytes);
    // SQLite never writes the page with the bytes that it locks.
    let locked = LOCK_BYTES_AT / page_bytes + 1;
    let is_there = (whole_pages + 1..=pages).all(|page| page == locked || log.contains(&page));
    // A checkpoint of another process may have progressed meanwhile.
    if is_there || length() != found { Ok(()) } else { damage(what) }
}

/// Refuses a file of zero bytes beside a WAL with content, because SQLite would remove the WAL.
/// Opens nothing, so it is safe at any time.
pub(super) fn check_not_emptied(database: &Path) -> Result<(), Fault> {
    let bytes = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len());
    let emptied = || -> std::io::Result<bool> {
        let database = database.canonicalize()?;
        Ok(bytes(&database)? == 0 && bytes(&beside(&database, "-wal"))? > LOG_HEADER_BYTES)
    };
    if emptied().unwrap_or(false) { damage(EMPTIED) } else { Ok(()) }
}

fn damage(what: &str) -> Result<(), Fault> {
    Err(fault::damage(what.to_owned()))
}

/// Page size and number of pages, if the header is a valid SQLite header with a valid number of
/// pages.
fn size(header: &[u8; HEADER_BYTES]) -> Option<(u64, u64)> {
    let counted = header[24..28] == header[92..96];
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    (header.starts_with(b"SQLite format 3\0") && counted && page_bytes >= 512)
        .then(|| (page_bytes, number(header, 28)))
}

/// The numbers of the pages in the WAL. If the page size is unknown, `u64::MAX` is used for it and
/// only the first page is read.
fn log_pages(database: &Path, page_bytes: u64) -> HashSet<u64> {
    let mut pages = HashSet::new();
    let Ok(file) = File::open(beside(database, "-wal")) else { return pages };
    let mut header = [0; LOG_HEADER_BYTES as usize];
    if file.read_exact_at(&mut header, 0).is_err() {
        return pages;
    }
    let mut frame = [0; FRAME_HEADER_BYTES as usize];
    let mut at = Some(LOG_HEADER_BYTES);
    while let Some(here) = at {
        // Frames with other salts are left from before the WAL was restarted.
        if file.read_exact_at(&mut frame, here).is_err() || frame[8..16] != header[16..24] {
            break;
        }
        pages.insert(number(&frame, 0));
        at = page_bytes.checked_add(here + FRAME_HEADER_BYTES);
    }
    pages
}

fn number(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 4].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
