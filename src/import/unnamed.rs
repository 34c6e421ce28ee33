//! Memberids for rows that have none, as in a file of `htpasswd`.

use super::columns::Column;
use super::prepare::{LeftOut, Prepared, name, site};
use super::row::Row;
use crate::apply::{Provisionals, Whose};
use crate::identity::SiteId;
use crate::store::{Fault, Read};

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
        let whose = self.provisionals.assign(&[whom], |wanted, view| match reader {
            Some(reader) => reader.load(wanted, view, now),
            None => Ok(()),
        })?;
        match whose.first() {
            Some(Whose::Provisional(member)) => {
                row.set(Column::MemberId, &member.to_string());
                Ok(None)
            }
            Some(Whose::Member(_)) => Ok(Some(Prepared::LeftOut(LeftOut::Named))),
            None => Err(Fault::BadRow("no memberid was given out".into())),
        }
    }
}
