//! Stores the lists of field names that journal records share (table `journal_shape`), and defines
//! the stored form of a record's fields.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::journal::shape::Split;
use crate::store::Fault;
use crate::store::shaped::{FoundShape, KnownShapes, SHAPES_MAX};

/// The condition by which a query joins the shape of a record. For fields without a shape it finds
/// none, or one that [`super::super::shaped::restored`] ignores.
pub(super) const IS_SHAPE: &str = "journal_shape.id = CAST(substr(journal.fields, 2) AS INTEGER)";

/// The lists of names that one writing connection has cached.
#[derive(Debug)]
pub(super) struct Shapes(KnownShapes);

impl Shapes {
    /// Reads the lists that are kept.
    pub(super) fn read(conn: &Connection) -> Result<Self, Fault> {
        let mut all = conn.prepare("SELECT names, id FROM journal_shape")?;
        let numbers = all
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, rusqlite::Error>>()?;
        Ok(Self(KnownShapes::new(numbers)))
    }

    /// The form in which to store a record's fields. Stores a new list of names, if there is room.
    pub(super) fn stored<'a>(
        &mut self,
        conn: &Connection,
        fields: &'a str,
        split: Option<&Split>,
    ) -> Result<Cow<'a, str>, Fault> {
        self.0.stored(fields, split, |names| find(conn, names))
    }

    /// See [`KnownShapes::committed`].
    pub(super) fn committed(&mut self) {
        self.0.committed();
    }

    /// See [`KnownShapes::rolled_back`].
    pub(super) fn rolled_back(&mut self) {
        self.0.rolled_back();
    }
}

fn find(conn: &Connection, names: &str) -> Result<Option<FoundShape>, Fault> {
    // Numbers have no gaps, because no list is removed: the last one is the count.
    conn.prepare_cached(
        "INSERT OR IGNORE INTO journal_shape (id, names)
         SELECT last + 1, ?1 FROM (SELECT coalesce(max(id), 0) AS last FROM journal_shape)
         WHERE last < ?2",
    )?
    .execute(params![names, SHAPES_MAX])?;
    let number = conn
        .prepare_cached("SELECT id FROM journal_shape WHERE names = ?1")?
        .query_row([names], |row| row.get(0))
        .optional()?;
    Ok(number.map(|number| FoundShape { number, is_new: true }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::shape::Columns;
    use crate::store::shaped::{NAMES_BYTES_MAX, SHAPED};
    use crate::store::sqlite::upgrade;

    fn database() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade::run(&mut conn, None).unwrap();
        conn
    }

    fn stored(shapes: &mut Shapes, conn: &Connection, fields: &str) -> String {
        let split = Split::of(fields, &Columns::default());
        shapes.stored(conn, fields, split.as_ref()).unwrap().into_owned()
    }

    fn shape(shapes: &mut Shapes, conn: &Connection, fields: &str) -> Option<i64> {
        let stored = stored(shapes, conn, fields);
        let (shape, _) = stored.strip_prefix(SHAPED)?.split_once('&')?;
        Some(shape.parse().unwrap())
    }

    fn count(conn: &Connection) -> i64 {
        conn.query_row("SELECT count(*) FROM journal_shape", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn records_with_the_same_names_have_one_shape() {
        let conn = database();
        let mut shapes = Shapes::read(&conn).unwrap();
        assert_eq!(stored(&mut shapes, &conn, "trial=0&zip=***"), "~1&0&~");
        assert_eq!(shape(&mut shapes, &conn, "trial=1&zip="), Some(1));
        assert_eq!(shape(&mut shapes, &conn, "zip=&trial=1"), Some(2));
        // Another process finds them too.
        assert_eq!(shape(&mut Shapes::read(&conn).unwrap(), &conn, "trial=1&zip="), Some(1));
        assert_eq!(count(&conn), 2);
    }

    #[test]
    fn a_sender_who_invents_names_does_not_fill_the_table() {
        let conn = database();
        let mut shapes = Shapes::read(&conn).unwrap();
        let invented = |number: i64| {
            let bits = (0..12).map(|bit| if number >> bit & 1 == 0 { "trial=" } else { "zip=" });
            bits.collect::<Vec<_>>().join("&")
        };
        for number in 0..SHAPES_MAX {
            assert_eq!(shape(&mut shapes, &conn, &invented(number)), Some(number + 1));
        }
        for shapes in [&mut shapes, &mut Shapes::read(&conn).unwrap()] {
            for number in SHAPES_MAX..SHAPES_MAX + 3 {
                let fields = invented(number);
                assert_eq!(stored(shapes, &conn, &fields), fields);
            }
            assert_eq!(shape(shapes, &conn, &invented(7)), Some(8), "a kept list is still used");
        }
        assert_eq!(count(&conn), SHAPES_MAX);
    }

    #[test]
    fn a_long_list_of_names_is_not_kept() {
        let conn = database();
        let mut shapes = Shapes::read(&conn).unwrap();
        let fields = |count| vec!["trial=0"; count].join("&");
        let longest = (NAMES_BYTES_MAX + 1) / "trial=&".len();
        assert_eq!(shape(&mut shapes, &conn, &fields(longest)), Some(1));
        assert_eq!(shape(&mut shapes, &conn, &fields(longest + 1)), None);
        assert_eq!(shape(&mut shapes, &conn, &fields(8_000)), None);
        assert_eq!(count(&conn), 1);
    }

    #[test]
    fn a_shape_that_was_rolled_back_is_stored_again() {
        let conn = database();
        let mut shapes = Shapes::read(&conn).unwrap();
        conn.execute_batch("BEGIN; SAVEPOINT one").unwrap();
        assert_eq!(shape(&mut shapes, &conn, "trial=0"), Some(1));
        conn.execute_batch("ROLLBACK TO one").unwrap();
        shapes.rolled_back();
        assert_eq!(shape(&mut shapes, &conn, "zip="), Some(1));
        assert_eq!(shape(&mut shapes, &conn, "trial=0"), Some(2));
        conn.execute_batch("ROLLBACK").unwrap();
        shapes.rolled_back();
        assert_eq!(shape(&mut shapes, &conn, "zip="), Some(1));
        assert_eq!(count(&conn), 1);
    }
}
