//! Converts the journal records that schema versions before 5 wrote: from field names beside the
//! values to the form with a shape. Works in bounded steps while the service runs.
//!
//! The table `journal_conversion` has a row while such records are left. Both forms are valid at
//! any time.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use super::journal::{COLUMNS, insert};
use super::shapes::Shapes;
use crate::journal::shape::{Columns, Split};
use crate::store::shaped::is_shaped;
use crate::store::{Conversion, Fault, if_readable};

/// Bytes of values after which a step ends before its number of records is reached: a record's
/// fields can be long.
const STEP_BYTES: usize = 1024 * 1024;

/// Converts the next `most` records in the open transaction and returns the progress. `None` if
/// there is nothing to convert.
pub(super) fn step(
    conn: &Connection,
    shapes: &mut Shapes,
    most: usize,
) -> Result<Option<Conversion>, Fault> {
    let state = conn
        .prepare_cached("SELECT first_id, next_id, last_id FROM journal_conversion")?
        .query_row([], |row| {
            let (first, next, last) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Conversion { first, next, last, left: Vec::new() })
        })
        .optional()?;
    let Some(mut state) = state else { return Ok(None) };
    let OldRecords { readable, unreadable, last } = read(conn, &state, most)?;
    state.left = unreadable;
    match last {
        Some(last) => {
            state.next = last + 1;
            conn.prepare_cached("UPDATE journal_conversion SET next_id = ?1")?
                .execute([state.next])?;
        }
        None => {
            state.next = state.last + 1;
            conn.execute("DELETE FROM journal_conversion", [])?;
        }
    }
    let mut converted = Vec::with_capacity(readable.len());
    for record in readable {
        converted.extend(record.converted(conn, shapes)?);
    }
    if !replace(conn, &converted)? {
        for record in &converted {
            if !replace(conn, std::slice::from_ref(record))? {
                state.left.push(record.id);
            }
        }
    }
    Ok(Some(state))
}

/// Replaces these records, all or none. `false` if the schema refuses one of them: another program
/// has written it without the checks of the schema.
fn replace(conn: &Connection, records: &[OldRecord]) -> Result<bool, Fault> {
    conn.prepare_cached("SAVEPOINT replaced")?.raw_execute()?;
    let is_replaced = match write(conn, records) {
        Err(Fault::Constraint(_)) => {
            conn.prepare_cached("ROLLBACK TO replaced")?.raw_execute()?;
            false
        }
        written => written.map(|()| true)?,
    };
    conn.prepare_cached("RELEASE replaced")?.raw_execute()?;
    Ok(is_replaced)
}

fn write(conn: &Connection, records: &[OldRecord]) -> Result<(), Fault> {
    // An UPDATE would leave free space within each page, which no later record uses. Whole pages
    // become free if all records of a step are removed before they are inserted again.
    let mut delete = conn.prepare_cached("DELETE FROM journal WHERE id = ?1")?;
    for record in records {
        delete.execute([record.id])?;
    }
    let mut again = conn.prepare_cached(&insert())?;
    for record in records {
        again.execute(params_from_iter(&record.values))?;
    }
    Ok(())
}

/// The next records.
#[derive(Default)]
struct OldRecords {
    readable: Vec<OldRecord>,
    /// The numbers of those that cannot be read.
    unreadable: Vec<i64>,
    /// The number of the last one.
    last: Option<i64>,
}

/// A record as it is stored.
struct OldRecord {
    id: i64,
    /// In the order of [`COLUMNS`].
    values: Vec<Value>,
}

fn read(conn: &Connection, state: &Conversion, most: usize) -> Result<OldRecords, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {} FROM journal WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
        COLUMNS.join(", ")
    ))?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![state.next, state.last, most])?;
    let (mut found, mut bytes) = (OldRecords::default(), 0);
    while bytes < STEP_BYTES
        && let Some(row) = rows.next()?
    {
        let id = row.get("id")?;
        let values: rusqlite::Result<Vec<Value>> =
            (0..COLUMNS.len()).map(|index| row.get(index)).collect();
        match if_readable(values.map_err(Fault::from))? {
            Ok(values) => {
                let record = OldRecord { id, values };
                bytes += record.text("fields").map_or(0, str::len);
                found.readable.push(record);
            }
            Err(_) => found.unreadable.push(id),
        }
        found.last = Some(id);
    }
    Ok(found)
}

