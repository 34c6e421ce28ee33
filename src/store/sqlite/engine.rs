//! The writer's SQLite engine: one connection with prepared statements.

use std::time::Instant;

use rusqlite::{Connection, Statement};

use super::checkpoint::Checkpoints;
use super::connection::CACHE_OF_MANY;
use super::journal::Journal;
use super::own_file::OwnFile;
use super::rows::{
    FORMER_COLUMNS, FORMER_NAME, HERE_COLUMNS, MEMBER_COLUMNS, SELECT_PROVISIONAL, select_former,
    select_member,
};
use super::{
    convert, email_index, fault, known, login_records, logins, operators, sharing, wal_mark,
};
use crate::block::{Block, Target};
use crate::chain::chain;
use crate::clock::Moment;
use crate::epoch::Epoch;
use crate::identity::Key;
use crate::journal::Record;
use crate::operator::{Operator, OperatorName};
use crate::password::{Hash, KeyId};
use crate::store::bounds::KNOWN_TRIM_EVERY;
use crate::store::{
    Cause, Conversion, Engine, EngineTimes, Fault, Forgotten, Hardened, LongRead, Note, Outcome,
    Person, Rehashed, Residue, SharedKey, SharedSetting, Spent, TableRow, View, Wanted,
};

/// The holder of the folded form of a name, and the member who has exactly this name without
/// holding the form: two rows at most.
const SELECT_HOLDER: &str =
    "SELECT memberid, expire_at, 1 FROM member_auth WHERE username_folded = ?1 AND siteid = ?2
     UNION ALL
     SELECT memberid, expire_at, 0 FROM member_auth INDEXED BY member_auth_unfolded
     WHERE username = ?3 AND siteid = ?2 AND username_folded IS NULL";

/// How often a command tries to empty the WAL. A try waits for two seconds.
const CLEAR_TRIES: u32 = 3;

/// Bytes that a health probe stores. It writes 9 pages, as many as a single postback.
const PROBE_BYTES: i64 = 8 * 4096;

pub(super) struct Sqlite<'c> {
    pub(super) conn: &'c Connection,
    pub(super) own_file: OwnFile<'c>,
    pub(super) checkpoints: Checkpoints<'c>,
    /// Known networks that were noted on this connection.
    pub(super) known_noted: u32,
    /// Rows that this connection had changed when the transaction began.
    pub(super) changes_before: u64,
    pub(super) select_member: Statement<'c>,
    pub(super) select_former: Statement<'c>,
    pub(super) select_holder: Statement<'c>,
    pub(super) select_provisional: Statement<'c>,
    /// Whether there may be members who do not hold the folded form of their names. Most databases
    /// have none, and then need no query for them.
    pub(super) has_unfolded: bool,
    /// Members in this transaction who are not moved although their expiry is reached, because the
    /// clock may be wrong.
    pub(super) lapsed: Vec<Key>,
    pub(super) insert_member: Statement<'c>,
    pub(super) update_member: Statement<'c>,
    pub(super) delete_member: Statement<'c>,
    pub(super) insert_former: Statement<'c>,
    pub(super) delete_former: Statement<'c>,
    pub(super) journal: Journal<'c>,
    pub(super) select_due: Statement<'c>,
    times: EngineTimes,
}

