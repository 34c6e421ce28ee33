//! Checkpoints: the way of the WAL into the database file. After every so many pages while the
//! service runs, and at a clean stop completely, with the WAL truncated to zero bytes.
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
use crate::store::{Fault, LongRead};

/// A checkpoint is due when the WAL has this many pages (4 KiB each: 96 MiB). Measured: seldom is
/// better, because a page that changed a hundred times is then written once; never is worse,
/// because a growing file is zeroed by the file system. With 16,000 pages more than one in a
/// hundred of the ADDs on 64 connections waits for a checkpoint, which p99 shows.
pub(super) const CHECKPOINT_PAGES: i32 = 24_000;

/// Bytes of a page in the WAL, with the header of its frame.
const FRAME_BYTES: i64 = 4096 + 24;

/// How often a checkpoint is tried again that a reader cut short: trying costs a walk through the
/// index of the WAL.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// A read transaction that is open for longer than this is reported, however small the WAL is.
const LONG_READ: Duration = Duration::from_secs(300);

/// How long a clean stop waits for the transactions of readers in other processes, for each of the
/// locks that it needs.
const EMPTY_WAIT: Duration = Duration::from_secs(2);

/// A checkpoint that could not be completed.
#[derive(Clone, Copy, Debug)]
struct Unfinished {
    since: Instant,
    try_again: Instant,
}

/// The checkpoints of one writer.
pub(super) struct Checkpoints<'c> {
    conn: &'c Connection,
    path: &'c Path,
    /// Pages in the WAL after the last commit, as SQLite reports them.
    pages: Arc<AtomicI32>,
    /// With how many of them a checkpoint is due.
    every: i32,
    unfinished: Option<Unfinished>,
}

impl<'c> Checkpoints<'c> {
    /// `pages` is kept by the connection's hook.
    pub(super) fn new(
        conn: &'c Connection,
        path: &'c Path,
        pages: Arc<AtomicI32>,
        every: i32,
    ) -> Result<Self, Fault> {
        // A file that a reader made large is cut to what is usual when the WAL begins anew.
        conn.pragma_update(None, "journal_size_limit", i64::from(every) * FRAME_BYTES / 4 * 5)?;
        Ok(Self { conn, path, pages, every, unfinished: None })
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

    /// Makes the checkpoint that is due. Waits for nobody.
    pub(super) fn run(&mut self, now: Instant) -> Result<(), Fault> {
        let since = self.unfinished.map_or(now, |unfinished| unfinished.since);
        let done = self.try_once()?;
        self.unfinished = (!done).then(|| Unfinished { since, try_again: now + TRY_AGAIN_AFTER });
        Ok(())
    }

    /// The reader who kept the last checkpoint from being completed, where that is worth telling.
    pub(super) fn held(&self, now: Instant) -> Option<LongRead> {
        self.unfinished.and_then(|unfinished| self.held_since(unfinished.since, now))
    }

    /// Completes the checkpoint and truncates the WAL to zero bytes; `false` where a reader
    /// prevents it.
    pub(super) fn empty_wal(&mut self) -> Result<bool, Fault> {
        self.with_wait(EMPTY_WAIT, "TRUNCATE")
    }

    /// PASSIVE leaves the file at its size, for the next pages. One that has grown beyond is
    /// truncated.
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
        (self.is_large() || now.saturating_duration_since(since) >= LONG_READ)
            .then_some(LongRead { since, bytes })
    }

    /// Whether the checkpoint was completed, with this wait for every lock.
    fn with_wait(&self, wait: Duration, mode: &str) -> Result<bool, Fault> {
        self.check_whole()?;
        self.conn.busy_timeout(wait)?;
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let result: rusqlite::Result<(bool, i32, i32)> = self.conn.query_row(&pragma, [], row);
        self.conn.busy_timeout(LOCK_WAIT)?;
        let (busy, in_wal, done) = result?;
        Ok(!busy && in_wal == done)
    }

    /// A checkpoint into a file that lost its end under the service would put a hole there, which
    /// no later start could tell.
    fn check_whole(&self) -> Result<(), Fault> {
        let number = |pragma| self.conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
        let (bytes, pages) = (number("PRAGMA page_size")?, number("PRAGMA page_count")?);
        whole::check_end(self.path, bytes.unsigned_abs(), pages.unsigned_abs())
    }
}
