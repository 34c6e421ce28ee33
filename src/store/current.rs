//! Which database is current, for all threads of a service. The writer and every reader have the
//! same one open. After the database was replaced, none is current until all of them have closed
//! the old one and the new one was checked.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::fault::Replacement;
use super::location::{Identity, Location};
use super::open_error::OpenError;
use super::read::Read;

/// The generation while no database is current.
const NONE: u64 = 0;

/// A shared handle; clones refer to the same state.
#[derive(Clone)]
pub struct CurrentDatabase(Arc<Current>);

impl fmt::Debug for CurrentDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentDatabase").field(&self.0.location).finish()
    }
}

/// Opens a reader.
type ReaderOpener = dyn Fn(&Location) -> Result<Box<dyn Read>, OpenError> + Send + Sync;

struct Current {
    location: Location,
    open_reader: Box<ReaderOpener>,
    reads_are_local: bool,
    /// A counter that rises with each database that becomes current; [`NONE`] between two.
    generation: AtomicU64,
    /// This process does the work that one does for all that share the database.
    is_leading: AtomicBool,
    state: Mutex<CurrentState>,
}

struct CurrentState {
    generations: u64,
    /// The location of the current database.
    identity: Option<Identity>,
    /// Why none is current.
    replacement: Option<Replacement>,
    /// Every reader holds a clone.
    lease: Arc<()>,
}

/// A reader of the database that was current when it was opened.
#[derive(Debug)]
pub struct CurrentReader {
    reader: Box<dyn Read>,
    generation: u64,
    database: CurrentDatabase,
    /// Declared behind the reader, so that it is dropped after that is closed.
    _lease: Arc<()>,
}

impl Deref for CurrentReader {
    type Target = dyn Read + 'static;

    fn deref(&self) -> &(dyn Read + 'static) {
        &*self.reader
    }
}

impl CurrentReader {
    /// The generation of the database. See [`CurrentDatabase::generation`].
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether its database is still current. If not, the reader must be dropped soon, because the
    /// service waits for that.
    pub fn is_current(&self) -> bool {
        self.database.generation() == self.generation
    }
}

impl CurrentDatabase {
    /// The database at the location now, read by the engine's readers.
    pub fn new(location: Location) -> Self {
        let are_local = location.reads_are_local();
        Self::with_readers(location, are_local, super::open_reader)
    }

    /// The database at the location now, read by readers that are opened by `open`. Where they are
    /// not local, HTTP threads leave reading to a pool of threads.
    pub fn with_readers(
        location: Location,
        reads_are_local: bool,
        open: impl Fn(&Location) -> Result<Box<dyn Read>, OpenError> + Send + Sync + 'static,
    ) -> Self {
        let state = CurrentState {
            generations: NONE,
            identity: None,
            replacement: None,
            lease: Arc::default(),
        };
        // Where other processes may share it, the writer says so.
        let is_leading = location.file().is_some();
        let current = Self(Arc::new(Current {
            location,
            open_reader: Box::new(open),
            reads_are_local,
            generation: AtomicU64::new(NONE),
            is_leading: AtomicBool::new(is_leading),
            state: Mutex::new(state),
        }));
        current.resume();
        current
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// Whether an HTTP thread may read by itself: see [`Location::reads_are_local`].
    pub fn reads_are_local(&self) -> bool {
        self.0.reads_are_local
    }

    /// A number of its own for each database that was current, rising; 0 while none is.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Whether this process does the work that one does for all that share the database: see
    /// [`crate::store::Engine::lead`].
    pub fn is_leading(&self) -> bool {
        self.0.is_leading.load(Ordering::Relaxed)
    }

    pub(crate) fn set_leading(&self, is_leading: bool) {
        self.0.is_leading.store(is_leading, Ordering::Relaxed);
    }

    /// Whether one is current.
    pub fn is_available(&self) -> bool {
        self.generation() != NONE
    }

    /// Opens a reader of it.
    ///
    /// # Errors
    ///
    /// If none is current, or it cannot be read.
    pub fn open(&self) -> Result<CurrentReader, OpenError> {
        let in_doubt = || OpenError::InDoubt(self.0.location.to_string());
        let (identity, lease, generation) = {
            let state = self.state();
            let identity = state.identity.clone().ok_or_else(in_doubt)?;
            (identity, Arc::clone(&state.lease), self.generation())
        };
        // Checked before and after: what was opened in between is the current one.
        let is_same = || identity.check().map_err(|change| self.suspend(change)).is_ok();
        let reader =
            if is_same() { (self.0.open_reader)(&self.0.location) } else { Err(in_doubt()) };
        if !is_same() {
            return Err(in_doubt());
        }
        let reader = reader?;
        Ok(CurrentReader { reader, generation, database: self.clone(), _lease: lease })
    }

    /// Checks that the database is still the current one; suspends it where it is not.
    pub fn check(&self) -> bool {
        let change = match &self.state().identity {
            Some(identity) => identity.check().err(),
            None => return false,
        };
        change.into_iter().for_each(|change| self.suspend(change));
        change.is_none()
    }

    /// From now on none is current, until [`CurrentDatabase::resume`].
    pub(crate) fn suspend(&self, change: Replacement) {
        let mut state = self.state();
        if state.identity.take().is_some() {
            state.replacement = Some(change);
        }
        self.0.generation.store(NONE, Ordering::Release);
    }

    /// Why none is current.
    pub(crate) fn replacement(&self) -> Option<Replacement> {
        self.state().replacement
    }

    /// Whether all readers of the database that was current before are closed.
    pub(crate) fn is_released(&self) -> bool {
        Arc::strong_count(&self.state().lease) == 1
    }

    /// Makes the database at the location the current one. If there is none, no database is
    /// current.
    pub(crate) fn resume(&self) {
        let mut state = self.state();
        let identity = Identity::of(&self.0.location);
        let is_there = identity.is_ok();
        state.replacement = identity.as_ref().err().copied();
        state.identity = identity.ok();
        if is_there {
            state.generations += 1;
            self.0.generation.store(state.generations, Ordering::Release);
        }
    }

    fn state(&self) -> MutexGuard<'_, CurrentState> {
        self.0.state.lock()
    }
}