impl OldRecord {
    /// The record in the form with a shape; `None` if it must stay as it is.
    fn converted(mut self, conn: &Connection, shapes: &mut Shapes) -> Result<Option<Self>, Fault> {
        let columns = Columns {
            action: self.text("action"),
            site: self.integer("siteid"),
            member: self.integer("memberid"),
            username: self.text("username"),
        };
        let Some(fields) = self.text("fields").filter(|fields| !is_shaped(fields)) else {
            return Ok(None);
        };
        let split = Split::of(fields, &columns);
        let fields = shapes.stored(conn, fields, split.as_ref())?;
        if !is_shaped(&fields) {
            return Ok(None);
        }
        let fields = fields.into_owned();
        self.set("fields", Value::Text(fields));
        Ok(Some(self))
    }

    fn value(&self, column: &str) -> Option<&Value> {
        self.values.get(COLUMNS.iter().position(|name| *name == column)?)
    }

    fn text(&self, column: &str) -> Option<&str> {
        if let Value::Text(text) = self.value(column)? { Some(text) } else { None }
    }

    fn integer(&self, column: &str) -> Option<i64> {
        if let Value::Integer(number) = self.value(column)? { Some(*number) } else { None }
    }

    fn set(&mut self, column: &str, value: Value) {
        if let Some(index) = COLUMNS.iter().position(|name| *name == column) {
            self.values[index] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{journal, upgrade};
    use crate::store::{JournalFilter, StoredRecord};

    /// A journal as version 4 leaves it: the `fields` of each record, NULL for a record that is
    /// missing.
    fn old_journal(fields: &[Option<&str>]) -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade::run(&mut conn, None).unwrap();
        let insert = "INSERT INTO journal (id, at, source, action, siteid, memberid, username,
                 fields, reply, sealed, logins_ended)
             VALUES (?1, 1000 + ?1, 'nats', 'ADD', 1, 70 + ?1, 'b c', ?2, 'OK|', x'01', 1)";
        for (id, fields) in (1..).zip(fields) {
            if let Some(fields) = fields {
                conn.execute(insert, params![id, fields]).unwrap();
            }
        }
        conn.execute_batch(
            "INSERT INTO journal_conversion SELECT 1, min(id), min(id), max(id) FROM journal",
        )
        .unwrap();
        conn
    }

    fn records(conn: &Connection) -> Vec<StoredRecord> {
        let page = journal::page(conn, &JournalFilter::default(), 0, i64::MAX).unwrap();
        page.into_iter().map(Result::unwrap).collect()
    }

    fn shown(conn: &Connection) -> Vec<String> {
        records(conn).iter().map(|record| format!("{record:?}")).collect()
    }

    const ADD: &str = "action=ADD&siteid=1&memberid=71&username=b+c&password=***";
    const OLD: [Option<&str>; 8] = [
        Some(ADD),
        None,
        Some("application/json, 12 bytes"),
        Some(""),
        Some("action=ADD&siteid=1&memberid=75&username=b+c&password="),
        None,
        Some("trial=~&password=clear"),
        Some("&&=&a&***&x"),
    ];

    #[test]
    fn each_record_is_shown_as_before_whatever_form_it_has() {
        let conn = old_journal(&OLD);
        let (before, mut shapes) = (shown(&conn), Shapes::read(&conn).unwrap());
        let mut states = Vec::new();
        while let Some(state) = step(&conn, &mut shapes, 1).unwrap() {
            states.push((state.next, state.percent(), state.is_done()));
            assert_eq!(shown(&conn), before, "{state:?}");
        }
        assert_eq!(
            states,
            [
                (2, 12, false),
                (4, 37, false),
                (5, 50, false),
                (6, 62, false),
                (8, 87, false),
                (9, 100, true),
                (9, 100, true)
            ]
        );
        let forms = "SELECT group_concat(id || ':' || fields, ' ')
             FROM journal WHERE id IN (1, 3, 5, 7)";
        let forms: String = conn.query_row(forms, [], |row| row.get(0)).unwrap();
        let old = "3:application/json, 12 bytes";
        assert_eq!(
            forms,
            format!("1:~1&=&=&=&b+c&~ {old} 5:~1&=&=&=&b+c& 7:trial=~&password=clear")
        );
        assert_eq!(records(&conn)[0].fields, ADD);
    }

