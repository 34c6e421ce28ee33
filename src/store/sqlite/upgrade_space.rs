//! The free space that an upgrade needs, and how much there is.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::file_system::free_bytes;
use crate::store::Fault;
use crate::whole_file::parent;

/// Up to this version the upgrade writes most pages of the database.
const LAST_THAT_IS_REWRITTEN: i64 = 2;
/// What such an upgrade writes, as a multiple of the size of the database: each page to the WAL,
/// and a new index to the file.
const REWRITTEN: u64 = 2;
/// What any other upgrade writes: some pages of the schema, and this part of the database for the
/// index of e-mail addresses, which goes to the WAL and to the file.
const FEW_PAGES: u64 = 16 * MIB;
const INDEX_PART: u64 = 3;

/// What a second is enough for. Measured with 1.8 GB, a million members and three million records,
/// on two cores that were busy with other work: 145 MB of the database were copied and checked, and
/// a rewriting upgrade wrote 120 MB.
const COPIED_A_SECOND: u64 = 150 * MIB;
const WRITTEN_A_SECOND: u64 = 120 * MIB;

pub(super) const MIB: u64 = 1024 * 1024;

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// The size of the copy.
    pub(super) copy: u64,
    /// What the copy and the upgrade need together, at most.
    pub(super) needed: u64,
    /// What this user may write there. `None` if the file system does not say it.
    pub(super) free: Option<u64>,
}

impl Space {
    /// For the upgrade of a database that has this version.
    pub(super) fn of(conn: &Connection, database: &Path, version: i64) -> Result<Self, Fault> {
        let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
        let copy = (number("PRAGMA page_count")? * number("PRAGMA page_size")?).unsigned_abs();
        // A checkpoint writes to the file what is only in the WAL, as after a stop of 0.1.0.
        let only_in_wal = copy.saturating_sub(database.metadata().map_or(copy, |file| file.size()));
        let written = if version <= LAST_THAT_IS_REWRITTEN {
            copy * REWRITTEN
        } else {
            FEW_PAGES + copy / INDEX_PART
        };
        let needed = copy + only_in_wal + written;
        Ok(Self { copy, needed, free: free_bytes(parent(database)).ok().flatten() })
    }

    /// How long the upgrade takes, roughly.
    pub(super) fn about(&self, keeps_copy: bool) -> Duration {
        let copied = if keeps_copy { self.copy / COPIED_A_SECOND } else { 0 };
        let written = self.needed.saturating_sub(self.copy) / WRITTEN_A_SECOND;
        Duration::from_secs(1 + copied + written)
    }

    /// How many bytes are missing.
    pub(super) fn missing(&self) -> u64 {
        self.free.map_or(0, |free| self.needed.saturating_sub(free))
    }
}

/// Rounded up.
pub(super) fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(MIB)
}
