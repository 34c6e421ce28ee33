//! A checkpoint beside the writer, on a thread and a connection of its own, while postbacks are
//! committed. SQLite has a lock for checkpoints and another one for writers. A checkpoint copies
//! the pages that are in the WAL when it begins. It cannot restart the WAL, because the writer adds
//! to it meanwhile.

use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::OpenFlags;

use super::checkpoint_once::{Progress, make};
use super::connection::{open, secure_connection};
use super::files::Files;
use crate::store::Fault;

/// A checkpoint that runs. When it is dropped, it has ended.
pub(super) struct Beside {
    /// `None` when its result was taken.
    thread: Option<JoinHandle<Result<(Progress, Duration), Fault>>>,
}

impl Beside {
    /// Starts a checkpoint of the database at `path`, which must have these files. `None` if the
    /// system has no thread for it.
    pub(super) fn start(path: &Path, files: &Files) -> Option<Self> {
        let (path, files) = (path.to_owned(), files.clone());
        let thread = thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || checkpoint(&path, &files))
            .ok()?;
        Some(Self { thread: Some(thread) })
    }

    /// Whether [`Beside::end`] does not wait any more.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end. Returns what it has done, and how long it took.
    ///
    /// # Errors
    ///
    /// If it failed.
    pub(super) fn end(mut self) -> Result<(Progress, Duration), Fault> {
        // Only this takes it, once.
        let thread = self.thread.take().expect("the thread is there until here");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // Nothing depends on its result: the WAL still has all pages.
            let _ = thread.join();
        }
    }
}

fn checkpoint(path: &Path, files: &Files) -> Result<(Progress, Duration), Fault> {
    let began = Instant::now();
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // After the opening: the path may lead to another file by now.
    files.check().map_err(|change| Fault::Replaced(change.into()))?;
    secure_connection(&conn)?;
    Ok((make(&conn, path, "PASSIVE")?, began.elapsed()))
}
