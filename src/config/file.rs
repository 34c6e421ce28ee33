//! The configuration file: where it is, and how it is read. [`super::entries`] reads what it says.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::entries::{self, Entry};
use super::keys::Key;
use super::problems::BadSetting;
use crate::denied;
use crate::text_file;

/// The most bytes that are read: a hundred times the packaged file. The path may lead to anything.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Write access for users other than owner and group.
const OTHERS_WRITE: u32 = 0o002;

/// A configuration file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    pub(super) entries: Vec<Entry>,
}

impl ConfigFile {
    /// The entry of this setting.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// Finds and reads the configuration file: the named one, else the system's if there is one. The
/// second value has each entry that cannot be used.
///
/// # Errors
///
/// What makes the whole file unusable: it cannot be read, or it is not TOML.
pub(super) fn read(
    named: Option<&Path>,
    system: &Path,
    keys: &[Key],
) -> Result<(Option<ConfigFile>, Vec<BadSetting>), Vec<BadSetting>> {
    let path = named.unwrap_or(system);
    let text = match text(path) {
        Err(error) if named.is_none() && is_missing(&error) => return Ok((None, Vec::new())),
        text => text.map_err(|error| vec![unreadable(path, system, error)])?,
    };
    let (entries, bad) = entries::read(&text, path, keys)?;
    Ok((Some(ConfigFile { path: path.to_owned(), entries }), bad))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    text_file::text(bytes)
}

/// Opens a file, or a device such as /dev/null. Whoever can write the file decides what root's
/// commands do, so a file that everybody can write is refused.
fn open(path: &Path) -> io::Result<File> {
    // A named pipe would wait for its writer.
    let without_waiting = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(without_waiting).open(path)?;
    let metadata = file.metadata()?;
    let (kind, mode) = (metadata.file_type(), metadata.mode() & 0o7777);
    let refused = if kind.is_dir() {
        "expected a file, found a directory".into()
    } else if kind.is_fifo() {
        "expected a file, found a named pipe".into()
    } else if kind.is_file() && mode & OTHERS_WRITE != 0 {
        format!("all users can write it (mode {mode:04o}): run `chmod o-w {}`", path.display())
    } else {
        return Ok(file);
    };
    Err(io::Error::other(refused))
}

fn unreadable(path: &Path, system: &Path, error: io::Error) -> BadSetting {
    let remedy = match (error.kind(), denied::reading_group(path)) {
        (ErrorKind::NotFound | ErrorKind::NotADirectory, _) if path != system => {
            "; correct --config or USERMAN_CONFIG".into()
        }
        // It reads the file at every start.
        (ErrorKind::PermissionDenied, _) if denied::is_service() => String::new(),
        (ErrorKind::PermissionDenied, Some(group)) => {
            format!("; or join the group {group}, or leave the file out by `--config /dev/null`")
        }
        (ErrorKind::PermissionDenied, None) => {
            "; or leave the file out by `--config /dev/null`".into()
        }
        _ => String::new(),
    };
    let name = format!("the configuration file {}", path.display());
    BadSetting::new(name, format!("{}{remedy}", denied::explain(path, error)))
}
