//! A table of another program on a server, as rows.

use std::cell::Cell;
use std::rc::Rc;

use super::columns::{Header, NO_NAMES};
use super::lines::{has_nul, too_long};
use super::{BadSource, Mapping, ROW_BYTES_MAX, RefusedRow, Row, Rows, Step};
use crate::store::mysql::{OtherRow, OtherRows, OtherTable, OtherTableError, Server};

/// The table that NATS itself keeps.
const NATS_TABLE: &str = "member_auth";

/// For a table without any known name.
const UNKNOWN_NAMES: &str = "no column has a name that is known, such as siteid, memberid, \
    username and password or cryptpass: say which is which with --map username=NAME";

/// An open table whose columns are enough for a member.
#[derive(Debug)]
pub(super) struct Table {
    table: OtherTable,
    columns: Columns,
    read: Rc<Cell<u64>>,
}

/// The columns that are read, and what they stand for.
#[derive(Clone, Debug)]
struct Columns {
    header: Header,
    /// Place in the header and name of each column that is read.
    read: Vec<(usize, String)>,
}

impl From<OtherTableError> for BadSource {
    fn from(error: OtherTableError) -> Self {
        Self(error.to_string())
    }
}

impl Table {
    /// Opens a table, or the one of NATS.
    pub(super) fn open(
        server: &Server,
        name: Option<&str>,
        mapping: &Mapping,
    ) -> Result<Self, BadSource> {
        let table = OtherTable::open(server, name.unwrap_or(NATS_TABLE), ROW_BYTES_MAX)?;
        let names = table.columns();
        let header = Header::of(&names, mapping).map_err(|problem| {
            let shown: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            let problem = match problem.as_str() {
                NO_NAMES => format!("{UNKNOWN_NAMES}; the columns are {}", shown.join(", ")),
                _ => problem,
            };
            BadSource(format!("{}: {problem}", table.name()))
        })?;
        let is_read = |(place, _): &(usize, String)| !header.at(*place).is_empty();
        let read = names.into_iter().enumerate().filter(is_read).collect();
        Ok(Self { table, columns: Columns { header, read }, read: Rc::default() })
    }

    pub(super) fn name(&self) -> &str {
        self.table.name()
    }

    pub(super) fn about_rows(&self) -> u64 {
        self.table.about_rows()
    }

    pub(super) fn has_snapshot(&self) -> bool {
        self.table.has_snapshot()
    }

    /// How many rows were read since the last `Table::rows`.
    pub(super) fn rows_read(&self) -> u64 {
        self.read.get()
    }

    /// The rows, from the first one on.
    pub(super) fn rows(&self) -> TableRows {
        self.read.set(0);
        let places: Vec<usize> = self.columns.read.iter().map(|(place, _)| *place).collect();
        let rows = self.table.rows(&places);
        TableRows { rows, columns: self.columns.clone(), read: Rc::clone(&self.read) }
    }
}

/// The rows of a table.
pub(super) struct TableRows {
    rows: OtherRows,
    columns: Columns,
    read: Rc<Cell<u64>>,
}

impl Rows for TableRows {
    fn next(&mut self, row: &mut Row) -> Result<Step, BadSource> {
        let Some(values) = self.rows.next()? else { return Ok(Step::End) };
        self.read.set(self.read.get() + 1);
        row.begin_of_table(self.read.get());
        Ok(match fill(row, &values, &self.columns) {
            Ok(()) => Step::Row,
            Err(refused) => Step::Refused(refused),
        })
    }

    fn unused(&self) -> &[String] {
        &self.columns.header.unused
    }
}

fn fill(row: &mut Row, values: &OtherRow, columns: &Columns) -> Result<(), RefusedRow> {
    if values.iter().flatten().map(Vec::len).sum::<usize>() > ROW_BYTES_MAX {
        return Err(too_long());
    }
    for (value, (place, name)) in values.iter().zip(&columns.read) {
        let Some(bytes) = value else { continue };
        let text = std::str::from_utf8(bytes).map_err(|_| {
            RefusedRow::new(format!("column {name:?}: expected UTF-8, found other bytes"))
        })?;
        if text.contains('\0') {
            return Err(has_nul());
        }
        columns.header.at(*place).iter().for_each(|&column| row.set(column, text));
    }
    Ok(())
}
