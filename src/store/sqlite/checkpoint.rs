//! Checkpoints: they copy the WAL into the database file. While the service runs, one is made after
//! a certain number of pages: between postbacks on a thread of its own, under load by the writer. A
//! clean stop makes a complete one and truncates the WAL to zero bytes.
//!
//! SQLite's terms and locks: sqlite.org/wal.html, "Checkpointing" and "Avoiding Excessively Large
//! WAL Files".

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::checkpoint_aside::{Aside, WalCopied, copy_wal};
use super::connection::LOCK_WAIT;
use super::wal_pages::WalPages;
use super::whole;
use crate::heartbeat::Heartbeat;
use crate::store::{Fault, LongRead};

/// A checkpoint is due when the WAL has this many pages (4 KiB each: 96 MiB). Measured: rare
/// checkpoints are better, because a page that changed a hundred times is then written once. No
/// checkpoint at all is worse, because the file system zeroes a growing file. At 16,000 pages, more
/// than one ADD in a hundred on 64 connections waits for a checkpoint, which shows in p99.
pub(super) const CHECKPOINT_PAGES: i32 = 24_000;

/// While no postback waits, a checkpoint is made at this part of [`CHECKPOINT_PAGES`] (12 MiB).
/// Under load, rare checkpoints stay better.
const EARLY_PART: i32 = 8;

/// The most pages that the writer copies itself while postbacks come with pauses, because a
/// postback that comes meanwhile waits. Measured in turns on a busy disk: a checkpoint of 24,000
/// pages took 138 and 793 ms, one of 3,000 pages 30 ms (median). More pages are copied aside.
/// Then the writer copies what came meanwhile, so that the WAL can begin anew.
const OWN_PAGES_MAX: i32 = 1_000;

/// So long after a pause of the postbacks, the next pause is waited for.
const PAUSE_IS_RECENT: Duration = Duration::from_secs(1);

/// Bytes of a page in the WAL, with the header of its frame.
pub(super) const FRAME_BYTES: i64 = 4096 + 24;

/// How often a checkpoint that a reader interrupted is tried again: each attempt reads through the
/// index of the WAL.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

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
}

/// Who makes a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The writer's connection, at once.
    Writer,
    /// Another connection, on a thread of its own.
    Aside,
}

/// The checkpoints of one writer.
pub(super) struct Checkpoints<'c> {
    conn: &'c Connection,
    path: &'c Path,
    pages: Arc<WalPages>,
    /// The number of pages at which a checkpoint is due.
    every: i32,
    unfinished: Option<Unfinished>,
    /// When no postback waited, last.
    paused: Option<Instant>,
    aside: Aside,
    /// The turn of the WAL in which the checkpoint aside began, and when.
    aside_began: (u32, Instant),
    /// It has ended, and no reader has cut it short.
    has_ended_aside: bool,
    heartbeat: &'c Heartbeat,
}

impl<'c> Checkpoints<'c> {
    /// The connection's hook updates `pages`.
    pub(super) fn new(
        conn: &'c Connection,
        path: &'c Path,
        pages: Arc<WalPages>,
        every: i32,
        heartbeat: &'c Heartbeat,
    ) -> Result<Self, Fault> {
        // If a reader made the WAL large, it is truncated to its usual size when SQLite restarts
        // it.
        conn.pragma_update(None, "journal_size_limit", i64::from(every) * FRAME_BYTES / 4 * 5)?;
        Ok(Self {
            conn,
            path,
            pages,
            every,
            unfinished: None,
            paused: None,
            aside: Aside::new(path),
            aside_began: (0, Instant::now()),
            has_ended_aside: false,
            heartbeat,
        })
    }

    /// Pages in the WAL, just after a commit.
    pub(super) fn pages(&self) -> u64 {
        u64::try_from(self.pages.all()).unwrap_or(0)
    }

    /// The checkpoint that is due at `now`, after a command. One that can wait for a pause of the
    /// postbacks, waits.
    pub(super) fn due(&self, now: Instant) -> Option<By> {
        let waits = |paused: Instant| now.saturating_duration_since(paused) < PAUSE_IS_RECENT;
        match self.by() {
            By::Aside if self.paused.is_some_and(waits) => None,
            _ => (!self.is_aside_running() && self.is_due(now)).then_some(By::Writer),
        }
    }

    /// The checkpoint that is worth its cost at `now`, while no postback waits.
    pub(super) fn due_early(&mut self, now: Instant) -> Option<By> {
        self.paused = Some(now);
        let is_early =
            self.unfinished.is_none() && self.pages.to_copy() >= (self.every / EARLY_PART).max(1);
        (!self.is_aside_running() && (is_early || self.is_due(now))).then(|| self.by())
    }

