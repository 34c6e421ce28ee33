//! Checkpoints: they copy the WAL into the database file. While the service runs, one is made after
//! a certain number of pages. A clean stop makes a complete one and truncates the WAL to zero
//! bytes.
//!
//! SQLite's terms and locks: sqlite.org/wal.html, "Checkpointing" and "Avoiding Excessively Large
//! WAL Files".

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connection::LOCK_WAIT;
use super::whole;
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
/// checkpoints stay better.
const EARLY_PART: i32 = 8;

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
        // If a reader made the WAL large, it is truncated to its usual size when SQLite restarts
        // it.
        conn.pragma_update(None, "journal_size_limit", i64::from(every) * FRAME_BYTES / 4 * 5)?;
        Ok(Self { conn, path, pages, every, unfinished: None, heartbeat })
    }

    /// Pages in the WAL, just after a commit.
    pub(super) fn pages(&self) -> u64 {
        u64::try_from(self.pages.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Whether a checkpoint is due at `now`.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        match self.unfinished {
            Some(unfinished) => now >= unfinished.try_again,
            None => self.pages.load(Ordering::Relaxed) >= self.every,
        }
    }

    /// Whether a checkpoint is worth its cost while no postback waits. After one that a reader
    /// interrupted, [`Checkpoints::is_due`] says when it is tried again.
    pub(super) fn is_due_early(&self) -> bool {
        self.unfinished.is_none()
            && self.pages.load(Ordering::Relaxed) >= (self.every / EARLY_PART).max(1)
    }

    /// Makes the checkpoint that is due. Does not wait for any lock.
    pub(super) fn run(&mut self, now: Instant) -> Result<(), Fault> {
        let (since, pause) = match self.unfinished {
            None => (now, TRY_AGAIN_AFTER),
            Some(before) => (before.since, (before.pause * 2).min(TRY_AGAIN_EVERY_MAX)),
        };
        let done = self.try_once()?;
        self.unfinished = (!done).then(|| Unfinished { since, try_again: now + pause, pause });
        Ok(())
    }

    /// The reader that kept the last checkpoint from completing, if it is worth reporting.
    pub(super) fn held(&self, now: Instant) -> Option<LongRead> {
        self.unfinished.and_then(|unfinished| self.held_since(unfinished.since, now))
    }

    /// Completes the checkpoint and truncates the WAL to zero bytes; `false` if a reader
    /// prevents it.
    pub(super) fn empty_wal(&mut self) -> Result<bool, Fault> {
        self.with_wait(EMPTY_WAIT, "TRUNCATE")
    }

    /// PASSIVE keeps the size of the file for the next pages. A file that has grown beyond the
    /// usual size is truncated.
    fn try_once(&self) -> Result<bool, Fault> {
        let mode = if self.is_large() { "TRUNCATE" } else { "PASSIVE" };
        let done = self.with_wait(Duration::ZERO, mode)?;
        if done {
            self.pages.store(0, Ordering::Relaxed);
        }
        Ok(done)
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

    /// Makes a checkpoint with this timeout for every lock. Returns whether it was completed.
    fn with_wait(&self, wait: Duration, mode: &str) -> Result<bool, Fault> {
        self.check_whole()?;
        self.conn.busy_timeout(wait)?;
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let result: rusqlite::Result<(bool, i32, i32)> =
            self.heartbeat.during(CHECKPOINT_TIME_MAX, || self.conn.query_row(&pragma, [], row));
        self.conn.busy_timeout(LOCK_WAIT)?;
        let (busy, in_wal, done) = result?;
        Ok(!busy && in_wal == done)
    }

    /// A checkpoint into a file that was truncated under the service would leave a hole in it,
    /// which no later start could detect.
    fn check_whole(&self) -> Result<(), Fault> {
        let number = |pragma| self.conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
        let (bytes, pages) = (number("PRAGMA page_size")?, number("PRAGMA page_count")?);
        whole::check_end(self.path, bytes.unsigned_abs(), pages.unsigned_abs())
    }
}
