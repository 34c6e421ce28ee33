//! Keeps the file of an export current: exports again whenever members have changed.
//!
//! A postback shows in the number of the newest journal record, a password that was hashed in the
//! number of those that wait for it, and an expiry is known beforehand. Both numbers cost two short
//! queries. What changes rows without a record, such as another hash after a login or a change by
//! hand, is found by an export at intervals.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::place::Target;
use super::{ExportError, Exported, Source, Wish, export};
use crate::backoff::Backoff;
use crate::chain::chain;
use crate::clock::Clock;
use crate::password::Vault;
use crate::store::{CurrentDatabase, CurrentReader, Fault};

/// How often the database is asked whether members have changed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a long backlog of passwords is counted: that reads an index of all of them.
const LONG_BACKLOG_EVERY: Duration = Duration::from_secs(2);
/// The passwords of a long backlog.
const LONG_BACKLOG: u64 = 10_000;
/// How often everything is exported without a known change, and how much of the time that may take.
const EVERY: Duration = Duration::from_secs(60);
const SHARE_OF_TIME: u32 = 20;
/// A shorter export may follow the one before it at once. After a longer one there is a pause, so
/// that at most half of the time is spent on exports.
const SHORT: Duration = Duration::from_millis(500);
/// How long it waits after a failure, each time longer up to the last, in seconds.
const TRY_AGAIN_AFTER: &[i64] = &[1, 2, 5, 10];

/// What shows that members have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    newest: Option<i64>,
    backlog: u64,
}

/// The file as it was last written.
struct Written {
    at: Instant,
    took: Duration,
    mark: Mark,
    next_expiry: Option<i64>,
    /// Device and inode.
    file: Option<(u64, u64)>,
    summary: String,
}

/// Exports again and again. All of it runs on one thread.
pub struct Watch {
    database: CurrentDatabase,
    vault: Box<dyn Fn() -> Option<Vault> + Send>,
    wish: Wish,
    target: Target,
    clock: Clock,
    summarize: fn(&Exported) -> String,
    reader: Option<CurrentReader>,
    backlog: (Instant, u64),
    written: Option<Written>,
    backoff: Backoff,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Watch {
    /// For this file. `vault` reads the key file: a key may be rotated meanwhile. `summarize` words
    /// the log line about an export.
    pub fn new(
        database: CurrentDatabase,
        vault: Box<dyn Fn() -> Option<Vault> + Send>,
        wish: Wish,
        target: Target,
        summarize: fn(&Exported) -> String,
    ) -> Self {
        Self {
            database,
            vault,
            wish,
            target,
            clock: Clock::System,
            summarize,
            reader: None,
            backlog: (Instant::now(), 0),
            written: None,
            backoff: Backoff::new(TRY_AGAIN_AFTER),
        }
    }

    /// Exports for the first time.
    ///
    /// # Errors
    ///
    /// See [`ExportError`].
    pub fn begin(&mut self, stop: &AtomicBool) -> Result<(), ExportError> {
        self.look(stop)
    }

    /// Exports whenever members have changed, until the other end of `woken` is dropped. An export
    /// that is running then ends soon after `stop` is set, and leaves the file as it was.
    pub fn run(mut self, woken: &Receiver<()>, stop: &AtomicBool) {
        while woken.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            if !self.backoff.may_try(self.clock.steady()) {
                continue;
            }
            match self.look(stop) {
                Ok(()) if self.backoff.succeeded() > 0 => log::info!("the file is current again"),
                Ok(()) => {}
                Err(ExportError::Stopped) if stop.load(Ordering::Relaxed) => return,
                Err(error) => {
                    self.reader = None;
                    let cause = chain(&error);
                    if self.backoff.failed(&cause, self.clock.steady()).is_some() {
                        log::error!("the file is not current, and will be tried again: {cause}");
                    }
                }
            }
        }
    }

    /// Exports if members have changed.
    fn look(&mut self, stop: &AtomicBool) -> Result<(), ExportError> {
        self.open()?;
        let mark = self.mark()?;
        if let Some(written) = &self.written
            && !self.is_due(written, mark)
        {
            return Ok(());
        }
        let Some(reader) = &self.reader else { return Err(ExportError::Replaced) };
        let (began, vault) = (Instant::now(), (self.vault)());
        let source = Source { reader: &**reader, vault: vault.as_ref(), now: self.clock.now() };
        let mut go_on = |_| !stop.load(Ordering::Relaxed) && self.database.check();
        let exported = match export(&source, self.wish, &self.target, &mut go_on) {
            Err(ExportError::Stopped) if !stop.load(Ordering::Relaxed) => {
                return Err(ExportError::Replaced);
            }
            done => done?,
        };
        let summary = (self.summarize)(&exported);
        let is_news = self.written.as_ref().is_none_or(|written| written.summary != summary);
        let level = if is_news { log::Level::Info } else { log::Level::Debug };
        log::log!(level, "{} written: {summary}", self.target.path().display());
        self.written = Some(Written {
            at: Instant::now(),
            took: began.elapsed(),
            // A postback that came during the export is noticed at the next look.
            mark: Mark { newest: exported.newest, ..mark },
            next_expiry: exported.next_expiry,
            file: self.target.identity(),
            summary,
        });
        Ok(())
    }

    /// Opens the database, also again after it was replaced.
    fn open(&mut self) -> Result<(), ExportError> {
        if self.reader.as_ref().is_some_and(|reader| reader.is_current() && self.database.check()) {
            return Ok(());
        }
        if self.reader.take().is_some() {
            log::warn!("the database was replaced: everything is exported again");
            self.written = None;
        }
        self.database.resume();
        self.reader = Some(self.database.open()?);
        Ok(())
    }

    fn mark(&mut self) -> Result<Mark, Fault> {
        let Some(reader) = &self.reader else { return Ok(Mark { newest: None, backlog: 0 }) };
        let newest = reader.newest_record()?.map(|(id, _)| id);
        let (counted, backlog) = self.backlog;
        if backlog < LONG_BACKLOG || counted.elapsed() >= LONG_BACKLOG_EVERY {
            self.backlog = (Instant::now(), reader.backlog()?);
        }
        Ok(Mark { newest, backlog: self.backlog.1 })
    }

    fn is_due(&self, written: &Written, mark: Mark) -> bool {
        let age = written.at.elapsed();
        if written.took > SHORT && age < written.took {
            return false;
        }
        if self.target.identity() != written.file {
            log::warn!(
                "{} was removed or replaced by another program: it is written again",
                self.target.path().display()
            );
            return true;
        }
        mark != written.mark
            || written.next_expiry.is_some_and(|instant| instant <= self.clock.now())
            || age >= EVERY.max(written.took * SHARE_OF_TIME)
    }
}
