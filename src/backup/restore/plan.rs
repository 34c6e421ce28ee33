//! The renames of a restore. They are written down before the first one, so that a restore that is
//! interrupted in the middle of them is completed by the next start: nothing else can fail then.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;
use crate::owner::open_unlinked;
use crate::whole_file::{Draft, parent, remove};

const MODE: u32 = 0o600;
/// No plan is larger: it names a few files.
const BYTES_MAX: u64 = 256 * 1024;
/// Names that are tried for a file that is set aside.
const NAMES_MAX: u32 = 100;

/// What is renamed, in this order.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    /// Files that have no successor: file, and the name that it gets.
    pub(super) moves: Vec<(PathBuf, PathBuf)>,
    /// Files that are replaced.
    pub(super) replaced: Vec<Replaced>,
}

/// A file that takes the place of another.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Replaced {
    /// The complete new file, in the same directory.
    pub(super) draft: PathBuf,
    pub(super) place: PathBuf,
    /// The name that the former file gets.
    pub(super) aside: PathBuf,
}

impl Plan {
    /// The plan of an interrupted restore.
    pub(super) fn load(data_dir: &DataDir) -> io::Result<Option<Self>> {
        let path = data_dir.restore_plan();
        let file = match open_unlinked(&path, OpenOptions::new().read(true)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Whether it renames only these files and those that are named after them, as a WAL is after
    /// its database. Whoever may write to the data directory could write another plan, and root
    /// would carry it out.
    pub(super) fn is_only_of(&self, files: &[PathBuf]) -> bool {
        let is_ours = |path: &PathBuf| files.iter().any(|file| is_of(path, file));
        self.moves.iter().all(|(from, to)| is_ours(from) && is_ours(to))
            && self.replaced.iter().all(|replaced| {
                [&replaced.draft, &replaced.place, &replaced.aside].into_iter().all(is_ours)
            })
    }

    /// Writes it down. From here on the restore is completed, whatever happens.
    pub(super) fn save(&self, data_dir: &DataDir) -> io::Result<()> {
        Draft::begin(&data_dir.restore_plan(), MODE)?.replace(&serde_json::to_vec(self)?)
    }

    /// Renames what is not renamed yet, and removes the plan.
    pub(super) fn carry_out(&self, data_dir: &DataDir) -> io::Result<()> {
        for (from, to) in &self.moves {
            if from.symlink_metadata().is_ok() {
                fs::rename(from, free(to)?)?;
            }
        }
        for Replaced { draft, place, aside } in &self.replaced {
            if draft.symlink_metadata().is_err() {
                // It is in its place already.
                place.symlink_metadata().map_err(|_| missing(draft, place))?;
                continue;
            }
            if place.symlink_metadata().is_ok() && aside.symlink_metadata().is_err() {
                // Both names for a moment, so that there is always a file in the place. Not every
                // file system can do that.
                fs::hard_link(place, aside).or_else(|_| fs::rename(place, aside))?;
            }
            fs::rename(draft, place)?;
        }
        let places = self.replaced.iter().map(|replaced| replaced.place.as_path());
        let mut dirs: Vec<&Path> =
            places.map(parent).chain(self.moves.iter().map(|(from, _)| parent(from))).collect();
        dirs.sort_unstable();
        dirs.dedup();
        dirs.into_iter().try_for_each(|dir| File::open(dir)?.sync_all())?;
        remove(&data_dir.restore_plan())?;
        File::open(data_dir.path())?.sync_all()
    }
}

/// Whether this is the file, or one beside it whose name continues its name.
fn is_of(path: &Path, file: &Path) -> bool {
    let rest = path.as_os_str().as_bytes().strip_prefix(file.as_os_str().as_bytes());
    rest.is_some_and(|rest| {
        matches!(rest.first(), None | Some(b'.' | b'-')) && !rest.contains(&b'/')
    })
}

fn missing(draft: &Path, place: &Path) -> io::Error {
    let (draft, place) = (draft.display(), place.display());
    io::Error::new(io::ErrorKind::NotFound, format!("there is neither {draft} nor {place}"))
}

/// This name, or one like it that no file has.
fn free(name: &Path) -> io::Result<PathBuf> {
    let numbered = |number: u32| {
        let mut other = name.as_os_str().to_owned();
        other.push(format!(".{number}"));
        PathBuf::from(other)
    };
    std::iter::once(name.to_owned())
        .chain((2..NAMES_MAX).map(numbered))
        .find(|name| name.symlink_metadata().is_err())
        .ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}
