//! Reading: CHECK, the lists of the command line and the hashing worker, on read-only connections
//! that never wait for the writer.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{
    HERE_COLUMNS, LOGIN_COLUMNS, MEMBER_COLUMNS, read_cryptpass, read_form, read_former, read_here,
    read_key, read_login, read_session, select_former, select_member,
};
use crate::action::{Recorded, Standing};
use crate::block::{Block, BlockKind, LoginName, NameHolder, Network, Target};
use crate::identity::{Key, MemberId, SessionHash, SiteId};
use crate::member::{Credential, Former, Member};
use crate::password::{KeyId, Seal, Stored};
use crate::store::{Fault, JournalFilter, LoginRow, Pending, StoredRecord, View, Wanted};
use crate::unicode::folded;

/// Rows of a list that are read at once. They are handed out when the read transaction has ended: a
/// list that is printed into `less` may stand for hours, and the log could not begin anew under it.
pub(super) const PAGE_ROWS: u32 = 1_000;
/// A page of long journal records ends earlier, with the record that reaches this many bytes of
/// fields.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// A read-only connection.
#[derive(Debug)]
pub struct Reader {
    pub(super) conn: Connection,
}

impl Reader {
    pub(super) fn new(conn: Connection) -> Result<Self, Fault> {
        // The journal has no column of folded names: it is asked by name seldom, and written often.
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        conn.create_scalar_function("folded", 1, flags, |context| {
            Ok(context.get::<Option<String>>(0)?.as_deref().map(folded))
        })?;
        Ok(Self { conn })
    }

