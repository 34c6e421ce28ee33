//! The steps of a rotation. In each step, one file is created, replaced or removed as a whole, and
//! is synced. A rotation that was interrupted between two steps is continued by the next one. The
//! keys can be used meanwhile.

use std::io;
use std::path::{Path, PathBuf};

use super::ring::{KeyRing, former_of, load_ring, next_of};
use super::{KEY_BYTES, KeyFileError, MODE, create, to_line};
use crate::denied::explain;
use crate::whole_file::{Draft, draft_of, lock, remove, sync_name};

/// Why a step of a rotation is not done. The paths are those of the current key.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// A key cannot be read, or the next one cannot be made.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// There is a next key already.
    #[error("{} exists already: run `nats-userman key rotate`", next_of(.0).display())]
    Prepared(PathBuf),
    /// There is no next key.
    #[error("{} is not there: `nats-userman key prepare` makes it", next_of(.0).display())]
    NotPrepared(PathBuf),
    /// The former key of the previous rotation was not removed yet.
    #[error(
        "{} is still there from the rotation before: `nats-userman key forget` removes it",
        former_of(.0).display()
    )]
    NotForgotten(PathBuf),
    /// There is no former key.
    #[error("{} is not there: there is nothing to forget", former_of(.0).display())]
    NoFormer(PathBuf),
    /// The rotation was interrupted.
    #[error(
        "the rotation of {} was interrupted: `nats-userman key rotate` completes it", .0.display()
    )]
    Unfinished(PathBuf),
    /// A file cannot be changed.
    #[error("cannot change the key file {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// The files of one key, locked for a command that changes them.
#[derive(Debug)]
pub(crate) struct Rotation<'a> {
    current: &'a Path,
    _lock: std::fs::File,
}

impl<'a> Rotation<'a> {
    /// Waits for other commands that change the files of this key.
    pub(crate) fn begin(current: &'a Path) -> Result<Self, RotationError> {
        let failed = |error| RotationError::Io(current.to_owned(), explain(current, error));
        // Says what is missing or wrong, if the key is not there or is none.
        load_ring(current)?;
        Ok(Self { current, _lock: lock(current).map_err(failed)? })
    }

    /// The keys as they are now.
    pub(crate) fn ring(&self) -> Result<KeyRing, KeyFileError> {
        load_ring(self.current)
    }

    /// Draws the next key.
    pub(crate) fn prepare(&self) -> Result<(), RotationError> {
        if self.ring()?.next.is_some() {
            return Err(RotationError::Prepared(self.current.to_owned()));
        }
        create(&next_of(self.current))?;
        Ok(())
    }

    /// Makes the next key the current one, and the current one the former. Returns `false` if that
    /// is done already.
    pub(crate) fn rotate(&self) -> Result<bool, RotationError> {
        let ring = self.ring()?;
        let is_kept = ring.former.as_ref() == Some(&ring.current);
        match (&ring.next, &ring.former) {
            (None, Some(_)) if !is_kept => return Ok(false),
            (None, _) => return Err(RotationError::NotPrepared(self.current.to_owned())),
            (Some(next), Some(_)) if !is_kept && *next != ring.current => {
                return Err(RotationError::NotForgotten(self.current.to_owned()));
            }
            (Some(_), _) => {}
        }
        self.keep_former()?;
        self.put_next()?;
        self.remove_next()?;
        Ok(true)
    }

    /// Makes the current key the former one too, unless it is already the next one.
    fn keep_former(&self) -> Result<(), RotationError> {
        let ring = self.ring()?;
        if ring.former.is_none() && ring.next.as_ref() != Some(&ring.current) {
            self.write(&former_of(self.current), &ring.current)?;
        }
        Ok(())
    }

    /// Makes the next key the current one too.
    fn put_next(&self) -> Result<(), RotationError> {
        match self.ring()?.next {
            Some(next) => self.write(self.current, &next),
            None => Ok(()),
        }
    }

    fn remove_next(&self) -> Result<(), RotationError> {
        self.remove(&next_of(self.current))
    }

    /// Returns the error that [`Rotation::forget`] would return.
    pub(crate) fn check_forget(&self) -> Result<KeyRing, RotationError> {
        let ring = self.ring()?;
        let is_begun = ring.next.is_some() && ring.former.as_ref() == Some(&ring.current);
        if ring.next.as_ref() == Some(&ring.current) || is_begun {
            return Err(RotationError::Unfinished(self.current.to_owned()));
        }
        match ring.former {
            None => Err(RotationError::NoFormer(self.current.to_owned())),
            Some(_) => Ok(ring),
        }
    }

    /// Removes the former key.
    pub(crate) fn forget(&self) -> Result<(), RotationError> {
        self.check_forget()?;
        self.remove(&former_of(self.current))
    }

    /// The key is written to a new file and not renamed, so that the file has the owner and the
    /// mode of a key, also if the next key was copied here by root.
    fn write(&self, place: &Path, key: &[u8; KEY_BYTES]) -> Result<(), RotationError> {
        let write = || Draft::begin(place, MODE)?.replace(to_line(key).as_bytes());
        write()
            .map_err(|error| RotationError::Io(place.to_owned(), explain(&draft_of(place), error)))
    }

    fn remove(&self, path: &Path) -> Result<(), RotationError> {
        let remove = || remove(path).and_then(|()| sync_name(path));
        remove().map_err(|error| RotationError::Io(path.to_owned(), explain(path, error)))
    }
}

