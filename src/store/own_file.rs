//! The files under the writer's connection. Before every transaction and every checkpoint they are looked at: nothing may be
//! acknowledged that a restart would not find, and no checkpoint may write into what somebody has put there.
//!
//! Another file is told by its inode. The same file with another content, as `cp` leaves it, is told by the mark of the last
//! transaction (see [`super::wal_mark`]): SQLite itself would go on, with pages of both.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::files::{FileChange, Files, Stamp};
use super::wal_mark::{self, Newest};
use super::{Fault, whole};

/// How soon a file that was written to is looked at again: who writes may have been in the middle of it. What is still the same then
/// was looked at when it was whole. And how often it is asked whether another program has committed.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(300);
/// A look walks through the whole WAL. Beside the long checkpoint of another program it takes no more than one part in so many of
/// the time.
const LOOK_ONE_IN: u32 = 5;

pub(super) struct OwnFile<'c> {
    conn: &'c Connection,
    files: Files,
    stamp: Stamp,
    /// Whether the file was the same at two looks.
    is_settled: bool,
    next_look: Instant,
    /// Of the newest transaction that this connection knows.
    newest: Option<Newest>,
    /// Changes when another connection has committed.
    others: i64,
    asked: Instant,
}

impl<'c> OwnFile<'c> {
    /// The files that `before` saw there, which were opened since.
    pub(super) fn new(conn: &'c Connection, path: &Path, before: &Files) -> Result<Self, Fault> {
        let files = Files::look(path).map_err(|_| Fault::Moved(FileChange::Gone))?;
        if !files.has_database_of(before) {
            return Err(Fault::Moved(FileChange::Replaced));
        }
        let stamp = files.check().map_err(Fault::Moved)?;
        let newest = Newest::read(conn)?;
        Ok(Self {
            conn,
            files,
            stamp,
            is_settled: true,
            next_look: Instant::now(),
            newest,
            others: others(conn)?,
            asked: Instant::now(),
        })
    }

    /// Whether they are still what this connection has open.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        let stamp = match self.files.check() {
            Ok(stamp) => stamp,
            Err(change) => {
                if change == FileChange::Wal {
                    self.save_what_the_wal_has();
                }
                return Err(Fault::Moved(change));
            }
        };
        let is_new = stamp != self.stamp;
        if !is_new && self.is_settled {
            return self.learn_of_others();
        }
        let now = Instant::now();
        if now < self.next_look {
            return Ok(());
        }
        // Mostly a checkpoint of another program.
        (self.stamp, self.is_settled) = (stamp, !is_new);
        let is_ours = self.look(is_new);
        self.next_look = Instant::now() + LOOK_AGAIN_AFTER.max(now.elapsed() * (LOOK_ONE_IN - 1));
        if is_ours { Ok(()) } else { Err(Fault::Moved(FileChange::Overwritten)) }
    }

    fn look(&mut self, is_new: bool) -> bool {
        let others = self.have_others_committed().unwrap_or(false);
        let (Some(newest), Some(database)) = (self.newest, self.database()) else { return true };
        match wal_mark::continues(&database, self.files.wal(), newest, others) {
            // It may be in the middle of a checkpoint; then the WAL has what it lacks, and it is whole soon.
            None => is_new && self.is_whole_with_its_wal(&database),
            Some(false) => false,
            Some(true) => {
                self.newest = Newest::read(self.conn).unwrap_or(self.newest);
                true
            }
        }
    }

    fn is_whole_with_its_wal(&self, database: &Path) -> bool {
        let number = |pragma| self.conn.query_row(pragma, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        let size = number("PRAGMA page_size").and_then(|bytes| Ok((bytes, number("PRAGMA page_count")?)));
        size.is_ok_and(|(bytes, pages)| whole::check_end(database, bytes, pages).is_ok())
    }

    /// The mark of another program's commit is the newest then.
    fn learn_of_others(&mut self) -> Result<(), Fault> {
        if self.asked.elapsed() >= LOOK_AGAIN_AFTER {
            self.asked = Instant::now();
            if self.have_others_committed()? {
                self.newest = Newest::read(self.conn)?;
            }
        }
        Ok(())
    }

    /// A checkpoint of ours has written to the file.
    pub(super) fn was_written(&mut self) {
        if let Some(stamp) = self.files.stamp() {
            self.stamp = stamp;
        }
    }

    /// A transaction was committed with this mark.
    pub(super) fn committed(&mut self, mark: Newest) {
        self.newest = Some(mark);
    }

    fn have_others_committed(&mut self) -> Result<bool, Fault> {
        let others = others(self.conn)?;
        Ok(std::mem::replace(&mut self.others, others) != others)
    }

    /// The WAL that is open has no name any more, and goes with the last connection. All that it has is brought into the database
    /// file while that is untouched.
    fn save_what_the_wal_has(&mut self) {
        if self.files.stamp() != Some(self.stamp) {
            return;
        }
        let done = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.was_written();
        match done {
            Ok(0) => log::warn!("what the -wal file had that was removed is saved in the database file"),
            Ok(_) => log::error!(
                "not all that the -wal file had that was removed could be saved in the database file: a reader is in the way"
            ),
            Err(error) => log::error!("what the -wal file had that was removed could not be saved in the database file: {error}"),
        }
    }

    fn database(&self) -> Option<std::path::PathBuf> {
        self.conn.path().and_then(|path| Path::new(path).canonicalize().ok())
    }
}

fn others(conn: &Connection) -> Result<i64, Fault> {
    Ok(conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