    /// Begins a look: until [`Reader::look_away`] all that is read is of one moment, and costs no
    /// locks. It keeps the log from starting anew, so it must end soon.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn look(&self) -> Result<(), Fault> {
        self.conn.prepare_cached("BEGIN")?.raw_execute()?;
        Ok(())
    }

    /// Ends a look, if there is one.
    ///
    /// # Errors
    ///
    /// Where SQLite cannot, which leaves a connection that is good for nothing.
    pub fn look_away(&self) -> Result<(), Fault> {
        if !self.conn.is_autocommit() {
            self.conn.prepare_cached("COMMIT")?.raw_execute()?;
        }
        Ok(())
    }

    /// What is wanted, as of `now`: a member whose expiry is reached counts as not there, moved or
    /// not.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn load(&self, wanted: &Wanted, view: &mut View, now: i64) -> Result<(), Fault> {
        for &key in &wanted.keys {
            if !view.has_member(key) {
                view.put_member(key, self.standing(key)?.at(now));
            }
        }
        for (site, name) in &wanted.names {
            if !view.has_name(*site, name) {
                view.put_holder(*site, name, self.holder(*site, name, now)?);
            }
            if let Some(namesake) = self.namesake(*site, name, now)? {
                view.put_namesake(*site, name, namesake);
            }
        }
        Ok(())
    }

    /// The sites on which this memberid is a member at `now`, and the session that is kept of each;
    /// those without one are left out.
    ///
    /// The sites are leapt through, since a memberid alone is no key: two look-ups for each site,
    /// of which there are few.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn sessions(
        &self,
        member: MemberId,
        now: i64,
    ) -> Result<Vec<(SiteId, SessionHash)>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "WITH RECURSIVE site (id) AS (
                 SELECT min(siteid) FROM member_auth
                 UNION ALL
                 SELECT (SELECT min(siteid) FROM member_auth WHERE siteid > site.id) FROM site WHERE site.id IS NOT NULL
             )
             SELECT siteid, memberid, session_sha256 FROM site CROSS JOIN member_auth ON siteid = site.id AND memberid = ?1
             WHERE expire_at IS NULL OR expire_at > ?2",
        )?;
        let mut rows = statement.query(params![member.get(), now])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if let Some(session) = read_session(row, 2)? {
                found.push((read_key(row, 0, 1)?.site, session));
            }
        }
        Ok(found)
    }

    /// The row that a login of this member is checked against at `now`, if there is one: a cookie
    /// says who.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn login_by_key(&self, key: Key, now: i64) -> Result<Option<LoginRow>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {LOGIN_COLUMNS} FROM member_auth
             WHERE siteid = ?1 AND memberid = ?2 AND (expire_at IS NULL OR expire_at > ?3)"
        ))?;
        let mut rows = statement.query(params![key.site.get(), key.member.get(), now])?;
        rows.next()?.map(read_login).transpose()
    }

    /// The blocks that hold at `now`, the oldest first.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn blocks(&self, now: i64) -> Result<Vec<Block>, Fault> {
        let mut blocks = Vec::new();
        self.for_each_block(now, |block, _| blocks.push(block))?;
        blocks.sort_by(|one, other| (one.since, &one.target).cmp(&(other.since, &other.target)));
        Ok(blocks)
    }

    /// The same in no order, and whether a member has the name now, one after the other: an older
    /// release kept hundreds of thousands.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn for_each_block(
        &self,
        now: i64,
        mut take: impl FnMut(Block, NameHolder),
    ) -> Result<(), Fault> {
        // A member without a folded form has the exact name, and few have none.
        let mut statement = self.conn.prepare_cached(
            "SELECT kind, network, username, since, until,
                    EXISTS (SELECT 1 FROM member_auth AS m WHERE m.username_folded = block.username)
                        OR EXISTS (SELECT 1 FROM member_auth AS m INDEXED BY member_auth_unfolded
                                   WHERE m.username_folded IS NULL AND m.username = block.username)
             FROM block WHERE until > ?1",
        )?;
        let (mut rows, mut unreadable) = (statement.query([now])?, 0);
        while let Some(row) = rows.next()? {
            let text = |index| row.get::<_, String>(index);
            let (network, name) =
                (Network::parse(&text(1)?), Some(text(2)?).filter(|name| !name.is_empty()));
            let kind = BlockKind::parse(&text(0)?);
            let target = kind.and_then(|kind| {
                Target::from_parts(kind, name.as_deref().map(LoginName::new), network)
            });
            let named = if row.get(5)? { NameHolder::Member } else { NameHolder::Nobody };
            match target {
                Some(target) => {
                    take(Block { target, since: row.get(3)?, until: row.get(4)? }, named)
                }
                // Somebody's handiwork: no reason to stand still for.
                None => unreadable += 1,
            }
        }
        if unreadable > 0 {
            log::warn!("{unreadable} rows of `block` that cannot be read are passed over");
        }
        Ok(())
    }

    /// How many rows the table of blocks has.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn count_blocks(&self) -> Result<usize, Fault> {
        let count: i64 = self
            .conn
            .prepare_cached("SELECT count(*) FROM block")?
            .query_row([], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Where a member stands in the tables.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn standing(&self, key: Key) -> Result<Standing, Fault> {
        let ids = params![key.site.get(), key.member.get()];
        let mut here = self.conn.prepare_cached(&select_member())?;
        if let Some(row) = here.query(ids)?.next()? {
            return Ok(Standing::Here(read_here(row)?));
        }
        let mut gone = self.conn.prepare_cached(&select_former())?;
        let mut rows = gone.query(ids)?;
        rows.next()?.map_or(Ok(Standing::Unknown), |row| Ok(Standing::Former(read_former(row)?)))
    }

    /// Every member who may log in at `now`, by site and memberid; of one site, or of all. Read
    /// page by page: each row is as it was when its page was read.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read, or `each` fails.
    pub fn members<E: From<Fault>>(
        &self,
        site: Option<i64>,
        now: i64,
        each: impl FnMut(&Member) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {MEMBER_COLUMNS}, {HERE_COLUMNS} FROM member_auth
             WHERE (siteid, memberid) > (?1, ?2) AND siteid <= ?3 AND (expire_at IS NULL OR expire_at > ?4)
             ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
        );
        let page = |(after_site, after_member), last_site| {
            let mut statement = self.conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params![after_site, after_member, last_site, now])?;
            let mut page = Vec::new();
            while let Some(row) = rows.next()? {
                page.push(read_here(row)?);
            }
            Ok(page)
        };
        of_sites(site, page, |row| row.key, each)
    }

    /// Every former member, by site and memberid; of one site, or of all. Read page by page, as
    /// [`Reader::members`] does.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read, or `each` fails.
    pub fn formers<E: From<Fault>>(
        &self,
        site: Option<i64>,
        each: impl FnMut(&Former) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {MEMBER_COLUMNS}, login_version, reason, ended_at FROM former_member
             WHERE (siteid, memberid) > (?1, ?2) AND siteid <= ?3 ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
        );
        let page = |(after_site, after_member), last_site| {
            let mut statement = self.conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params![after_site, after_member, last_site])?;
            let mut page = Vec::new();
            while let Some(row) = rows.next()? {
                page.push(read_former(row)?);
            }
            Ok(page)
        };
        of_sites(site, page, |former| former.member.key, each)
    }

    /// The journal in the order of effect, up to the newest record of this moment. Read page by
    /// page: a credential that is hashed meanwhile may be sealed in one record and hashed in a
    /// later one, which is the same password.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read, or `each` fails.
    pub fn journal<E: From<Fault>>(
        &self,
        filter: &JournalFilter,
        each: impl FnMut(&StoredRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let newest = "SELECT coalesce(max(id), 0) FROM journal";
        let newest: i64 = self.conn.query_row(newest, [], |row| row.get(0)).map_err(Fault::from)?;
        by_page(0, |after| self.journal_page(filter, after, newest), |record| record.id, each)
    }

    fn journal_page(
        &self,
        filter: &JournalFilter,
        after: i64,
        newest: i64,
    ) -> Result<Vec<StoredRecord>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT id, at, source, address, action, siteid, memberid, username, fields, reply, expire_at,
                 password, sealed, cryptpass_wrapped, cryptpass, session_sha256, logins_ended, moved_until
             FROM journal
             WHERE (?1 IS NULL OR siteid = ?1) AND (?2 IS NULL OR memberid = ?2)
               AND (?3 IS NULL OR folded(username) = ?3) AND (?4 IS NULL OR action = ?4)
               AND (?5 IS NULL OR reply LIKE ?5 || '|%') AND (?6 IS NULL OR at >= ?6) AND (?7 IS NULL OR at < ?7)
               AND id > ?8 AND id <= ?9
             ORDER BY id LIMIT {PAGE_ROWS}"
        ))?;
        let JournalFilter { site, member, username, action, word, since, until } = filter;
        let username = username.as_deref().map(folded);
        let mut rows = statement
            .query(params![site, member, username, action, word, since, until, after, newest])?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES
            && let Some(row) = rows.next()?
        {
            let record = read_record(row)?;
            bytes += record.fields.len();
            page.push(record);
        }
        Ok(page)
    }

    /// Whether nobody was ever a member: of the journal the newest record is never pruned.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn is_unused(&self) -> Result<bool, Fault> {
        let used = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM member_auth)
                        OR EXISTS (SELECT 1 FROM former_member)";
        Ok(!self.conn.query_row(used, [], |row| row.get::<_, bool>(0))?)
    }

    /// Number and time of the newest journal record, if there is one.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn newest_record(&self) -> Result<Option<(i64, i64)>, Fault> {
        let newest = "SELECT id, at FROM journal ORDER BY id DESC LIMIT 1";
        Ok(self.conn.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// How many credentials in the journal wait to be hashed.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn backlog(&self) -> Result<u64, Fault> {
        let count = self.conn.query_row(
            "SELECT count(*) FROM journal WHERE sealed IS NOT NULL",
            [],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(count.unsigned_abs())
    }

    /// The last sign of life in the database, unix seconds: the newest record of the journal, or a
    /// probe of `GET /health` after it and not ahead of `now`. `None` where there is no record.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn last_seen(&self, now: i64) -> Result<Option<i64>, Fault> {
        // A record of a jump that was not confirmed says nothing about the time.
        let newest =
            "SELECT min(at, coalesce(moved_until, at)) FROM journal ORDER BY id DESC LIMIT 1";
        let newest: Option<i64> = self.conn.query_row(newest, [], |row| row.get(0)).optional()?;
        let probed: i64 =
            self.conn.query_row("SELECT probed_at FROM health", [], |row| row.get(0))?;
        Ok(newest.map(|newest| if probed <= now { newest.max(probed) } else { newest }))
    }

    /// Under which key the seals are, as far as it was written down.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn seal_key(&self) -> Result<Option<KeyId>, Fault> {
        Ok(self
            .conn
            .query_row("SELECT id FROM seal_key", [], |row| row.get(0).map(KeyId))
            .optional()?)
    }

    /// The newest credentials that wait to be hashed, at most `most`.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn pending(&self, most: u32) -> Result<Vec<Pending>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, siteid, memberid, sealed FROM journal WHERE sealed IS NOT NULL ORDER BY id DESC LIMIT ?1",
        )?;
        let mut rows = statement.query([most])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            let key = read_key(row, 1, 2)?;
            let seal = Seal::from_bytes(row.get(3)?);
            // A row that cannot be read is no reason to leave this seal, and all behind it, as they
            // are.
            let before = match self.before(key, &seal) {
                Err(Fault::BadRow(_)) => None,
                before => before?,
            };
            pending.push(Pending { journal_id: row.get(0)?, key, seal, before });
        }
        Ok(pending)
    }

    /// What stood in the row before this seal, if the row has this seal.
    fn before(&self, key: Key, seal: &Seal) -> Result<Option<Stored>, Fault> {
        let row = match self.standing(key)? {
            Standing::Here(row) | Standing::Lapsed(row) => row,
            Standing::Former(former) => former.member,
            Standing::Unknown => return Ok(None),
        };
        let has_it = matches!(&row.credential.stored, Stored::Sealed(held) if held == seal);
        Ok(row.before.filter(|_| has_it))
    }
}