    #[test]
    fn a_conversion_that_was_interrupted_goes_on_where_it_stopped() {
        for interrupted in 0..9 {
            let conn = old_journal(&OLD);
            let (before, mut shapes) = (shown(&conn), Shapes::read(&conn).unwrap());
            for number in 0.. {
                conn.execute_batch("BEGIN").unwrap();
                let state = step(&conn, &mut shapes, 1).unwrap();
                if number == interrupted {
                    conn.execute_batch("ROLLBACK").unwrap();
                    shapes = Shapes::read(&conn).unwrap();
                    continue;
                }
                conn.execute_batch("COMMIT").unwrap();
                if state.is_none() {
                    break;
                }
            }
            assert_eq!(shown(&conn), before, "interrupted at step {interrupted}");
            let left = "SELECT count(*) FROM journal WHERE fields NOT LIKE '~%'";
            let left: i64 = conn.query_row(left, [], |row| row.get(0)).unwrap();
            assert_eq!(left, 4, "interrupted at step {interrupted}");
        }
    }

    #[test]
    fn a_record_that_another_program_has_broken_keeps_its_form_and_the_others_are_converted() {
        let conn = old_journal(&[Some(ADD); 5]);
        conn.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
             UPDATE journal SET logins_ended = 2 WHERE id = 2;
             UPDATE journal SET reply = CAST(x'4f4bff' AS TEXT) WHERE id = 4;
             PRAGMA ignore_check_constraints = OFF",
        )
        .unwrap();
        let forms = || -> String {
            let sql = "SELECT group_concat(id || iif(fields LIKE '~%', ' new', ' old'), ', ')
                 FROM journal";
            conn.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        conn.execute_batch("BEGIN").unwrap();
        let mut shapes = Shapes::read(&conn).unwrap();
        let first = step(&conn, &mut shapes, 100).unwrap().unwrap();
        assert_eq!((first.next, first.left), (6, vec![4, 2]));
        let second = step(&conn, &mut shapes, 100).unwrap().unwrap();
        assert_eq!((second.is_done(), second.left), (true, vec![]));
        conn.execute_batch("COMMIT").unwrap();
        assert_eq!(forms(), "1 new, 2 old, 3 new, 4 old, 5 new");
        let broken = "SELECT group_concat(id || logins_ended || hex(reply)) FROM journal
             WHERE id IN (2, 4)";
        let broken: String = conn.query_row(broken, [], |row| row.get(0)).unwrap();
        assert_eq!(broken, "224F4B7C,414F4BFF");
    }

    #[test]
    fn records_that_came_after_the_upgrade_and_records_that_were_pruned_are_left_alone() {
        let conn = old_journal(&OLD);
        let insert = "INSERT INTO journal (id, at, source, fields, reply)
             VALUES (9, 5, 'nats', 'trial=0', 'OK|')";
        conn.execute_batch(insert).unwrap();
        conn.execute_batch("DELETE FROM journal WHERE id < 6").unwrap();
        let before = shown(&conn);
        let states: Vec<_> =
            std::iter::from_fn(|| step(&conn, &mut Shapes::read(&conn).unwrap(), 100).unwrap())
                .collect();
        assert_eq!(states.iter().map(|state| state.next).collect::<Vec<_>>(), [9, 9]);
        assert_eq!(shown(&conn), before);
    }

    #[test]
    fn the_room_of_the_names_becomes_free_pages() {
        let names: Vec<_> = (0..70).map(|_| "third_party_partner_id=0").collect();
        let fields = names.join("&");
        let conn = old_journal(&[Some(&*fields); 300]);
        let pages = |pragma: &str| -> i64 {
            conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap()
        };
        let (before, free_before) = (pages("page_count"), pages("freelist_count"));
        while step(&conn, &mut Shapes::read(&conn).unwrap(), 100).unwrap().is_some() {}
        assert!(pages("page_count") <= before + 2, "the file does not grow");
        let freed = pages("freelist_count") - free_before;
        assert!(freed > before / 2, "{freed} pages of {before}");
    }
}
