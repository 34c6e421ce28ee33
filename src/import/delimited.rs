//! CSV and TSV: a line with the names of the columns, then a row a line. A value in quotation marks
//! may contain line breaks.

use std::cell::Cell;
use std::io::{self, BufRead, Cursor, Read};
use std::rc::Rc;

use csv::{ByteRecord, ReaderBuilder};

use super::columns::{Column, Header};
use super::lines::{cut_off, has_nul, not_utf_8};
use super::{BadSource, Mapping, ROW_BYTES_MAX, RefusedRow, Row, Rows, Source, Step};

/// Comes after the text. If it is not read as a row of its own, a quotation mark before it was not
/// closed: the file is cut off, or a mark is missing. The reader itself reports nothing then.
const END: &str = "\u{1}end of the file\u{1}";

/// What Excel writes into a first line of its own, before the separator.
pub(super) const EXCEL_SEPARATOR: &str = "sep=";

/// Words for "no value" in exports of databases. The `export` of this program writes none.
const NULLS: [&str; 2] = ["NULL", "\\N"];

/// The rows of a CSV or TSV file.
pub(super) struct Delimited {
    name: String,
    records: csv::Reader<Bounded>,
    record: ByteRecord,
    header: Header,
    separator: u8,
    /// Whether the file is an `export` of this program, which has each value as it is.
    is_export: bool,
    /// The last row, if it has too few columns: its line, and what is wrong.
    short: Option<(u64, String)>,
    row_begins: Rc<Cell<u64>>,
    given: Rc<Given>,
}

impl Delimited {
    /// Reads the names of the columns.
    pub(super) fn of(source: &Source, separator: u8, mapping: &Mapping) -> Result<Self, BadSource> {
        let name = source.name().to_owned();
        let (row_begins, given) = (Rc::new(Cell::new(0)), Rc::new(Given::default()));
        let bounded = Bounded {
            text: source.text()?,
            end: Cursor::new(format!("\n{END}\n")),
            row_begins: Rc::clone(&row_begins),
            given: Rc::clone(&given),
        };
        let mut builder = ReaderBuilder::new();
        let records =
            builder.has_headers(false).flexible(true).delimiter(separator).from_reader(bounded);
        let mut rows = Self {
            name,
            records,
            record: ByteRecord::new(),
            header: Header::default(),
            separator,
            is_export: false,
            short: None,
            row_begins,
            given,
        };
        if !rows.read()? {
            return Err(BadSource(format!("{}: has no rows", rows.name)));
        }
        let is_excel = rows.record.get(0) == Some(EXCEL_SEPARATOR.as_bytes());
        if is_excel && !rows.read()? {
            return Err(BadSource(format!("{}: has no rows", rows.name)));
        }
        let (line, _) = rows.place();
        let names: Option<Vec<String>> = rows
            .record
            .iter()
            .map(|field| std::str::from_utf8(field).ok().map(str::to_owned))
            .collect();
        let names = names.ok_or_else(|| not_utf_8(&rows.name, line))?;
        rows.header = Header::of(&names, mapping)
            .map_err(|problem| BadSource(format!("{}: {problem}", rows.name)))?;
        rows.is_export = rows.header.has(Column::SealKey);
        Ok(rows)
    }

    /// Reads the next record; `false` at the end.
    fn read(&mut self) -> Result<bool, BadSource> {
        let begins = self.given.lines.get() + 1;
        let found = self.records.read_byte_record(&mut self.record).map_err(|error| {
            let error = match error.into_kind() {
                csv::ErrorKind::Io(error) => error.to_string(),
                other => format!("{other:?}"),
            };
            BadSource(format!("cannot read {}, line {begins}: {error}", self.name))
        })?;
        self.row_begins.set(self.records.position().byte());
        if !found {
            // The last record was not the one after the text.
            return Err(self.unclosed());
        }
        if self.record.len() == 1 && self.record.get(0) == Some(END.as_bytes()) {
            return Ok(false);
        }
        let has_end = |field: &[u8]| field.ends_with(format!("{END}\n").as_bytes());
        if self.record.iter().any(has_end) {
            return Err(self.unclosed());
        }
        Ok(true)
    }

    /// Whether the text ends where a row does.
    fn check_end(&self) -> Result<(), BadSource> {
        match &self.short {
            Some((line, problem)) if !matches!(self.given.last_byte.get(), b'\n' | b'\r') => {
                Err(cut_off(&self.name, *line, problem))
            }
            _ => Ok(()),
        }
    }

