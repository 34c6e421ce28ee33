//! `journal`: the recorded postbacks, filtered and exported.

use std::process::Stdio;

use rusqlite::Connection;

use super::{Ran, run_on, without_times};
use crate::support::{App, program};

/// A data directory with six records: three at noon, three at one o'clock (2026-06-15, UTC).
fn story() -> tempfile::TempDir {
    let app = App::start();
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret&session=4b23");
    app.post("action=ADD&siteid=2&memberid=71&username=BOB&cryptpass=41R19prsa7NLQ");
    app.post("action=FROBNICATE&siteid=1&memberid=71");
    app.set_time("2026-06-15 13:00:00");
    app.post("action=ADD&siteid=1&memberid=72&username=Bob&password=secret");
    app.post("action=EXPIRE&siteid=1&memberid=71&expire=2099-01-01");
    app.post("action=DELETE&siteid=2&memberid=71&username=bob");
    app.post("action=CHECK&siteid=1&username=bob");
    app.harden();
    app.stop()
}

#[test]
fn the_journal_is_listed_in_the_order_of_effect() {
    let dir = story();
    let data = dir.path().join("data");
    assert_eq!(
        run_on(&data, &["journal", "--site", "1"]).printed(),
        "2026-06-15T12:00:00Z  ADD         1  OK|member 71 \"bob\" added to site 1\n    from \
         127.0.0.1: action=ADD&siteid=1&memberid=71&username=bob&password=***&session=***\n\
         2026-06-15T12:00:00Z  -           3  ERROR|action: expected ADD, MANUALADD, TRIALTOFULL, \
         CHANGE, DELETE, EXPIRE, CHECK or ACTIVATE, found \"FROBNICATE\"\n    from 127.0.0.1: \
         action=FROBNICATE&siteid=1&memberid=71\n\
         2026-06-15T13:00:00Z  ADD         4  ERROR|username \"Bob\" is held by member 71 of site \
         1, nothing was changed for \
         member 72\n    from 127.0.0.1: action=ADD&siteid=1&memberid=72&username=Bob&password=***\n\
         2026-06-15T13:00:00Z  EXPIRE      5  OK|member 71 \"bob\" of site 1 will expire at \
         2099-01-01T00:00:00Z\n    \
         from 127.0.0.1: action=EXPIRE&siteid=1&memberid=71&expire=2099-01-01\n"
    );
}

#[test]
fn filters_choose_records_and_can_be_combined() {
    let dir = story();
    let data = dir.path().join("data");
    for (flags, ids) in [
        ("", &[1, 2, 3, 4, 5, 6][..]),
        ("--site 1", &[1, 3, 4, 5]),
        ("--site 3", &[]),
        ("--member 72", &[4]),
        ("--site 2 --member 71", &[2, 6]),
        ("--username bOb", &[1, 2, 4, 6]),
        ("--username bo", &[]),
        ("--action ADD", &[1, 2, 4]),
        ("--action expire", &[5]),
        ("--action CHECK", &[]),
        ("--reply ERROR", &[3, 4]),
        ("--reply ok", &[1, 2, 5, 6]),
        ("--reply NOTOK", &[]),
        ("--since 1781528400", &[4, 5, 6]),
        ("--until 1781528400", &[1, 2, 3]),
        ("--since 2026-06-15 --until 2026-06-16", &[1, 2, 3, 4, 5, 6]),
        ("--since 2026-06-16", &[]),
        ("--since 2026-06-15 --time-zone America/Los_Angeles", &[1, 2, 3, 4, 5, 6]),
        ("--until 2026-06-16 --time-zone Pacific/Kiritimati", &[]),
        ("--site 1 --action ADD --reply OK --until 1781528400", &[1]),
    ] {
        let args: Vec<&str> =
            ["journal", "--json"].into_iter().chain(flags.split_ascii_whitespace()).collect();
        let printed = run_on(&data, &args).printed();
        let found: Vec<u64> = printed
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap()
            })
            .collect();
        assert_eq!(found, ids, "{flags}");
    }
    let spaced = run_on(&data, &["journal", "--since", "2026-06-15 13:00:00"]).printed();
    assert_eq!(without_times(&spaced).matches("TIME  ").count(), 3, "{spaced}");
}