/// Removes unfinished files that a killed command has left. A running command is not disturbed.
pub(crate) fn remove_drafts(current: &Path) {
    // Without a key no command can run.
    let file = std::fs::File::open(current);
    if !file.as_ref().map_or(true, |file| file.try_lock().is_ok()) {
        return;
    }
    for place in super::ring::files_of(current.to_owned()) {
        let draft = draft_of(&place);
        if let Err(error) = remove(&draft) {
            log::warn!(
                "cannot remove {}, a leftover of an interrupted start or command: {error}",
                draft.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::ring::Ring;
    use super::*;

    /// A data directory with one key.
    struct Scene {
        dir: tempfile::TempDir,
        path: PathBuf,
    }

    impl Scene {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("seal.key");
            create(&path).unwrap();
            Self { dir, path }
        }

        fn begin(&self) -> Rotation<'_> {
            Rotation::begin(&self.path).unwrap()
        }

        fn ring(&self) -> KeyRing {
            load_ring(&self.path).unwrap()
        }

        /// The files with their modes.
        fn files(&self) -> Vec<(String, u32)> {
            let entry = |entry: io::Result<std::fs::DirEntry>| {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
                (entry.file_name().into_string().unwrap(), mode)
            };
            let mut files: Vec<_> = self.dir.path().read_dir().unwrap().map(entry).collect();
            files.sort();
            files
        }

        fn refusal(&self, done: Result<bool, RotationError>) -> String {
            let dir = self.dir.path().to_str().unwrap();
            done.unwrap_err().to_string().replace(dir, "DIR")
        }
    }

    #[test]
    fn a_rotation_makes_the_next_key_the_current_one_and_the_current_one_the_former() {
        let scene = Scene::new();
        let old = scene.ring().current;
        scene.begin().prepare().unwrap();
        let new = scene.ring().next.unwrap();
        assert_ne!(old, new);
        // As a copy from another machine may be.
        std::fs::set_permissions(next_of(&scene.path), Permissions::from_mode(0o644)).unwrap();
        assert!(scene.begin().rotate().unwrap());
        let ring = Ring { current: new.clone(), next: None, former: Some(old) };
        assert_eq!(scene.ring(), ring);
        let files = [("seal.key".to_owned(), 0o600), ("seal.key.former".to_owned(), 0o600)];
        assert_eq!(scene.files(), files);
        assert!(!scene.begin().rotate().unwrap(), "once more changes nothing");
        assert_eq!(scene.ring(), ring);
        scene.begin().forget().unwrap();
        assert_eq!(scene.ring(), Ring::of(new));
        assert_eq!(scene.files(), files[..1]);
    }

    #[test]
    fn a_rotation_that_was_interrupted_has_both_keys_and_is_completed_by_the_next_one() {
        type Step = fn(&Rotation<'_>) -> Result<(), RotationError>;
        let steps: [Step; 3] =
            [|keys| keys.keep_former(), |keys| keys.put_next(), |keys| keys.remove_next()];
        for done in 0..=steps.len() {
            let scene = Scene::new();
            let old = scene.ring().current;
            scene.begin().prepare().unwrap();
            let new = scene.ring().next.unwrap();
            for step in &steps[..done] {
                step(&scene.begin()).unwrap();
            }
            let ring = scene.ring();
            assert!(ring.has(&old) && ring.has(&new), "after {done} steps");
            assert_eq!(ring.current, if done < 2 { old.clone() } else { new.clone() });
            let said = scene.begin().forget().map(|()| true);
            match done {
                0 => assert_eq!(
                    scene.refusal(said),
                    "DIR/seal.key.former is not there: there is nothing to forget"
                ),
                3 => continue,
                _ => assert_eq!(
                    scene.refusal(said),
                    "the rotation of DIR/seal.key was interrupted: `nats-userman key rotate` \
                     completes it"
                ),
            }
            assert!(scene.begin().rotate().unwrap());
            assert_eq!(scene.ring(), Ring { current: new, next: None, former: Some(old) });
        }
    }

    #[test]
    fn no_key_is_lost_by_a_command_in_the_wrong_order() {
        let scene = Scene::new();
        assert_eq!(
            scene.refusal(scene.begin().rotate()),
            "DIR/seal.key.next is not there: `nats-userman key prepare` makes it"
        );
        scene.begin().prepare().unwrap();
        let before = scene.ring();
        assert_eq!(
            scene.refusal(scene.begin().prepare().map(|()| true)),
            "DIR/seal.key.next exists already: run `nats-userman key rotate`"
        );
        assert_eq!(scene.ring(), before);
        scene.begin().rotate().unwrap();
        scene.begin().prepare().unwrap();
        let before = scene.ring();
        assert_eq!(
            scene.refusal(scene.begin().rotate()),
            "DIR/seal.key.former is still there from the rotation before: `nats-userman key \
             forget` removes it"
        );
        assert_eq!(scene.ring(), before);
        scene.begin().forget().unwrap();
        assert!(scene.begin().rotate().unwrap());
        assert_eq!(scene.ring().former, Some(before.current));
    }

    #[test]
    fn what_a_killed_command_has_left_is_removed() {
        let scene = Scene::new();
        for place in super::super::ring::files_of(scene.path.clone()) {
            std::fs::write(draft_of(&place), "half of a key").unwrap();
        }
        remove_drafts(&scene.path);
        assert_eq!(scene.files(), [("seal.key".to_owned(), 0o600)]);
    }
}
