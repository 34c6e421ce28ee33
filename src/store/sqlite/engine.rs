//! SQLite as the writer's engine: one connection, its statements prepared once and held.

use std::time::Instant;

use rusqlite::{Connection, Statement, params};

use super::checkpoint::{Checkpoints, HeldWal};
use super::own_file::OwnFile;
use super::rows::{
    FormColumns, HERE_COLUMNS, MEMBER_COLUMNS, before_column, read_former, read_here,
    select_former, select_member,
};
use super::{fault, known, logins, wal_mark};
use crate::action::{Change, Standing};
use crate::block::{Block, LoginName, Target};
use crate::clock::Moment;
use crate::epoch::Epoch;
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::journal::Record;
use crate::member::{Former, Member, Reason};
use crate::password::KeyId;
use crate::store::{
    Engine, Fault, Hardened, Note, Outcome, Pending, Rehashed, Spent, View, Wanted,
};
use crate::unicode::folded;

/// OR IGNORE: where somebody else holds it, the row keeps its exact name alone.
pub(super) const GIVE_FOLDED: &str =
    "UPDATE OR IGNORE member_auth SET username_folded = ?3 WHERE siteid = ?1 AND memberid = ?2";

/// Who holds a name in its folded form, and who has this very name without holding that: two rows
/// at most.
const SELECT_HOLDER: &str =
    "SELECT memberid, expire_at, 1 FROM member_auth WHERE username_folded = ?1 AND siteid = ?2
     UNION ALL
     SELECT memberid, expire_at, 0 FROM member_auth INDEXED BY member_auth_unfolded
     WHERE username = ?3 AND siteid = ?2 AND username_folded IS NULL";

/// What a health probe writes: 9 pages, as many as a postback that comes alone.
const PROBE_BYTES: i64 = 8 * 4096;

