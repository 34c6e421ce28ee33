//! The store: batches, a refused row that affects only its own postback, and databases that must
//! not be changed.

use std::collections::BTreeMap;
use std::path::Path;

use nats_userman::action::Rules;
use nats_userman::apply::{Postback, transact};
use nats_userman::clock::{ExpiryRule, Zone};
use nats_userman::fields::Fields;
use nats_userman::journal::Origin;
use nats_userman::password::{HashKind, Vault};
use nats_userman::store::{Fault, OpenError, UpgradeError, open_reader, with_engine};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::property::{Place, cases, check, dump, in_transaction, postbacks, shown};
use crate::support::{App, NOON, Program, TOKEN, eventually, program, rows, temp_dir};

const BATCHES: u32 = 50;

/// A database for one test, with the default rules.
fn place(dir: &TempDir, name: &str) -> Place {
    let rules = Rules {
        vault: Vault::from_key([7; 32]),
        keep_cryptpass: true,
        expiry: ExpiryRule { zone: Zone::UTC, grace_hours: 0 },
        stale_guard: false,
    };
    Place::new(dir.path(), name, rules, HashKind::Argon2id)
}

fn read(place: &Place, body: &str) -> Postback {
    Postback::read(&Fields::from_urlencoded(body.as_bytes()), &place.rules, Origin::Nats, None).0
}

/// Sends postbacks in one transaction. Returns each reply as its line, and each fault as its kind.
fn send(place: &Place, batch: &[&Postback]) -> Vec<String> {
    send_in_batches(place, batch, batch.len())
}

/// Sends postbacks in transactions of at most this number of postbacks.
fn send_in_batches(place: &Place, postbacks: &[&Postback], size: usize) -> Vec<String> {
    let kind = |fault: Fault| match fault {
        Fault::Constraint(_) => "fault: constraint".to_owned(),
        Fault::BadRow(why) => format!("fault: bad row, {why}"),
        other => panic!("{other:?}"),
    };
    with_engine(&place.location, true, |engine| {
        let batches = postbacks.chunks(size);
        batches
            .flat_map(|batch| transact(engine, &place.rules.vault, batch, || NOON).unwrap())
            .map(|reply| reply.map_or_else(kind, |reply| reply.as_str().to_owned()))
            .collect()
    })
    .unwrap()
}

/// Reads bodies and sends them in one transaction.
fn send_bodies(place: &Place, bodies: &[&str]) -> Vec<String> {
    let postbacks: Vec<_> = bodies.iter().map(|body| read(place, body)).collect();
    send(place, &postbacks.iter().collect::<Vec<_>>())
}

fn write(database: &Path, sql: &str) {
    Connection::open(database).unwrap().execute_batch(sql).unwrap();
}

fn look(place: &Place, sql: &str) -> Vec<String> {
    rows(&Connection::open(place.location.file().unwrap()).unwrap(), sql)
}

const NAMES: &str = "SELECT siteid, memberid, username FROM member_auth ORDER BY siteid, memberid";

#[test]
fn a_batch_leaves_what_its_postbacks_leave_one_by_one() {
    let stories = (prop::collection::vec(postbacks(), 1..60), 1..60_usize);
    check(&stories, cases(BATCHES), |(postbacks, size)| {
        let dir = temp_dir();
        let (batched, single) = (place(&dir, "batched.db"), place(&dir, "single.db"));
        let mut said = format!("batches of {size}\n");
        let mut read_all = Vec::new();
        for fields in postbacks {
            let text: Vec<_> = fields
                .iter()
                .flatten()
                .map(|(name, value)| ((*name).to_owned(), value.at(NOON, 0)))
                .collect();
            // The password is sealed once, so that both databases get equal bytes.
            let postback = read(&batched, &serde_urlencoded::to_string(&text).unwrap());
            if !postback.is_check() {
                said.push_str(&format!("> {}\n", shown(&text)));
                read_all.push(postback);
            }
        }
        let read_all: Vec<&Postback> = read_all.iter().collect();
        let together = send_in_batches(&batched, &read_all, *size);
        let apart = send_in_batches(&single, &read_all, 1);
        if together != apart {
            return Err(format!("{said}\nthe replies together {together:#?}\napart {apart:#?}"));
        }
        if !read_all.is_empty() && dump(&batched.location) != dump(&single.location) {
            return Err(format!(
                "{said}\nthe rows together {:#?}\napart {:#?}",
                dump(&batched.location),
                dump(&single.location)
            ));
        }
        Ok(())
    });
}

