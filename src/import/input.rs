//! Where an import reads from: a file, or a table on a server.

use std::path::Path;

use super::table::Table;
use super::{BadSource, Format, Mapping, Rows, Source};
use crate::store::mysql::Server;

/// Members of another program, which can be read more than once.
#[derive(Debug)]
pub struct Input {
    from: From,
    mapping: Mapping,
}

#[derive(Debug)]
enum From {
    File { source: Source, format: Format, table: Option<String> },
    Table(Table),
}

impl Input {
    /// Opens a file, or `-` for standard input. `table` names one of a dump; the format is
    /// recognised if it is not given.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or its format is not known.
    pub fn file(
        path: &Path,
        format: Option<Format>,
        table: Option<&str>,
        mapping: Mapping,
    ) -> Result<Self, BadSource> {
        let source = Source::open(path)?;
        let format = format.map_or_else(|| Format::of(&source, &mapping), Ok)?;
        let from = From::File { source, format, table: table.map(str::to_owned) };
        Ok(Self { from, mapping })
    }

    /// Opens a table on a server; NATS's own if `table` names none.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or its columns are not enough for a member.
    pub fn server(
        server: &Server,
        table: Option<&str>,
        mapping: Mapping,
    ) -> Result<Self, BadSource> {
        Ok(Self { from: From::Table(Table::open(server, table, &mapping)?), mapping })
    }

    /// Its name for messages.
    pub fn name(&self) -> &str {
        match &self.from {
            From::File { source, .. } => source.name(),
            From::Table(table) => table.name(),
        }
    }

    /// Its rows, from the first one on.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or its columns are not enough for a member.
    pub fn rows(&self) -> Result<Box<dyn Rows>, BadSource> {
        match &self.from {
            From::File { source, format, table } => {
                format.rows(source, &self.mapping, table.as_deref())
            }
            From::Table(table) => Ok(Box::new(table.rows())),
        }
    }

    /// Whether the whole is counted in rows, and not in bytes.
    pub fn counts_rows(&self) -> bool {
        matches!(self.from, From::Table(_))
    }

    /// How much there is to read: the bytes of a file, or about the rows of a table.
    pub fn length(&self) -> u64 {
        match &self.from {
            From::File { source, .. } => source.length(),
            From::Table(table) => table.about_rows(),
        }
    }

    /// How much was read since the last `Input::rows`.
    pub fn position(&self) -> u64 {
        match &self.from {
            From::File { source, .. } => source.bytes_read(),
            From::Table(table) => table.rows_read(),
        }
    }

    /// What the report says about the input as a whole.
    pub fn note(&self) -> Option<&'static str> {
        match &self.from {
            From::Table(table) if !table.has_snapshot() => Some(
                "its storage engine has no snapshots: rows that change during the import may be \
                 read in either state",
            ),
            From::File { .. } | From::Table(_) => None,
        }
    }
}
