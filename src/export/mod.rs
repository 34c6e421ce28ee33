//! Writes all members into a file that other programs read: CSV, JSON lines or an .htpasswd.
//!
//! The rows are gathered in memory, and the read transaction ends before they are written: a disk
//! that stalls does not block the maintenance of the database. Up to `GATHERED_BYTES_MAX` the
//! file is of one moment. A larger one is gathered in several parts.

mod error;
mod exported;
mod gather;
mod line;
mod place;
pub mod watch;

use std::path::Path;

use self::gather::Gatherer;
pub use error::ExportError;
pub use exported::{ExportCounts, Exported, Format, Source, Wish};
pub use line::COLUMNS;
pub use place::Target;

/// The most bytes that are gathered in one read transaction, and held in memory: a page more.
const GATHERED_BYTES_MAX: usize = 64 << 20;

/// Exports into a file, which is replaced as a whole. `go_on` is called after each page with the
/// rows that were read, and once more before the file is replaced; `false` ends the export.
///
/// # Errors
///
/// See [`ExportError`]. The file is as it was before.
pub fn export(
    source: &Source<'_>,
    wish: Wish,
    target: &Target,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Exported, ExportError> {
    run(source, wish, Some(target), go_on)
}

/// Reads what [`export`] would write, and writes nothing.
///
/// # Errors
///
/// See [`ExportError`].
pub fn dry_run(
    source: &Source<'_>,
    wish: Wish,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Exported, ExportError> {
    run(source, wish, None, go_on)
}

/// The file of an export. `own` are the files of this program, which are refused.
///
/// # Errors
///
/// If the path does not lead to a file that may be replaced.
pub fn target(path: &Path, own: &[std::path::PathBuf]) -> Result<Target, ExportError> {
    Target::new(path, own)
}

fn run(
    source: &Source<'_>,
    wish: Wish,
    target: Option<&Target>,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Exported, ExportError> {
    let mut draft = target.map(|target| target.begin(wish.format)).transpose()?;
    let mut gatherer = Gatherer::new(source, wish, GATHERED_BYTES_MAX);
    let (mut bytes, mut first, mut last) = (0, None, None);
    loop {
        let part = gatherer.part(go_on)?;
        first.get_or_insert(part.newest);
        last.replace(part.newest);
        for chunk in &part.chunks {
            bytes += chunk.len() as u64;
            if let Some(draft) = &mut draft {
                draft.write(chunk)?;
            }
        }
        if part.is_last {
            break;
        }
    }
    if !go_on(gatherer.rows()) {
        return Err(ExportError::Stopped);
    }
    if let Some(draft) = draft {
        draft.replace()?;
    }
    Ok(Exported {
        counts: gatherer.counts(),
        bytes,
        next_expiry: gatherer.next_expiry(),
        newest: first.flatten(),
        changed_meanwhile: first != last,
    })
}