#[test]
fn members_swap_names_within_one_batch_if_the_order_allows_it() {
    let dir = temp_dir();
    let place = place(&dir, "userman.db");
    let replies = send_bodies(
        &place,
        &[
            "action=ADD&siteid=1&memberid=71&username=bob&password=one",
            "action=ADD&siteid=1&memberid=72&username=ann&password=two",
            "action=CHANGE&siteid=1&memberid=71&new_username=ANN",
            "action=CHANGE&siteid=1&memberid=71&new_username=free",
            "action=CHANGE&siteid=1&memberid=72&new_username=Bob",
            "action=CHANGE&siteid=1&memberid=71&new_username=Ann",
        ],
    );
    let words: Vec<_> = replies.iter().map(|reply| reply.split('|').next().unwrap()).collect();
    assert_eq!(words, ["OK", "OK", "ERROR", "OK", "OK", "OK"], "{replies:#?}");
    assert!(replies[2].contains("72"), "{}", replies[2]);
    assert_eq!(look(&place, NAMES), ["1|71|Ann", "1|72|Bob"]);
}

#[test]
fn a_name_goes_from_hand_to_hand_within_one_batch() {
    let dir = temp_dir();
    let place = place(&dir, "userman.db");
    let replies = send_bodies(
        &place,
        &[
            "action=ADD&siteid=1&memberid=71&username=bob&password=one",
            "action=DELETE&siteid=1&memberid=71",
            "action=ADD&siteid=1&memberid=72&username=BOB&password=two",
            "action=ACTIVATE&siteid=1&memberid=71&username=bob",
            "action=EXPIRE&siteid=1&memberid=72&expire=2026-06-15",
            "action=ACTIVATE&siteid=1&memberid=71&username=bob",
            "action=CHANGE&siteid=1&memberid=71&new_username=BoB",
        ],
    );
    let words: Vec<_> = replies.iter().map(|reply| reply.split('|').next().unwrap()).collect();
    assert_eq!(words, ["OK", "OK", "OK", "ERROR", "OK", "OK", "OK"], "{replies:#?}");
    assert_eq!(look(&place, NAMES), ["1|71|BoB"]);
    assert_eq!(look(&place, "SELECT memberid, reason FROM former_member"), ["72|expired"]);
}

