//! Walks through the rows of a table, page by page.

use std::vec::IntoIter;

use super::error::{MigrationError, Side};
use crate::store::{Fault, Read, Table, TableRow};

/// How often a transaction that was lost is run, and a read over a connection that was lost.
pub(super) const TRIES_MAX: u32 = 5;

/// Reads from the target, which no other program changes. After a lost connection it reads again.
pub(super) fn read_again<T>(read: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
    let mut tries = 1;
    loop {
        match read() {
            Err(fault) if fault.runs_again() && tries < TRIES_MAX => tries += 1,
            done => return done,
        }
    }
}

/// The rows of a table that were not read yet.
pub(super) struct Walk<'a> {
    read: &'a dyn Read,
    table: Table,
    side: Side,
    page: IntoIter<TableRow>,
    /// The last row of the page.
    last: Option<TableRow>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(read: &'a dyn Read, table: Table, side: Side) -> Self {
        Self { read, table, side, page: Vec::new().into_iter(), last: None }
    }

    /// The next row; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<TableRow>, MigrationError> {
        if self.page.as_slice().is_empty() {
            self.turn()?;
        }
        Ok(self.page.next())
    }

    /// The rows of this page that are left, or else those of the next page. Empty after the last.
    pub(super) fn rest_of_page(&mut self) -> Result<Vec<TableRow>, MigrationError> {
        if self.page.as_slice().is_empty() {
            self.turn()?;
        }
        Ok(std::mem::take(&mut self.page).collect())
    }

    fn turn(&mut self) -> Result<(), MigrationError> {
        let page = || self.read.rows_page(self.table, self.last.as_ref());
        let page = match self.side {
            // With its connection the moment would be lost of which all rows are.
            Side::Source => page(),
            Side::Target => read_again(page),
        };
        let page = page.map_err(self.side.read())?;
        if let Some(last) = page.last() {
            self.last = Some(last.clone());
        }
        self.page = page.into_iter();
        Ok(())
    }
}
