//! Finds members by name. Names are compared in folded form. The few members who do not hold the
//! folded form of their name are found by the exact name.

use rusqlite::{OptionalExtension, ToSql, params};

use super::reader::Reader;
use super::rows::{LOGIN_COLUMNS, read_key, read_login, read_username};
use crate::identity::{MemberId, SiteId, Username};
use crate::store::{Fault, LoginRow, NamedLogins, Unfolded};

impl Reader {
    /// The member who has this name on this site at `now`: the holder of its folded form, or else
    /// the member with exactly this name.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn name_holder(
        &self,
        site: SiteId,
        name: &Username,
        now: i64,
    ) -> Result<Option<MemberId>, Fault> {
        match self.one_member("username_folded = ?1", params![name.folded(), site.get(), now])? {
            None => self.namesake(site, name, now),
            holder => Ok(holder),
        }
    }

    /// The member with exactly this name at `now` who does not hold its folded form.
    pub(super) fn namesake(
        &self,
        site: SiteId,
        name: &Username,
        now: i64,
    ) -> Result<Option<MemberId>, Fault> {
        self.one_member(
            "username = ?1 AND username_folded IS NULL",
            params![name.as_str(), site.get(), now],
        )
    }

    fn one_member(&self, name: &str, bounds: &[&dyn ToSql]) -> Result<Option<MemberId>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT memberid FROM member_auth WHERE {name} AND siteid = ?2
                 AND (expire_at IS NULL OR expire_at > ?3)"
        ))?;
        let number = statement.query_row(bounds, |row| row.get::<_, i64>(0)).optional()?;
        Ok(number.and_then(|number| MemberId::parse(&number.to_string())))
    }

    /// The members who do not hold the folded form of their name, each with its holder; at most
    /// `most`.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn select_unfolded(&self, most: u32) -> Result<Vec<Unfolded>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT siteid, memberid, username FROM member_auth
                 INDEXED BY member_auth_unfolded WHERE username_folded IS NULL
                 ORDER BY siteid, memberid LIMIT ?1",
        )?;
        let mut rows = statement.query([most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (key, username) = (read_key(row, 0, 1)?, read_username(row, 2)?);
            let holder = self.one_member(
                "username_folded = ?1",
                params![username.folded(), key.site.get(), i64::MIN],
            )?;
            found.push(Unfolded { key, username, holder });
        }
        Ok(found)
    }

    /// Counts the members who do not hold the folded form of their name.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn unfolded_count(&self) -> Result<u64, Fault> {
        let count = "SELECT count(*) FROM member_auth INDEXED BY member_auth_unfolded
             WHERE username_folded IS NULL";
        Ok(self.conn.query_row(count, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// Whether a member or a former member of any site has this name. The folded form of a former
    /// member's name is not stored: a name that differs in more than the case of ASCII letters may
    /// not be found.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn is_somebodys(&self, name: &Username) -> Result<bool, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM member_auth WHERE username_folded = ?2)
                 OR EXISTS (SELECT 1 FROM member_auth WHERE username = ?1)
                 OR EXISTS (SELECT 1 FROM former_member WHERE username IN (?1, ?2))",
        )?;
        Ok(statement.query_row(params![name.as_str(), name.folded()], |row| row.get(0))?)
    }

    /// See [`Read::logins_by_name`].
    pub(super) fn named_logins(
        &self,
        sites: &[SiteId],
        name: &Username,
        now: i64,
    ) -> Result<NamedLogins, Fault> {
        let mut found = NamedLogins::default();
        for &site in sites {
            match self.site_logins(site, name, now) {
                Err(fault @ Fault::BadRow(_)) => found.unreadable.push(fault),
                rows => found.rows.extend(rows?),
            }
        }
        Ok(found)
    }

    /// The rows that a login with this name on this site is checked against at `now`.
    fn site_logins(&self, site: SiteId, name: &Username, now: i64) -> Result<Vec<LoginRow>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {LOGIN_COLUMNS} FROM member_auth INDEXED BY member_auth_unfolded
             WHERE username = ?1 AND siteid = ?2 AND username_folded IS NULL
             AND (expire_at IS NULL OR expire_at > ?3)
             UNION ALL
             SELECT {LOGIN_COLUMNS} FROM member_auth
             WHERE username_folded = ?4 AND siteid = ?2 AND (expire_at IS NULL OR expire_at > ?3)"
        ))?;
        let mut rows = statement.query(params![name.as_str(), site.get(), now, name.folded()])?;
        let mut found = Vec::with_capacity(1);
        while let Some(row) = rows.next()? {
            found.push(read_login(row)?);
        }
        Ok(found)
    }
}