    fn unclosed(&self) -> BadSource {
        let breaks = self.record.as_slice().iter().filter(|&&b| b == b'\n').count();
        let first = self.records.position().line().saturating_sub(breaks as u64).max(1);
        BadSource(format!(
            "{}, line {first}: a quotation mark is not closed before the end of the file: the file \
             is cut off, or a mark within a value is not doubled; nothing was imported",
            self.name
        ))
    }

    /// The lines of the last record.
    fn place(&self) -> (u64, u64) {
        let last = self.given.lines.get().max(1);
        let breaks = self.record.as_slice().iter().filter(|&&b| b == b'\n').count();
        (last.saturating_sub(breaks as u64).max(1), last)
    }
}

impl Rows for Delimited {
    fn next(&mut self, row: &mut Row) -> Result<Step, BadSource> {
        row.clear();
        if !self.read()? {
            self.check_end()?;
            return Ok(Step::End);
        }
        (row.line, row.last_line) = self.place();
        self.short = None;
        let (expected, found) = (self.header.len(), self.record.len());
        if found != expected {
            let problem = format!("expected {expected} columns, found {found}");
            self.short = (found < expected).then(|| (row.line, problem.clone()));
            return Ok(Step::Refused(RefusedRow::new(problem)));
        }
        for (at, field) in self.record.iter().enumerate() {
            let text =
                std::str::from_utf8(field).map_err(|_| not_utf_8(&self.name, row.last_line))?;
            if text.contains('\0') {
                return Ok(Step::Refused(has_nul()));
            }
            let columns = self.header.at(at);
            if text.contains(['\n', '\r'])
                && (!may_have_break(columns)
                    || is_of_rows(text, char::from(self.separator), at, expected))
            {
                return Ok(Step::Refused(stray_break()));
            }
            if self.is_export || !NULLS.contains(&text) {
                columns.iter().for_each(|&column| row.set(column, text));
            }
        }
        Ok(Step::Row)
    }

    fn unused(&self) -> &[String] {
        &self.header.unused
    }
}

/// Whether a value of these columns may have a line break: a password in clear, or what is not
/// imported. Elsewhere, two stray quotation marks made one value of all that is between them.
fn may_have_break(columns: &[Column]) -> bool {
    columns.iter().all(|column| *column == Column::Password)
}

/// Whether the lines of a value would be rows, without two stray quotation marks: the end of the
/// row in whose column `at` it is, whole rows, and the beginning of another row up to that column.
fn is_of_rows(text: &str, separator: char, at: usize, columns: usize) -> bool {
    let mut lines = text.lines().map(|line| line.matches(separator).count() + 1);
    let (first, last) = (lines.next(), lines.next_back());
    first == Some(columns - at) && last == Some(at + 1) && lines.all(|found| found == columns)
}

fn stray_break() -> RefusedRow {
    RefusedRow {
        problem: "a value has a line break: is a quotation mark not closed?".into(),
        remedy: "correct these lines and import again; a mark within a value is written twice",
    }
}

/// How much of the text the reader of records was given.
#[derive(Default)]
struct Given {
    bytes: Cell<u64>,
    /// The reader asks for another line when it needs one, so the last one is that of the record.
    /// Its own count is one too low where a line ends with `\r\n`.
    lines: Cell<u64>,
    last_byte: Cell<u8>,
}

/// Gives a line at a time. Ends with an error within a row that is too long: a row with a quotation
/// mark that is not closed would take the rest of the file.
struct Bounded {
    text: Box<dyn BufRead>,
    /// [`END`], which comes after the text.
    end: Cursor<String>,
    row_begins: Rc<Cell<u64>>,
    given: Rc<Given>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The reader has asked for more because the row was not at its end.
        let given = self.given.bytes.get();
        if given.saturating_sub(self.row_begins.get()) > ROW_BYTES_MAX as u64 + END_BYTES {
            return Err(io::Error::other(format!(
                "a row of more than {ROW_BYTES_MAX} bytes: is a quotation mark not closed? nothing \
                 was imported"
            )));
        }
        let text = self.text.fill_buf()?;
        let line = text.iter().position(|&byte| byte == b'\n').map_or(text.len(), |at| at + 1);
        let mut read = line.min(buffer.len());
        match text[..read].last() {
            Some(&byte) => {
                buffer[..read].copy_from_slice(&text[..read]);
                self.text.consume(read);
                self.given.last_byte.set(byte);
            }
            None => read = self.end.read(buffer)?,
        }
        self.given.bytes.set(given + read as u64);
        if buffer[..read].contains(&b'\n') {
            self.given.lines.set(self.given.lines.get() + 1);
        }
        Ok(read)
    }
}