pub(super) struct Sqlite<'c> {
    conn: &'c Connection,
    own_file: OwnFile<'c>,
    checkpoints: Checkpoints<'c>,
    /// Known networks that were noted on this connection.
    known_noted: u32,
    /// Rows that this connection had changed when the transaction began.
    changes_before: u64,
    select_member: Statement<'c>,
    select_former: Statement<'c>,
    select_holder: Statement<'c>,
    /// Whether there may be members who do not hold the folded form of their names. Most databases
    /// have none, and cost nothing then.
    has_unfolded: bool,
    /// Members whom this transaction met, and who are not moved although their expiry is reached,
    /// because the clock may be wrong.
    lapsed: Vec<Key>,
    insert_member: Statement<'c>,
    update_member: Statement<'c>,
    delete_member: Statement<'c>,
    insert_former: Statement<'c>,
    delete_former: Statement<'c>,
    insert_journal: Statement<'c>,
    select_due: Statement<'c>,
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
            has_unfolded: conn
                .prepare("SELECT 1 FROM member_auth INDEXED BY member_auth_unfolded WHERE username_folded IS NULL")?
                .exists([])?,
            lapsed: Vec::new(),
            insert_member: prepare(&format!(
                "INSERT INTO member_auth ({MEMBER_COLUMNS}, {HERE_COLUMNS})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
            ))?,
            update_member: prepare(
                "UPDATE member_auth SET username = ?3, password = ?4, cryptpass = ?5, email = ?6, trial = ?7, biller = ?8,
                     session_sha256 = ?9, joined = ?10, expires = ?11, sealed = ?12, cryptpass_wrapped = ?13, before = ?14,
                     login_version = ?15, expire_at = ?16, username_folded = ?17
                 WHERE siteid = ?1 AND memberid = ?2",
            )?,
            delete_member: prepare("DELETE FROM member_auth WHERE siteid = ?1 AND memberid = ?2")?,
            insert_former: prepare(&format!(
                "INSERT OR REPLACE INTO former_member ({MEMBER_COLUMNS}, login_version, reason, ended_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
            ))?,
            delete_former: prepare("DELETE FROM former_member WHERE siteid = ?1 AND memberid = ?2")?,
            insert_journal: prepare(
                "INSERT INTO journal (at, source, address, action, siteid, memberid, username, fields, reply, expire_at,
                     password, cryptpass, session_sha256, sealed, cryptpass_wrapped, logins_ended, moved_until)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            )?,
            select_due: prepare("SELECT 1 FROM member_auth WHERE expire_at <= ?1 LIMIT 1")?,
        })
    }

    /// Where a member stands at this moment; one whose expiry is reached is moved, if that is sure.
    fn standing(&mut self, key: Key, moment: Moment) -> Result<Standing, Fault> {
        let standing = self.load_standing(key)?;
        let here = matches!(standing, Standing::Here(_));
        let standing = standing.at(moment);
        match &standing {
            Standing::Former(former) if here => self.save_former(former)?,
            Standing::Lapsed(row) => self.lapsed.push(row.key),
            Standing::Here(_) | Standing::Former(_) | Standing::Unknown => {}
        }
        Ok(standing)
    }

    /// Who holds a name at this moment; one whose expiry is reached holds nothing, and is moved, if
    /// that is sure.
    fn holder(&mut self, site: SiteId, name: &Username, moment: Moment) -> Result<NameHeld, Fault> {
        loop {
            let (mut held, mut due) = (NameHeld::default(), None);
            let mut rows =
                self.select_holder.query(params![name.folded(), site.get(), name.as_str()])?;
            while let Some(row) = rows.next()? {
                // Somebody's handiwork is no memberid.
                let Some(member) = MemberId::parse(&row.get::<_, i64>(0)?.to_string()) else {
                    continue;
                };
                let (expire_at, folded): (Option<i64>, bool) = (row.get(1)?, row.get(2)?);
                match (expire_at.is_some_and(|instant| instant <= moment.now), folded) {
                    (true, _) if expire_at > Some(moment.moved_until) => {
                        self.lapsed.push(Key { site, member })
                    }
                    (true, _) => due = Some(member),
                    (false, true) => held.holder = Some(member),
                    (false, false) => held.namesake = Some(member),
                }
            }
            drop(rows);
            self.has_unfolded |= held.namesake.is_some();
            let Some(member) = due else { return Ok(held) };
            // Then another one who has the name may hold it.
            self.standing(Key { site, member }, moment)?;
        }
    }

    /// The sites of those whose noted expiry is reached.
    fn sites_due(&self, now: i64) -> Result<Vec<i64>, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT DISTINCT siteid FROM member_auth WHERE expire_at <= ?1")?;
        Ok(statement.query_map([now], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Gives folded forms that nobody holds to those who have the names and do not hold them, the
    /// lowest memberid first.
    fn hand_on_names(&mut self, site: i64) -> Result<(), Fault> {
        if !self.has_unfolded {
            return Ok(());
        }
        let mut unfolded = self.conn.prepare_cached(
            "SELECT memberid, username FROM member_auth INDEXED BY member_auth_unfolded WHERE username_folded IS NULL AND siteid = ?1 ORDER BY memberid",
        )?;
        let rows = unfolded
            .query_map([site], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(i64, String)>, _>>()?;
        let mut give = self.conn.prepare_cached(GIVE_FOLDED)?;
        for (member, form) in rows
            .iter()
            .map(|(member, name)| (member, folded(name)))
            .filter(|(_, form)| !form.is_empty())
        {
            give.execute(params![site, member, form])?;
        }
        Ok(())
    }

    fn load_standing(&mut self, key: Key) -> Result<Standing, Fault> {
        let ids = params![key.site.get(), key.member.get()];
        let mut rows = self.select_member.query(ids)?;
        if let Some(row) = rows.next()? {
            return Ok(Standing::Here(read_here(row)?));
        }
        drop(rows);
        let mut rows = self.select_former.query(ids)?;
        match rows.next()? {
            None => Ok(Standing::Unknown),
            Some(row) => Ok(Standing::Former(read_former(row)?)),
        }
    }

    fn save_one(&mut self, outcome: &Outcome<'_>) -> Result<(), Fault> {
        if let Some(row) = outcome.change.row()
            && !self.lapsed.is_empty()
        {
            self.make_room_for(row)?;
        }
        match &outcome.change {
            Change::None => {}
            Change::Insert(row) => write_row(&mut self.insert_member, row)?,
            Change::Restore(row) => {
                let ids = params![row.key.site.get(), row.key.member.get()];
                self.delete_former.execute(ids)?;
                if self.lapsed.contains(&row.key) {
                    self.delete_member.execute(ids)?;
                }
                write_row(&mut self.insert_member, row)?;
            }
            Change::Update(row) => {
                write_row(&mut self.update_member, row)?;
                self.hand_on_names(row.key.site.get())?;
            }
            Change::Leave(former) => self.save_former(former)?,
        }
        self.has_unfolded |= outcome.change.row().is_some_and(|row| !row.holds_folded);
        self.save_record(&outcome.record)
    }

    /// Moves those who have lapsed by a clock that may be wrong, and hold the name that this member
    /// is given.
    fn make_room_for(&mut self, row: &Member) -> Result<(), Fault> {
        for key in self.lapsed.clone().into_iter().filter(|key| key.site == row.key.site) {
            let Standing::Here(lapsed) = self.load_standing(key)? else { continue };
            let Some(instant) = lapsed.expire_at else { continue };
            let (name, other) = (&row.username, &lapsed.username);
            if key != row.key
                && (name.folded() == other.folded()
                    || name.as_str().eq_ignore_ascii_case(other.as_str()))
            {
                log::warn!(
                    "member {} of site {} is moved to former_member, as member {} is given the username, while a jump of the clock \
                     is being confirmed",
                    key.member,
                    key.site,
                    row.key.member
                );
                self.save_former(&Former::new(lapsed, Reason::Expired, instant))?;
            }
        }
        Ok(())
    }

    fn save_former(&mut self, former: &Former) -> Result<(), Fault> {
        let row = &former.member;
        self.delete_member.execute(params![row.key.site.get(), row.key.member.get()])?;
        bind_row(&mut self.insert_former, row)?;
        self.insert_former.raw_bind_parameter(16, former.reason.as_str())?;
        self.insert_former.raw_bind_parameter(17, former.ended_at)?;
        self.insert_former.raw_execute()?;
        self.hand_on_names(row.key.site.get())
    }

    /// Ends the logins of whoever holds this seal, and says so in the first record that brought it;
    /// once, and not where a CHANGE did so when it came.
    fn end_logins(&mut self, pending: &Pending) -> Result<(), Fault> {
        let bounds =
            params![pending.key.site.get(), pending.key.member.get(), pending.seal.as_bytes()];
        let mut said = self.conn.prepare_cached(
            "SELECT 1 FROM journal WHERE siteid = ?1 AND memberid = ?2 AND sealed = ?3 AND logins_ended IS NOT NULL",
        )?;
        if said.exists(bounds)? {
            return Ok(());
        }
        let mut raised = 0;
        for table in ["member_auth", "former_member"] {
            let raise = format!(
                "UPDATE {table} SET login_version = login_version + 1 WHERE siteid = ?1 AND memberid = ?2 AND sealed = ?3"
            );
            raised += self.conn.prepare_cached(&raise)?.execute(bounds)?;
        }
        if raised > 0 {
            let mut say = self.conn.prepare_cached(
                "UPDATE journal SET logins_ended = 1 WHERE id =
                     (SELECT min(id) FROM journal WHERE siteid = ?1 AND memberid = ?2 AND sealed = ?3)",
            )?;
            say.execute(bounds)?;
        }
        Ok(())
    }

    fn save_record(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        let Record { at, heard, moved_until, reply, put } = record;
        let form = put.credential.as_ref().map(|credential| FormColumns::of(&credential.stored));
        let kept = put.credential.as_ref().and_then(|credential| credential.cryptpass.as_ref());
        self.insert_journal.execute(params![
            at,
            heard.origin.as_str(),
            heard.address.map(|address| address.to_string()),
            heard.action,
            heard.site.map(|site| site.get()),
            heard.member.map(|member| member.get()),
            heard.username.as_ref().map(|name| name.as_str()),
            heard.fields,
            reply.as_str(),
            put.expire_at,
            form.as_ref().and_then(|form| form.password),
            kept.map(|kept| kept.expose()),
            put.session.map(|hash| hash.0),
            form.as_ref().and_then(|form| form.sealed),
            form.as_ref().and_then(|form| form.wrapped),
            put.logins_ended.then_some(1),
            moved_until,
        ])?;
        Ok(())
    }
}

/// See [`crate::action::Known`].
#[derive(Default)]
struct NameHeld {
    holder: Option<MemberId>,
    namesake: Option<MemberId>,
}

/// network and username; empty where the kind has none.
fn block_columns(target: &Target) -> (String, &str) {
    let network = target.network().map(|network| network.to_string()).unwrap_or_default();
    (network, target.name().map(LoginName::as_str).unwrap_or_default())
}

fn write_block(conn: &Connection, block: &Block) -> Result<(), Fault> {
    let (network, username) = block_columns(&block.target);
    conn.prepare_cached("INSERT OR REPLACE INTO block VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
        params![block.target.kind().as_str(), network, username, block.since, block.until],
    )?;
    Ok(())
}

/// INSERT or UPDATE of member_auth, whose parameters are the same.
fn write_row(statement: &mut Statement<'_>, row: &Member) -> Result<(), Fault> {
    bind_row(statement, row)?;
    statement.raw_bind_parameter(16, row.expire_at)?;
    statement.raw_bind_parameter(17, row.holds_folded.then(|| row.username.folded()))?;
    statement.raw_execute()?;
    Ok(())
}

/// Binds the columns of [`MEMBER_COLUMNS`] and login_version, in their order.
fn bind_row(statement: &mut Statement<'_>, row: &Member) -> Result<(), Fault> {
    let form = FormColumns::of(&row.credential.stored);
    statement.raw_bind_parameter(1, row.key.site.get())?;
    statement.raw_bind_parameter(2, row.key.member.get())?;
    statement.raw_bind_parameter(3, row.username.as_str())?;
    statement.raw_bind_parameter(4, form.password)?;
    statement.raw_bind_parameter(5, row.credential.cryptpass.as_ref().map(|kept| kept.expose()))?;
    statement.raw_bind_parameter(6, row.email.as_deref())?;
    statement.raw_bind_parameter(7, row.trial)?;
    statement.raw_bind_parameter(8, row.biller.as_deref())?;
    statement.raw_bind_parameter(9, row.session.map(|hash| hash.0))?;
    statement.raw_bind_parameter(10, row.joined)?;
    statement.raw_bind_parameter(11, row.expires)?;
    statement.raw_bind_parameter(12, form.sealed)?;
    statement.raw_bind_parameter(13, form.wrapped)?;
    statement.raw_bind_parameter(14, before_column(row.before.as_ref()))?;
    statement.raw_bind_parameter(15, row.login_version)?;
    Ok(())
}

impl Engine for Sqlite<'_> {
    fn begin(&mut self) -> Result<(), Fault> {
        self.own_file.check()?;
        // IMMEDIATE: a lock that is only taken at the first write could find that what was loaded
        // is no longer so.
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        self.changes_before = self.conn.total_changes();
        self.lapsed.clear();
        Ok(())
    }

    fn expire_due(&mut self, now: i64, most: usize) -> Result<usize, Fault> {
        let bounds = params![now, i64::try_from(most).unwrap_or(i64::MAX)];
        if !self.select_due.exists([now])? {
            return Ok(0);
        }
        // In SQL alone, so that a row that cannot be read does not keep the others from moving.
        // Both statements choose the same rows.
        let (columns, due) = (
            MEMBER_COLUMNS,
            "(siteid, memberid) IN (SELECT siteid, memberid FROM member_auth \
             WHERE expire_at <= ?1 ORDER BY expire_at, siteid, memberid LIMIT ?2)",
        );
        self.conn.execute(
            &format!(
                "INSERT OR REPLACE INTO former_member ({columns}, login_version, reason, ended_at)
                 SELECT {columns}, login_version + 1, 'expired', expire_at FROM member_auth WHERE {due}"
            ),
            bounds,
        )?;
        let sites = if self.has_unfolded { self.sites_due(now)? } else { Vec::new() };
        let moved = self.conn.execute(&format!("DELETE FROM member_auth WHERE {due}"), bounds)?;
        sites.into_iter().try_for_each(|site| self.hand_on_names(site))?;
        Ok(moved)
    }

    fn load(&mut self, wanted: &Wanted, view: &mut View, moment: Moment) -> Result<(), Fault> {
        for &key in &wanted.keys {
            if !view.has_member(key) {
                let standing = self.standing(key, moment)?;
                view.put_member(key, standing);
            }
        }
        for (site, name) in &wanted.names {
            let known = view.has_name(*site, name);
            // Of one folded form, each spelling may have a namesake.
            if !known || self.has_unfolded {
                let held = self.holder(*site, name, moment)?;
                if !known {
                    view.put_holder(*site, name, held.holder);
                }
                if let Some(namesake) = held.namesake {
                    view.put_namesake(*site, name, namesake);
                }
            }
        }
        Ok(())
    }

    fn save(&mut self, outcomes: &[Outcome<'_>]) -> Result<(), Fault> {
        outcomes.iter().try_for_each(|outcome| self.save_one(outcome))
    }

    fn savepoint(&mut self) -> Result<(), Fault> {
        Ok(self.conn.execute_batch("SAVEPOINT postback")?)
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), Fault> {
        Ok(self.conn.execute_batch("ROLLBACK TO postback; RELEASE postback")?)
    }

    fn release_savepoint(&mut self) -> Result<(), Fault> {
        Ok(self.conn.execute_batch("RELEASE postback")?)
    }

    fn commit(&mut self) -> Result<(), Fault> {
        let is_changed = self.conn.total_changes() != self.changes_before;
        let mark = if is_changed { Some(wal_mark::renew(self.conn)?) } else { None };
        self.conn.execute_batch("COMMIT").map_err(fault::of_commit)?;
        mark.map_or(Ok(()), |mark| self.own_file.committed(mark, self.checkpoints.pages()))
    }

    fn rollback(&mut self) {
        // SQLite may have rolled back by itself (disk full does); then there is nothing left to
        // give up.
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            log::debug!("rollback: {error}");
        }
    }

    fn unfold(&mut self, key: Key) -> Result<(), Fault> {
        let sql =
            "UPDATE member_auth SET username_folded = NULL WHERE siteid = ?1 AND memberid = ?2";
        self.conn.prepare_cached(sql)?.execute([key.site.get(), key.member.get()])?;
        self.has_unfolded = true;
        Ok(())
    }

    fn harden(&mut self, hardened: &[Hardened]) -> Result<(), Fault> {
        let mut journal = self.conn.prepare_cached(
            "UPDATE journal SET sealed = NULL, password = ?4, cryptpass_wrapped = ?5
             WHERE siteid = ?1 AND memberid = ?2 AND sealed = ?3",
        )?;
        for Hardened { pending, form, differs } in hardened {
            if *differs {
                self.end_logins(pending)?;
            }
            let columns = FormColumns::of(form);
            let seal = pending.seal.as_bytes();
            let (site, member) = (pending.key.site.get(), pending.key.member.get());
            journal.execute(params![site, member, seal, columns.password, columns.wrapped])?;
            for table in ["member_auth", "former_member"] {
                self.conn
                    .prepare_cached(&format!(
                        "UPDATE {table} SET sealed = NULL, password = ?4, cryptpass_wrapped = ?5, before = NULL
                         WHERE siteid = ?1 AND memberid = ?2 AND sealed = ?3"
                    ))?
                    .execute(params![site, member, seal, columns.password, columns.wrapped])?;
                // A newer seal may stand over this one and wait for the comparison.
                self.conn
                    .prepare_cached(&format!(
                        "UPDATE {table} SET before = ?4 WHERE siteid = ?1 AND memberid = ?2 AND before = ?3"
                    ))?
                    .execute(params![site, member, seal, before_column(Some(form))])?;
            }
        }
        Ok(())
    }

    fn rehash(&mut self, rehashed: &Rehashed) -> Result<(), Fault> {
        let Rehashed { key, old, new } = rehashed;
        let replace = |table: &str| {
            let update = format!(
                "UPDATE {table} SET password = ?4 WHERE siteid = ?1 AND memberid = ?2 AND password = ?3"
            );
            let values = params![key.site.get(), key.member.get(), old.as_str(), new.as_str()];
            self.conn.prepare_cached(&update)?.execute(values)
        };
        if replace("member_auth")? + replace("former_member")? > 0 {
            replace("journal")?;
        }
        Ok(())
    }

    fn note(&mut self, note: &Note, sure: i64) -> Result<(), Fault> {
        match note {
            Note::LogOut(login) => logins::log_out(self.conn, login, sure)?,
            Note::Seen(seen) => logins::see(self.conn, seen)?,
            Note::Block(block) => write_block(self.conn, block)?,
            Note::Lift(target) => self.lift(target)?,
            Note::Known(known) => {
                known::note(self.conn, known)?;
                // Counting all of them for each would be dear.
                if self.known_noted.is_multiple_of(known::TRIM_EVERY) {
                    known::trim(self.conn)?;
                }
                self.known_noted = self.known_noted.wrapping_add(1);
            }
        }
        Ok(())
    }

    fn lift(&mut self, target: &Target) -> Result<(), Fault> {
        let (network, username) = block_columns(target);
        self.conn
            .prepare_cached("DELETE FROM block WHERE kind = ?1 AND network = ?2 AND username = ?3")?
            .execute(params![target.kind().as_str(), network, username])?;
        Ok(())
    }

    fn keep_blocks(&mut self, blocks: &[Block]) -> Result<(), Fault> {
        self.conn.execute("DELETE FROM block", [])?;
        blocks.iter().try_for_each(|block| write_block(self.conn, block))
    }

    fn probe(&mut self, now: i64) -> Result<(), Fault> {
        // Random, because a page that does not change is not written.
        let write = "UPDATE health SET probed_at = ?1, room = randomblob(?2)";
        self.conn.prepare_cached(write)?.execute([now, PROBE_BYTES])?;
        Ok(())
    }

    fn prune(&mut self, before: i64, most: usize) -> Result<usize, Fault> {
        // Ids rise with time, so the oldest records are the first ones: no index on `at` is needed,
        // and the walk ends at the first record that is young enough.
        let mut oldest = self.conn.prepare_cached(
            "SELECT id, at FROM journal WHERE id < (SELECT max(id) FROM journal) AND sealed IS NULL ORDER BY id LIMIT ?1",
        )?;
        let records = oldest
            .query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<Vec<(i64, i64)>, _>>()?;
        let mut delete = self.conn.prepare_cached("DELETE FROM journal WHERE id = ?1")?;
        let mut gone = 0;
        for (id, _) in records.into_iter().take_while(|&(_, at)| at < before) {
            gone += delete.execute([id])?;
        }
        Ok(gone)
    }

    fn set_seal_key(&mut self, id: KeyId) -> Result<(), Fault> {
        self.conn.execute("INSERT OR REPLACE INTO seal_key VALUES (1, ?1)", [id.0])?;
        Ok(())
    }

    fn forget_logins(&mut self, spent: Spent, most: usize) -> Result<bool, Fault> {
        logins::forget(self.conn, spent, most)
    }

    fn begin_login_epoch(&mut self, epoch: Epoch) -> Result<(), Fault> {
        logins::begin_epoch(self.conn, epoch)
    }

    fn is_empty(&mut self) -> Result<bool, Fault> {
        let any = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM member_auth)
                       OR EXISTS (SELECT 1 FROM former_member)";
        Ok(!self.conn.query_row(any, [], |row| row.get::<_, bool>(0))?)
    }

    fn tidy(&mut self, now: Instant) -> Result<Option<HeldWal>, Fault> {
        if self.checkpoints.is_due(now) {
            self.own_file.check()?;
            let done = self.checkpoints.run(now);
            self.own_file.was_written();
            done?;
        }
        Ok(self.checkpoints.held(now))
    }

    fn check_file(&mut self) -> Result<(), Fault> {
        self.own_file.check_now()
    }

    fn empty_wal(&mut self) -> Result<bool, Fault> {
        self.own_file.check()?;
        let done = self.checkpoints.empty_wal();
        self.own_file.was_written();
        done
    }
}
