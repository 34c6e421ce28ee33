//! `journal | less` and similar commands: a list that stays open for hours must not keep the WAL
//! from being restarted.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;

use super::replay::write;
use super::run_on;
use crate::support::{program, rows, temp_dir};

const MEMBERS: usize = 1_500;

/// 1,500 postbacks of this action. The names are so long that one page of any list exceeds the pipe
/// and all buffers before it.
fn postbacks(action: &str) -> String {
    let name = "x".repeat(200);
    (1..=MEMBERS)
        .map(|id| {
            format!("action={action}&siteid=1&memberid={id}&username={name}{id}&password=secret\n")
        })
        .collect()
}

/// The number of lines of the list. A checkpoint empties the WAL while the reader of the list does
/// not read.
fn lines_with_a_checkpoint_between(data: &Path, args: &[&str]) -> usize {
    let mut command = program();
    command.args(args).arg("--data-dir").arg(data).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    // The first page is being printed, and the program waits for its reader.
    let mut first = [0];
    out.read_exact(&mut first).unwrap();
    let conn = Connection::open(data.join("userman.db")).unwrap();
    // A change that is newer than what the list reads.
    conn.execute_batch("UPDATE health SET probed_at = probed_at + 1").unwrap();
    let log = data.join("userman.db-wal");
    assert!(log.metadata().unwrap().len() > 0);
    assert_eq!(rows(&conn, "PRAGMA wal_checkpoint(TRUNCATE)"), ["0|0|0"], "{args:?}");
    assert_eq!(log.metadata().unwrap().len(), 0, "{args:?}");
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    text.lines().count()
}

/// Regression: one read transaction lasted from the first line of a list to the last one.
#[test]
fn while_the_reader_of_a_list_stands_still_the_log_can_be_emptied() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    run_on(&data, &["replay", &write(dir.path(), "adds", postbacks("ADD"))]).printed();
    assert_eq!(lines_with_a_checkpoint_between(&data, &["member", "list"]), MEMBERS + 1);
    assert_eq!(
        lines_with_a_checkpoint_between(&data, &["member", "list", "--site", "1"]),
        MEMBERS + 1
    );
    assert_eq!(lines_with_a_checkpoint_between(&data, &["journal"]), 2 * MEMBERS);
    run_on(&data, &["replay", &write(dir.path(), "deletes", postbacks("DELETE"))]).printed();
    assert_eq!(
        lines_with_a_checkpoint_between(&data, &["member", "list", "--former"]),
        MEMBERS + 1
    );
    assert_eq!(lines_with_a_checkpoint_between(&data, &["journal", "--json"]), 2 * MEMBERS);
    assert_eq!(
        lines_with_a_checkpoint_between(&data, &["journal", "--json", "--action", "DELETE"]),
        MEMBERS
    );
}

/// No row may be lost or repeated between two pages.
#[test]
fn a_list_of_several_pages_has_every_row_once_and_in_order() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    // One row more than two pages on the first site. The second site begins on the page on which
    // the first site ends.
    let add = |site: usize, id: usize| {
        format!("action=ADD&siteid={site}&memberid={id}&username=m{id}&password=secret\n")
    };
    let capture: String =
        (1..=2_001).map(|id| add(1, id)).chain((1..=3).map(|id| add(7, id))).collect();
    run_on(&data, &["replay", &write(dir.path(), "adds", capture)]).printed();
    let list = |args: &[&str]| -> Vec<String> {
        let printed = run_on(&data, args).printed();
        printed
            .lines()
            .skip(1)
            .map(|line| line.split('\t').take(2).collect::<Vec<_>>().join("/"))
            .collect()
    };
    let (one, seven) =
        ((1..=2_001).map(|id| format!("1/{id}")), (1..=3).map(|id| format!("7/{id}")));
    assert_eq!(list(&["member", "list"]), one.clone().chain(seven.clone()).collect::<Vec<_>>());
    assert_eq!(list(&["member", "list", "--site", "1"]), one.collect::<Vec<_>>());
    assert_eq!(list(&["member", "list", "--site", "7"]), seven.collect::<Vec<_>>());
    assert_eq!(list(&["member", "list", "--site", "6"]), [""; 0]);
    let journal = run_on(&data, &["journal", "--json"]).printed();
    let id = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap()
    };
    assert_eq!(journal.lines().map(id).collect::<Vec<_>>(), (1..=2_004).collect::<Vec<_>>());
}
