//! Members of another program, read from a file or a table and applied as postbacks of the
//! operator.
//!
//! ```text
//! Source --gzip, UTF-16--> text --Rows--> Row --Preparer--> Postback (MANUALADD) --batches--> rows
//! ```
//!
//! A table on a server of another program is read as a file is, in one snapshot.
//!
//! A file is read twice. The first pass finds what makes the file as a whole unusable, and rows
//! that repeat a member, so that nothing is applied of a file that is cut off. The second pass
//! applies. A row that cannot be used is refused alone, with its line.

mod batch;
mod batch_output;
mod check;
mod columns;
mod credential;
mod delimited;
mod dump;
mod format;
mod htpasswd;
mod input;
mod json;
mod lines;
mod prepare;
mod repeats;
mod row;
mod source;
mod sql_text;
mod table;
mod unnamed;
mod utf_16;

pub use batch::{IMPORT_BATCH, IMPORT_BATCH_ALONE, apply_batch, decide_batch};
pub use check::{Checked, check};
pub(crate) use columns::Column;
pub use columns::{BadMapping, Mapping};
pub use format::{FORMATS_EXPECTED, Format};
pub use input::Input;
pub(crate) use prepare::is_date;
pub use prepare::{LeftOut, Prepared, Preparer};
pub use row::Row;
pub use source::{Source, plain_text};
pub use unnamed::Unnamed;

/// The longest row, in bytes. No value that is accepted is longer than 1,024 bytes.
pub const ROW_BYTES_MAX: usize = 64 * 1024;

/// Why a file as a whole is not imported: one line, with the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadSource(pub String);

/// Why a row is not imported. It shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

impl RefusedRow {
    /// A row to be corrected in the file.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: "correct the row and import again" }
    }
}

/// What a reader found next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A row, which the caller's [`Row`] holds now.
    Row,
    /// A row that cannot be read. The caller's [`Row`] has its line.
    Refused(RefusedRow),
    /// The end.
    End,
}

/// Reads one format, row by row.
pub trait Rows {
    /// Reads the next row into `row`.
    ///
    /// # Errors
    ///
    /// If the rest of the file cannot be read, or is not of this format.
    fn next(&mut self, row: &mut Row) -> Result<Step, BadSource>;

    /// Names of columns in the file that are not imported.
    fn unused(&self) -> &[String] {
        &[]
    }
}
