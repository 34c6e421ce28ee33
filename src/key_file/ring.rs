//! The files of one key while it is rotated. `NAME` writes and reads. `NAME.next` will take its
//! place, and `NAME.former` was in its place: both only read. So receivers that share a key can be
//! rotated one after the other, and each reads what any of them writes.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{KEY_BYTES, KeyFileError, load};
use crate::secret::redacted;

/// The current key, and the next and the former one if they exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring<T> {
    /// It writes and reads.
    pub current: T,
    /// It reads what receivers write that were rotated earlier.
    pub next: Option<T>,
    /// It reads what was written before the rotation.
    pub former: Option<T>,
}

impl<T> Ring<T> {
    /// A key that is not being rotated.
    pub fn of(current: T) -> Self {
        Self { current, next: None, former: None }
    }

    /// All of them, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        [Some(&self.current), self.former.as_ref(), self.next.as_ref()].into_iter().flatten()
    }

    /// Applies `of` to each of them.
    pub fn map<U>(&self, of: impl Fn(&T) -> U) -> Ring<U> {
        Ring {
            current: of(&self.current),
            next: self.next.as_ref().map(&of),
            former: self.former.as_ref().map(&of),
        }
    }
}

impl<T: PartialEq> Ring<T> {
    /// Whether one of them is this one.
    pub fn has(&self, one: &T) -> bool {
        self.iter().any(|own| own == one)
    }
}

/// The bytes of a key, which are never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyBytes(Zeroizing<[u8; KEY_BYTES]>);

redacted!(KeyBytes);

impl std::ops::Deref for KeyBytes {
    type Target = [u8; KEY_BYTES];

    fn deref(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl From<Zeroizing<[u8; KEY_BYTES]>> for KeyBytes {
    fn from(key: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(key)
    }
}

/// The keys themselves.
pub(crate) type KeyRing = Ring<KeyBytes>;

/// The file of the next key, which belongs to this one.
pub(crate) fn next_of(current: &Path) -> PathBuf {
    with_ending(current, ".next")
}

/// The file of the former key, which belongs to this one.
pub(crate) fn former_of(current: &Path) -> PathBuf {
    with_ending(current, ".former")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The files of a key, the current one first.
pub(crate) fn files_of(current: PathBuf) -> [PathBuf; 3] {
    let others = [next_of(&current), former_of(&current)];
    let [next, former] = others;
    [current, next, former]
}

/// Reads the keys of all files without changing them. Only the current one must be there.
pub(crate) fn load_ring(current: &Path) -> Result<KeyRing, KeyFileError> {
    // Whether a file is there is found by reading it: a rotation may remove it at any time.
    let other = |path: PathBuf| match load(&path) {
        Err(KeyFileError::Missing(_)) => Ok(None),
        read => read.map(|key| Some(key.into())),
    };
    loop {
        let ring = Ring {
            current: load(current)?.into(),
            next: other(next_of(current))?,
            former: other(former_of(current))?,
        };
        // A rotation meanwhile may have moved a key from a file that was not read yet to one that
        // was.
        if KeyBytes(load(current)?) == ring.current {
            return Ok(ring);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::create;
    use super::*;

    #[test]
    fn the_other_keys_may_be_missing_but_are_never_unreadable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seal.key");
        assert!(matches!(load_ring(&path), Err(KeyFileError::Missing(missing)) if missing == path));
        let current = KeyBytes(create(&path).unwrap());
        assert_eq!(load_ring(&path).unwrap(), Ring::of(current.clone()));
        let next = KeyBytes(create(&next_of(&path)).unwrap());
        let former = KeyBytes(create(&dir.path().join("seal.key.former")).unwrap());
        assert_eq!(format!("{current:?}"), "KeyBytes(***)");
        let ring = Ring { current, next: Some(next), former: Some(former) };
        assert_eq!(load_ring(&path).unwrap(), ring);
        for name in ["seal.key.next", "seal.key.former"] {
            let path_of_it = dir.path().join(name);
            let there = std::fs::read(&path_of_it).unwrap();
            std::fs::write(&path_of_it, "").unwrap();
            let found = load_ring(&path);
            assert!(matches!(found, Err(KeyFileError::Form(bad, 0)) if bad == path_of_it));
            std::fs::write(&path_of_it, there).unwrap();
        }
    }

    /// Regression: a key that `key rotate` or `key forget` removed while the keys were read was an
    /// error, and the service did not start.
    #[test]
    fn keys_can_be_read_while_the_other_ones_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookie.key");
        let current = KeyBytes(create(&path).unwrap());
        let other = |at: PathBuf| move || drop((create(&at).unwrap(), std::fs::remove_file(&at)));
        let (next, former) = (other(next_of(&path)), other(former_of(&path)));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    next();
                    former();
                }
            });
            let found: Vec<_> = (0..5_000).map(|_| load_ring(&path)).collect();
            is_over.store(true, Ordering::Relaxed);
            found.into_iter().for_each(|ring| assert_eq!(ring.unwrap().current, current));
        });
    }
}
