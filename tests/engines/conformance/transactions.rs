//! Transactions and savepoints of the engine.

use nats_userman::action::Change;
use nats_userman::store::{Engine, Fault};

use super::{Database, member, on_every_engine, save};
use crate::support::NOON;

#[test]
fn what_is_rolled_back_leaves_nothing_and_the_engine_goes_on() {
    on_every_engine(|database| {
        database.with(|engine| {
            engine.begin().unwrap();
            save(engine, vec![Change::Insert(member(1, 71, "bob"))]).unwrap();
            engine.rollback();
            engine.begin().unwrap();
            save(engine, vec![Change::Insert(member(1, 72, "cyd"))]).unwrap();
            engine.commit().unwrap();
        });
        assert_eq!(ids(database), [72]);
        let newest = database.read().newest_record().unwrap();
        assert_eq!(
            newest.map(|(_, at)| at),
            Some(NOON),
            "the record of the one that was committed"
        );
    });
}

#[test]
fn a_row_that_the_schema_refuses_costs_no_other_row_of_the_transaction() {
    on_every_engine(|database| {
        database.commit(|engine| {
            for (id, name) in [(71, "bob"), (72, "BOB"), (73, "cyd")] {
                engine.savepoint()?;
                match save(engine, vec![Change::Insert(member(1, id, name))]) {
                    Ok(()) => engine.release_savepoint()?,
                    Err(Fault::Constraint(_)) if id == 72 => engine.rollback_to_savepoint()?,
                    Err(fault) => panic!("{fault:?}"),
                }
            }
            Ok(())
        });
        assert_eq!(ids(database), [71, 73]);
    });
}

/// Ends the transaction without a call of the engine, as a database does that loses it.
fn lose(engine: &mut dyn Engine) {
    engine.rollback();
}

#[test]
fn after_a_lost_transaction_nothing_of_it_is_applied_and_the_same_batch_runs_again() {
    type Step = fn(&mut dyn Engine) -> Result<(), Fault>;
    let steps: [Step; 5] = [
        |engine| save(engine, vec![Change::Insert(member(1, 71, "bob"))]),
        |engine| engine.savepoint(),
        |engine| save(engine, vec![Change::Insert(member(1, 72, "cyd"))]),
        |engine| engine.release_savepoint(),
        |engine| engine.commit(),
    ];
    on_every_engine(|database| {
        database.with(|engine| {
            for lost_before in 0..steps.len() {
                engine.begin().unwrap();
                steps[..lost_before].iter().for_each(|step| step(engine).unwrap());
                lose(engine);
                let failed = steps[lost_before](engine).unwrap_err();
                assert!(failed.runs_again(), "at step {lost_before}: {failed:?}");
                engine.rollback();
                assert_eq!(ids(database), [0; 0], "at step {lost_before}");
            }
            engine.begin().unwrap();
            steps.iter().for_each(|step| step(engine).unwrap());
        });
        assert_eq!(ids(database), [71, 72]);
    });
}

#[test]
fn a_savepoint_that_went_with_its_transaction_cannot_be_rolled_back_to() {
    on_every_engine(|database| {
        database.with(|engine| {
            engine.begin().unwrap();
            engine.savepoint().unwrap();
            lose(engine);
            assert!(engine.rollback_to_savepoint().unwrap_err().runs_again());
        });
    });
}

#[test]
fn maintenance_and_the_end_of_the_last_writer_change_nothing_that_is_read() {
    on_every_engine(|database| {
        database.save(vec![Change::Insert(member(1, 71, "bob"))]);
        database.with(|engine| {
            assert_eq!(engine.maintain(std::time::Instant::now()).unwrap(), None);
            engine.check_current().unwrap();
            assert!(engine.finish());
        });
        assert_eq!(ids(database), [71]);
    });
}

pub fn ids(database: &Database) -> Vec<i64> {
    let rows = database.read().members_page(None, None, NOON).unwrap();
    rows.iter().map(|row| row.key.member.get()).collect()
}
