//! The stored form of the fields of a journal record: the number of their shape, and the values.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::journal::shape::{Columns, Split, join};
use crate::store::Fault;

/// The maximum number of lists. NATS sends a few dozen. The sender chooses the names, so a limit is
/// needed. A record whose list is not stored has its names beside its values, as all records had
/// before version 5. No list is ever removed, because records refer to them.
pub(super) const SHAPES_MAX: i64 = 512;
/// The longest list that is kept, in bytes. That of a whole NATS4 record has some 750.
pub(super) const NAMES_BYTES_MAX: usize = 4096;

/// Fields that begin with this have a shape: its number, `&` and the values follow. No urlencoded
/// text begins with it.
pub(super) const SHAPED: char = '~';

/// Whether stored fields have a shape.
pub(super) fn is_shaped(fields: &str) -> bool {
    fields.starts_with(SHAPED)
}

/// The lists of names that one writing connection has cached, by their numbers.
#[derive(Debug, Default)]
pub(super) struct KnownShapes {
    numbers: HashMap<String, i64>,
    /// Lists that were added in the open transaction. A rollback removes them.
    unsure: Vec<String>,
    /// No further list can be kept.
    is_full: bool,
}

/// A list of names in the table.
pub(super) struct FoundShape {
    pub(super) number: i64,
    /// This transaction has added it.
    pub(super) is_new: bool,
}

impl KnownShapes {
    /// Lists that the table has.
    pub(super) fn new(numbers: HashMap<String, i64>) -> Self {
        Self { numbers, ..Self::default() }
    }

    /// The form in which to store a record's fields, whose parts `split` has. `find` looks a list
    /// of names up in the table and adds it, if there is room.
    pub(super) fn stored<'a>(
        &mut self,
        fields: &'a str,
        split: Option<&Split>,
        find: impl FnOnce(&str) -> Result<Option<FoundShape>, Fault>,
    ) -> Result<Cow<'a, str>, Fault> {
        let Some(split) = split else { return Ok(Cow::Borrowed(fields)) };
        let known = self.numbers.get(&split.names).copied();
        let number = match known {
            Some(number) => Some(number),
            None if self.is_full || split.names.len() > NAMES_BYTES_MAX => None,
            None => {
                let found = find(&split.names)?;
                self.is_full = found.is_none();
                found.map(|FoundShape { number, is_new }| {
                    if is_new {
                        self.unsure.push(split.names.clone());
                    }
                    self.numbers.insert(split.names.clone(), number);
                    number
                })
            }
        };
        Ok(match number {
            None => Cow::Borrowed(fields),
            Some(number) => Cow::Owned(format!("{SHAPED}{number}&{}", split.values)),
        })
    }

    /// Call after the transaction was committed.
    pub(super) fn committed(&mut self) {
        self.unsure.clear();
    }

    /// Call after the transaction, or its part behind a savepoint, was rolled back.
    pub(super) fn rolled_back(&mut self) {
        for names in self.unsure.drain(..) {
            self.numbers.remove(&names);
        }
        self.is_full = false;
    }
}

/// Restores the fields of a stored record; `names` are those of its shape.
pub(super) fn restored(
    id: i64,
    names: Option<String>,
    fields: String,
    columns: &Columns<'_>,
) -> Result<String, Fault> {
    if !is_shaped(&fields) {
        return Ok(fields);
    }
    let values = fields.split_once('&').map(|(_, values)| values);
    names
        .zip(values)
        .and_then(|(names, values)| join(&names, values, columns))
        .ok_or_else(|| Fault::BadRow(format!("the fields of journal record {id} fit no shape")))
}
