//! Memberids for rows that have none, as in a file of `htpasswd`.

use super::columns::Column;
use super::prepare::{LeftOut, Prepared, name, site};
use super::row::Row;
use crate::action::Standing;
use crate::apply::{Provisionals, Whose};
use crate::identity::{Key, SiteId, Username};
use crate::store::{Fault, FindBy, Read};

/// Members of all sites with one name that are looked at.
const CALLED_MAX: u32 = 1_000;

/// Gives provisional memberids to rows. See [`Provisionals`].
pub struct Unnamed<'a> {
    /// `None` where there is no database yet.
    reader: Option<&'a dyn Read>,
    provisionals: Provisionals,
    site: Option<SiteId>,
    now: i64,
}

impl<'a> Unnamed<'a> {
    /// `site` is the one that the operator gives; `now` decides who is a member.
    ///
    /// # Errors
    ///
    /// If the system gives no random numbers.
    pub fn new(
        reader: Option<&'a dyn Read>,
        site: Option<SiteId>,
        now: i64,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self { reader, provisionals: Provisionals::new()?, site, now })
    }

    /// Gives a memberid to a row that has none: that of an earlier import of the name, or a new
    /// one. If the row is not imported: what becomes of it.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn name(&mut self, row: &mut Row) -> Result<Option<Prepared>, Fault> {
        if row.get(Column::MemberId).is_some() {
            return Ok(None);
        }
        let whom = site(row, self.site).and_then(|site| Ok((site, name(row)?)));
        let whom = match whom {
            Ok(whom) => whom,
            Err(refused) => return Ok(Some(Prepared::Refused(refused))),
        };
        let (reader, now) = (self.reader, self.now);
        let whom = [whom];
        let whose = self.provisionals.assign(&whom, |wanted, view| match reader {
            Some(reader) => reader.load(wanted, view, now),
            None => Ok(()),
        })?;
        let [(site, name)] = &whom;
        match whose.first() {
            Some(Whose::Provisional(member)) => {
                let key = Key { site: *site, member: *member };
                if self.has_left(key, name)? {
                    return Ok(Some(Prepared::LeftOut(LeftOut::Former)));
                }
                row.set(Column::MemberId, &member.to_string());
                Ok(None)
            }
            Some(Whose::Member(_)) => Ok(Some(Prepared::LeftOut(LeftOut::Named))),
            None => Err(Fault::BadRow("no memberid was given out".into())),
        }
    }

    /// Whether the name is only that of a member whom NATS had named and who has left: the list may
    /// be older than that. A new member with the name comes with a postback. `key` is what the row
    /// would get.
    fn has_left(&self, key: Key, name: &Username) -> Result<bool, Fault> {
        let Some(reader) = self.reader else { return Ok(false) };
        let called = reader.find(FindBy::Name(name), CALLED_MAX)?;
        let by_nats = |called: &Key| called.site == key.site && !called.member.is_provisional();
        if !called.iter().any(by_nats) {
            return Ok(false);
        }
        Ok(matches!(reader.standing(key, self.now)?, Standing::Unknown))
    }
}