/// Room for what comes after the text.
const END_BYTES: u64 = 64;

/// The separators of columns.
pub(super) const SEPARATORS: [u8; 4] = [b',', b';', b'|', b'\t'];

/// The separator that gives the first line most known names, with their number.
pub(super) fn separator_of(first: &str, mapping: &Mapping) -> Option<(u8, usize)> {
    let known = |separator: u8| {
        let cells = first.split(char::from(separator));
        let names = cells.map(|cell| cell.trim().trim_matches('"'));
        names.filter(|name| !mapping.columns_of(name).is_empty()).count()
    };
    let counts = SEPARATORS.map(|separator| (separator, known(separator)));
    counts.into_iter().rev().max_by_key(|(_, known)| *known).filter(|(_, known)| *known > 0)
}

#[cfg(test)]
mod tests {
    use super::super::columns::Column;
    use super::super::row::place;
    use super::*;

    fn rows(text: &str, separator: u8) -> Result<Vec<String>, String> {
        let source = Source::of_bytes("members", text.as_bytes());
        let mut rows = Delimited::of(&source, separator, &Mapping::default())
            .map_err(|error| error.to_string())?;
        let (mut row, mut found) = (Row::default(), Vec::new());
        loop {
            let step = rows.next(&mut row).map_err(|error| error.to_string())?;
            found.push(match step {
                Step::Row => format!(
                    "{}: {:?} {:?}",
                    place(row.line, row.last_line),
                    row.get(Column::Username),
                    row.get(Column::Password)
                ),
                Step::Refused(refused) => {
                    format!("{}: {}", place(row.line, row.last_line), refused.problem)
                }
                Step::End => return Ok(found),
            });
        }
    }

    #[test]
    fn rows_are_read_with_their_lines() {
        let text = "username,password\r\nbob,secret\n\n\"a, \"\"b\"\"\",\"x\ny\"\nann,\n\
                    NULL,\\N\nsue\nsue,1,2\nlast,a\"b";
        assert_eq!(
            rows(text, b',').unwrap(),
            [
                "line 2: Some(\"bob\") Some(\"secret\")",
                "lines 4 to 5: Some(\"a, \\\"b\\\"\") Some(\"x\\ny\")",
                "line 6: Some(\"ann\") None",
                "line 7: None None",
                "line 8: expected 2 columns, found 1",
                "line 9: expected 2 columns, found 3",
                "line 10: Some(\"last\") Some(\"a\\\"b\")",
            ]
        );
        assert_eq!(
            rows("password\tusername\na,b\tbob\n", b'\t').unwrap(),
            ["line 2: Some(\"bob\") Some(\"a,b\")"]
        );
        assert_eq!(
            rows("username,password\nb\0b,x\n", b',').unwrap(),
            ["line 2: expected text, found a NUL byte"]
        );
    }

    /// Regression: each line was named one too low.
    #[test]
    fn a_line_has_its_number_whatever_ends_it() {
        let text = "username,password\nbob,secret\n\n\nann,\"x\ny\"\nsue\n";
        for end in ["\n", "\r\n"] {
            let found = rows(&text.replace('\n', end), b',').unwrap();
            let lines = found.iter().map(|row| row.split_once(':').unwrap().0);
            assert_eq!(lines.collect::<Vec<_>>(), ["line 2", "lines 5 to 6", "line 7"], "{end:?}");
        }
        let without_end = rows("username,password\nbob,x", b',').unwrap();
        assert_eq!(without_end, ["line 2: Some(\"bob\") Some(\"x\")"]);
    }

