//! The database file that counts now, for all threads of a service. The writer and every reader
//! have the same file open; where another one is put in its place, none counts until all have let
//! go of the old one and the new one was looked at.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{FileChange, Files};
use super::open::{Location, OpenError, open_reader};
use crate::store::{Read, Replacement};

/// While no file counts.
const NONE: u64 = 0;

/// Handles on one; clones share it.
#[derive(Clone)]
pub struct CurrentFile(Arc<Shared>);

impl fmt::Debug for CurrentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentFile").field(&self.0.location).finish()
    }
}

/// Opens a reader.
type OpenReader = dyn Fn(&Location) -> Result<Box<dyn Read>, OpenError> + Send + Sync;

struct Shared {
    location: Location,
    open_reader: Box<OpenReader>,
    reads_are_local: bool,
    /// Which of the files that counted one after the other; [`NONE`] between two.
    turn: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    turns: u64,
    files: Option<Files>,
    /// Why there are none.
    change: Option<Replacement>,
    /// Every reader has a clone.
    lease: Arc<()>,
}

/// A reader of the file that counted when it was opened.
#[derive(Debug)]
pub struct CurrentReader {
    reader: Box<dyn Read>,
    turn: u64,
    file: CurrentFile,
    /// Behind the reader: given back when that is closed.
    _lease: Arc<()>,
}

impl Deref for CurrentReader {
    type Target = dyn Read + 'static;

    fn deref(&self) -> &(dyn Read + 'static) {
        &*self.reader
    }
}

impl CurrentReader {
    /// Which of the files that counted it is: see [`CurrentFile::turn`].
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// Whether that file counts still. Where it does not, this is to be dropped soon: the service
    /// waits for it.
    pub fn is_current(&self) -> bool {
        self.file.turn() == self.turn
    }
}

impl CurrentFile {
    /// The file that lies there now.
    pub fn new(location: Location) -> Self {
        let are_local = location.reads_are_local();
        Self::with_readers(location, are_local, open_reader)
    }

    /// The file that lies there now, read by readers that are opened in another way than the
    /// store's own.
    pub fn with_readers(
        location: Location,
        reads_are_local: bool,
        open: impl Fn(&Location) -> Result<Box<dyn Read>, OpenError> + Send + Sync + 'static,
    ) -> Self {
        let state = State { turns: NONE, files: None, change: None, lease: Arc::default() };
        let current = Self(Arc::new(Shared {
            location,
            open_reader: Box::new(open),
            reads_are_local,
            turn: AtomicU64::new(NONE),
            state: Mutex::new(state),
        }));
        current.take();
        current
    }

    /// Where it lies.
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// Whether a read waits for no network: see [`Location::reads_are_local`].
    pub fn reads_are_local(&self) -> bool {
        self.0.reads_are_local
    }

    /// A number of its own for each file that counted, one after the other; 0 while none counts.
    pub fn turn(&self) -> u64 {
        self.0.turn.load(Ordering::Acquire)
    }

    /// Whether one counts.
    pub fn is_counting(&self) -> bool {
        self.turn() != NONE
    }

    /// Opens it to read.
    ///
    /// # Errors
    ///
    /// Where none counts, or it cannot be read.
    pub fn open(&self) -> Result<CurrentReader, OpenError> {
        let in_doubt = || OpenError::InDoubt(self.path());
        let (files, lease, turn) = {
            let state = self.state();
            (state.files.clone().ok_or_else(in_doubt)?, Arc::clone(&state.lease), self.turn())
        };
        // Nobody has put another file there before or after: what was opened is what counts.
        let is_same = || files.check().map_err(|change| self.doubt(change.into())).is_ok();
        let reader =
            if is_same() { (self.0.open_reader)(&self.0.location) } else { Err(in_doubt()) };
        if !is_same() {
            return Err(in_doubt());
        }
        let reader = reader?;
        Ok(CurrentReader { reader, turn, file: self.clone(), _lease: lease })
    }

    /// Looks whether the files are still those that count, which they do no more where they are
    /// not.
    pub fn look(&self) -> bool {
        let change = match &self.state().files {
            Some(files) => files.check().err(),
            None => return false,
        };
        change.into_iter().for_each(|change| self.doubt(change.into()));
        change.is_none()
    }

    /// From now on no file counts, until [`CurrentFile::take`].
    pub(crate) fn doubt(&self, change: Replacement) {
        let mut state = self.state();
        if state.files.take().is_some() {
            state.change = Some(change);
        }
        self.0.turn.store(NONE, Ordering::Release);
    }

    /// What was noticed, while no file counts.
    pub(crate) fn change(&self) -> Option<Replacement> {
        self.state().change
    }

    /// Whether all readers have let go of what counted before.
    pub(crate) fn is_let_go(&self) -> bool {
        Arc::strong_count(&self.state().lease) == 1
    }

    /// The files that lie there now count from now on. Where none lies there, none counts.
    pub(crate) fn take(&self) {
        let mut state = self.state();
        state.files = Files::look(self.0.location.path()).ok();
        state.change = if state.files.is_some() { None } else { Some(FileChange::Gone.into()) };
        if state.files.is_some() {
            state.turns += 1;
            self.0.turn.store(state.turns, Ordering::Release);
        }
    }

    fn path(&self) -> PathBuf {
        self.0.location.path().to_owned()
    }

    /// A panic leaves a whole state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
