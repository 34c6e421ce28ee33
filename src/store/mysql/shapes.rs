//! Finds the lists of field names that journal records share (table `journal_shape`).

use std::borrow::Cow;

use mysql::Value;
use sha2::{Digest as _, Sha256};

use super::connection::Connection;
use super::rows::get;
use crate::journal::shape::Split;
use crate::store::Fault;
use crate::store::shaped::{FoundShape, KnownShapes, SHAPES_MAX};

/// The form in which to store a record's fields. Stores a new list of names, if there is room.
pub(super) fn stored<'a>(
    shapes: &mut KnownShapes,
    connection: &mut Connection,
    fields: &'a str,
    split: Option<&Split>,
) -> Result<Cow<'a, str>, Fault> {
    shapes.stored(fields, split, |names| find(connection, names))
}

/// Another receiver may have added the list.
fn find(connection: &mut Connection, names: &str) -> Result<Option<FoundShape>, Fault> {
    let digest = Value::Bytes(Sha256::digest(names).to_vec());
    let select = "SELECT id FROM journal_shape WHERE names_sha256 = ?";
    if let Some(mut row) = connection.first(select, vec![digest.clone()])? {
        return Ok(Some(FoundShape { number: get(&mut row, 0)?, is_new: false }));
    }
    // Numbers have no gaps, because no list is removed: the last one is the count.
    connection.run(
        "INSERT INTO journal_shape (id, names, names_sha256)
         SELECT last + 1, ?, ? FROM
             (SELECT COALESCE(MAX(id), 0) AS last FROM journal_shape) AS shapes
         WHERE last < ?",
        vec![names.into(), digest.clone(), SHAPES_MAX.into()],
    )?;
    let found = connection.first(select, vec![digest])?;
    found.map(|mut row| Ok(FoundShape { number: get(&mut row, 0)?, is_new: true })).transpose()
}
