//! Reads a list in JSON, row by row: an array of objects, an object on each line, an object for
//! each memberid, or an object that has one of these in it.

use std::fmt;
use std::io::Read;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use zeroize::Zeroizing;

use super::error::ReconcileError;
use super::row::{Field, RawRow, TakeRow};
use crate::identity::MemberId;

/// Keys under which an answer has an error in the place of the list.
const ERRORS: [&str; 2] = ["error", "errors"];

/// Reads all rows.
pub(super) fn read(input: &mut impl Read, take: &mut TakeRow<'_>) -> Result<(), ReconcileError> {
    let mut rows = Rows { take, number: 0, failed: None, has_error: false };
    let done = values(&mut serde_json::Deserializer::from_reader(input), &mut rows);
    if let Some(error) = rows.failed {
        return Err(error);
    }
    if rows.has_error {
        return Err(ReconcileError::NatsError);
    }
    done.map_err(bad_json)
}

/// Reads all values. More than one follow where each line is a row, and then each has to be one:
/// otherwise the member of that line would be taken for one who is not in the list.
fn values<'de, R: serde_json::de::Read<'de>>(
    reader: &mut serde_json::Deserializer<R>,
    rows: &mut Rows<'_, '_>,
) -> Result<(), serde_json::Error> {
    let mut first = None;
    let mut is_first = true;
    loop {
        let before = rows.number;
        let found = Node(rows).deserialize(&mut *reader)?;
        let is_last = reader.end().is_ok();
        match found {
            Found::Row(row) if row.get(Field::Member).is_some() => rows.take(&row)?,
            // An error, or an empty answer, unless more follows.
            Found::Row(row) if is_first => first = Some(row),
            Found::Row(row) => rows.take(&row)?,
            Found::Rows if is_first || rows.number > before => {}
            Found::Text(_) if is_first && is_last => {}
            Found::Rows | Found::Text(_) => rows.take(&RawRow::default())?,
        }
        if is_last {
            return Ok(());
        }
        if let Some(row) = first.take() {
            rows.take(&row)?;
        }
        is_first = false;
    }
}

/// The error without its text, which may have values of the list in it.
fn bad_json(error: serde_json::Error) -> ReconcileError {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        serde_json::error::Category::Io => return ReconcileError::Io(error.into()),
        serde_json::error::Category::Eof => "it ends in the middle",
        serde_json::error::Category::Syntax => "expected JSON",
        serde_json::error::Category::Data => "expected an object with memberid and username",
    };
    ReconcileError::Json { line, column, what }
}

/// Where rows go.
struct Rows<'a, 'b> {
    take: &'a mut TakeRow<'b>,
    number: u64,
    /// Why a row was not taken. The reader then ends with an error of its own.
    failed: Option<ReconcileError>,
    has_error: bool,
}

impl Rows<'_, '_> {
    fn take(&mut self, row: &RawRow) -> Result<(), serde_json::Error> {
        self.number += 1;
        (self.take)(row, self.number).map_err(|error| {
            self.failed = Some(error);
            serde_json::Error::custom("a row was not taken")
        })
    }
}

/// What a value is.
enum Found {
    /// A text, a number, or nothing.
    Text(Zeroizing<String>),
    /// An object without rows in it.
    Row(RawRow),
    /// A list, whose rows were taken.
    Rows,
}

/// Any value, at any depth.
struct Node<'r, 'a, 'b>(&'r mut Rows<'a, 'b>);

impl<'de> DeserializeSeed<'de> for Node<'_, '_, '_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn text<E>(value: impl ToString) -> Result<Found, E> {
    Ok(Found::Text(Zeroizing::new(value.to_string())))
}

impl<'de> Visitor<'de> for Node<'_, '_, '_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of members")
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        text("")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Found, E> {
        text(u8::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Found, E> {
        text(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Found, E> {
        text(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Found, E> {
        text(value)
    }

    fn visit_str<E>(self, value: &str) -> Result<Found, E> {
        text(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        let refused = |error| A::Error::custom(error);
        loop {
            let before = self.0.number;
            match seq.next_element_seed(Node(&mut *self.0))? {
                None => return Ok(Found::Rows),
                Some(Found::Row(row)) => self.0.take(&row).map_err(refused)?,
                Some(Found::Text(_)) => return Err(A::Error::custom("no object")),
                Some(Found::Rows) if self.0.number > before => {}
                Some(Found::Rows) => self.0.take(&RawRow::default()).map_err(refused)?,
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let (mut row, mut has_rows, mut is_row) = (RawRow::default(), false, false);
        // What may be a member that cannot be read, beside others that can.
        let mut unread = None;
        while let Some(key) = map.next_key::<String>()? {
            let field = Field::of(&key);
            is_row |= field == Some(Field::Member);
            if is_row && field.is_none() {
                // More about the member, which may be nested.
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let (is_member, before) = (MemberId::parse(&key).is_some(), self.0.number);
            match map.next_value_seed(Node(&mut *self.0))? {
                Found::Text(text) => match field {
                    Some(field) => row.put(field, &text),
                    None if is_member => unread = Some(RawRow::of_member(&key)),
                    None => {
                        self.0.has_error |= ERRORS.contains(&key.as_str()) && !text.is_empty();
                    }
                },
                Found::Row(mut found) => {
                    // An object for each memberid, which is its key.
                    let is_named = found.get(Field::Username).is_some();
                    if found.get(Field::Member).is_none() && (is_member || is_named) {
                        found.put(Field::Member, &key);
                    }
                    if found.get(Field::Member).is_some() {
                        has_rows = true;
                        self.0.take(&found).map_err(A::Error::custom)?;
                    } else if ERRORS.contains(&key.as_str()) {
                        self.0.has_error = true;
                    } else if !found.is_empty() {
                        unread = Some(found);
                    }
                }
                Found::Rows if self.0.number > before => has_rows = true,
                Found::Rows if is_member => unread = Some(RawRow::of_member(&key)),
                // An empty list, as a member may have one.
                Found::Rows => {}
            }
        }
        if let Some(unread) = unread.filter(|_| has_rows) {
            self.0.take(&unread).map_err(A::Error::custom)?;
        }
        let is_whole_row = row.get(Field::Member).is_some();
        Ok(if has_rows && !is_whole_row { Found::Rows } else { Found::Row(row) })
    }
}
