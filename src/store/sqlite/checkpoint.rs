//! Checkpoints: they copy the WAL into the database file. While the service runs, one is made after
//! a certain number of pages. A clean stop makes a complete one and truncates the WAL to zero
//! bytes.
//!
//! The writer makes them, and postbacks wait meanwhile. If a read transaction has interrupted one,
//! as a backup does, the WAL has grown. Then a thread copies the pages beside the writer (see
//! [`super::checkpoint_beside`]), and the writer copies the few pages that came meanwhile.
//!
//! SQLite's terms and locks: sqlite.org/wal.html, "Checkpointing" and "Avoiding Excessively Large
//! WAL Files".

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::checkpoint_beside::Beside;
use super::checkpoint_once::{self, Progress};
use super::connection::LOCK_WAIT;
use super::files::Files;
use crate::heartbeat::Heartbeat;
use crate::store::{Fault, LongRead};

/// A checkpoint is due when the WAL has this many pages (4 KiB each: 96 MiB). Measured: rare
/// checkpoints are better, because a page that changed a hundred times is then written once. No
/// checkpoint at all is worse, because the file system zeroes a growing file. At 16,000 pages, more
/// than one ADD in a hundred on 64 connections waits for a checkpoint, which shows in p99.
pub(super) const CHECKPOINT_PAGES: i32 = 24_000;

/// While no postback waits, a checkpoint is made at this part of [`CHECKPOINT_PAGES`] (12 MiB),
/// because a postback that comes during one waits for its end. Measured in turns on a busy disk:
/// with 24,000 pages it took 138 and 793 ms, with 3,000 pages 30 ms (median). Under load, rare
/// checkpoints stay better. If a reader has interrupted one, more pages than these are copied
/// beside the writer.
const EARLY_PART: i32 = 8;

/// A WAL that has grown beyond the usual size is shortened in steps of this part of
/// [`CHECKPOINT_PAGES`] (48 MiB), one for each restart, because a commit waits for it. Measured: to
/// shorten it by 1 GiB at once takes half a second.
const SHORTEN_PART: i32 = 2;

/// Bytes of a page in the WAL, with the header of its frame.
pub(super) const FRAME_BYTES: i64 = 4096 + 24;

/// How soon a checkpoint that a reader interrupted is tried again, and how often at last. Most
/// readers take milliseconds, as this program's own do: a later attempt would find a WAL that has
/// grown, and take longer. Each attempt reads through the index of the WAL, so that they become
/// rarer while a reader stays.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(20);
const TRY_AGAIN_EVERY_MAX: Duration = Duration::from_secs(10);

/// A read transaction that is open for longer than this is reported, however small the WAL is.
const LONG_READ: Duration = Duration::from_secs(300);

/// How long a clean stop waits for read transactions of other processes, for each of the locks that
/// it needs.
const EMPTY_WAIT: Duration = Duration::from_secs(2);

/// The usual causes of a read transaction that does not end.
const READERS: &str = "a forgotten sqlite3 shell, a backup that hangs, or another program that \
    reads the database";

/// The longest checkpoint. It writes 100 MiB, or more after a long read transaction, to places all
/// over the file, and a slow disk is slowest at that.
const CHECKPOINT_TIME_MAX: Duration = Duration::from_secs(600);

/// A checkpoint that could not be completed.
#[derive(Clone, Copy, Debug)]
struct Unfinished {
    since: Instant,
    try_again: Instant,
    /// From the last attempt until then.
    pause: Duration,
    /// Pages of the WAL that are in the database file.
    copied: i32,
}

/// The checkpoints of one writer.
pub(super) struct Checkpoints<'c> {
    conn: &'c Connection,
    path: &'c Path,
    /// Pages in the WAL after the last commit, as SQLite reports them.
    pages: Arc<AtomicI32>,
    /// The number of pages at which a checkpoint is due.
    every: i32,
    unfinished: Option<Unfinished>,
    /// One that runs beside the writer.
    beside: Option<Beside>,
    /// What the last one beside the writer has done, and how long it took.
    ended: Option<Result<(Progress, Duration), Fault>>,
    /// Whether the WAL has more than its usual bytes, and is shortened at each restart.
    is_shortening: bool,
    heartbeat: &'c Heartbeat,
}

impl<'c> Checkpoints<'c> {
    /// The connection's hook updates `pages`.
    pub(super) fn new(
        conn: &'c Connection,
        path: &'c Path,
        pages: Arc<AtomicI32>,
        every: i32,
        heartbeat: &'c Heartbeat,
    ) -> Result<Self, Fault> {
        let this = Self {
            conn,
            path,
            pages,
            every,
            unfinished: None,
            beside: None,
            ended: None,
            is_shortening: false,
            heartbeat,
        };
        this.set_limit(this.usual_bytes())?;
        Ok(this)
    }

