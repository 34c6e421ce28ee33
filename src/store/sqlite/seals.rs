//! Sealed credentials that wait to be hashed, and their replacement.

use rusqlite::{OptionalExtension, params};

use super::engine::Sqlite;
use super::reader::Reader;
use super::rows::{FormColumns, before_column, read_key};
use crate::identity::Key;
use crate::password::{KeyId, Seal, Stored};
use crate::store::{Fault, Hardened, Pending, Rehashed};

impl Sqlite<'_> {
    pub(super) fn replace_seals(&mut self, hardened: &[Hardened]) -> Result<(), Fault> {
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
                        "UPDATE {table} SET sealed = NULL, password = ?4, cryptpass_wrapped = ?5,
                             before = NULL
                         WHERE siteid = ?1 AND memberid = ?2 AND sealed = ?3"
                    ))?
                    .execute(params![site, member, seal, columns.password, columns.wrapped])?;
                // A newer seal may have replaced this one and wait for the comparison.
                self.conn
                    .prepare_cached(&format!(
                        "UPDATE {table} SET before = ?4 WHERE siteid = ?1 AND memberid = ?2
                             AND before = ?3"
                    ))?
                    .execute(params![site, member, seal, before_column(Some(form))])?;
            }
        }
        Ok(())
    }

    /// Ends the logins of the member who has this seal, and notes that in the first record with the
    /// seal. Does so once, and not if a CHANGE already did.
    fn end_logins(&mut self, pending: &Pending) -> Result<(), Fault> {
        let bounds =
            params![pending.key.site.get(), pending.key.member.get(), pending.seal.as_bytes()];
        let mut said = self.conn.prepare_cached(
            "SELECT 1 FROM journal WHERE siteid = ?1 AND memberid = ?2 AND sealed = ?3
                 AND logins_ended IS NOT NULL",
        )?;
        if said.exists(bounds)? {
            return Ok(());
        }
        let mut raised = 0;
        for table in ["member_auth", "former_member"] {
            let raise = format!(
                "UPDATE {table} SET login_version = login_version + 1 WHERE siteid = ?1
                     AND memberid = ?2 AND sealed = ?3"
            );
            raised += self.conn.prepare_cached(&raise)?.execute(bounds)?;
        }
        if raised > 0 {
            let mut say = self.conn.prepare_cached(
                "UPDATE journal SET logins_ended = 1 WHERE id =
                     (SELECT min(id) FROM journal WHERE siteid = ?1 AND memberid = ?2
                     AND sealed = ?3)",
            )?;
            say.execute(bounds)?;
        }
        Ok(())
    }

    pub(super) fn replace_hash(&mut self, rehashed: &Rehashed) -> Result<(), Fault> {
        let Rehashed { key, old, new } = rehashed;
        let replace = |table: &str| {
            let update = format!(
                "UPDATE {table} SET password = ?4 WHERE siteid = ?1 AND memberid = ?2
                     AND password = ?3"
            );
            let values = params![key.site.get(), key.member.get(), old.as_str(), new.as_str()];
            self.conn.prepare_cached(&update)?.execute(values)
        };
        if replace("member_auth")? + replace("former_member")? > 0 {
            replace("journal")?;
        }
        Ok(())
    }
}

impl Reader {
    /// Counts the credentials in the journal that wait to be hashed.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn pending_count(&self) -> Result<u64, Fault> {
        let count = self.conn.query_row(
            "SELECT count(*) FROM journal WHERE sealed IS NOT NULL",
            [],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(count.unsigned_abs())
    }

    /// The key of the seals, if it is stored.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn key_of_seals(&self) -> Result<Option<KeyId>, Fault> {
        Ok(self
            .conn
            .query_row("SELECT id FROM seal_key", [], |row| row.get(0).map(KeyId))
            .optional()?)
    }

    /// The newest credentials that wait to be hashed, at most `most`.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub(super) fn select_pending(&self, most: u32) -> Result<Vec<Pending>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, siteid, memberid, sealed FROM journal WHERE sealed IS NOT NULL
                 ORDER BY id DESC LIMIT ?1",
        )?;
        let mut rows = statement.query([most])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            let key = read_key(row, 1, 2)?;
            let seal = Seal::from_bytes(row.get(3)?);
            // A row that cannot be read must not keep this seal, and all behind it, from being
            // hashed.
            let before = match self.before(key, &seal) {
                Err(Fault::BadRow(_)) => None,
                before => before?,
            };
            pending.push(Pending { journal_id: row.get(0)?, key, seal, before });
        }
        Ok(pending)
    }

    /// The form that the row had before this seal, if the row has this seal.
    fn before(&self, key: Key, seal: &Seal) -> Result<Option<Stored>, Fault> {
        Ok(Pending::form_before(self.stored_standing(key)?, seal))
    }
}