    #[test]
    fn a_quotation_mark_that_is_not_closed_is_an_error_of_the_file() {
        let unclosed = "a quotation mark is not closed before the end of the file: the file is cut \
                        off, or a mark within a value is not doubled; nothing was imported";
        for text in [
            "username,password\nbob,\"secret",
            "username,password\nbob,\"secret\nann,x\nsue,y\n",
            "username,password\nbob,\"",
        ] {
            assert_eq!(rows(text, b',').unwrap_err(), format!("members, line 2: {unclosed}"));
        }
        let long = format!("username,password\nbob,\"{}\"\n", "x\n".repeat(ROW_BYTES_MAX));
        assert_eq!(
            rows(&long, b',').unwrap_err(),
            "cannot read members, line 2: a row of more than 65536 bytes: is a quotation mark not \
             closed? nothing was imported"
        );
        assert_eq!(rows("", b',').unwrap_err(), "members: has no rows");
    }

    /// Regression: the rows between two stray marks were a part of a value, and nothing was said.
    #[test]
    fn a_value_with_a_line_break_is_refused_but_for_a_password_and_a_column_that_is_not_imported() {
        let stray = "a value has a line break: is a quotation mark not closed?";
        let text = "username,password,email,address\n\
                    bob,a,\"e2@x,\nann,b,e3@x,\nsue,c,e4@x\",\n\
                    \"eve\r\",d,,\nkim,\"e\nf\",,\"1 Road\nTown\"\n";
        assert_eq!(
            rows(text, b',').unwrap(),
            [
                format!("lines 2 to 4: {stray}"),
                format!("line 5: {stray}"),
                "lines 6 to 8: Some(\"kim\") Some(\"e\\nf\")".to_owned(),
            ]
        );
    }

    /// Regression: a password may have a line break, so it took the rows between two stray marks.
    #[test]
    fn a_value_whose_lines_are_rows_without_its_marks_is_refused_in_every_column() {
        let stray = "a value has a line break: is a quotation mark not closed?";
        for (header, text, taken) in [
            ("username,password,email", "bob,\"a,\nann,b,e3@x\nsue,c\",e4@x", true),
            ("username,password,email", "bob,\"a,\nsue,c\",e4@x", true),
            ("username,password", "bob,\"a\nsue,c\"", true),
            ("username,password", "bob,\"a\r\nsue,c\"", true),
            ("username,address,password", "bob,\"1 Road,b\nsue,Town\",c", true),
            ("username,password,email", "bob,\"a\nsue,c\",e4@x", false),
            ("username,password,email", "bob,\"a,\nb\",e4@x", false),
            ("username,address,password", "bob,\"1 Road\nTown\",c", false),
            ("username,address,password", "bob,\"1 Road\nTown, USA\",c", false),
        ] {
            let found = rows(&format!("{header}\n{text}\n"), b',').unwrap();
            let is_refused = found[0].ends_with(stray);
            assert_eq!((found.len(), is_refused), (1, taken), "{text}: {found:?}");
        }
    }

    /// Regression: the rows before the end were imported.
    #[test]
    fn a_file_that_ends_within_a_row_is_an_error_and_one_without_a_line_break_is_not() {
        let cut = "and the file ends there without a line break: it is cut off, make it again, or \
                   correct its last row; nothing was imported";
        let header = "username,password,email";
        for (rest, columns) in [("sue", 1), ("sue,x", 2), ("\"s\"", 1), ("ann,y,\n\n\nsue,x", 2)] {
            let text = format!("{header}\nbob,x,\n{rest}");
            let line = text.lines().count();
            let short = format!("line {line}: expected 3 columns, found {columns}");
            assert_eq!(rows(&text, b',').unwrap_err(), format!("members, {short}, {cut}"));
            for end in ["\n", "\r\n", "\r"] {
                assert!(rows(&format!("{text}{end}"), b',').is_ok(), "{end:?}");
            }
        }
        for rest in ["sue,x,", "sue,x,e@x", "sue,x,\"e\"", "ann\nsue,x,e", "sue,x,e,f"] {
            assert!(rows(&format!("{header}\nbob,x,\n{rest}"), b',').is_ok(), "{rest}");
        }
    }

    #[test]
    fn the_separator_is_the_one_that_finds_most_names() {
        for (first, separator) in [
            ("siteid,memberid,username", Some(b',')),
            ("siteid;memberid;username", Some(b';')),
            ("siteid\tmemberid\tusername", Some(b'\t')),
            ("\"username\";\"a,b\"", Some(b';')),
            ("71,bob,secret", None),
        ] {
            let found = separator_of(first, &Mapping::default());
            assert_eq!(found.map(|(separator, _)| separator), separator, "{first}");
        }
    }
}
