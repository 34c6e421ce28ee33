//! JSON lines: an object a line, with the names of the columns as keys.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::lines::Lines;
use super::{BadSource, Mapping, RefusedRow, Row, Rows, Source, Step};

/// The most names of keys that are remembered as not imported.
const UNUSED_MAX: usize = 64;

/// The rows of a file of JSON lines.
pub(super) struct JsonLines {
    lines: Lines,
    mapping: Mapping,
    unused: Vec<String>,
}

impl JsonLines {
    pub(super) fn of(source: &Source, mapping: &Mapping) -> Result<Self, BadSource> {
        Ok(Self { lines: Lines::of(source)?, mapping: mapping.clone(), unused: Vec::new() })
    }
}

impl Rows for JsonLines {
    fn next(&mut self, row: &mut Row) -> Result<Step, BadSource> {
        loop {
            if let Some(step) = self.lines.begin(row)? {
                return Ok(step);
            }
            if !self.lines.text().trim().is_empty() {
                break;
            }
        }
        // serde's own error would show the value.
        if !self.lines.text().trim_start().starts_with('{') {
            let problem = "expected a JSON object, found something else";
            return Ok(Step::Refused(RefusedRow::new(problem)));
        }
        let object = Object { row, mapping: &self.mapping, unused: &mut self.unused };
        let mut json = serde_json::Deserializer::from_str(self.lines.text());
        let read = json.deserialize_map(object).and_then(|()| json.end());
        match read {
            Ok(()) => Ok(Step::Row),
            // A value may be wrong before the line ends within the object.
            Err(error) if is_part(self.lines.text()) => self.lines.part(problem(&error)),
            // Errors of the syntax show nothing of the line. Those that are made here show a key.
            Err(error) => Ok(Step::Refused(RefusedRow::new(problem(&error)))),
        }
    }

    fn unused(&self) -> &[String] {
        &self.unused
    }
}

/// Whether the text ends within an object.
fn is_part(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

fn problem(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            let said = error.to_string();
            said.split(" at line ").next().unwrap_or_default().to_owned()
        }
        _ => format!("expected a JSON object, found a mistake in column {}", error.column()),
    }
}

/// Reads an object into a row.
struct Object<'a> {
    row: &'a mut Row,
    mapping: &'a Mapping,
    unused: &'a mut Vec<String>,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen: HashSet<usize> = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let columns = self.mapping.columns_of(&key);
            let value = map.next_value::<Value>()?;
            if columns.is_empty() {
                if self.unused.len() < UNUSED_MAX && !self.unused.contains(&key) {
                    self.unused.push(key);
                }
                continue;
            }
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(is_set) => u8::from(is_set).to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(A::Error::custom(format_args!(
                        "{key:?}: expected a text or a number, found a list or an object"
                    )));
                }
            };
            if text.contains('\0') {
                return Err(A::Error::custom(format_args!("{key:?}: expected text, found a NUL")));
            }
            for column in columns {
                if !seen.insert(column as usize) {
                    return Err(A::Error::custom(format_args!(
                        "{key:?}: expected once, found twice"
                    )));
                }
                self.row.set(column, &text);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::Column;
    use super::*;

    #[test]
    fn each_line_is_an_object_and_a_wrong_one_is_refused() {
        let text = "{\"memberid\":71,\"username\":\"bob\",\"trial\":true,\"email\":null,\
                     \"x\":[1]}\n\
                    \n\
                    {\"Username\":\"\\u00e9\\n\"} \n\
                    {\"username\":\"a\",\"USERNAME\":\"b\"}\n\
                    {\"username\":{\"a\":1}}\n\
                    {\"username\":\"a\\u0000\"}\n\
                    {\"username\":\"secret\n\
                    [\"secret\"]\n\
                    \"secret\"\n\
                    {\"username\":\"a\"}{}\n\
                    {\"memberid\":1e3}\n";
        let source = Source::of_bytes("members", text.as_bytes());
        let mut rows = JsonLines::of(&source, &Mapping::default()).unwrap();
        let (mut row, mut found) = (Row::default(), Vec::new());
        loop {
            let step = rows.next(&mut row).unwrap();
            let columns = [Column::MemberId, Column::Username, Column::Trial, Column::Email];
            found.push(match step {
                Step::Row => format!("{} {:?}", row.line, columns.map(|column| row.get(column))),
                Step::Refused(refused) => format!("{} {}", row.line, refused.problem),
                Step::End => break,
            });
        }
        assert_eq!(
            found,
            [
                "1 [Some(\"71\"), Some(\"bob\"), Some(\"1\"), None]",
                "3 [None, Some(\"é\\n\"), None, None]",
                "4 \"USERNAME\": expected once, found twice",
                "5 \"username\": expected a text or a number, found a list or an object",
                "6 \"username\": expected text, found a NUL",
                "7 expected a JSON object, found a mistake in column 19",
                "8 expected a JSON object, found something else",
                "9 expected a JSON object, found something else",
                "10 expected a JSON object, found a mistake in column 17",
                "11 [Some(\"1000.0\"), None, None, None]",
            ]
        );
        assert_eq!(rows.unused(), ["x"]);
    }

    #[test]
    fn a_file_that_ends_within_an_object_is_an_error_and_one_without_a_line_break_is_not() {
        let whole = "{\"username\":\"a\"}\n{\"username\":{\"b\":1},\"x\":\"\\u00e9\",\"y\":true}";
        for at in 0..=whole.len() {
            let source = Source::of_bytes("members", &whole.as_bytes()[..at]);
            let mut rows = JsonLines::of(&source, &Mapping::default()).unwrap();
            let mut row = Row::default();
            let error = loop {
                match rows.next(&mut row) {
                    Ok(Step::End) => break None,
                    Ok(_) => {}
                    Err(error) => break Some(error.to_string()),
                }
            };
            let is_whole = [0, 16, 17, whole.len()].contains(&at);
            assert_eq!(error.is_none(), is_whole, "{at} {error:?}");
            let end = ", and the file ends there without a line break: it is cut off, make it \
                       again, or correct its last row; nothing was imported";
            assert!(error.is_none_or(|error| error.ends_with(end)), "{at}");
        }
    }
}
