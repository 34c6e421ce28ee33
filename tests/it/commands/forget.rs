//! `member forget` and `member export`, with the real program beside a running service.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::replay::{export, open};
use super::run_on;
use super::terminal::Terminal;
use crate::engines::forget::{MARKS, Place};
use crate::support::{EngineKind, eventually, rows, temp_dir};

#[test]
fn a_replay_of_the_journal_gives_the_table_without_the_forgotten_member() {
    let from = super::replay::told();
    let (from, dir) = (from.path().join("data"), temp_dir());
    for key in [["1", "72"], ["2", "71"], ["3", "1"]] {
        let args = [&["member", "forget"][..], &key, &["--yes"]].concat();
        let ran = run_on(&from, &args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let file = export(&from, dir.path());
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(from.join("seal.key"), data.join("seal.key")).unwrap();
    let ran = run_on(&data, &["replay", "--journal", &file]);
    assert!(ran.code == Some(0) && ran.err.is_empty(), "{ran:?}");
    let tables = |data: &Path| {
        let conn = open(data);
        let tables = ["member_auth", "former_member"];
        tables.map(|table| rows(&conn, &format!("SELECT * FROM {table}"))).concat()
    };
    assert_eq!(tables(&data), tables(&from));
    assert_eq!(tables(&data).len(), 1, "bob");
    let journal = |data: &Path| {
        let lines = run_on(data, &["journal", "--json"]).printed();
        let record = |line: &str| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            // A replay numbers the records anew, without gaps.
            record.as_object_mut().unwrap().remove("id");
            record
        };
        lines.lines().map(record).collect::<Vec<_>>()
    };
    assert_eq!(journal(&data), journal(&from));
}

#[test]
fn without_a_terminal_it_wants_yes_and_on_a_terminal_it_asks() {
    let Some(place) = Place::on(EngineKind::Sqlite) else { return };
    assert!(place.tell_bob().starts_with("OK|"));
    place.run(&["member", "forget", "1", "71"]).ended(
        2,
        "nats-userman: member forget: expected --yes, because there is no terminal to ask on; \
         nothing was changed\n",
    );
    let ask = |answer: &str| {
        let terminal = Terminal::new();
        let mut command = place.command(&["member", "forget", "1", "71"]);
        terminal.take(&mut command);
        command.stderr(terminal.stdio());
        let mut child = command.spawn().unwrap();
        let said = terminal.read_until("Type yes to go on: ");
        assert!(said.contains("This removes 1 row, 1 journal record of member 71"), "{said}");
        terminal.type_line(answer);
        child.wait().unwrap().code()
    };
    assert_eq!(ask("no"), Some(1));
    assert_eq!(place.rows("SELECT count(*) FROM member_auth"), ["1"]);
    assert_eq!(ask("yes"), Some(0));
    assert_eq!(place.rows("SELECT count(*) FROM member_auth"), ["0"]);
}

#[test]
fn the_places_that_it_cannot_reach_are_named() {
    let Some(place) = Place::on(EngineKind::Sqlite) else { return };
    assert!(place.tell_bob().starts_with("OK|"));
    let add = "action=ADD&siteid=2&memberid=71&username=bob&password=secret";
    assert!(place.post(add).starts_with("OK|"));
    let backups = place.dir.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let backups = backups.to_str().unwrap();
    place.run(&["backup", backups]).printed();
    let copy = place.data().join("userman.db.v5");
    fs::write(&copy, "a copy of an upgrade").unwrap();
    let said = place
        .run(&["member", "forget", "1", "71", "--yes", "--json", "--backup-dir", backups])
        .printed();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said["not_removed"],
        json!([
            "the rows of memberid 71 of other sites (2): run this command for each of them",
            format!("copies of the database: {}", copy.display()),
            format!("1 backup in {backups}"),
            "the log of the service (with the unit, journalctl -u nats-userman) and the logs of \
             the web server",
            "captures, exports and journals that were written to files",
            "NATS itself, and logins that were reported to it",
        ])
    );
    assert_eq!((&said["removed"]["rows"], &said["wal_is_clear"]), (&json!(1), &json!(true)));
}

#[test]
fn a_reader_that_holds_the_wal_is_named_and_a_second_run_clears_it() {
    let Some(place) = Place::on(EngineKind::Sqlite) else { return };
    assert!(place.tell_bob().starts_with("OK|"));
    let reader = Connection::open(place.data().join("userman.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM member_auth").unwrap();
    let ran = place.forget();
    assert_eq!(ran.code, Some(1));
    let process = std::process::id();
    assert_eq!(
        ran.err,
        format!(
            "nats-userman: the rows are removed, but the WAL still has former pages with them, \
             because process {process} reads the database: end it, and run this command again\n"
        )
    );
    let marks: Vec<String> = MARKS.map(str::to_owned).into();
    assert_ne!(place.found(&marks), [""; 0]);
    drop(reader);
    place.forget().printed();
    assert_eq!(place.found(&marks), [""; 0]);
}

/// Kills the command when a condition is true, at other moments in each round. The command waits
/// for notes of the service, so that rounds with services of their own run at once.
#[test]
fn a_kill_at_any_moment_leaves_all_or_nothing_and_a_second_run_completes_it() {
    std::thread::scope(|scope| {
        for first in 0..6 {
            scope.spawn(move || kill_in_rounds(&[first, first + 6]));
        }
    });
}

fn kill_in_rounds(rounds: &[u32]) {
    let Some(place) = Place::on(EngineKind::Sqlite) else { return };
    let marks: Vec<String> = MARKS.map(str::to_owned).into();
    let counts = || {
        place.rows(
            "SELECT (SELECT count(*) FROM member_auth WHERE memberid = 71), \
             (SELECT count(*) FROM journal WHERE memberid = 71)",
        )
    };
    for round in rounds {
        assert!(place.tell_bob().starts_with("OK|"), "round {round}");
        let mut command = place.command(&["member", "forget", "1", "71", "--yes"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        match round % 3 {
            // So early or late as this machine happens to be.
            0 => (0..round * 4).for_each(|_| drop(counts())),
            1 => eventually("the row is gone", || {
                counts() == ["0|0"] || child.try_wait().unwrap().is_some()
            }),
            _ => {}
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!([["1|1"], ["0|0"]].contains(&[&counts()[0]]), "round {round}: {:?}", counts());
        let ran = place.forget();
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "round {round}");
        assert_eq!(counts(), ["0|0"], "round {round}");
        assert_eq!(place.found(&marks), [""; 0], "round {round}");
    }
}