/// Pages of members by their keys, of one site or of all; a page is asked for with the key before
/// it and the last site.
fn of_sites<T, E: From<Fault>>(
    site: Option<i64>,
    mut page: impl FnMut((i64, i64), i64) -> Result<Vec<T>, Fault>,
    key: impl Fn(&T) -> Key,
    each: impl FnMut(&T) -> Result<(), E>,
) -> Result<(), E> {
    // No memberid is below 1, and no siteid.
    let before_all = (site.unwrap_or(0), 0);
    let last_site = site.unwrap_or(i64::MAX);
    let ids = |row: &T| (key(row).site.get(), key(row).member.get());
    by_page(before_all, |after| page(after, last_site), ids, each)
}

/// Reads a page behind `after`, hands its rows out, and so on until a page is empty.
fn by_page<T, K, E: From<Fault>>(
    mut after: K,
    mut page: impl FnMut(K) -> Result<Vec<T>, Fault>,
    key: impl Fn(&T) -> K,
    mut each: impl FnMut(&T) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let rows = page(after)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = key(last);
        rows.iter().try_for_each(&mut each)?;
    }
}

fn read_record(row: &Row<'_>) -> Result<StoredRecord, Fault> {
    let credential = match read_form(row, 11, 12, 13)? {
        Some(stored) => Some(Credential { stored, cryptpass: read_cryptpass(row, 14)? }),
        None => None,
    };
    Ok(StoredRecord {
        id: row.get(0)?,
        at: row.get(1)?,
        source: row.get(2)?,
        address: row.get(3)?,
        action: row.get(4)?,
        siteid: row.get(5)?,
        memberid: row.get(6)?,
        username: row.get(7)?,
        fields: row.get(8)?,
        reply: row.get(9)?,
        moved_until: row.get(17)?,
        put: Recorded {
            credential,
            session: read_session(row, 15)?,
            expire_at: row.get(10)?,
            logins_ended: row.get::<_, Option<i64>>(16)?.is_some(),
        },
    })
}
