//! What a configuration file says: `name = value` lines in TOML.
//!
//! An error names the line and the setting, and never shows a value: it may be a secret.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Error};

use super::keys::{Key, Kind};
use super::nearest::nearest;
use super::problems::BadSetting;
use super::variables::{PREFIX, shown};

/// A setting that the file has, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The line of the key, from 1.
    pub(super) line: usize,
    /// One value, or those of a list.
    pub(super) values: Vec<String>,
}

/// Reads all entries. The second value has those that cannot be used.
///
/// # Errors
///
/// What is not TOML, at most one error a line.
pub(super) fn read(
    text: &str,
    path: &Path,
    keys: &[Key],
) -> Result<(Vec<Entry>, Vec<BadSetting>), Vec<BadSetting>> {
    let reader = Reader { text, path, keys };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(reader.not_toml(&errors));
    }
    let mut pairs: Vec<_> = table.get_ref().iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    for (key, value) in pairs {
        match reader.entry(key, value) {
            Ok(entry) => entries.push(entry),
            Err(problem) => bad.push(problem),
        }
    }
    Ok((entries, bad))
}

/// Where errors of a setting are: the file and the line.
pub(super) fn place(path: &Path, line: usize) -> String {
    format!("{}, line {line}", path.display())
}

struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    keys: &'a [Key],
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    fn not_toml(&self, errors: &[Error]) -> Vec<BadSetting> {
        let mut lines = Vec::new();
        let mut bad = Vec::new();
        for error in errors {
            let span = error.span().unwrap_or(self.text.len()..self.text.len());
            let line = self.line(span.start);
            if lines.contains(&line) {
                continue;
            }
            lines.push(line);
            // A name is no secret.
            let name = self.text.get(span).filter(|_| error.message() == "duplicate key");
            let problem = match name {
                Some(name) => format!("{}: expected it once, found it again", shown(name)),
                None => error.message().replace('\n', " "),
            };
            bad.push((line, BadSetting::new(place(self.path, line), problem)));
        }
        bad.sort_by_key(|(line, _)| *line);
        bad.into_iter().map(|(_, bad)| bad).collect()
    }

    fn entry(
        &self,
        name: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Entry, BadSetting> {
        let line = self.line(name.span().start);
        let name: &str = name.get_ref();
        let bad = |line, problem: String| {
            BadSetting::new(format!("{}: {}", place(self.path, line), shown(name)), problem)
        };
        let Some(key) = self.keys.iter().find(|key| key.name == name) else {
            let is_table = |value: &DeValue<'_>| matches!(value, DeValue::Table(_));
            let is_header = match value.get_ref() {
                // `[[name]]`
                DeValue::Array(items) => items.iter().any(|item| is_table(item.get_ref())),
                value => is_table(value),
            };
            let problem = if is_header { TABLE.into() } else { self.unknown(name) };
            return Err(bad(line, problem));
        };
        if key.is_secret {
            let problem = format!(
                "expected no secret in this file: put it into a file of its own and name that by \
                 {name}_file"
            );
            return Err(bad(line, problem));
        }
        let values = self.values(key, value).map_err(|(at, problem)| bad(self.line(at), problem));
        Ok(Entry { key: name.to_owned(), line, values: values? })
    }

    /// The values as text. An error has the place in the text.
    fn values(
        &self,
        key: &Key,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<String>, (usize, String)> {
        let single = |value: &Spanned<DeValue<'_>>| {
            let at = value.span().start;
            match text(key.kind, value.get_ref()) {
                None => {
                    let found = kind(value.get_ref());
                    Err((at, format!("{}, found {found}", key.expected())))
                }
                Some(text) if text.trim().is_empty() => Err((at, EMPTY.into())),
                Some(text) => Ok(text),
            }
        };
        match value.get_ref() {
            DeValue::Array(array) if key.kind == Kind::List => {
                if array.is_empty() {
                    return Err((value.span().start, EMPTY.into()));
                }
                array.iter().map(single).collect()
            }
            _ => Ok(vec![single(value)?]),
        }
    }

    fn unknown(&self, name: &str) -> String {
        if name == "config" {
            return "the file cannot name itself: use --config or USERMAN_CONFIG".into();
        }
        let name = name.trim().to_ascii_uppercase().replace('-', "_");
        let name = name.strip_prefix(PREFIX).unwrap_or(&name).to_ascii_lowercase();
        let known = self.keys.iter().filter(|key| !key.is_secret).map(|key| key.name.as_str());
        match nearest(&name, known) {
            Some(known) => format!("no setting has this name; the nearest is {known}"),
            None => "no setting has this name; `nats-userman config` lists them".into(),
        }
    }
}

const TABLE: &str = "expected settings without tables: write each as name = value";
const EMPTY: &str =
    "expected a value, found an empty one: to leave it unset, put # before the line";

/// A value as the flag would have it; `None` if it is of another kind.
fn text(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (value, kind) {
        (DeValue::String(text), _) => Some(text.to_string()),
        (DeValue::Boolean(is_on), Kind::Switch) => Some(is_on.to_string()),
        (DeValue::Integer(number), Kind::Text | Kind::List) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            Some(read.map_or_else(|_| number.to_string(), |number| number.to_string()))
        }
        _ => None,
    }
}

/// The kind of a value, for errors.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
