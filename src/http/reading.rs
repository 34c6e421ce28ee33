//! The read-only connection of one thread of the server, and its looks at the database.
//!
//! Beginning and ending a read transaction costs as much as the look-up in it. So one look serves
//! all requests that a thread has at hand: it begins with the first, ends when the thread has come
//! round, and begins anew where the writer has committed meanwhile. A change that was acknowledged
//! is therefore seen at once; one that a command makes beside the service, a thread's turn later.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::chain::chain;
use crate::metrics::Metrics;
use crate::store::{CurrentFile, CurrentReader, Fault, OpenError, Reader};

/// How often a thread looks whether the database is still the file that it has open, also where
/// nobody asks it anything.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why nothing can be read.
#[derive(Debug)]
pub enum CannotRead {
    /// Another file is in the place of the database: the writer says so in the log.
    InDoubt,
    /// The fault and its causes in a line, for the log.
    Fault(String),
}

impl CannotRead {
    fn of(error: OpenError) -> Self {
        match error {
            OpenError::InDoubt(_) => Self::InDoubt,
            other => Self::Fault(chain(&other)),
        }
    }
}

/// Opened when first needed, and anew after a fault or where another file counts.
#[derive(Debug)]
pub struct SharedReader {
    file: CurrentFile,
    metrics: Metrics,
    open: RefCell<Option<Looking>>,
}

#[derive(Debug)]
struct Looking {
    reader: CurrentReader,
    /// The writer's count of commits before the look began; `None` between two looks.
    since: Option<u64>,
}

impl SharedReader {
    /// For one thread, which must have a runtime.
    pub fn new(file: CurrentFile, metrics: Metrics) -> Rc<Self> {
        let reader = Rc::new(Self { file, metrics, open: RefCell::new(None) });
        actix_web::rt::spawn(keep_up(Rc::downgrade(&reader)));
        reader
    }

    /// Reads what is committed now.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn read<T>(
        self: &Rc<Self>,
        work: impl FnOnce(&Reader) -> Result<T, Fault>,
    ) -> Result<T, CannotRead> {
        let mut open = self.open.borrow_mut();
        open.take_if(|looking| !looking.reader.is_current());
        let looking = match open.as_mut() {
            Some(looking) => looking,
            None => {
                let reader = self.file.open().map_err(CannotRead::of)?;
                open.insert(Looking { reader, since: None })
            }
        };
        let done = self.look(looking).and_then(|()| work(&looking.reader));
        if done.is_err() {
            *open = None;
        }
        done.map_err(|fault| CannotRead::Fault(chain(&fault)))
    }

    /// Goes on with the look at hand, or begins one.
    fn look(self: &Rc<Self>, looking: &mut Looking) -> Result<(), Fault> {
        // Before the look begins: a commit in between is then looked at twice, never missed.
        let commits = self.metrics.commits();
        if looking.since == Some(commits) {
            return Ok(());
        }
        if looking.since.take().is_none() {
            actix_web::rt::spawn(Rc::clone(self).look_away());
        }
        looking.reader.look_away()?;
        looking.reader.look()?;
        looking.since = Some(commits);
        Ok(())
    }

    /// Lets go of a file that does not count any more.
    fn keep_up(&self) {
        self.file.look();
        self.open.borrow_mut().take_if(|looking| !looking.reader.is_current());
    }

    /// Ends the look after the requests that are at hand now.
    async fn look_away(self: Rc<Self>) {
        tokio::task::yield_now().await;
        let mut open = self.open.borrow_mut();
        let Some(looking) = open.as_mut() else { return };
        looking.since = None;
        if let Err(fault) = looking.reader.look_away() {
            log::error!("a look at the database could not be ended: {}", chain(&fault));
            *open = None;
        }
    }
}

async fn keep_up(reader: Weak<SharedReader>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(reader) = reader.upgrade() else { return };
        reader.keep_up();
    }
}