    /// Pages in the WAL, just after a commit.
    pub(super) fn pages(&self) -> u64 {
        u64::try_from(self.pages.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Whether a checkpoint is due at `now`.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        match (&self.beside, self.unfinished) {
            (Some(beside), _) => beside.has_ended(),
            (None, Some(unfinished)) => self.ended.is_some() || now >= unfinished.try_again,
            (None, None) => self.pages.load(Ordering::Relaxed) >= self.every,
        }
    }

    /// Whether [`Checkpoints::end_beside`] has something to end and does not wait.
    pub(super) fn has_ended_beside(&self) -> bool {
        self.beside.as_ref().is_some_and(Beside::has_ended)
    }

    /// Whether a checkpoint runs beside the writer, so that the database file changes at any time.
    pub(super) fn runs_beside(&self) -> bool {
        self.beside.is_some()
    }

    /// Whether a checkpoint is worth its cost while no postback waits. After one that a reader
    /// interrupted, [`Checkpoints::is_due`] says when it is tried again.
    pub(super) fn is_due_early(&self) -> bool {
        let least = if self.is_shortening { 1 } else { self.early() };
        self.unfinished.is_none() && self.pages.load(Ordering::Relaxed) >= least
    }

    /// Makes the checkpoint that is due, of the database with these files, or starts it beside the
    /// writer. Does not wait for any lock. Returns how long a checkpoint took that has ended.
    ///
    /// # Errors
    ///
    /// If it failed. The next attempt begins anew.
    pub(super) fn run(&mut self, now: Instant, files: &Files) -> Result<Option<Duration>, Fault> {
        let copied = self.unfinished.map_or(0, |before| before.copied);
        if let Some(ended) = self.ended.take() {
            let (progress, took) = ended.inspect_err(|_| self.interrupted(now, copied))?;
            if !progress.is_complete {
                self.interrupted(now, progress.copied);
                return Ok(Some(took));
            }
            // Only the pages that came meanwhile are left.
        } else if self.unfinished.is_some() && self.is_long(copied) {
            self.beside = Beside::start(self.path, files);
            if self.beside.is_some() {
                return Ok(None);
            }
        }
        let began = Instant::now();
        let progress = self.try_once(files)?;
        if progress.is_complete {
            self.unfinished = None;
        } else {
            self.interrupted(now, progress.copied);
        }
        Ok(Some(began.elapsed()))
    }

    /// A checkpoint was not completed; so many pages are in the database file. The next attempt is
    /// made after a longer pause.
    fn interrupted(&mut self, now: Instant, copied: i32) {
        let (since, pause) = match self.unfinished {
            None => (now, TRY_AGAIN_AFTER),
            Some(before) => (before.since, (before.pause * 2).min(TRY_AGAIN_EVERY_MAX)),
        };
        self.unfinished = Some(Unfinished { since, try_again: now + pause, pause, copied });
    }

    /// Waits until the checkpoint beside the writer has ended, if one runs. [`Checkpoints::run`]
    /// takes its result.
    pub(super) fn end_beside(&mut self) {
        if let Some(beside) = self.beside.take() {
            self.ended = Some(self.heartbeat.during(CHECKPOINT_TIME_MAX, || beside.end()));
        }
    }

    /// The reader that kept the last checkpoint from completing, if it is worth reporting.
    pub(super) fn held(&self, now: Instant) -> Option<LongRead> {
        self.unfinished.and_then(|unfinished| self.held_since(unfinished.since, now))
    }

    /// Completes the checkpoint and truncates the WAL to zero bytes; `false` if a reader
    /// prevents it.
    pub(super) fn empty_wal(&mut self) -> Result<bool, Fault> {
        Ok(self.with_wait(EMPTY_WAIT, "TRUNCATE")?.is_complete)
    }

    /// Copies the pages. The file keeps its size for the next ones.
    fn try_once(&mut self, files: &Files) -> Result<Progress, Fault> {
        let progress = self.with_wait(Duration::ZERO, "PASSIVE")?;
        if progress.is_complete {
            self.pages.store(0, Ordering::Relaxed);
            self.shorten(files)?;
        }
        Ok(progress)
    }

    /// If a reader made the WAL large, it becomes shorter when SQLite restarts it, which the next
    /// commit does.
    fn shorten(&mut self, files: &Files) -> Result<(), Fault> {
        let bytes = files.wal().metadata().map_or(0, |wal| wal.len());
        let (bytes, usual) = (i64::try_from(bytes).unwrap_or(i64::MAX), self.usual_bytes());
        if self.is_shortening || bytes > usual {
            self.is_shortening = bytes > usual;
            let step = i64::from(self.every / SHORTEN_PART) * FRAME_BYTES;
            self.set_limit(usual.max(bytes - step))?;
        }
        Ok(())
    }

    /// Bytes of a WAL that no reader made large.
    fn usual_bytes(&self) -> i64 {
        i64::from(self.every) * FRAME_BYTES / 4 * 5
    }

    /// Sets the bytes to which SQLite truncates the WAL when it restarts it.
    fn set_limit(&self, bytes: i64) -> Result<(), Fault> {
        Ok(self.conn.pragma_update(None, "journal_size_limit", bytes)?)
    }

    /// Whether so many pages are to be copied that postbacks should not wait.
    fn is_long(&self, copied: i32) -> bool {
        self.pages.load(Ordering::Relaxed).saturating_sub(copied) > self.early()
    }

    /// The number of pages at which a checkpoint is made while no postback waits.
    fn early(&self) -> i32 {
        (self.every / EARLY_PART).max(1)
    }

    fn is_large(&self) -> bool {
        self.pages.load(Ordering::Relaxed) >= self.every.saturating_mul(2)
    }

    fn held_since(&self, since: Instant, now: Instant) -> Option<LongRead> {
        let bytes = self.pages() * FRAME_BYTES.unsigned_abs();
        (self.is_large() || now.saturating_duration_since(since) >= LONG_READ).then_some(LongRead {
            since,
            bytes,
            log: "WAL",
            suspects: READERS,
        })
    }

    /// Makes a checkpoint with this timeout for every lock.
    fn with_wait(&self, wait: Duration, mode: &str) -> Result<Progress, Fault> {
        self.conn.busy_timeout(wait)?;
        let made = || checkpoint_once::make(self.conn, self.path, mode);
        let made = self.heartbeat.during(CHECKPOINT_TIME_MAX, made);
        self.conn.busy_timeout(LOCK_WAIT)?;
        made
    }
}