impl<'c> Sqlite<'c> {
    /// Prepares the statements.
    pub(super) fn new(
        conn: &'c Connection,
        own_file: OwnFile<'c>,
        checkpoints: Checkpoints<'c>,
    ) -> Result<Self, Fault> {
        let prepare = |sql: &str| conn.prepare(sql);
        Ok(Self {
            conn,
            own_file,
            checkpoints,
            known_noted: 0,
            changes_before: 0,
            select_member: prepare(&select_member())?,
            select_former: prepare(&select_former())?,
            select_holder: prepare(SELECT_HOLDER)?,
            select_provisional: prepare(SELECT_PROVISIONAL)?,
            has_unfolded: conn
                .prepare(
                    "SELECT 1 FROM member_auth INDEXED BY member_auth_unfolded
                     WHERE username_folded IS NULL",
                )?
                .exists([])?,
            lapsed: Vec::new(),
            insert_member: prepare(&format!(
                "INSERT INTO member_auth ({MEMBER_COLUMNS}, {HERE_COLUMNS})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                 ?17, ?18)"
            ))?,
            update_member: prepare(
                "UPDATE member_auth SET username = ?3, password = ?4, cryptpass = ?5, email = ?6,
                     trial = ?7, biller = ?8,
                     session_sha256 = ?9, joined = ?10, expires = ?11, sealed = ?12,
                     cryptpass_wrapped = ?13, before = ?14, stamp = ?15,
                     login_version = ?16, expire_at = ?17, username_folded = ?18
                 WHERE siteid = ?1 AND memberid = ?2",
            )?,
            delete_member: prepare("DELETE FROM member_auth WHERE siteid = ?1 AND memberid = ?2")?,
            insert_former: prepare(&format!(
                "INSERT OR REPLACE INTO former_member
                 ({MEMBER_COLUMNS}, {FORMER_COLUMNS}, {FORMER_NAME})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                 ?17, ?18, ?19)"
            ))?,
            delete_former: prepare(
                "DELETE FROM former_member WHERE siteid = ?1
                 AND memberid = ?2",
            )?,
            journal: Journal::new(conn)?,
            select_due: prepare("SELECT 1 FROM member_auth WHERE expire_at <= ?1 LIMIT 1")?,
            times: EngineTimes::default(),
        })
    }

    /// Copies the whole WAL into the database file and empties it. `false` if the transaction of a
    /// reader prevents that.
    pub(super) fn empty_wal(&mut self) -> Result<bool, Fault> {
        self.end_beside();
        self.check_files()?;
        let done = self.checkpoints.empty_wal();
        self.own_file.was_written();
        done
    }

    fn checkpoint(&mut self, now: Instant) -> Result<(), Fault> {
        self.end_beside();
        self.check_files()?;
        let done = self.checkpoints.run(now, self.own_file.files());
        if self.checkpoints.runs_beside() {
            self.own_file.is_now_written_beside();
        } else {
            self.own_file.was_written();
        }
        if let Err(Fault::Replaced(_)) = &done {
            // Only the check of the writer's own files saves what can be saved.
            self.check_files()?;
        }
        if let Some(took) = done? {
            self.times.checkpoint = Some(took);
        }
        Ok(())
    }

    /// Checks that the files are still those that this connection has open. If they are not, no
    /// checkpoint runs beside the writer any more.
    fn check_files(&mut self) -> Result<(), Fault> {
        if self.checkpoints.has_ended_beside() {
            self.end_beside();
        }
        match self.own_file.check() {
            Err(Fault::Replaced(_)) if self.checkpoints.runs_beside() => {
                self.end_beside();
                // Only what the checkpoint has done may have changed the file, or nothing is saved.
                self.own_file.check()
            }
            checked => checked,
        }
    }

    /// Waits until no checkpoint runs beside the writer.
    fn end_beside(&mut self) {
        if self.checkpoints.runs_beside() {
            self.checkpoints.end_beside();
            self.own_file.was_written_beside();
        }
    }

    /// Runs work of an open transaction. SQLite may roll a transaction back by itself, for example
    /// when memory runs out. A statement after that would commit alone.
    fn within<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.conn.is_autocommit() {
            return Err(Fault::TransactionLost(Cause::new("SQLite rolled it back", None)));
        }
        work(self).map_err(|fault| {
            if self.conn.is_autocommit() { fault.with_transaction_lost() } else { fault }
        })
    }
}

