//! What a copy does not touch, and rows that cannot be copied.

use mysql::prelude::Queryable as _;
use nats_userman::chain::chain;
use nats_userman::store::{Location, MigrationTarget, is_led, migration_target};
use rusqlite::Connection;

use super::{copy, dump, sqlite_in, used};
use crate::support::{App, EngineKind, MariaDatabase, eventually, temp_dir};

fn why(from: &Location, to: &Location) -> String {
    chain(&copy(from, to).unwrap_err())
}

fn write(location: &Location, sql: &str) {
    Connection::open(location.file().unwrap()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_target_that_is_not_empty_stays_as_it_is() {
    let (source, dir) = (used(), temp_dir());
    let other = used();
    let before = dump(&other.location);
    let place = other.location.to_string();
    assert_eq!(
        why(&source.location, &other.location),
        format!("{place} exists already: move it away, or check --to")
    );
    assert_eq!(dump(&other.location), before);
    // A file of any other program too.
    let to = sqlite_in(&dir, "notes");
    std::fs::write(to.file().unwrap(), "").unwrap();
    assert!(why(&source.location, &to).contains("exists already"));

    let Some(maria) = MariaDatabase::new() else { return };
    copy(&other.location, &maria.location()).unwrap();
    assert_eq!(
        why(&source.location, &maria.location()),
        format!("the database {} is not empty: make a new one, or check --to", maria.location())
    );
    let there: Vec<i64> = maria.connect().query("SELECT COUNT(*) FROM journal").unwrap();
    assert_eq!(there, [14]);
}

#[test]
fn a_database_that_a_service_uses_is_neither_source_nor_target() {
    let (app, dir) = (App::start(), temp_dir());
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    let data = app.dir.path().join("data").canonicalize().unwrap();
    assert_eq!(
        why(&app.config.location, &sqlite_in(&dir, "copy")),
        format!(
            "cannot lock the directory of the source (--from): stop the service and run this \
             again: the data directory {} is in use by a running nats-userman",
            data.display()
        )
    );
    let source = used();
    let to = Location::sqlite(data.join("other.db"));
    assert!(why(&source.location, &to).starts_with("cannot lock the directory of the target"));

    let Some(on_server) = App::start_on_engine(EngineKind::MariaDb, &[]) else { return };
    let location = on_server.config.location.clone();
    eventually("the receiver leads", || is_led(&location).unwrap());
    let said = |side: &str| {
        format!(
            "a receiver uses the {side} {location}: stop all receivers and run this again (one \
             that was killed counts for 10 seconds)"
        )
    };
    assert_eq!(why(&source.location, &location), said("target (--to)"));
    assert_eq!(why(&location, &sqlite_in(&dir, "other")), said("source (--from)"));
    assert_eq!(migration_target(&location).unwrap(), MigrationTarget::Empty, "nothing is marked");
}

#[test]
fn a_service_does_not_start_on_a_part_of_a_copy() {
    let Some(maria) = MariaDatabase::new() else { return };
    let (source, location) = (used(), maria.location());
    nats_userman::migration::migrate(&source.location, &location, &mut |_| false).unwrap_err();
    let said = nats_userman::store::open_reader(&location).unwrap_err().to_string();
    assert_eq!(
        said,
        format!(
            "the database {location} has only a part of what `nats-userman migrate-store` copies \
             there: run the same command again, which continues, or make the database anew"
        )
    );
    let opened = nats_userman::store::with_engine(&location, true, |_| ());
    assert_eq!(opened.unwrap_err().to_string(), said);
    copy(&source.location, &location).unwrap();
    nats_userman::store::with_engine(&location, true, |_| ()).unwrap();
}

#[test]
fn rows_that_the_target_does_not_take_are_named_and_the_copy_goes_on_without_their_fault() {
    let Some(maria) = MariaDatabase::new() else { return };
    let (source, location) = (used(), maria.location());
    let long = "UPDATE member_auth SET email = printf('%0300d', 7) WHERE memberid IN (72, 73)";
    write(&source.location, long);
    assert_eq!(
        why(&source.location, &location),
        "the target (--to) does not take member 72 of site 1, member 73 of site 1: shorten or \
         correct the values in the source, and run this again, which continues: the schema refused \
         a row: the server refused a value (SQLSTATE 22001)"
    );
    write(&source.location, "UPDATE member_auth SET email = NULL WHERE memberid IN (72, 73)");
    copy(&source.location, &location).unwrap();
    assert_eq!(migration_target(&location).unwrap(), MigrationTarget::Filled);
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let (source, dir) = (used(), temp_dir());
    let to = sqlite_in(&dir, "copy");
    for (sql, place) in [
        (
            "UPDATE member_auth SET session_sha256 = x'00' WHERE memberid = 72",
            "member_auth with siteid 1 and memberid 72",
        ),
        (
            "UPDATE member_auth SET session_sha256 = NULL WHERE memberid = 72;
             UPDATE journal SET fields = '~7&x' WHERE id = 4",
            "journal record 4",
        ),
    ] {
        write(&source.location, sql);
        let said = why(&source.location, &to);
        let row = "the database holds a row that cannot be read";
        let begins = format!("cannot read the source (--from): {row}: {place}: ");
        assert!(said.starts_with(&begins), "{said}");
    }
}

#[test]
fn a_database_of_an_earlier_release_is_upgraded_by_its_service_first() {
    let dir = temp_dir();
    let (from, to) = (sqlite_in(&dir, "old"), sqlite_in(&dir, "new"));
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/releases/0.2.0/data/userman.db");
    std::fs::copy(old, from.file().unwrap()).unwrap();
    assert_eq!(
        why(&from, &to),
        format!(
            "the database {from} is of an earlier release: start the service on it once, stop it, \
             and run this again"
        )
    );
    assert!(!to.file().unwrap().exists());
}
