//! Stores the lists of field names that journal records share (table `journal_shape`).

use std::borrow::Cow;
use std::collections::HashMap;

use mysql::Value;
use sha2::{Digest as _, Sha256};

use super::connection::Connection;
use super::rows::get;
use crate::journal::shape::{Columns, Split};
use crate::store::Fault;
use crate::store::shaped::{NAMES_BYTES_MAX, SHAPES_MAX, shaped};

/// The lists of names that one writing connection knows. Other receivers add further ones.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    numbers: HashMap<String, i64>,
    /// Lists that were added in the open transaction. A rollback removes them.
    unsure: Vec<String>,
    /// No further list can be kept.
    is_full: bool,
}

impl Shapes {
    /// The form in which to store a record's fields. Stores a new list of names, if there is room.
    pub(super) fn stored<'a>(
        &mut self,
        connection: &mut Connection,
        fields: &'a str,
        columns: &Columns<'_>,
    ) -> Result<Cow<'a, str>, Fault> {
        let Some(split) = Split::of(fields, columns) else { return Ok(Cow::Borrowed(fields)) };
        Ok(match self.number(connection, split.names)? {
            None => Cow::Borrowed(fields),
            Some(shape) => Cow::Owned(shaped(shape, &split.values)),
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

    fn number(&mut self, connection: &mut Connection, names: String) -> Result<Option<i64>, Fault> {
        if let Some(&number) = self.numbers.get(&names) {
            return Ok(Some(number));
        }
        if self.is_full || names.len() > NAMES_BYTES_MAX {
            return Ok(None);
        }
        let digest = Value::Bytes(Sha256::digest(&names).to_vec());
        let find = "SELECT id FROM journal_shape WHERE names_sha256 = ?";
        let mut found = connection.first(find, vec![digest.clone()])?;
        if found.is_none() {
            // Numbers have no gaps, because no list is removed: the last one is the count.
            connection.run(
                "INSERT INTO journal_shape (id, names, names_sha256)
                 SELECT last + 1, ?, ? FROM
                     (SELECT COALESCE(MAX(id), 0) AS last FROM journal_shape) AS shapes
                 WHERE last < ?",
                vec![names.as_str().into(), digest.clone(), SHAPES_MAX.into()],
            )?;
            found = connection.first(find, vec![digest])?;
            self.unsure.push(names.clone());
        }
        match found {
            Some(mut row) => {
                let number = get(&mut row, 0)?;
                self.numbers.insert(names, number);
                Ok(Some(number))
            }
            None => {
                self.is_full = true;
                Ok(None)
            }
        }
    }
}