    /// Whether a checkpoint is due at `now`. After one that a reader interrupted, it is so after an
    /// interval.
    fn is_due(&self, now: Instant) -> bool {
        match self.unfinished {
            Some(unfinished) => now >= unfinished.try_again,
            None => self.pages.to_copy() >= self.every,
        }
    }

    fn by(&self) -> By {
        if self.pages.to_copy() > OWN_PAGES_MAX { By::Aside } else { By::Writer }
    }

    /// Makes the checkpoint that is due. Does not wait for any lock.
    pub(super) fn run(&mut self, now: Instant) -> Result<(), Fault> {
        let copied = self.try_once()?;
        self.note(copied, now);
        Ok(())
    }

    /// Opens the connection for checkpoints aside. The caller checks after it that it has the files
    /// of the writer.
    pub(super) fn open_aside(&mut self) -> Result<(), Fault> {
        self.aside.open()
    }

    /// Starts a checkpoint aside. Returns `false` if that is not possible.
    pub(super) fn start_aside(&mut self, now: Instant) -> Result<bool, Fault> {
        self.check_whole()?;
        self.aside_began = (self.pages.turn(), now);
        Ok(self.aside.start())
    }

    pub(super) fn is_aside_running(&self) -> bool {
        self.aside.is_running()
    }

    /// Call often: notes what a checkpoint aside has copied when it has ended.
    pub(super) fn end_aside(&mut self) -> Result<(), Fault> {
        let Some(copied) = self.aside.ended().transpose()? else { return Ok(()) };
        let (turn, began) = self.aside_began;
        // If the WAL has begun anew since its end, these are the pages of the former one.
        if turn == self.pages.turn() {
            self.pages.set_copied(copied.done.max(0));
        }
        // At the end of a commit, the writer itself keeps its newest pages from being copied.
        self.has_ended_aside =
            copied.all - copied.done <= OWN_PAGES_MAX || self.note(copied, began);
        Ok(())
    }

    /// Once after a checkpoint aside that no reader has cut short: the pages that came during it.
    /// When the writer has copied them, the WAL begins anew. They are few, unless postbacks come so
    /// fast that another checkpoint aside would leave as many.
    pub(super) fn take_rest(&mut self) -> Option<i32> {
        std::mem::take(&mut self.has_ended_aside).then(|| self.pages.to_copy())
    }

    /// Notes whether a checkpoint that began at `now` is complete, and returns it.
    fn note(&mut self, copied: WalCopied, now: Instant) -> bool {
        let since = self.unfinished.map_or(now, |unfinished| unfinished.since);
        let is_complete = copied.is_complete();
        self.unfinished =
            (!is_complete).then(|| Unfinished { since, try_again: now + TRY_AGAIN_AFTER });
        is_complete
    }

    /// The reader that kept the last checkpoint from completing, if it is worth reporting.
    pub(super) fn held(&self, now: Instant) -> Option<LongRead> {
        self.unfinished.and_then(|unfinished| self.held_since(unfinished.since, now))
    }

    /// Completes the checkpoint and truncates the WAL to zero bytes; `false` if a reader
    /// prevents it.
    pub(super) fn empty_wal(&mut self) -> Result<bool, Fault> {
        // The truncation copies what a failed checkpoint aside has not copied.
        let _ = self.aside.wait();
        Ok(self.with_wait(EMPTY_WAIT, "TRUNCATE")?.is_complete())
    }

    /// PASSIVE keeps the size of the file for the next pages. A file that has grown beyond the
    /// usual size is truncated.
    fn try_once(&self) -> Result<WalCopied, Fault> {
        let is_large = self.is_large();
        let copied =
            self.with_wait(Duration::ZERO, if is_large { "TRUNCATE" } else { "PASSIVE" })?;
        match copied.is_complete() {
            true if is_large => self.pages.emptied(),
            _ => self.pages.set_copied(copied.done.max(0)),
        }
        Ok(copied)
    }

    fn is_large(&self) -> bool {
        self.pages.all() >= self.every.saturating_mul(2)
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
    fn with_wait(&self, wait: Duration, mode: &str) -> Result<WalCopied, Fault> {
        self.check_whole()?;
        self.conn.busy_timeout(wait)?;
        let copied = self.heartbeat.during(CHECKPOINT_TIME_MAX, || copy_wal(self.conn, mode));
        self.conn.busy_timeout(LOCK_WAIT)?;
        Ok(copied?)
    }

    /// A checkpoint into a file that was truncated under the service would leave a hole in it,
    /// which no later start could detect.
    fn check_whole(&self) -> Result<(), Fault> {
        let number = |pragma| self.conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
        let (bytes, pages) = (number("PRAGMA page_size")?, number("PRAGMA page_count")?);
        whole::check_end(self.path, bytes.unsigned_abs(), pages.unsigned_abs())
    }
}
