//! The counts of the journal and of the members that pages and alarms take.

use nats_userman::statistics::{Collector, SETTLE_SECONDS};
use nats_userman::store::{Location, open_reader, with_engine};
use rusqlite::Connection;

use crate::engines::statistics::{at, count_all};
use crate::support::{EngineKind, NOON, TestDatabase};

/// A database without a service, into which a test writes rows.
struct EmptyDatabase {
    location: Location,
    _removed_in_the_end: TestDatabase,
}

impl EmptyDatabase {
    fn new() -> Self {
        let database = TestDatabase::new(EngineKind::Sqlite).unwrap();
        let location = database.location();
        with_engine(&location, true, |_| ()).unwrap();
        Self { location, _removed_in_the_end: database }
    }

    fn connect(&self) -> Connection {
        Connection::open(self.location.file().unwrap()).unwrap()
    }
}

#[test]
fn more_records_than_two_pages_are_counted_in_both_directions() {
    let database = EmptyDatabase::new();
    let fill = |from: i64, to: i64| {
        database
            .connect()
            .execute(
                "INSERT INTO journal (at, source, action, siteid, fields, reply)
                 WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
                 SELECT ?3, 'nats', 'EXPIRE', i % 3, '', 'OK|done' FROM n",
                [from, to, NOON],
            )
            .unwrap();
    };
    fill(1, 2_500);
    let reader = open_reader(&database.location).unwrap();
    let mut collector = Collector::new(0);
    let found = count_all(&mut collector, &*reader, at(NOON));
    assert_eq!(found.hours.iter().map(|hour| hour.count).sum::<u64>(), 2_500);
    fill(1, 2_100);
    let found = count_all(&mut collector, &*reader, at(NOON));
    assert_eq!(found.hours.iter().map(|hour| hour.count).sum::<u64>(), 4_600);
}

#[test]
fn where_receivers_share_a_database_a_record_counts_when_later_numbers_have_settled() {
    let database = EmptyDatabase::new();
    let add = |id: i64| {
        let reply = format!("ERROR|{id}");
        database
            .connect()
            .execute(
                "INSERT INTO journal (id, at, source, action, siteid, fields, reply)
                 VALUES (?1, ?2, 'nats', 'ADD', 5, '', ?3)",
                (id, NOON, reply),
            )
            .unwrap();
    };
    let reader = open_reader(&database.location).unwrap();
    let mut collector = Collector::new(SETTLE_SECONDS);
    let mut count = |second| {
        let found = count_all(&mut collector, &*reader, at(NOON + second));
        found.errors.iter().rev().map(|error| error.id).collect::<Vec<_>>()
    };
    add(10);
    assert_eq!(count(0), [0; 0], "nothing has settled");
    assert_eq!(count(10), [10]);
    add(13);
    assert_eq!(count(11), [10]);
    // Another receiver commits a record with a lower number later.
    add(12);
    assert_eq!(count(20), [10]);
    assert_eq!(count(21), [10, 12, 13]);
    assert_eq!(count(60), [10, 12, 13]);
}
