//! `replay` of captures that come through a pipe, and of captures that it cannot read to their end.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;

use super::replay::{open, write};
use super::{Ran, end, run_on};
use crate::support::{Program, TOKEN, program, rows, temp_dir};

const AGAIN: &str = "; everything before it was applied; fix the cause and replay the whole \
    capture again, repeats are harmless\n";

/// Runs the program with this text on standard input, through a pipe. It must fit into the buffer
/// of a pipe (64 KiB).
pub fn run_with_input(data: &Path, args: &[&str], input: &[u8]) -> Ran {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(input).unwrap();
    drop(writer);
    let mut command = program();
    command.args(args).arg("--data-dir").arg(data).stdin(reader);
    end(command)
}

/// Regression: a capture was opened twice, once to find its layout and once to read it. From a
/// pipe, the second open got no data.
#[test]
fn a_capture_is_taken_from_a_pipe_whatever_its_layout_is() {
    let bodies = "action=ADD&siteid=1&memberid=71&username=bob&password=secret\n\
        action=CHECK&siteid=1&username=bob\n";
    let lines = "\nsiteid=1\nmemberid=71\nusername=bob\npassword=secret\naction=ADD\n\n\
        action=CHECK\nsiteid=1\nusername=bob\n";
    for capture in [bodies, lines] {
        for name in ["-", "/dev/stdin"] {
            let dir = temp_dir();
            let ran = run_with_input(dir.path(), &["replay", name], capture.as_bytes());
            assert_eq!(ran.printed(), "2 OK, 0 NOTOK, 0 ERROR\n", "{name}: {capture}");
            assert_eq!(
                rows(&open(dir.path()), "SELECT memberid, username FROM member_auth"),
                ["71|bob"]
            );
            let ran =
                run_with_input(dir.path(), &["replay", "--dry-run", name], capture.as_bytes());
            assert!(ran.printed().ends_with("\n2 OK, 0 NOTOK, 0 ERROR; nothing was changed\n"));
        }
    }
}

#[test]
fn an_error_of_standard_input_has_its_line() {
    let dir = temp_dir();
    let input = b"action=ADD&siteid=1&memberid=71&username=bob&password=secret\n\n\
        action=CHANGE&siteid=1&memberid=72\n";
    assert_eq!(
        run_with_input(dir.path(), &["replay", "-"], input).printed_with_errors(1, 2),
        "-:3: ERROR|member 72 is not a member of site 1 now, nothing was changed\n1 OK, 0 NOTOK, \
         1 ERROR\n"
    );
}

#[test]
fn standard_input_may_be_a_file() {
    let dir = temp_dir();
    let file = write(
        dir.path(),
        "lines",
        "action=ADD\nsiteid=1\nmemberid=71\nusername=bob\npassword=secret\n",
    );
    let mut command = program();
    command
        .args(["replay", "-", "--data-dir"])
        .arg(dir.path().join("data"))
        .stdin(fs::File::open(file).unwrap());
    assert_eq!(end(command).printed(), "1 OK, 0 NOTOK, 0 ERROR\n");
}

#[test]
fn a_journal_is_taken_from_a_pipe() {
    let from = super::replay::told();
    let dir = temp_dir();
    let journal = run_on(&from.path().join("data"), &["journal", "--json"]).printed();
    fs::copy(from.path().join("data/seal.key"), dir.path().join("seal.key")).unwrap();
    let ran = run_with_input(dir.path(), &["replay", "--journal", "-"], journal.as_bytes());
    assert_eq!(ran.printed(), "12 OK, 0 NOTOK, 2 ERROR\n");
}

/// Some editors, and most programs on Windows, write a byte order mark before UTF-8. The first line
/// was then not recognised as an action.
#[test]
fn a_byte_order_mark_before_a_capture_is_skipped() {
    let dir = temp_dir();
    for capture in [
        "action=ADD\nsiteid=1\nmemberid=71\nusername=bob\npassword=secret\n",
        "action=CHECK&siteid=1&username=bob\n",
    ] {
        let file = write(dir.path(), "capture", format!("\u{feff}{capture}"));
        assert_eq!(
            run_on(&dir.path().join("data"), &["replay", &file]).printed(),
            "1 OK, 0 NOTOK, 0 ERROR\n"
        );
    }
}