impl Engine for Sqlite<'_> {
    fn begin(&mut self) -> Result<(), Fault> {
        self.check_files()?;
        // IMMEDIATE: a lock that is only taken at the first write could find that the loaded data
        // has changed.
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        self.changes_before = self.conn.total_changes();
        self.lapsed.clear();
        Ok(())
    }

    fn expire_due(&mut self, now: i64, most: usize) -> Result<usize, Fault> {
        self.within(|engine| engine.move_expired(now, most))
    }

    fn load(&mut self, wanted: &Wanted<'_>, view: &mut View, moment: Moment) -> Result<(), Fault> {
        self.within(|engine| engine.load_view(wanted, view, moment))
    }

    fn save(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault> {
        self.within(|engine| outcomes.iter().try_for_each(|outcome| engine.save_one(outcome)))
    }

    fn savepoint(&mut self) -> Result<(), Fault> {
        self.within(|engine| Ok(engine.conn.execute_batch("SAVEPOINT postback")?))
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), Fault> {
        self.journal.shapes.rolled_back();
        self.within(|engine| {
            Ok(engine.conn.execute_batch("ROLLBACK TO postback; RELEASE postback")?)
        })
    }

    fn release_savepoint(&mut self) -> Result<(), Fault> {
        self.within(|engine| Ok(engine.conn.execute_batch("RELEASE postback")?))
    }

    fn commit(&mut self) -> Result<(), Fault> {
        let is_changed = self.conn.total_changes() != self.changes_before;
        let mark =
            self.within(|engine| is_changed.then(|| wal_mark::renew(engine.conn)).transpose())?;
        let began = Instant::now();
        self.conn.execute_batch("COMMIT").map_err(fault::of_commit)?;
        self.times.commit = Some(began.elapsed());
        self.journal.shapes.committed();
        mark.map_or(Ok(()), |mark| self.own_file.committed(mark, self.checkpoints.pages()))
    }

    fn rollback(&mut self) {
        self.journal.shapes.rolled_back();
        // SQLite may have rolled back by itself, as it does when the disk is full. Then nothing is
        // left to roll back.
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            log::debug!("rollback: {error}");
        }
    }

    fn unfold(&mut self, key: Key) -> Result<(), Fault> {
        self.within(|engine| engine.take_folded(key))
    }

    fn harden(&mut self, hardened: &[Hardened]) -> Result<(), Fault> {
        self.within(|engine| engine.replace_seals(hardened))
    }

    fn rehash(&mut self, rehashed: &Rehashed) -> Result<(), Fault> {
        self.within(|engine| engine.replace_hash(rehashed))
    }

    fn note(&mut self, note: &Note, sure: i64) -> Result<(), Fault> {
        self.within(|engine| match note {
            Note::LogOut(login) => logins::log_out(engine.conn, login, sure),
            Note::Seen(seen) => logins::see(engine.conn, seen),
            Note::Block(block) => engine.write_block(block),
            Note::Lift(target) => engine.delete_block(target).map(|_| ()),
            Note::Known(known) => {
                known::note(engine.conn, known)?;
                // Counting all rows for each note would be slow.
                if engine.known_noted.is_multiple_of(KNOWN_TRIM_EVERY) {
                    known::trim(engine.conn)?;
                }
                engine.known_noted = engine.known_noted.wrapping_add(1);
                Ok(())
            }
            Note::Login(login) => login_records::record(engine.conn, login),
            Note::Network(used) => sharing::note_network(engine.conn, used),
            Note::Shared(block) => sharing::write_block(engine.conn, block),
            Note::OperatorLogin(session) => operators::begin_session(engine.conn, session),
            Note::OperatorLogout(token) => operators::end_session(engine.conn, token),
        })
    }

    fn forget_logins(&mut self, spent: Spent, most: usize) -> Result<bool, Fault> {
        self.within(|engine| logins::forget(engine.conn, spent, most))
    }

    fn lift(&mut self, target: &Target) -> Result<(), Fault> {
        self.within(|engine| engine.delete_block(target).map(|_| ()))
    }

    fn lift_sharing(&mut self, key: Key, now: i64) -> Result<bool, Fault> {
        self.within(|engine| sharing::lift(engine.conn, key, now))
    }

    fn forget(
        &mut self,
        person: &Person,
        record: &Record<'_>,
        until: i64,
    ) -> Result<Forgotten, Fault> {
        self.within(|engine| engine.forget_person(person, record, until))
    }

    fn forget_notes(&mut self, person: &Person) -> Result<Forgotten, Fault> {
        self.within(|engine| engine.forget_notes_of(person))
    }

    fn keep_blocks(&mut self, blocks: &[Block]) -> Result<(), Fault> {
        self.within(|engine| engine.replace_blocks(blocks))
    }

    fn probe(&mut self, now: i64) -> Result<(), Fault> {
        self.within(|engine| {
            // Random, because SQLite does not write an unchanged page.
            let write = "UPDATE health SET probed_at = ?1, room = randomblob(?2)";
            engine.conn.prepare_cached(write)?.execute([now, PROBE_BYTES])?;
            Ok(())
        })
    }

    fn prune(&mut self, before: i64, now: i64, most: usize) -> Result<usize, Fault> {
        self.within(|engine| engine.journal.prune(before, now, most))
    }

    fn convert_journal(&mut self, most: usize) -> Result<Option<Conversion>, Fault> {
        self.within(|engine| convert::step(engine.conn, &mut engine.journal.shapes, most))
    }

    fn insert_rows(&mut self, rows: &[TableRow]) -> Result<(), Fault> {
        self.within(|engine| rows.iter().try_for_each(|row| engine.insert_row(row)))
    }

    fn set_seal_key(&mut self, id: KeyId) -> Result<(), Fault> {
        self.within(|engine| {
            engine.conn.execute("INSERT OR REPLACE INTO seal_key VALUES (1, ?1)", [id.0])?;
            Ok(())
        })
    }

    fn set_cookie_key(&mut self, _: KeyId) -> Result<(), Fault> {
        Ok(())
    }

    fn agree_on_key(&mut self, key: SharedKey, id: KeyId) -> Result<KeyId, Fault> {
        match key {
            SharedKey::Seals => self.set_seal_key(id)?,
            SharedKey::Cookies => self.set_cookie_key(id)?,
        }
        Ok(id)
    }

    fn agree_on_settings(&mut self, _: &[SharedSetting]) -> Result<Vec<SharedSetting>, Fault> {
        Ok(Vec::new())
    }

    fn begin_login_epoch(&mut self, epoch: Epoch) -> Result<(), Fault> {
        self.within(|engine| logins::begin_epoch(engine.conn, epoch))
    }

    fn add_operator(&mut self, operator: &Operator) -> Result<(), Fault> {
        self.within(|engine| operators::add(engine.conn, operator))
    }

    fn set_operator_password(
        &mut self,
        name: &OperatorName,
        hash: &Hash,
        now: i64,
    ) -> Result<bool, Fault> {
        self.within(|engine| operators::set_password(engine.conn, name, hash, now))
    }

    fn remove_operator(&mut self, name: &OperatorName) -> Result<bool, Fault> {
        self.within(|engine| operators::remove(engine.conn, name))
    }

    fn is_empty(&mut self) -> Result<bool, Fault> {
        let any = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM member_auth)
                       OR EXISTS (SELECT 1 FROM former_member)";
        Ok(!self.conn.query_row(any, [], |row| row.get::<_, bool>(0))?)
    }

    fn maintain(&mut self, now: Instant) -> Result<Option<LongRead>, Fault> {
        if self.checkpoints.is_due(now) {
            self.checkpoint(now)?;
        }
        Ok(self.checkpoints.held(now))
    }

    fn take_times(&mut self) -> EngineTimes {
        std::mem::take(&mut self.times)
    }

    fn expect_many(&mut self) -> Result<(), Fault> {
        Ok(self.conn.pragma_update(None, "cache_size", CACHE_OF_MANY)?)
    }

    fn index_emails(&mut self, is_wanted: bool) -> Result<(), Fault> {
        self.within(|engine| email_index::set(engine.conn, is_wanted))
    }

    fn maintain_early(&mut self, now: Instant) -> Result<(), Fault> {
        if self.checkpoints.is_due_early() { self.checkpoint(now) } else { Ok(()) }
    }

    fn check_current(&mut self) -> Result<(), Fault> {
        self.end_beside();
        self.own_file.check_now()
    }

    fn clear_deleted(&mut self) -> Result<Residue, Fault> {
        // Deleted rows are zeros in their pages (`secure_delete`). The WAL has the pages of before.
        // Beside a busy service it takes more than one try.
        for _ in 0..CLEAR_TRIES {
            if self.empty_wal()? {
                return Ok(Residue::Nothing);
            }
        }
        Ok(Residue::Log)
    }

    fn finish(&mut self) -> bool {
        match self.empty_wal() {
            Ok(true) => return true,
            Ok(false) => log::warn!(
                "the WAL could not be emptied, because another process reads the database (a \
                 backup, a forgotten sqlite3 shell): copy the database only together with its \
                 -wal file, or start and stop the service once more"
            ),
            Err(fault) => log::warn!(
                "the WAL could not be copied into the database file: {}; copy the database only \
                 together with its -wal file",
                chain(&fault)
            ),
        }
        false
    }
}