#[test]
fn json_has_the_columns_under_their_names_and_leaves_out_what_is_null() {
    let dir = story();
    let printed = run_on(&dir.path().join("data"), &["journal", "--json"]).printed();
    let records: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hash = records[0]["password"].as_str().unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    assert_eq!(
        records[0],
        serde_json::json!({
            "id": 1, "at": 1_781_524_800, "sourc\
                e": "nats", "address": "127.0.0.1", "action": "ADD", "siteid": 1, "memberid": 71,
            "username": "bob", "field\
                s": "action=ADD&siteid=1&memberid=71&username=bob&password=***&session=***",
            "reply": "OK|member 71 \"bob\" added to site 1", "password": hash,
            "session_sha256": "cf81e95d0bb11a6f4e9e70efa45d486f241a43cb9c0656b1b654771c2cfe8237",
        })
    );
    assert!(records[1]["cryptpass_wrapped"].is_string() && records[1]["password"].is_null());
    assert_eq!(
        records[2],
        serde_json::json!({
            "id": 3, "at": 1_781_524_800, "sourc\
                e": "nats", "address": "127.0.0.1", "siteid": 1, "memberid": 71,
            "fields": "action=FROBNICATE&siteid=1&memberid=71",
            "reply": "ERROR|action: expected ADD, MANUALADD, TRIALTOFULL, CHANGE, DELETE, EXPIRE, \
                CHECK or ACTIVATE, found \"FROBNICATE\"",
        })
    );
    assert_eq!(records[4]["expire_at"], 4_070_908_800_u64);
}

/// Another program has written to three records: the number of an unknown shape, text that is not
/// UTF-8, and a session that is not a hash.
#[test]
fn records_that_cannot_be_read_are_named_and_the_others_are_printed() {
    let dir = story();
    let data = dir.path().join("data");
    let conn = Connection::open(data.join("userman.db")).unwrap();
    conn.execute_batch(
        "UPDATE journal SET fields = '~999&=' WHERE id = 2;
         UPDATE journal SET username = CAST(x'62ff' AS TEXT) WHERE id = 3;
         UPDATE journal SET session_sha256 = x'00' WHERE id = 5",
    )
    .unwrap();
    drop(conn);
    let ids = |ran: &Ran| -> Vec<String> {
        let lines = ran.out.lines().filter_map(|line| line.split_once("\"id\":"));
        lines.map(|(_, rest)| rest.split(',').next().unwrap().to_owned()).collect()
    };
    let all = run_on(&data, &["journal", "--json"]);
    assert_eq!((all.code, ids(&all)), (Some(1), ["1", "4", "6"].map(String::from).to_vec()));
    let lines: Vec<&str> = all.err.lines().collect();
    for (line, id, why) in [
        (lines[0], 2, "the fields of journal record 2 fit no shape"),
        (lines[1], 3, "invalid utf-8"),
        (lines[2], 5, "Cannot read 32 byte value"),
    ] {
        let begins = format!(
            "nats-userman: left out: journal record {id} cannot be read: the database holds a row \
             that cannot be read: "
        );
        assert!(line.starts_with(&begins) && line.contains(why), "{line}");
    }
    assert_eq!(lines.len(), 3, "{}", all.err);
    let by_name = run_on(&data, &["journal", "--json", "--username", "bob", "--site", "1"]);
    assert_eq!((by_name.code, ids(&by_name)), (Some(0), ["1", "4"].map(String::from).to_vec()));
    let shown = run_on(&data, &["member", "show", "1", "71"]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.out.contains("ADD         1  OK|member 71"), "{}", shown.out);
    assert!(shown.err.contains("journal record 5 cannot be read"), "{}", shown.err);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = story();
    for args in [
        &["journal"][..],
        &["journal", "--json"],
        &["member", "list"],
        &["member", "show", "1", "71"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = program();
        command
            .args(args)
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .stdout(writer)
            .stderr(Stdio::piped());
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]), "{args:?}");
    }
}
