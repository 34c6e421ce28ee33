//! The output of `mysql --batch`: a line with the names of the columns, then a row a line. Tabs
//! separate the values, and a backslash escapes what would be a tab or a line break in a value.

use super::columns::Header;
use super::lines::{Line, Lines, has_nul};
use super::{BadSource, Mapping, RefusedRow, Row, Rows, Source, Step};

/// The rows of the output of `mysql --batch`.
pub(super) struct BatchOutput {
    lines: Lines,
    header: Header,
}

impl BatchOutput {
    /// Reads the names of the columns.
    pub(super) fn of(source: &Source, mapping: &Mapping) -> Result<Self, BadSource> {
        let mut lines = Lines::of(source)?;
        let said = |problem: &str| BadSource(format!("{}: {problem}", source.name()));
        match lines.next()? {
            Line::Text => {}
            Line::Refused(refused) => return Err(said(&refused.problem)),
            Line::End => return Err(said("has no rows")),
        }
        let names: Vec<String> = lines.text().split('\t').map(str::to_owned).collect();
        let header = Header::of(&names, mapping).map_err(|problem| said(&problem))?;
        Ok(Self { lines, header })
    }
}

impl Rows for BatchOutput {
    fn next(&mut self, row: &mut Row) -> Result<Step, BadSource> {
        if let Some(step) = self.lines.begin(row)? {
            return Ok(step);
        }
        let values: Vec<&str> = self.lines.text().split('\t').collect();
        if values.len() != self.header.len() {
            let (expected, found) = (self.header.len(), values.len());
            let problem = format!("expected {expected} columns, found {found}");
            return match found < expected {
                true => self.lines.part(problem),
                false => Ok(Step::Refused(RefusedRow::new(problem))),
            };
        }
        for (at, value) in values.into_iter().enumerate() {
            // NULL, and a text of these four letters, are printed alike.
            if value == "NULL" || self.header.at(at).is_empty() {
                continue;
            }
            let Some(text) = unescaped(value) else {
                let problem = "expected \\n, \\t, \\0 or \\\\ after a backslash, as mysql --batch \
                               writes it without --raw";
                return Ok(Step::Refused(RefusedRow::new(problem)));
            };
            if text.contains('\0') {
                return Ok(Step::Refused(has_nul()));
            }
            self.header.at(at).iter().for_each(|&column| row.set(column, &text));
        }
        Ok(Step::Row)
    }

    fn unused(&self) -> &[String] {
        &self.header.unused
    }
}

/// The value without its escapes; `None` for an escape that the program does not write.
fn unescaped(value: &str) -> Option<String> {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                't' => '\t',
                '0' => '\0',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::columns::Column;
    use super::*;

    #[test]
    fn values_are_read_without_their_escapes() {
        let text = "memberid\tusername\tpassword\tnote\n\
                    71\tbob\t\"a\\tb\\\\c\tx\\q\n\
                    72\tann\tNULL\tNULL\n\
                    73\tsue\n\
                    74\teve\ta\\qb\tx\n\
                    75\teve\ta\\0b\tx\n\
                    76\teve\ta\\\tx\n";
        let source = Source::of_bytes("members", text.as_bytes());
        let mut rows = BatchOutput::of(&source, &Mapping::default()).unwrap();
        let (mut row, mut found) = (Row::default(), Vec::new());
        loop {
            found.push(match rows.next(&mut row).unwrap() {
                Step::Row => format!(
                    "{} {:?} {:?}",
                    row.place(),
                    row.get(Column::Username),
                    row.get(Column::Password)
                ),
                Step::Refused(refused) => format!("{} {}", row.place(), refused.problem),
                Step::End => break,
            });
        }
        let escape = "expected \\n, \\t, \\0 or \\\\ after a backslash, as mysql --batch writes \
                      it without --raw";
        assert_eq!(
            found,
            [
                "line 2 Some(\"bob\") Some(\"\\\"a\\tb\\\\c\")".to_owned(),
                "line 3 Some(\"ann\") None".to_owned(),
                "line 4 expected 4 columns, found 2".to_owned(),
                format!("line 5 {escape}"),
                "line 6 expected text, found a NUL byte".to_owned(),
                format!("line 7 {escape}"),
            ]
        );
        assert_eq!(rows.unused(), ["note"]);
    }

    #[test]
    fn an_output_that_ends_within_a_row_is_an_error() {
        let source = Source::of_bytes("members", &b"memberid\tusername\tpassword\n71\tbo"[..]);
        let mut rows = BatchOutput::of(&source, &Mapping::default()).unwrap();
        assert_eq!(
            rows.next(&mut Row::default()).unwrap_err().to_string(),
            "members, line 2: expected 3 columns, found 2, and the file ends there without a line \
             break: it is cut off, make it again, or correct its last row; nothing was imported"
        );
    }
}
