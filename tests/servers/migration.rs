//! `migrate-store` to MariaDB, and back.

use std::fs;

use mysql::prelude::Queryable as _;
use nats_userman::migration::migrate;
use nats_userman::store::{MigrationTarget, migration_target, open_reader, with_engine};

use crate::engines::migration::interrupted::large;
use crate::engines::migration::refused::{why, write};
use crate::engines::migration::{copy, dump, everything, sqlite_in, used};
use crate::engines::property::stories::Text;
use crate::engines::property::{self, cases, check, postbacks};
use crate::support::ran::run;
use crate::support::{App, MariaDatabase, NOON, check_database, temp_dir};

const STORIES: u32 = 8;

#[test]
fn a_database_is_the_same_after_a_copy_to_mariadb_and_back() {
    let Some(maria) = MariaDatabase::new() else { return };
    let (used, dir) = (used(), temp_dir());
    let there = maria.location();
    let to_there = copy(&used.location, &there).unwrap();
    check_database(&there);
    let (here, back) = (open_reader(&used.location).unwrap(), open_reader(&there).unwrap());
    assert_eq!(everything(&*here), everything(&*back));
    assert_eq!(here.seal_key().unwrap(), back.seal_key().unwrap());
    assert_eq!(here.backlog().unwrap(), back.backlog().unwrap());
    drop((here, back));

    let again = sqlite_in(&dir, "back");
    let to_here = copy(&there, &again).unwrap();
    assert_eq!(dump(&again), dump(&used.location));
    assert_eq!(to_there.tables, to_here.tables, "the hashes do not depend on the engine");
    check_database(&again);
}

#[test]
fn a_database_of_mariadb_is_copied_to_another_one_with_the_ids_of_both_keys() {
    let (Some(first), Some(second)) = (MariaDatabase::new(), MariaDatabase::new()) else { return };
    let used = used();
    copy(&used.location, &first.location()).unwrap();
    let id = "INSERT INTO cookie_key VALUES (1, REPEAT(X'07', 16))";
    first.connect().query_drop(id).unwrap();
    copy(&first.location(), &second.location()).unwrap();
    let (one, other) =
        (open_reader(&first.location()).unwrap(), open_reader(&second.location()).unwrap());
    assert_eq!(everything(&*one), everything(&*other));
    assert_eq!(other.cookie_key().unwrap().map(|id| id.0), Some([7; 16]));
    // The service that goes on there numbers the records of a member from where they ended.
    let next: Vec<Option<i64>> = second
        .connect()
        .query("SELECT MAX(seq) FROM journal WHERE siteid = 1 AND memberid = 71")
        .unwrap();
    assert_eq!(next, [Some(4)]);
}

#[test]
fn the_service_goes_on_with_a_copy_on_mariadb() {
    let Some(maria) = MariaDatabase::new() else { return };
    let used = used();
    copy(&used.location, &maria.location()).unwrap();
    let setting = maria.setting_with_password();
    let app = App::start_in(used._dir, &["--database", &setting]);
    assert!(app.opens(1, 72, "first") && app.opens(1, 71, "third"));
    assert_eq!(
        app.post("action=ADD&siteid=1&memberid=77&username=ZO%C3%89&password=x"),
        "ERROR|username \"ZO??\" is held by member 72 of site 1, nothing was changed for member 77"
    );
    assert_eq!(
        app.post("action=DELETE&siteid=1&memberid=71"),
        "OK|member 71 \"bob\" removed from site 1"
    );
    app.harden();
    assert!(app.opens(1, 73, "testtest"));
}

/// What random postbacks leave is the same after a copy to a server and back.
#[test]
fn what_random_postbacks_leave_is_the_same_after_a_copy_to_mariadb_and_back() {
    let stories = proptest::collection::vec(postbacks(), 1..60);
    check(&stories, cases(STORIES), |postbacks| {
        let Some(maria) = MariaDatabase::new() else { return Ok(()) };
        let app = App::start_with(&["--keep-cryptpass"]);
        for (number, fields) in postbacks.iter().enumerate() {
            let text = |(name, value): &(&str, Text)| ((*name).to_owned(), value.at(NOON, 0));
            let fields: Vec<_> = fields.iter().flatten().map(text).collect();
            app.post(&serde_urlencoded::to_string(fields).unwrap());
            if number % 16 == 15 {
                app.harden();
            }
        }
        let (location, dir) = (app.config.location.clone(), temp_dir());
        let _data = app.stop();
        let back = sqlite_in(&dir, "back");
        copy(&location, &maria.location()).map_err(|error| format!("{error:?}"))?;
        copy(&maria.location(), &back).map_err(|error| format!("{error:?}"))?;
        let (before, after) = (property::dump(&location), property::dump(&back));
        if before == after { Ok(()) } else { Err(format!("{before:#?} became {after:#?}")) }
    });
}

