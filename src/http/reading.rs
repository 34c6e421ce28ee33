//! The read-only connection of one thread of the server, and its looks at the database.
//!
//! Beginning and ending a read transaction costs as much as the look-up in it. So one look serves all requests that a thread has at
//! hand: it begins with the first, ends when the thread has come round, and begins anew where the writer has committed meanwhile. A
//! change that was acknowledged is therefore seen at once; one that a command makes beside the service, a thread's turn later.

use std::cell::RefCell;
use std::rc::Rc;

use crate::chain::chain;
use crate::store::{Fault, Location, Reader, open_reader};
use crate::writer::Writer;

/// Opened when first needed, and anew after a fault: the file may have been replaced.
#[derive(Debug)]
pub struct SharedReader {
    location: Location,
    writer: Writer,
    open: RefCell<Option<Looking>>,
}

#[derive(Debug)]
struct Looking {
    reader: Reader,
    /// The writer's count of commits before the look began; `None` between two looks.
    since: Option<u64>,
}

impl SharedReader {
    /// For one thread.
    pub fn new(location: Location, writer: Writer) -> Self {
        Self { location, writer, open: RefCell::new(None) }
    }

    /// Reads what is committed now.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read: the fault and its causes in a line, for the log.
    pub fn read<T>(self: &Rc<Self>, work: impl FnOnce(&Reader) -> Result<T, Fault>) -> Result<T, String> {
        let mut open = self.open.borrow_mut();
        let looking = match open.as_mut() {
            Some(looking) => looking,
            None => {
                let reader = open_reader(&self.location).map_err(|error| chain(&error))?;
                open.insert(Looking { reader, since: None })
            }
        };
        let done = self.look(looking).and_then(|()| work(&looking.reader));
        if done.is_err() {
            *open = None;
        }
        done.map_err(|fault| chain(&fault))
    }

    /// Goes on with the look at hand, or begins one.
    fn look(self: &Rc<Self>, looking: &mut Looking) -> Result<(), Fault> {
        // Before the look begins: a commit in between is then looked at twice, never missed.
        let commits = self.writer.commits();
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
