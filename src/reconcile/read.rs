//! Reads a list: CSV with a header line, a JSON array, JSON lines, or an object with either of them
//! in it.

use std::io::{BufRead, BufReader, Read};

use super::error::ReconcileError;
use super::guard::{Guarded, RowBytes};
use super::json;
use super::row::{Field, RawRow, TakeRow};
use crate::text_file::BYTE_ORDER_MARK;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// What a list was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Csv,
    Json,
    /// There is nothing in it.
    Nothing,
}

/// What was read, apart from the rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadList {
    pub(super) kind: Kind,
    /// The input ended in the middle of a line.
    pub(super) may_be_cut: bool,
}

/// Reads all rows.
pub(super) fn read(input: impl Read, take: &mut TakeRow<'_>) -> Result<ReadList, ReconcileError> {
    let bytes = RowBytes::default();
    let input = Guarded::new(input, bytes.clone());
    let ends_with_line = input.ends_with_line();
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let kind = kind(&mut input)?;
    let mut take = |row: &RawRow, number: u64| {
        bytes.end_row();
        take(row, number)
    };
    match kind {
        Kind::Csv => csv(&mut input, &mut take)?,
        Kind::Json => json::read(&mut input, &mut take)?,
        Kind::Nothing => {}
    }
    Ok(ReadList { kind, may_be_cut: kind == Kind::Csv && !ends_with_line.get() })
}

/// Recognises the kind by the first bytes, and skips a byte order mark and blanks before JSON.
fn kind(input: &mut impl BufRead) -> Result<Kind, ReconcileError> {
    loop {
        let head = input.fill_buf().map_err(ReconcileError::Io)?;
        if head.starts_with(BYTE_ORDER_MARK) {
            input.consume(BYTE_ORDER_MARK.len());
            continue;
        }
        let Some(first) = head.first() else { return Ok(Kind::Nothing) };
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => input.consume(1),
            b'[' | b'{' => return Ok(Kind::Json),
            b'<' => return Err(ReconcileError::Foreign("HTML or XML")),
            // Of a file, what is packed was recognised before.
            0 | 0x1f | 0xfe | 0xff => return Err(ReconcileError::Foreign("a binary file")),
            _ if [&b"null"[..], b"\"\"", b"false"].contains(&head.trim_ascii()) => {
                return Ok(Kind::Nothing);
            }
            _ => return Ok(Kind::Csv),
        }
    }
}

/// The character that separates the names in the header line: as an import, a list takes what
/// spreadsheets write in any country.
fn separator(head: &[u8]) -> u8 {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| line.iter().filter(|&byte| byte == separator).count();
    // Of equally many the last one, so that a line without any is of one column.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn csv(input: &mut impl BufRead, take: &mut TakeRow<'_>) -> Result<(), ReconcileError> {
    let separator = separator(input.fill_buf().map_err(ReconcileError::Io)?);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(true).delimiter(separator).from_reader(input);
    let header = reader.headers().map_err(bad_csv)?.clone();
    let columns: Vec<_> = header.iter().map(Field::of).collect();
    for (number, field) in columns.iter().enumerate() {
        let twice = field.is_some() && columns.iter().take(number).any(|other| other == field);
        if twice {
            let name = header.get(number).unwrap_or_default();
            return Err(ReconcileError::ColumnTwice(name.escape_debug().to_string()));
        }
    }
    for field in [Field::Member, Field::Username] {
        if !columns.contains(&Some(field)) {
            return Err(ReconcileError::NoColumn(field.name()));
        }
    }
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(bad_csv)? {
        let line = record.position().map_or(0, csv::Position::line);
        // Up to the next quotation mark, or to the end, it hides the rows of other members.
        if record.iter().any(|value| value.contains(['\n', '\r'])) {
            let what = "a value has a line break, as where a quotation mark is missing".into();
            return Err(ReconcileError::Csv { line, what });
        }
        let mut row = RawRow::default();
        for (field, text) in columns.iter().zip(&record) {
            if let Some(field) = field {
                row.put(*field, text);
            }
        }
        take(&row, line)?;
    }
    Ok(())
}

/// The error without the text of the record, which may have passwords in it.
fn bad_csv(error: csv::Error) -> ReconcileError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => ReconcileError::Io(error),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => ReconcileError::Csv {
            line,
            what: format!("expected {expected_len} values, found {len}"),
        },
        csv::ErrorKind::Utf8 { .. } => {
            ReconcileError::Csv { line, what: "expected UTF-8, found other bytes".into() }
        }
        _ => ReconcileError::Csv { line, what: "expected CSV".into() },
    }
}
