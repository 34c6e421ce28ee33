//! Members whom a batch adds, on a server: with one query it learns whom it knows nothing of.

use mysql::prelude::Queryable as _;
use nats_userman::action::Change;
use nats_userman::identity::{Key, MemberId, Username};
use nats_userman::member::{Former, Reason};
use nats_userman::store::{Engine, Fault, Outcome, View, Wanted};

use crate::engines::conformance::{
    Database, key, member, name, ok, on_engine, received, record, save,
};
use crate::support::{Beside, EngineKind, MariaDatabase, NOON, TestDatabase, eventually};

/// What a batch loads that adds these members.
fn load<'a>(engine: &mut dyn Engine, added: &'a [(Key, Username)], at_once: bool) -> View {
    let pairs = || added.iter().map(|(key, name)| (*key, name));
    let wanted: Wanted<'a> = Wanted {
        keys: pairs().map(|(key, _)| key).collect(),
        names: pairs().map(|(key, name)| (key.site, name)).collect(),
        called: pairs().collect(),
        added: if at_once { pairs().collect() } else { Default::default() },
    };
    let mut view = View::default();
    engine.load(&wanted, &mut view, NOON.into()).unwrap();
    view
}

/// The facts about a member of whom nothing is known.
const NOTHING: &str = "Unknown [None, None]";

/// What is decided by.
fn facts(view: &View, added: &[(Key, Username)]) -> Vec<String> {
    let fact = |(key, name): &(Key, Username)| {
        let names = [view.holder(key.site, name), view.provisional_former(key.site, name)];
        format!("{:?} {names:?}", view.standing(*key))
    };
    added.iter().map(fact).collect()
}

#[test]
fn who_is_added_is_known_by_their_records_their_row_and_their_name_however_many_are_new() {
    const SITE: i64 = 9_007_199_254_740_993;
    let long = "\u{e9}".repeat(120);
    on_engine(EngineKind::MariaDb, |database| {
        let mut provisional = member(1, 1, "left early");
        provisional.key.member = MemberId::provisional(0);
        let former = |row| Change::Leave(Former::new(row, Reason::Deleted, NOON - 9));
        database.save(vec![
            Change::Insert(member(1, 72, "here")),
            Change::Insert(member(SITE, 73, &long)),
            Change::Insert(member(1, 74, "gone")),
            Change::Insert(provisional.clone()),
        ]);
        database.save(vec![former(member(1, 74, "gone")), former(provisional)]);
        let new = |id: i64| (key(1, id), name(&format!("new{id}")));
        // The records of `save` are of member 71.
        let known = [
            (key(1, 71), name("free")),
            (key(1, 72), name("Here")),
            (key(1, 72), name("another")),
            (key(1, 75), name("HERE")),
            (key(SITE, 73), name("short")),
            (key(SITE, 76), name(&long)),
            (key(1, 77), name(&long)),
            (key(1, 74), name("gone")),
            (key(1, 78), name("gone")),
            (key(1, 79), name("left early")),
        ];
        database.with(|engine| {
            // The values of the first query are short.
            // Three of those above have nothing by which anything is decided.
            for (batch, news) in [
                (vec![new(1), new(2)], 2),
                ((100..140).map(new).chain(known.clone()).collect(), 40 + 3),
                (known.to_vec(), 3),
            ] {
                let [one, each] = [true, false].map(|at_once| {
                    engine.begin().unwrap();
                    let view = load(engine, &batch, at_once);
                    engine.rollback();
                    facts(&view, &batch)
                });
                assert_eq!(one, each);
                let new = one.iter().filter(|fact| *fact == NOTHING).count();
                assert_eq!(new, news, "{batch:?}");
            }
        });
        let last = "SELECT MAX(seq) FROM journal WHERE siteid = 1 AND memberid = 71";
        let records = || Beside::open(&database.location).rows(last);
        assert_eq!(records(), ["6"]);
        database.commit(|engine| {
            load(engine, &known[..1], true);
            save(engine, vec![Change::Insert(member(1, 71, "free"))])
        });
        assert_eq!(records(), ["7"], "the records of a member of before are counted on");
    });
}

/// What was not there when the batch asked was written meanwhile: a record, a member, a name.
#[test]
fn a_member_whom_another_receiver_adds_after_the_query_is_refused_by_the_tables() {
    on_engine(EngineKind::MariaDb, |database| {
        for (round, other) in (0..).zip([
            Change::None,
            Change::Insert(member(1, 71, "another")),
            Change::Insert(member(1, 72, "bob")),
        ]) {
            let site = 1 + round;
            let of_site = |mut row: nats_userman::member::Member| {
                row.key = key(site, row.key.member.get());
                row
            };
            let body = |id: i64| received(&format!("action=ADD&siteid={site}&memberid={id}"));
            let insert = |engine: &mut dyn Engine, change: Change, id| {
                let received = body(id);
                let record = record(&received, NOON, ok());
                engine.save(&[Outcome { change, record, taken_over: None }])
            };
            let other = match other {
                Change::Insert(row) => Change::Insert(of_site(row)),
                other => other,
            };
            let id = other.row().map_or(71, |row| row.key.member.get());
            let added = [(key(site, 71), name("bob"))];
            database.with(|engine| {
                engine.begin().unwrap();
                let view = load(engine, &added, true);
                assert_eq!(facts(&view, &added), [NOTHING]);
                database.commit(|receiver| insert(receiver, other.clone(), id));
                let own = Change::Insert(of_site(member(1, 71, "bob")));
                let refused = insert(engine, own, 71).unwrap_err();
                assert!(matches!(refused, Fault::Constraint(_)), "{other:?}: {refused:?}");
                engine.rollback();
            });
        }
    });
}

/// Regression: the rows of a batch were of a later moment than the query for new members. Who took
/// a name in between and gives it up in the same batch did not keep a new member from having it
/// first, and the journal said that two had it at once.
#[test]
fn a_name_that_a_member_of_the_batch_takes_after_the_query_is_not_free() {
    let Some(tables) = MariaDatabase::new() else { return };
    let mut admin = tables.admin();
    let locking = format!(
        "SELECT COUNT(*) FROM information_schema.processlist
         WHERE user = '{}' AND info LIKE 'SELECT % FOR UPDATE'",
        tables.name()
    );
    let mut is_waiting = || admin.query_first(&locking).unwrap() == Some(1);
    let database = Database::new(TestDatabase::MariaDb(tables));
    database.save(vec![Change::Insert(member(1, 71, "ann"))]);
    let (bob, ann) = (name("bob"), name("ann"));
    let added = [(key(1, 72), bob.clone())];
    let load = || {
        database.with(|engine| {
            let mut wanted = Wanted::default();
            wanted.keys.extend([key(1, 71), key(1, 72)]);
            wanted.names.insert((key(1, 72).site, &bob));
            wanted.called.extend([(key(1, 71), &ann), (key(1, 72), &bob)]);
            wanted.added.insert((key(1, 72), &bob));
            let mut view = View::default();
            engine.begin().unwrap();
            engine.load(&wanted, &mut view, NOON.into()).unwrap();
            engine.rollback();
            facts(&view, &added)
        })
    };
    database.with(|other| {
        other.begin().unwrap();
        save(other, vec![Change::Update(member(1, 71, "bob"))]).unwrap();
        std::thread::scope(|threads| {
            let loaded = threads.spawn(load);
            eventually("the row of member 71 is waited for", &mut is_waiting);
            other.commit().unwrap();
            let holder = key(1, 71).member;
            let facts = loaded.join().unwrap();
            assert_eq!(facts, [format!("Unknown [Some({holder:?}), None]")]);
        });
    });
}