/// 300 members, which is more than one transaction takes, and then a line that no member can have:
/// the NULL of a database.
fn many_and_a_bad_line() -> String {
    let add =
        |id| format!("action=ADD\nsiteid=1\nmemberid={id}\nusername=m{id}\npassword=secret\n\n");
    (1..=300).map(add).collect::<String>() + "NULL\n\n" + &add(301)
}

#[test]
fn a_bad_line_ends_a_replay_with_the_counts_and_the_place_and_what_stands_before_it_is_applied() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let capture = many_and_a_bad_line();
    let file = write(dir.path(), "members", &capture);
    for counts in ["300 OK, 0 NOTOK, 0 ERROR\n"; 2] {
        let ran = run_on(&data, &["replay", &file]);
        ran.ended(
            1,
            &format!("nats-userman: {file}:1801: expected name=value or a blank line{AGAIN}"),
        );
        assert_eq!(ran.out, counts);
        assert_eq!(
            rows(&open(&data), "SELECT count(*), max(memberid) FROM member_auth"),
            ["300|300"]
        );
    }
    let mended = write(dir.path(), "members", capture.replace("NULL\n\n", ""));
    assert_eq!(run_on(&data, &["replay", &mended]).printed(), "301 OK, 0 NOTOK, 0 ERROR\n");

    let ran = run_on(
        &data,
        &[
            "replay",
            "--dry-run",
            &write(dir.path(), "bad", "action=CHECK\nsiteid=1\nusername=a\n\nNULL\n"),
        ],
    );
    ran.ended(
        1,
        &format!(
            "nats-userman: {}/bad:5: expected name=value or a blank line\n",
            dir.path().display()
        ),
    );
}

#[test]
fn a_replay_to_a_url_that_ends_early_says_how_far_it_went() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let program = Program::serve(&data, &[]);
    let url = format!("http://{}/postback/{TOKEN}", program.address);
    let capture = "action=ADD\nsiteid=1\nmemberid=1\nusername=bob\npassword=secret\n\n\
        action=CHECK\nsiteid=1\nusername=ann\n\nNULL\n";
    let file = write(dir.path(), "members", capture);
    let ran = run_on(&data, &["replay", "--to", &url, &file]);
    ran.ended(1, &format!("nats-userman: {file}:11: expected name=value or a blank line{AGAIN}"));
    assert_eq!(ran.out, "1 OK, 1 NOTOK, 0 ERROR\n");
}

#[test]
fn a_fault_of_the_database_ends_a_replay_at_the_postback_that_met_it() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    run_on(&data, &["replay", &write(dir.path(), "none", "action=CHECK&siteid=1&username=a\n")])
        .printed();
    let trigger = "CREATE TRIGGER broken BEFORE INSERT ON member_auth WHEN NEW.memberid = 3 BEGIN \
        SELECT RAISE(ABORT, 'broken'); END";
    Connection::open(data.join("userman.db")).unwrap().execute_batch(trigger).unwrap();
    let add = |id| format!("action=ADD&siteid=1&memberid={id}&username=m{id}&password=secret\n");
    let file = write(
        dir.path(),
        "bodies",
        format!("{}action=CHECK&siteid=1&username=x\n\n{}", add(1), add(2) + &add(3)),
    );
    let ran = run_on(&data, &["replay", &file]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "2 OK, 1 NOTOK, 0 ERROR\n"), "{ran:?}");
    assert!(
        ran.err.starts_with(&format!("nats-userman: {file}:5: the schema refused a row: ")),
        "{ran:?}"
    );
    assert!(ran.err.ends_with(AGAIN) && ran.err.lines().count() == 1, "{ran:?}");
    assert_eq!(rows(&open(&data), "SELECT memberid FROM member_auth"), ["1", "2"]);
}

/// If the output was piped to `head`, the rest of the capture was not applied, and the exit code
/// was 0.
#[test]
fn a_replay_whose_output_is_closed_does_not_pretend_to_be_done() {
    let dir = temp_dir();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let file = write(dir.path(), "bodies", "action=CHANGE&siteid=1&memberid=1\n");
    let mut command = program();
    command
        .args(["replay", &file, "--data-dir"])
        .arg(dir.path().join("data"))
        .stdout(writer)
        .stderr(Stdio::piped());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said),
        (Some(1), format!("nats-userman: {file}:1: the output was closed{AGAIN}"))
    );
}