#[test]
fn a_row_that_the_schema_refuses_spoils_only_its_own_postback() {
    for (event, spoilt) in [
        (
            "INSERT ON member_auth WHEN new.username = 'spoilt'",
            "action=ADD&siteid=1&memberid=72&username=spoilt&password=x",
        ),
        (
            "UPDATE ON member_auth WHEN new.username = 'spoilt'",
            "action=CHANGE&siteid=1&memberid=71&new_username=spoilt",
        ),
        ("INSERT ON former_member WHEN new.memberid = 71", "action=DELETE&siteid=1&memberid=71"),
        ("DELETE ON member_auth WHEN old.memberid = 71", "action=DELETE&siteid=1&memberid=71"),
        (
            "INSERT ON journal WHEN new.memberid = 74",
            "action=ADD&siteid=1&memberid=74&username=dan&password=x",
        ),
    ] {
        let dir = temp_dir();
        let place = place(&dir, "userman.db");
        assert_eq!(
            send_bodies(&place, &["action=ADD&siteid=1&memberid=71&username=bob&password=x"]).len(),
            1
        );
        let trigger = format!(
            "CREATE TRIGGER sabotage BEFORE {event} BEGIN SELECT RAISE(ABORT, 'sabotage'); END"
        );
        write(place.location.file().unwrap(), &trigger);
        let replies = send_bodies(
            &place,
            &[
                "action=ADD&siteid=1&memberid=73&username=cy&password=x",
                spoilt,
                "action=CHANGE&siteid=1&memberid=73&new_username=cyd",
                "action=CHANGE&siteid=1&memberid=71&email=b@example.com",
            ],
        );
        let words: Vec<_> = replies.iter().map(|reply| reply.split('|').next().unwrap()).collect();
        assert_eq!(words, ["OK", "fault: constraint", "OK", "OK"], "{event}");
        assert_eq!(look(&place, NAMES), ["1|71|bob", "1|73|cyd"], "{event}");
        assert_eq!(
            look(&place, "SELECT email FROM member_auth WHERE memberid = 71"),
            ["b@example.com"],
            "{event}"
        );
        assert_eq!(look(&place, "SELECT * FROM former_member"), [""; 0], "{event}");
        assert_eq!(
            look(&place, "SELECT action, memberid FROM journal ORDER BY id"),
            ["ADD|71", "ADD|73", "CHANGE|73", "CHANGE|71"],
            "{event}"
        );
    }
}

#[test]
fn whoever_sent_the_spoilt_postback_is_told_that_nothing_was_changed_and_the_service_goes_on() {
    let app = App::start();
    let trigger =
        "CREATE TRIGGER sabotage BEFORE INSERT ON member_auth WHEN new.username = 'spoilt'
                   BEGIN SELECT RAISE(ABORT, 'sabotage'); END";
    write(app.config.location.file().unwrap(), trigger);
    let spoilt = post(&app, "action=ADD&siteid=1&memberid=72&username=spoilt&password=x");
    assert_eq!(spoilt, (503, "ERROR|temporarily unavailable, nothing was changed".into()));
    assert_eq!(
        app.post("action=ADD&siteid=1&memberid=71&username=bob&password=x"),
        "OK|member 71 \"bob\" added to site 1"
    );
    assert_eq!(app.rows("SELECT memberid FROM journal"), ["71"]);
    write(app.config.location.file().unwrap(), "DROP TRIGGER sabotage");
    assert_eq!(post(&app, "action=ADD&siteid=1&memberid=72&username=spoilt&password=x").0, 200);
}

fn post(app: &App, body: &str) -> (u16, String) {
    let response = crate::support::post_to(app.address, TOKEN, body.as_bytes()).unwrap();
    (response.status, response.body)
}

#[test]
fn a_row_that_cannot_be_read_spoils_only_the_postbacks_about_it() {
    for (damage, why) in [
        (
            "UPDATE member_auth SET username = '' WHERE memberid = 71",
            "username is empty, too long or has control characters",
        ),
        (
            "UPDATE member_auth SET cryptpass = 'nonsense' WHERE memberid = 71",
            "cryptpass is of no known form",
        ),
        ("UPDATE member_auth SET before = 5 WHERE memberid = 71", "before is a number"),
    ] {
        let dir = temp_dir();
        let place = place(&dir, "userman.db");
        send_bodies(&place, &["action=ADD&siteid=1&memberid=71&username=bob&password=x"]);
        write(place.location.file().unwrap(), damage);
        let replies = send_bodies(
            &place,
            &[
                "action=ADD&siteid=1&memberid=72&username=ann&password=x",
                "action=DELETE&siteid=1&memberid=71",
                "action=UPGRADE",
                "action=CHANGE&siteid=1&memberid=72&new_username=anna",
            ],
        );
        assert_eq!(replies[1], format!("fault: bad row, {why}"));
        let words: Vec<_> =
            replies.iter().map(|reply| reply.split(['|', ':']).next().unwrap()).collect();
        assert_eq!(words, ["OK", "fault", "ERROR", "OK"], "{damage}");
        assert_eq!(
            look(&place, "SELECT username FROM member_auth WHERE memberid = 72"),
            ["anna"],
            "{damage}"
        );
        assert_eq!(look(&place, "SELECT count(*) FROM journal"), ["4"], "{damage}");
    }
}

