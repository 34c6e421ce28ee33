//! Lines of bounded length.

use std::io::{BufRead, Read as _};

use super::{BadSource, ROW_BYTES_MAX, RefusedRow, Row, Source, Step};

/// Reads lines without their ends, and counts them.
pub(super) struct Lines {
    name: String,
    from: Box<dyn BufRead>,
    /// The number of the last line that was read, from 1.
    line: u64,
    bytes: Vec<u8>,
    /// Whether a line break ended it.
    is_ended: bool,
}

/// What a line is.
pub(super) enum Line {
    /// [`Lines::text`] has it.
    Text,
    Refused(RefusedRow),
    End,
}

impl Lines {
    pub(super) fn of(source: &Source) -> Result<Self, BadSource> {
        Ok(Self {
            name: source.name().to_owned(),
            from: source.text()?,
            line: 0,
            bytes: Vec::new(),
            is_ended: true,
        })
    }

    /// The next line. One that is too long is skipped to its end.
    pub(super) fn next(&mut self) -> Result<Line, BadSource> {
        self.bytes.clear();
        let most = ROW_BYTES_MAX as u64 + 2;
        let read = self.from.by_ref().take(most).read_until(b'\n', &mut self.bytes);
        if read.map_err(|error| self.failed(&error))? == 0 {
            return Ok(Line::End);
        }
        self.line += 1;
        self.is_ended = self.bytes.last() == Some(&b'\n');
        if self.is_ended {
            self.bytes.pop();
        }
        if self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        if self.bytes.len() > ROW_BYTES_MAX {
            if !self.is_ended {
                self.skip_to_the_end()?;
            }
            return Ok(Line::Refused(too_long()));
        }
        if std::str::from_utf8(&self.bytes).is_err() {
            return Err(not_utf_8(&self.name, self.line));
        }
        Ok(if self.bytes.contains(&0) { Line::Refused(has_nul()) } else { Line::Text })
    }

    /// Goes to the next line, where `row` begins. If the line has no text: what the reader of rows
    /// returns for it.
    pub(super) fn begin(&mut self, row: &mut Row) -> Result<Option<Step>, BadSource> {
        let line = self.next()?;
        row.begin(self.line);
        Ok(match line {
            Line::End => Some(Step::End),
            Line::Refused(refused) => Some(Step::Refused(refused)),
            Line::Text => None,
        })
    }

    /// The last line that was read.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// What the reader of rows returns for a line that has only a part of a row. Without a line
    /// break, it is where the file was cut off.
    pub(super) fn part(&self, problem: String) -> Result<Step, BadSource> {
        match self.is_ended {
            true => Ok(Step::Refused(RefusedRow::new(problem))),
            false => Err(cut_off(&self.name, self.line, &problem)),
        }
    }

    fn skip_to_the_end(&mut self) -> Result<(), BadSource> {
        loop {
            let buffer = match self.from.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) => return Err(self.failed(&error)),
            };
            let end = buffer.iter().position(|&b| b == b'\n');
            let (skipped, is_done) =
                (end.map_or(buffer.len(), |at| at + 1), end.is_some() || buffer.is_empty());
            self.from.consume(skipped);
            if is_done {
                return Ok(());
            }
        }
    }

    fn failed(&self, error: &std::io::Error) -> BadSource {
        BadSource(format!("cannot read {}, line {}: {error}", self.name, self.line + 1))
    }
}

pub(super) fn too_long() -> RefusedRow {
    RefusedRow::new(format!("expected at most {ROW_BYTES_MAX} bytes, found more"))
}

pub(super) fn has_nul() -> RefusedRow {
    RefusedRow::new("expected text, found a NUL byte")
}

/// The file ends within a row.
pub(super) fn cut_off(name: &str, line: u64, problem: &str) -> BadSource {
    BadSource(format!(
        "{name}, line {line}: {problem}, and the file ends there without a line break: it is cut \
         off, make it again, or correct its last row; nothing was imported"
    ))
}

/// An encoding cannot be recognised from bytes of one character each, so the usual one is named.
pub(super) fn not_utf_8(name: &str, line: u64) -> BadSource {
    BadSource(format!(
        "{name}, line {line}: expected UTF-8, found other bytes, as in Windows-1252: convert the \
         file, iconv -f WINDOWS-1252 -t UTF-8 FILE | nats-userman import -"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_next_one_is_read() {
        let text = [
            "a\r\n".to_owned(),
            "x".repeat(ROW_BYTES_MAX) + "\n",
            "x".repeat(ROW_BYTES_MAX + 1) + "\n",
            "x".repeat(ROW_BYTES_MAX * 3) + "\r\n",
            "a\0b\n\n".to_owned(),
            "the end".to_owned(),
        ]
        .concat();
        let mut lines = Lines::of(&Source::of_bytes("members", text.as_bytes())).unwrap();
        let mut found = Vec::new();
        loop {
            match lines.next().unwrap() {
                Line::Text => found.push(format!("{} {}", lines.line, lines.text().len())),
                Line::Refused(row) => found.push(format!("{} {}", lines.line, row.problem)),
                Line::End => break,
            }
        }
        let long = "expected at most 65536 bytes, found more";
        assert_eq!(
            found,
            [
                "1 1".to_owned(),
                "2 65536".to_owned(),
                format!("3 {long}"),
                format!("4 {long}"),
                "5 expected text, found a NUL byte".to_owned(),
                "6 0".to_owned(),
                "7 7".to_owned(),
            ]
        );
    }

    #[test]
    fn bytes_of_another_encoding_are_an_error_with_their_line() {
        let mut lines = Lines::of(&Source::of_bytes("members", &b"a\nj\xfcrgen\n"[..])).unwrap();
        assert!(matches!(lines.next(), Ok(Line::Text)));
        assert_eq!(
            lines.next().err().map(|error| error.to_string()),
            Some(
                "members, line 2: expected UTF-8, found other bytes, as in Windows-1252: convert \
                 the file, iconv -f WINDOWS-1252 -t UTF-8 FILE | nats-userman import -"
                    .into()
            )
        );
    }
}
