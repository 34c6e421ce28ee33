//! Checks the files under the writer's connection before every transaction and every checkpoint:
//! nothing may be acknowledged that a restart would not find, and no checkpoint may write into a
//! file that another program has put there.
//!
//! Another file is recognised by its inode. If the same file has other content, as after `cp`, it
//! is recognised by the mark of the last transaction (see [`super::wal_mark`]); SQLite itself would
//! continue with pages of both. A WAL with other content is recognised by its last frame (see
//! [`super::wal_tail`]).

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ffi};

use super::files::{FileChange, Files, Stamp};
use super::wal_mark::{self, Newest};
use super::wal_tail::WalTail;
use super::{fault, whole};
use crate::store::Fault;

/// How soon a file that was found to be ours is checked again, because another program may have
/// been in the middle of writing it. If it has not changed then, the check was of the whole file.
const CHECK_AGAIN_AFTER: Duration = Duration::from_millis(300);
/// How often the connection checks whether another program has committed. It does so often, because
/// after the WAL was emptied only the last of several commits can be recognised.
const OTHERS_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// A check reads the whole WAL. During a long checkpoint of another program, checks take at most
/// one part in this many of the time, unless they are short.
const CHECK_ONE_IN: u32 = 5;
const SHORT_CHECK: Duration = Duration::from_millis(50);
/// How often a check is repeated after another program has disturbed it.
const TRIES: usize = 5;

pub(super) struct OwnFile<'c> {
    conn: &'c Connection,
    files: Files,
    stamp: Stamp,
    wal_tail: WalTail,
    /// When the last check ended, and how long it took.
    last_check: Option<(Instant, Duration)>,
    /// Whether the file was the same at two checks.
    is_settled: bool,
    /// While a checkpoint of ours runs beside the writer: the transactions of which it may leave
    /// one as the newest in the file.
    beside: Option<Vec<Newest>>,
    /// The mark of the newest transaction that this connection knows.
    newest: Option<Newest>,
    /// Changes after a commit of another connection.
    others: i64,
    others_read: Instant,
}

impl<'c> OwnFile<'c> {
    /// The files that `before` found and that were opened since.
    pub(super) fn new(conn: &'c Connection, path: &Path, before: &Files) -> Result<Self, Fault> {
        let files = Files::of_database(path).map_err(Fault::Replaced)?;
        if !files.has_database_of(before) {
            return Err(Fault::Replaced(FileChange::Replaced.into()));
        }
        let stamp = files.check().map_err(|change| Fault::Replaced(change.into()))?;
        let newest = Newest::read(conn)?;
        let wal_tail = WalTail::find(files.wal());
        Ok(Self {
            conn,
            files,
            stamp,
            wal_tail,
            last_check: None,
            is_settled: true,
            beside: None,
            newest,
            others: others(conn)?,
            others_read: Instant::now(),
        })
    }

