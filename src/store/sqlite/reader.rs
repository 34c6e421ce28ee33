//! Reading: CHECK, the lists of the command line and the hashing worker, on read-only connections
//! that never wait for the writer.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::folding::give_sql_folded;
use super::rows::{
    FORMER_COLUMNS, HERE_COLUMNS, LOGIN_COLUMNS, MEMBER_COLUMNS, SELECT_PROVISIONAL, member_id,
    read_former, read_here, read_key, read_login, read_session, select_former, select_member,
};
use crate::action::Standing;
use crate::identity::{Key, MemberId, SessionHash, SiteId};
use crate::member::{Former, Member};
use crate::store::bounds::PAGE_ROWS;
use crate::store::{
    CookieLogin, CookieLoginState, Fault, LoginRow, View, Wanted, if_readable, standing_at,
};

/// A read-only connection.
#[derive(Debug)]
pub struct Reader {
    pub(super) conn: Connection,
}

impl Reader {
    pub(super) fn new(conn: Connection) -> Result<Self, Fault> {
        // The journal has no column of folded names: it is rarely searched by name, and often
        // written.
        give_sql_folded(&conn)?;
        Ok(Self { conn })
    }

    /// See [`crate::store::Read::begin_read`]. An open read transaction keeps the WAL from being
    /// emptied.
    pub(super) fn begin(&self) -> Result<(), Fault> {
        self.conn.prepare_cached("BEGIN")?.raw_execute()?;
        Ok(())
    }

    /// See [`crate::store::Read::end_read`].
    ///
    /// # Errors
    ///
    /// If SQLite fails. The connection is then unusable.
    pub(super) fn end(&self) -> Result<(), Fault> {
        if !self.conn.is_autocommit() {
            self.conn.prepare_cached("COMMIT")?.raw_execute()?;
        }
        Ok(())
    }

    /// Loads what `wanted` names, as of `now`. A member whose expiry is reached counts as former,
    /// whether the row was moved or not.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn load_view(
        &self,
        wanted: &Wanted<'_>,
        view: &mut View,
        now: i64,
    ) -> Result<(), Fault> {
        for &key in &wanted.keys {
            if !view.has_member(key) {
                view.put_member(key, standing_at(self.stored_standing(key)?, now));
            }
        }
        for (site, name) in &wanted.names_to_load(view) {
            if !view.has_name(*site, name) {
                view.put_holder(*site, name, self.name_holder(*site, name, now)?);
            }
            if let Some(namesake) = self.namesake(*site, name, now)? {
                view.put_namesake(*site, name, namesake);
            }
        }
        for (site, name) in wanted.names_of_unknown(view) {
            let mut former = self.conn.prepare_cached(SELECT_PROVISIONAL)?;
            let found = former.query_row(params![name.folded(), site.get()], |row| row.get(0));
            let found: Option<i64> = found.optional()?;
            let found = found.and_then(member_id);
            view.put_provisional_former(site, name, found);
        }
        for key in wanted.provisional(view) {
            view.put_member(key, standing_at(self.stored_standing(key)?, now));
        }
        Ok(())
    }

    /// The sites on which this memberid is a member at `now`, each with its stored session. Sites
    /// without one are left out.
    ///
    /// A memberid alone is no key, so the query skips from site to site: two index searches for
    /// each site, of which there are few.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn select_sessions(
        &self,
        member: MemberId,
        now: i64,
    ) -> Result<Vec<(SiteId, SessionHash)>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "WITH RECURSIVE site (id) AS (
                 SELECT min(siteid) FROM member_auth
                 UNION ALL
                 SELECT (SELECT min(siteid) FROM member_auth WHERE siteid > site.id)
                 FROM site WHERE site.id IS NOT NULL
             )
             SELECT siteid, memberid, session_sha256
             FROM site CROSS JOIN member_auth ON siteid = site.id AND memberid = ?1
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

    /// The row that a login of this member is checked against at `now`, if there is one. The cookie
    /// names the member.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn login_by_key(&self, key: Key, now: i64) -> Result<Option<LoginRow>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {LOGIN_COLUMNS} FROM member_auth
             WHERE siteid = ?1 AND memberid = ?2 AND (expire_at IS NULL OR expire_at > ?3)"
        ))?;
        let mut rows = statement.query(params![key.site.get(), key.member.get(), now])?;
        rows.next()?.map(read_login).transpose()
    }

    /// See [`Read::cookie_logins`].
    pub(super) fn cookie_login(
        &self,
        login: &CookieLogin,
        now: i64,
    ) -> Result<CookieLoginState, Fault> {
        let CookieLogin { key, id, issued, login_version, wants_last_use } = login;
        let row = if_readable(self.login_by_key(*key, now))?;
        let is_logged_out = self.is_logged_out(*key, id, *issued, *login_version)?;
        let last_used = if *wants_last_use { self.login_seen(*key, id)? } else { None };
        Ok(CookieLoginState { row, is_logged_out, last_used })
    }

    /// The member's standing in the tables.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn stored_standing(&self, key: Key) -> Result<Standing, Fault> {
        let ids = params![key.site.get(), key.member.get()];
        let mut here = self.conn.prepare_cached(&select_member())?;
        if let Some(row) = here.query(ids)?.next()? {
            return Ok(Standing::Here(read_here(row)?));
        }
        let mut gone = self.conn.prepare_cached(&select_former())?;
        let mut rows = gone.query(ids)?;
        rows.next()?.map_or(Ok(Standing::Unknown), |row| Ok(Standing::Former(read_former(row)?)))
    }

    /// See [`Read::members_page`].
    pub(super) fn select_members(
        &self,
        site: Option<i64>,
        after: Option<Key>,
        now: i64,
    ) -> Result<Vec<Member>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {MEMBER_COLUMNS}, {HERE_COLUMNS} FROM member_auth
             WHERE (siteid, memberid) > (?1, ?2) AND siteid <= ?3
             AND (expire_at IS NULL OR expire_at > ?4)
             ORDER BY siteid, memberid LIMIT {PAGE_ROWS}"
        ))?;
        let ((after_site, after_member), last_site) = bounds(site, after);
        let mut rows = statement.query(params![after_site, after_member, last_site, now])?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push(read_here(row)?);
        }
        Ok(page)
    }

    /// See [`Read::formers_page`].
    pub(super) fn select_formers(
        &self,
        site: Option<i64>,
        after: Option<Key>,
    ) -> Result<Vec<Former>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {MEMBER_COLUMNS}, {FORMER_COLUMNS} FROM former_member
             WHERE (siteid, memberid) > (?1, ?2) AND siteid <= ?3 ORDER BY siteid, memberid
             LIMIT {PAGE_ROWS}"
        ))?;
        let ((after_site, after_member), last_site) = bounds(site, after);
        let mut rows = statement.query(params![after_site, after_member, last_site])?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push(read_former(row)?);
        }
        Ok(page)
    }

    /// Whether there was never a member. The newest journal record is never pruned.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn has_nothing(&self) -> Result<bool, Fault> {
        let used = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM member_auth)
                        OR EXISTS (SELECT 1 FROM former_member)";
        Ok(!self.conn.query_row(used, [], |row| row.get::<_, bool>(0))?)
    }
}

/// The ids behind which a page of members begins, and the last site.
fn bounds(site: Option<i64>, after: Option<Key>) -> ((i64, i64), i64) {
    // Every memberid and siteid is at least 1.
    let after = after.map_or((site.unwrap_or(0), 0), |key| (key.site.get(), key.member.get()));
    (after, site.unwrap_or(i64::MAX))
}
