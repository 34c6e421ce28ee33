//! The header of a database file: whether it says that there is a WAL.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Where the header of the file says which journal it has (sqlite.org/fileformat2.html, "File
/// format version numbers"), and the values with a WAL and without one.
const FORMAT_AT: u64 = 18;
const WITH_WAL: [u8; 2] = [2, 2];
const WITHOUT_WAL: [u8; 2] = [1, 1];

/// Whether the header of a database says that it has a WAL.
pub(super) fn has_wal_mode(file: &File) -> io::Result<bool> {
    let mut format = [0; 2];
    file.read_exact_at(&mut format, FORMAT_AT)?;
    Ok(format == WITH_WAL)
}

/// Says in the header of a copy that it has no WAL. So it can be read where no file can be created
/// beside it, and a WAL at that path is recognised as foreign.
pub(super) fn leave_wal_mode(file: &File) -> io::Result<()> {
    file.write_all_at(&WITHOUT_WAL, FORMAT_AT)
}
