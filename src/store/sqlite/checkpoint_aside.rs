//! Checkpoints on a thread of its own: SQLite lets the writer commit while another connection
//! copies the WAL into the database file. No postback waits for them.
//!
//! sqlite.org/wal.html, "Concurrency" and "Checkpointing".

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};

use super::connection::open;
use crate::store::Fault;

/// Checkpoints that are made one after the other, while commits come between them.
const PASSES_MAX: usize = 8;

/// What a checkpoint has copied, in frames of the WAL.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalCopied {
    /// The frames that the WAL had.
    pub(super) all: i32,
    /// Those that are in the database file now.
    pub(super) done: i32,
    /// Another checkpoint ran, or a reader prevented the end of this one.
    is_busy: bool,
}

impl WalCopied {
    /// Whether the database file has the whole WAL, as it was at the beginning.
    pub(super) fn is_complete(self) -> bool {
        !self.is_busy && self.all == self.done
    }
}

/// Makes a checkpoint of this mode on this connection.
pub(super) fn copy_wal(conn: &Connection, mode: &str) -> rusqlite::Result<WalCopied> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok(WalCopied { is_busy: row.get(0)?, all: row.get(1)?, done: row.get(2)? })
    })
}

/// Copies what is in the WAL, and then what came meanwhile. SQLite syncs the database file only at
/// the end of a checkpoint during which nothing was committed. The first one may be long. The next
/// ones are short, so that one of them syncs, and little is left for the sync of the writer.
fn copy_in_passes(conn: &Connection) -> rusqlite::Result<WalCopied> {
    let mut copied = copy_wal(conn, "PASSIVE")?;
    for _ in 1..PASSES_MAX {
        let before = copied;
        copied = copy_wal(conn, "PASSIVE")?;
        if copied.done == before.done {
            break;
        }
    }
    Ok(copied)
}

type Run = (Connection, rusqlite::Result<WalCopied>);

/// The connection that makes these checkpoints.
pub(super) struct Aside {
    path: PathBuf,
    /// Opened for the first of them.
    idle: Option<Connection>,
    running: Option<JoinHandle<Run>>,
}

impl Aside {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: None, running: None }
    }

    /// Opens the connection with all its files, if it is not open yet. The caller checks after it
    /// that they are the files of the writer.
    pub(super) fn open(&mut self) -> Result<(), Fault> {
        if self.idle.is_none() && self.running.is_none() {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let conn = open(&self.path, flags)?;
            // The database file is synced before the WAL counts as copied.
            conn.pragma_update(None, "synchronous", "FULL")?;
            // SQLite opens the WAL and its index with the first read.
            conn.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
            self.idle = Some(conn);
        }
        Ok(())
    }

    /// Starts a checkpoint. Returns `false` if the connection is not open, or the system gives no
    /// thread.
    pub(super) fn start(&mut self) -> bool {
        let Some(conn) = self.idle.take() else { return false };
        let run = move || {
            let copied = copy_in_passes(&conn);
            (conn, copied)
        };
        self.running = std::thread::Builder::new().name("checkpoint".into()).spawn(run).ok();
        self.is_running()
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// What the checkpoint has copied, once after its end.
    pub(super) fn ended(&mut self) -> Option<Result<WalCopied, Fault>> {
        match &self.running {
            Some(running) if running.is_finished() => self.wait(),
            _ => None,
        }
    }

    /// As [`Aside::ended`]. Waits for the end of a checkpoint that runs.
    pub(super) fn wait(&mut self) -> Option<Result<WalCopied, Fault>> {
        let (conn, copied) = match self.running.take()?.join() {
            Ok(run) => run,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        self.idle = Some(conn);
        Some(copied.map_err(Fault::from))
    }
}

impl Drop for Aside {
    /// No checkpoint goes on when the writer has closed the database.
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}