#[test]
fn a_copy_goes_on_over_connections_that_are_lost() {
    let Some(maria) = MariaDatabase::new() else { return };
    let (used, mut admin) = (large(), maria.admin());
    let mut killed = 0;
    migrate(&used.location, &maria.location(), &mut |_| {
        // The writer's connection and the reader's.
        let sessions: Vec<u64> = admin
            .exec("SELECT id FROM information_schema.processlist WHERE user = ?", (maria.name(),))
            .unwrap();
        for session in sessions {
            killed += u32::from(admin.query_drop(format!("KILL {session}")).is_ok());
        }
        true
    })
    .unwrap();
    assert!(killed > 10, "{killed}");
    let there = open_reader(&maria.location()).unwrap();
    assert!(everything(&*open_reader(&used.location).unwrap()) == everything(&*there));
    check_database(&maria.location());
}

#[test]
fn the_command_prints_what_both_have_and_what_to_do_next() {
    let Some(maria) = MariaDatabase::new() else { return };
    let (source, dir) = (used(), temp_dir());
    let (from, password) = (source.location.setting(), dir.path().join("password"));
    fs::write(&password, format!("{}\n", maria.password())).unwrap();
    let to = maria.setting();
    let data = dir.path().join("data");
    let flags = ["--data-dir", data.to_str().unwrap(), "--database-password-file"];
    let args = [&flags[..], &[password.to_str().unwrap()]].concat();
    let there = [&["migrate-store", "--from", &from, "--to", &to], &args[..]].concat();
    let printed = run(&there).printed();
    let lines: Vec<&str> = printed.lines().collect();
    let first = lines[0].split(" in ").next().unwrap();
    assert_eq!(first, format!("copied {from} to {to}"));
    let tables: Vec<&str> =
        lines[1..13].iter().map(|line| line.split(", SHA-256 ").next().unwrap()).collect();
    assert_eq!(
        tables,
        [
            "  member_auth            6 rows",
            "  former_member          1 rows",
            "  journal               14 rows",
            "  logout                 2 rows",
            "  logout_before          1 rows",
            "  login_seen             1 rows",
            "  known_network          1 rows",
            "  block                  1 rows",
            "  login                  1 rows",
            "  sharing_network        1 rows",
            "  sharing_block          1 rows",
            "  operator               1 rows",
        ]
    );
    assert_eq!(
        lines[13..],
        [
            format!("now set `database = \"{to}\"` in the configuration, and start the service"),
            format!(
                "seal.key and cookie.key stay in the data directory of the service (here {}): each \
                 receiver of the new database needs the same two files, and the same tokens",
                source.location.file().and_then(std::path::Path::parent).unwrap().display()
            ),
        ]
    );
    // And back, with the password in the URL.
    let back = sqlite_in(&dir, "back").setting();
    let url = maria.setting_with_password();
    let ran = run(&["migrate-store", "--from", &url, "--to", &back]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("--from has a password, which is visible"), "{}", ran.err);
    let hashes = |text: &str| -> Vec<String> {
        let hash = |line: &str| line.split(", SHA-256 ").nth(1).map(str::to_owned);
        text.lines().filter_map(hash).collect()
    };
    assert_eq!(hashes(&ran.out), hashes(&printed));
    assert_eq!(hashes(&ran.out).len(), 12);
    assert!(!format!("{ran:?}{printed}").contains(maria.password()));
}

#[test]
fn a_service_does_not_start_on_a_part_of_a_copy() {
    let Some(maria) = MariaDatabase::new() else { return };
    let (source, location) = (used(), maria.location());
    migrate(&source.location, &location, &mut |_| false).unwrap_err();
    let said = open_reader(&location).unwrap_err().to_string();
    assert_eq!(
        said,
        format!(
            "the database {location} has only a part of what `nats-userman migrate-store` copies \
             there: run the same command again, which continues, or make the database anew"
        )
    );
    let opened = with_engine(&location, true, |_| ());
    assert_eq!(opened.unwrap_err().to_string(), said);
    copy(&source.location, &location).unwrap();
    with_engine(&location, true, |_| ()).unwrap();
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