#[test]
fn an_empty_file_is_a_database_whose_making_was_interrupted_and_is_finished() {
    for interrupted_after in ["", "PRAGMA journal_mode = WAL"] {
        let dir = temp_dir();
        let place = place(&dir, "userman.db");
        std::fs::File::create(place.location.file().unwrap()).unwrap();
        write(place.location.file().unwrap(), interrupted_after);
        let replies =
            send_bodies(&place, &["action=ADD&siteid=1&memberid=71&username=bob&password=x"]);
        assert_eq!(replies, ["OK|member 71 \"bob\" added to site 1"], "{interrupted_after}");
        assert_eq!(look(&place, "PRAGMA integrity_check"), ["ok"]);
        assert_eq!(look(&place, "PRAGMA user_version"), ["8"]);
    }
}

#[test]
fn the_real_program_finishes_an_interrupted_database_too() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::File::create(data.join("userman.db")).unwrap();
    let mut service = Program::serve(&data, &[]);
    let reply = service.post("action=ADD&siteid=1&memberid=71&username=bob&password=x").unwrap();
    assert_eq!(reply.body, "OK|member 71 \"bob\" added to site 1");
    assert!(service.terminate().success());
}

/// All files of a directory, without `-shm`: every connection writes its locks into it, also a
/// read-only one, and SQLite creates it again from the WAL. An empty WAL counts as no WAL.
pub fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| !name(entry).ends_with("-shm"));
    let read = files.map(|entry| (name(&entry), std::fs::read(entry.path()).unwrap()));
    read.filter(|(name, bytes)| !(name.ends_with("-wal") && bytes.is_empty())).collect()
}

/// A data directory that a service has used and that this SQL has changed.
fn served_then(sql: &str) -> TempDir {
    let app = App::start_in(temp_dir(), &[]);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=x");
    app.harden();
    let dir = app.stop();
    write(&dir.path().join("data/userman.db"), sql);
    dir
}