    /// Checks that they are still the files that this connection has open.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        let stamp = match self.files.check() {
            Ok(stamp) => stamp,
            Err(change) => {
                if change == FileChange::Wal {
                    self.save_what_the_wal_has();
                }
                return Err(Fault::Replaced(change.into()));
            }
        };
        let is_new = self.beside.is_none() && stamp != self.stamp;
        let is_wal_new = !self.wal_tail.is_there();
        if !is_new && !is_wal_new && self.is_settled {
            return self.learn_of_others();
        }
        if !self.is_check_due(is_new || is_wal_new) {
            return Ok(());
        }
        // In most cases a checkpoint of another program.
        (self.stamp, self.is_settled) = (stamp, !is_new && !is_wal_new);
        let began = Instant::now();
        let is_ours = self.is_ours(is_new);
        self.last_check = Some((Instant::now(), began.elapsed()));
        match (is_ours, is_new) {
            (true, _) => {
                if is_wal_new {
                    self.wal_tail.find_again();
                }
                Ok(())
            }
            (false, false) if is_wal_new => Err(Fault::Replaced(FileChange::WalOverwritten.into())),
            (false, _) => Err(Fault::Replaced(FileChange::Overwritten.into())),
        }
    }

    /// New content is checked as soon as possible. Until then it is assumed to be ours.
    fn is_check_due(&self, is_new: bool) -> bool {
        self.last_check.is_none_or(|(ended, took)| {
            let pause =
                if took <= SHORT_CHECK { Duration::ZERO } else { took * (CHECK_ONE_IN - 1) };
            ended.elapsed() >= if is_new { pause } else { CHECK_AGAIN_AFTER.max(pause) }
        })
    }

    /// Whether file and WAL are still those of this connection. If another program commits or makes
    /// a checkpoint meanwhile, the parts were read at different times; then the check is repeated.
    fn is_ours(&mut self, is_new: bool) -> bool {
        let mut others = false;
        for _ in 0..TRIES {
            let stamp = self.files.stamp();
            others |= self.have_others_committed().unwrap_or(false);
            if self.is_ours_now(is_new, others) {
                return true;
            }
            let more = self.have_others_committed().unwrap_or(false);
            others |= more;
            if !more && self.files.stamp() == stamp {
                return false;
            }
        }
        false
    }

    fn is_ours_now(&mut self, is_new: bool, others: bool) -> bool {
        let (Some(newest), Some(database)) = (self.newest, self.database()) else { return true };
        match wal_mark::continues(&database, self.files.wal(), newest, others) {
            // It may be in the middle of a checkpoint. Then the WAL has what the file lacks, and
            // the file is complete soon.
            None => is_new && self.is_whole_with_its_wal(&database),
            Some(false) => others && self.others_go_on(&database),
            Some(true) => {
                self.newest = Newest::read(self.conn).unwrap_or(self.newest);
                true
            }
        }
    }

    /// Whether another process of this program has committed so much since the last transaction
    /// known here that the WAL was restarted.
    fn others_go_on(&mut self, database: &Path) -> bool {
        let wal = self.files.wal();
        let Ok(Some(newest)) = Newest::read(self.conn) else { return false };
        let go_on = wal_mark::has_marks(wal)
            && wal_mark::continues(database, wal, newest, true) == Some(true);
        if go_on {
            self.newest = Some(newest);
        }
        go_on
    }

    fn is_whole_with_its_wal(&self, database: &Path) -> bool {
        let number = |pragma| {
            self.conn.query_row(pragma, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        let size =
            number("PRAGMA page_size").and_then(|bytes| Ok((bytes, number("PRAGMA page_count")?)));
        size.is_ok_and(|(bytes, pages)| whole::check_end(database, bytes, pages).is_ok())
    }

    /// The newest mark is then that of the other program's commit.
    fn learn_of_others(&mut self) -> Result<(), Fault> {
        if self.others_read.elapsed() >= OTHERS_AGAIN_AFTER {
            self.others_read = Instant::now();
            if self.have_others_committed()?
                && let Some(newest) = Newest::read(self.conn)?
            {
                self.know(newest);
            }
        }
        Ok(())
    }

    fn know(&mut self, newest: Newest) {
        self.newest = Some(newest);
        if let Some(beside) = &mut self.beside {
            beside.push(newest);
        }
    }

    /// A checkpoint of ours has written to the file, and may have truncated the WAL.
    pub(super) fn was_written(&mut self) {
        if let Some(stamp) = self.files.stamp() {
            self.stamp = stamp;
        }
        self.wal_tail.was_checkpointed();
    }

    /// A checkpoint of ours begins beside the writer. Until it has ended, the content of the file
    /// changes at any time.
    pub(super) fn is_now_written_beside(&mut self) {
        self.beside = Some(self.newest.into_iter().collect());
    }

    /// The checkpoint beside the writer has ended. If it has copied all that was there when it
    /// began, the file is as it left it. Otherwise the next check is of the content of the file.
    pub(super) fn was_written_beside(&mut self) {
        let left = self.beside.take().unwrap_or_default();
        if self.database().is_some_and(|database| wal_mark::has_one_of(&database, &left)) {
            self.was_written();
        }
    }

    /// The files that are checked.
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// A transaction was committed with this mark, after which the WAL has so many frames.
    ///
    /// # Errors
    ///
    /// [`Fault::OutcomeUnknown`] if the transaction is missing, because another program has written
    /// to the WAL.
    pub(super) fn committed(&mut self, mark: Newest, frames: u64) -> Result<(), Fault> {
        self.know(mark);
        if self.wal_tail.committed(frames) {
            return Ok(());
        }
        let code = ffi::Error::new(ffi::SQLITE_IOERR_SHORT_READ);
        Err(Fault::OutcomeUnknown(fault::cause(rusqlite::Error::SqliteFailure(
            code,
            Some("the WAL has lost what was written to it".into()),
        ))))
    }

    /// Checks the files as [`OwnFile::check`] does, however short the time since the last check.
    pub(super) fn check_now(&mut self) -> Result<(), Fault> {
        self.last_check = None;
        self.check()
    }

    fn have_others_committed(&mut self) -> Result<bool, Fault> {
        let others = others(self.conn)?;
        Ok(std::mem::replace(&mut self.others, others) != others)
    }

    /// The open WAL no longer has a name and is lost with the last connection. Its content is
    /// copied into the database file if that is untouched.
    fn save_what_the_wal_has(&mut self) {
        // Beside another checkpoint it would be refused; the engine checks again after that.
        if self.beside.is_some() || self.files.stamp() != Some(self.stamp) {
            return;
        }
        let done =
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.was_written();
        match done {
            Ok(0) => {
                log::warn!("the content of the removed -wal file is saved in the database file")
            }
            Ok(_) => log::error!(
                "the content of the removed -wal file could not be saved completely in the \
                 database file, because another process reads it"
            ),
            Err(error) => log::error!(
                "the content of the removed -wal file could not be saved in the database file: \
                 {error}"
            ),
        }
    }

    fn database(&self) -> Option<std::path::PathBuf> {
        self.conn.path().and_then(|path| Path::new(path).canonicalize().ok())
    }
}

fn others(conn: &Connection) -> Result<i64, Fault> {
    Ok(conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}
