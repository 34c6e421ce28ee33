//! The renames of a restore. They are written down before the first one, so that a restore that is
//! interrupted in the middle of them is completed by the next start: nothing else can fail then.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;
use crate::whole_file::{Draft, parent, remove};

const MODE: u32 = 0o600;
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
        match fs::read(data_dir.restore_plan()) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
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