/// Checks that `serve` refuses to start, in one line that contains this, with this exit code, and
/// without changing a file.
pub fn refuses_to_serve(data: &Path, code: i32, says: &[&str]) {
    let before = files(data);
    let stderr = match Program::run(program(), data, &[]) {
        Ok(_) => panic!("it started"),
        Err(stderr) => stderr,
    };
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    for part in says {
        assert!(stderr.contains(part), "expected {part:?} in {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
    let again = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--postback-token", TOKEN, "--data-dir"])
        .arg(data)
        .output();
    assert_eq!(again.unwrap().status.code(), Some(code));
    let after = files(data);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before == after, "a file was changed");
}

#[test]
fn a_database_of_a_newer_release_is_refused_and_left_alone() {
    let dir = served_then("PRAGMA user_version = 9");
    let data = dir.path().join("data");
    let location = nats_userman::store::Location::sqlite(data.join("userman.db"));
    let before = files(&data);
    let newer = |error: &OpenError| {
        matches!(error, OpenError::Upgrade(_, UpgradeError::Newer { found: 9 }))
    };
    assert!(newer(&with_engine(&location, true, |_| ()).unwrap_err()));
    assert!(newer(&open_reader(&location).unwrap_err()));
    assert!(files(&data) == before, "a file was changed");
    let message = "it has version 9, and this release supports versions up to 8; install the newer \
        release again";
    refuses_to_serve(&data, 1, &["userman.db", message]);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    for sql in [
        // The application id of another program, or none with an unknown version.
        "PRAGMA application_id = 42",
        "PRAGMA application_id = 0; PRAGMA user_version = 0",
        "PRAGMA user_version = 0",
    ] {
        let dir = served_then(sql);
        refuses_to_serve(
            &dir.path().join("data"),
            2,
            &["userman.db", "it is a database of another program"],
        );
    }
    let dir = temp_dir();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    write(&data.join("userman.db"), "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
    let location = nats_userman::store::Location::sqlite(data.join("userman.db"));
    let before = files(&data);
    let foreign = |error: &OpenError| matches!(error, OpenError::Upgrade(_, UpgradeError::Foreign));
    assert!(foreign(&with_engine(&location, true, |_| ()).unwrap_err()));
    assert!(foreign(&open_reader(&location).unwrap_err()));
    assert!(files(&data) == before, "a file was changed");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("userman.db"), "a shopping list\n".repeat(300)).unwrap();
    let location = nats_userman::store::Location::sqlite(data.join("userman.db"));
    let before = files(&data);
    assert!(matches!(with_engine(&location, true, |_| ()).unwrap_err(), OpenError::Damaged(..)));
    assert!(matches!(open_reader(&location).unwrap_err(), OpenError::Damaged(..)));
    assert!(files(&data) == before, "a file was changed");
}

#[test]
fn a_reader_never_makes_a_database() {
    let dir = temp_dir();
    let place = place(&dir, "userman.db");
    assert!(matches!(open_reader(&place.location).unwrap_err(), OpenError::Missing(_)));
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_transaction_that_is_given_up_leaves_nothing() {
    let dir = temp_dir();
    let place = place(&dir, "userman.db");
    send_bodies(&place, &["action=ADD&siteid=1&memberid=71&username=bob&password=x"]);
    let before = dump(&place.location);
    with_engine(&place.location, false, |engine| {
        engine.begin().unwrap();
        let postback = read(&place, "action=DELETE&siteid=1&memberid=71");
        nats_userman::apply::apply(engine, &place.rules.vault, &[&postback], NOON.into()).unwrap();
        engine.rollback();
        // The engine can be used for the next transaction.
        in_transaction(engine, |engine| engine.probe(NOON)).unwrap();
    })
    .unwrap();
    assert_eq!(dump(&place.location), before);
}

#[test]
fn thousands_who_expire_at_one_instant_move_some_at_a_time_and_count_as_gone_at_once() {
    let app = App::start();
    app.post("action=ADD&siteid=1&memberid=1&username=m1&password=secret");
    app.harden();
    let midnight = NOON + 43_200;
    let writer = Connection::open(app.config.location.file().unwrap()).unwrap();
    writer
        .execute_batch(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO member_auth (siteid, memberid, username, password, trial, expire_at)
             SELECT 1, i, 'm' || i, password, 0, {midnight} FROM n, member_auth"
        ))
        .unwrap();
    // No row has been moved yet: the writer does that later.
    app.set_unix_unnoticed(midnight);
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=m2999"),
        "NOTOK|username \"m2999\" is free on site 1"
    );
    assert_eq!(
        app.post("action=MANUALADD&siteid=1&memberid=9000&username=M3000&password=other"),
        "OK|member 9000 \"M3000\" added to site 1",
        "the name of one who is due is free"
    );
    assert_eq!(
        app.post("action=CHANGE&siteid=1&memberid=2998&new_trial=1"),
        "ERROR|member 2998 is not a member of site 1 now, nothing was changed"
    );
    eventually("all have moved, and not the ones who stay", || {
        app.rows("SELECT memberid FROM member_auth ORDER BY memberid") == ["1", "9000"]
    });
    let gone = "SELECT count(*), min(reason), max(reason), min(ended_at), max(ended_at) FROM \
        former_member";
    assert_eq!(app.rows(gone), [format!("2999|expired|expired|{midnight}|{midnight}")]);
}
