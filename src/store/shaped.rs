//! The stored form of the fields of a journal record: the number of their shape, and the values.

use crate::journal::shape::{Columns, join};
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

/// Values as they are stored with the number of their shape.
pub(super) fn shaped(shape: i64, values: &str) -> String {
    format!("{SHAPED}{shape}&{values}")
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
