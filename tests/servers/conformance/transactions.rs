//! Transactions of receivers that share a database.

use mysql::prelude::Queryable as _;
use nats_userman::action::Change;
use nats_userman::store::{Fault, Outcome, with_engine};

use crate::engines::conformance::transactions::ids;
use crate::engines::conformance::{key, loaded, member, ok, on_engine, received, record, save};
use crate::support::{EngineKind, MariaDatabase, NOON};

/// The journal would say that two members had one name at the same time.
#[test]
fn a_name_that_a_batch_takes_and_gives_up_again_is_refused_if_another_receiver_took_it_meanwhile() {
    on_engine(EngineKind::MariaDb, |database| {
        let batch =
            |name| vec![Change::Insert(member(1, 71, name)), Change::Update(member(1, 71, "cyd"))];
        database.with(|engine| {
            engine.begin().unwrap();
            loaded(engine, &[key(1, 71)], &[(1, "bob"), (1, "ann")]);
            database.commit(|other| {
                let received = received("action=DELETE&siteid=1&memberid=72");
                let record = record(&received, NOON, ok());
                let change = Change::Insert(member(1, 72, "bob"));
                other.save(&[Outcome { change, record, taken_over: None }])
            });
            assert!(matches!(save(engine, batch("bob")), Err(Fault::Constraint(_))));
            engine.rollback();
            engine.begin().unwrap();
            save(engine, batch("ann")).unwrap();
            engine.commit().unwrap();
        });
        assert_eq!(ids(database), [71, 72]);
    });
}

/// Regression: the receiver opened the database anew, under another id, to which its own lease
/// looked like another's: for ten seconds nobody led.
#[test]
fn a_receiver_whose_idle_connection_is_ended_has_its_lease_back_at_the_next_round() {
    let Some(tables) = MariaDatabase::new() else { return };
    let mut admin = tables.admin();
    let sessions =
        format!("SELECT id FROM information_schema.processlist WHERE user = '{}'", tables.name());
    with_engine(&tables.location(), true, |engine| {
        assert!(engine.lead().unwrap());
        // As each round of a leader does.
        engine.begin().unwrap();
        assert_eq!(engine.expire_due(NOON, 10).unwrap(), 0);
        engine.commit().unwrap();
        let session: u64 = admin.query_first(&sessions).unwrap().unwrap();
        admin.query_drop(format!("KILL {session}")).unwrap();
        assert!(!engine.lead().unwrap(), "the connection is lost");
        assert!(engine.lead().unwrap(), "on a new one");
    })
    .unwrap();
}
