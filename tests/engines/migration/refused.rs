//! What a copy does not touch.

use mysql::prelude::Queryable as _;
use nats_userman::chain::chain;
use nats_userman::store::{Location, MigrationTarget, is_led, migration_target};
use rusqlite::Connection;

use super::{copy, dump, sqlite_in, used};
use crate::ENGINES;
use crate::support::{App, EngineKind, MariaDatabase, eventually, temp_dir};

pub fn why(from: &Location, to: &Location) -> String {
    chain(&copy(from, to).unwrap_err())
}

pub fn write(location: &Location, sql: &str) {
    Connection::open(location.file().unwrap()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_target_that_is_not_empty_stays_as_it_is() {
    for engine in ENGINES {
        let (source, other) = (used(), used());
        match engine {
            EngineKind::Sqlite => {
                let (before, place) = (dump(&other.location), other.location.to_string());
                assert_eq!(
                    why(&source.location, &other.location),
                    format!("{place} exists already: move it away, or check --to")
                );
                assert_eq!(dump(&other.location), before);
                // A file of any other program too.
                let dir = temp_dir();
                let to = sqlite_in(&dir, "notes");
                std::fs::write(to.file().unwrap(), "").unwrap();
                assert!(why(&source.location, &to).contains("exists already"));
            }
            EngineKind::MariaDb => {
                let Some(maria) = MariaDatabase::new() else { return };
                let place = maria.location();
                copy(&other.location, &place).unwrap();
                assert_eq!(
                    why(&source.location, &place),
                    format!("the database {place} is not empty: make a new one, or check --to")
                );
                let there: Vec<i64> =
                    maria.connect().query("SELECT COUNT(*) FROM journal").unwrap();
                assert_eq!(there, [14]);
            }
        }
    }
}

#[test]
fn a_database_that_a_service_uses_is_neither_source_nor_target() {
    for engine in ENGINES {
        let Some(app) = App::start_on_engine(engine, &[]) else { continue };
        let (location, dir, source) = (app.config.location.clone(), temp_dir(), used());
        let copied = sqlite_in(&dir, "copy");
        match engine {
            EngineKind::Sqlite => {
                app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
                let data = app.dir.path().join("data").canonicalize().unwrap();
                assert_eq!(
                    why(&location, &copied),
                    format!(
                        "cannot lock the directory of the source (--from): stop the service and \
                         run this again: the data directory {} is in use by a running nats-userman",
                        data.display()
                    )
                );
                let to = Location::sqlite(data.join("other.db"));
                let said = why(&source.location, &to);
                assert!(said.starts_with("cannot lock the directory of the target"), "{said}");
            }
            EngineKind::MariaDb => {
                eventually("the receiver leads", || is_led(&location).unwrap());
                let said = |side: &str| {
                    format!(
                        "a receiver uses the {side} {location}: stop all receivers and run this \
                         again (one that was killed counts for 10 seconds)"
                    )
                };
                assert_eq!(why(&source.location, &location), said("target (--to)"));
                assert_eq!(why(&location, &copied), said("source (--from)"));
                let target = migration_target(&location).unwrap();
                assert_eq!(target, MigrationTarget::Empty, "nothing is marked");
            }
        }
    }
}
