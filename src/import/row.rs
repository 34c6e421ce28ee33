//! A row of another program: text by column.

use super::columns::{COLUMNS, Column};
use crate::secret::redacted;

/// One row. A column without a value, or with an empty one, is not given.
#[derive(Default)]
pub struct Row {
    /// The line on which it begins, from 1; 0 for a row of a table, which has a number only.
    pub line: u64,
    /// The line on which it ends.
    pub last_line: u64,
    /// Its number within its table, from 1, where a line holds many rows.
    pub(super) number: Option<u64>,
    values: [String; COLUMNS.len()],
}

redacted!(Row);

impl Row {
    /// Forgets all values.
    pub(super) fn clear(&mut self) {
        self.values.iter_mut().for_each(String::clear);
    }

    /// Begins a row on one line.
    pub(super) fn begin(&mut self, line: u64) {
        self.clear();
        (self.line, self.last_line, self.number) = (line, line, None);
    }

    pub(super) fn set(&mut self, column: Column, value: &str) {
        let place = &mut self.values[column as usize];
        place.clear();
        place.push_str(value);
    }

    pub(super) fn get(&self, column: Column) -> Option<&str> {
        Some(self.values[column as usize].as_str()).filter(|value| !value.is_empty())
    }

    /// Begins a row of a table, with its number.
    pub(super) fn begin_of_table(&mut self, number: u64) {
        self.begin(0);
        self.number = Some(number);
    }

    /// Whether it is of a table, and thus on no line.
    pub(super) fn is_of_table(&self) -> bool {
        self.line == 0
    }

    /// Where it is, as in `line 17`, `lines 17 to 19`, `line 40, row 2113`, or `row 2113`.
    pub fn place(&self) -> String {
        match self.number {
            Some(number) if self.is_of_table() => format!("row {number}"),
            Some(number) => format!("line {}, row {number}", self.line),
            None => place(self.line, self.last_line),
        }
    }
}

/// Where a row is in its file.
pub(super) fn place(first: u64, last: u64) -> String {
    if first == last { format!("line {first}") } else { format!("lines {first} to {last}") }
}
