//! Transactions of receivers that share a database.

use nats_userman::action::Change;
use nats_userman::store::{Fault, Outcome};

use crate::engines::conformance::transactions::ids;
use crate::engines::conformance::{key, loaded, member, ok, on_engine, received, record, save};
use crate::support::{EngineKind, NOON};

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
