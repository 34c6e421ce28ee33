//! The counts of the journal and of the members that pages and alarms take.

use nats_userman::clock::Reading;
use nats_userman::reply::Word;
use nats_userman::statistics::{
    Collector, ErrorReply, HourCount, LastPostback, Places, SETTLE_SECONDS, SiteMembers, Snapshot,
};
use nats_userman::store::{Location, Read, open_reader, with_engine};
use rusqlite::Connection;

use crate::support::{App, ENGINES, EngineKind, NOON, TestDatabase};

/// Counts everything that is there.
fn count_all(collector: &mut Collector, reader: &dyn Read, now: Reading) -> Snapshot {
    while collector.follow(reader, now).unwrap() {}
    while collector.read_back(reader, now.wall).unwrap() {}
    while collector.follow(reader, now).unwrap() {}
    while collector.count_members(reader, now.wall).unwrap() {}
    collector.snapshot(now.wall)
}

fn at(wall: i64) -> Reading {
    Reading { wall, steady: wall }
}

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
fn postbacks_from_before_the_start_and_after_it_are_counted_once_on_each_engine() {
    for engine in ENGINES {
        let Some(app) = App::start_on_engine(engine, &[]) else { continue };
        let add = |member: i64| {
            app.post(&format!(
                "action=ADD&siteid=5&memberid={member}&username=member{member}&password=secret"
            ))
        };
        app.set_unix(NOON - 30 * 86_400);
        add(1);
        app.set_unix(NOON);
        (2..=4).for_each(|member| drop(add(member)));
        app.post("action=ADD&siteid=6&memberid=9&username=eve&password=secret&trial=1");
        app.post("action=DELETE&siteid=5&memberid=2");
        app.post_as_operator("action=DELETE&siteid=5&memberid=3");

        let reader = open_reader(&app.config.location).unwrap();
        let mut collector = Collector::new(0);
        let found = count_all(&mut collector, &*reader, at(NOON));
        let hour =
            |action, count| HourCount { hour: NOON, action: Some(action), word: Word::Ok, count };
        assert_eq!(found.hours, [hour("ADD", 4), hour("DELETE", 1)]);
        assert_eq!(found.complete_since, Some(NOON - 29 * 86_400));
        let last = |site, action| LastPostback { site: Some(site), action: Some(action), at: NOON };
        assert_eq!(found.last, [last(5, "ADD"), last(5, "DELETE"), last(6, "ADD")]);
        assert_eq!(
            found.members,
            [
                SiteMembers { site: Some(5), full: 2, trial: 0, former: 2 },
                SiteMembers { site: Some(6), full: 0, trial: 1, former: 0 }
            ]
        );
        assert_eq!(found.members_at, Some(NOON));

        app.set_unix(NOON + 3_600);
        let refused = app.post("action=CHANGE&siteid=5&memberid=77&new_username=kim");
        let found = count_all(&mut collector, &*reader, at(NOON + 3_600));
        let errors: Vec<&ErrorReply> = found.errors.iter().collect();
        assert_eq!(errors.len(), 1);
        assert_eq!(
            (errors[0].at, errors[0].siteid, errors[0].memberid, errors[0].action),
            (NOON + 3_600, Some(5), Some(77), Some("CHANGE"))
        );
        assert_eq!(errors[0].reply, refused);
        assert_eq!((found.recent.postbacks, found.recent.errors), (1, 1));
        assert_eq!(found.hours.len(), 3);
        let again = count_all(&mut collector, &*reader, at(NOON + 3_600));
        assert_eq!(again.hours, found.hours, "nothing is counted twice");

        collector.measure(&*reader, &Places::of(&app.config.location), NOON).unwrap();
        let found = collector.snapshot(NOON + 3_600);
        assert_eq!(found.backlog, 5, "nothing is hashed yet");
        let is_file = app.config.location.file().is_some();
        assert_eq!(found.sizes.database.is_some(), is_file);
        assert_eq!(found.sizes.free.is_some(), is_file);
        if is_file {
            assert_eq!(found.journal_records, 8);
        }
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
