//! `replay --journal` of a journal that was edited is refused as a whole. The error names line and
//! column, and does not show the content.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::replay::{export, state, told, write};
use super::{Ran, run_on};
use crate::support::{App, Request, TOKEN, temp_dir};

/// A journal, and an empty data directory with its key.
struct Story {
    dir: TempDir,
    records: Vec<Value>,
}

impl Story {
    fn tell() -> Self {
        let from = told();
        let (from, dir) = (from.path().join("data"), temp_dir());
        let text = fs::read_to_string(export(&from, dir.path())).unwrap();
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::copy(from.join("seal.key"), dir.path().join("data/seal.key")).unwrap();
        Self { dir, records }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Replays these records. Returns the name of their file, and how the command ended.
    fn replay(&self, records: &[Value]) -> (String, Ran) {
        let text: String = records.iter().map(|record| format!("{record}\n")).collect();
        let file = write(self.dir.path(), "edited.json", text);
        let ran = run_on(&self.data(), &["replay", "--journal", &file]);
        (file, ran)
    }

    /// The records, with one column of one record replaced.
    fn edited(&self, index: usize, column: &str, value: Value) -> Vec<Value> {
        let mut records = self.records.clone();
        records[index][column] = value;
        records
    }
}

fn is_empty(data: &Path) -> bool {
    state(data).is_empty()
}

/// The records of the story: 0 is an ADD with a hash, 1 an ADD with a wrapped cryptpass, 2 a
/// refused ADD, 4 an EXPIRE.
#[test]
fn an_edited_column_is_refused_by_its_line_and_name_and_nothing_is_applied() {
    let story = Story::tell();
    let seal = story.records.iter().position(|record| record["sealed"].is_string()).unwrap();
    let (form, fields, order) = (
        "expected what `journal --json` writes",
        "expected what the fields say",
        "expected a number above that of the record before",
    );
    let wrapped = story.records[1]["cryptpass_wrapped"].as_str().unwrap().replace("41 $", "4 $");
    for (index, column, value, expected) in [
        (0, "password", json!("hunter2"), form),
        (0, "password", json!("41R19prsa7NLQ"), form),
        (0, "password", json!(""), form),
        (0, "password", json!("$argon2id$v=19$m=999999999,t=2,p=1$c2FsdHNhbHQ$AAAA"), form),
        (1, "cryptpass_wrapped", json!("hunter2"), form),
        (1, "cryptpass_wrapped", json!(wrapped), form),
        (seal, "sealed", json!("68756e74657232"), form),
        (seal, "sealed", json!("hunter2"), form),
        (0, "cryptpass", json!("hunter2"), form),
        (2, "cryptpass", json!("41R19prsa7NLQ"), form),
        (0, "session_sha256", json!("4b23"), form),
        (0, "source", json!("hunter2"), form),
        (0, "address", json!("hunter2"), form),
        (0, "reply", json!("hunter2"), form),
        (0, "at", json!(-1), form),
        (0, "at", json!(253_402_300_800_i64), form),
        (0, "action", json!("DELETE"), fields),
        (0, "action", json!("hunter2"), fields),
        (0, "action", Value::Null, fields),
        (0, "siteid", json!(2), fields),
        (0, "siteid", json!(-1), fields),
        (1, "memberid", json!(71), fields),
        (0, "memberid", Value::Null, fields),
        (0, "username", json!("hunter2"), fields),
        (0, "username", json!("BOB"), fields),
        (0, "username", json!(""), fields),
        (0, "id", json!(0), order),
        (1, "id", json!(1), order),
        (2, "id", json!(1), order),
    ] {
        let (file, ran) = story.replay(&story.edited(index, column, value.clone()));
        ran.ended(1, &format!("nats-userman: {file}, line {}: {column}: {expected}\n", index + 1));
        assert_eq!(ran.out, "", "{column} {value}");
        assert!(is_empty(&story.data()), "{column} {value}");
    }
}

#[test]
fn fields_that_hold_a_secret_are_not_taken_into_the_journal() {
    let story = Story::tell();
    let fields =
        story.records[0]["fields"].as_str().unwrap().replace("password=***", "password=hunter2");
    let (file, ran) = story.replay(&story.edited(0, "fields", json!(fields)));
    ran.ended(
        1,
        &format!("nats-userman: {file}, line 1: fields: expected what `journal --json` writes\n"),
    );
    assert!(is_empty(&story.data()));
}

#[test]
fn a_record_without_its_time_or_with_an_unknown_column_is_none() {
    let story = Story::tell();
    for (column, value) in [("at", None), ("id", None), ("hunter", Some(json!(2)))] {
        let mut records = story.records.clone();
        let record = records[3].as_object_mut().unwrap();
        match value {
            None => record.remove(column),
            Some(value) => record.insert(column.to_owned(), value),
        };
        let (file, ran) = story.replay(&records);
        let said = format!(
            "nats-userman: {file}, line 4: expected a line of `journal --json` (line 1, column "
        );
        assert!(
            ran.code == Some(1) && ran.err.starts_with(&said) && !ran.err.contains("hunter"),
            "{ran:?}"
        );
        assert!(is_empty(&story.data()));
    }
}

#[test]
fn records_out_of_order_are_refused_also_from_one_file_to_the_next_and_gaps_are_not() {
    let story = Story::tell();
    let mut swapped = story.records.clone();
    swapped.swap(1, 2);
    let (file, ran) = story.replay(&swapped);
    ran.ended(
        1,
        &format!(
            "nats-userman: {file}, line 3: id: expected a number above that of the record before\n"
        ),
    );
    let line = |record: &Value| format!("{record}\n");
    let halves = [&story.records[6..], &story.records[..6]]
        .map(|half| half.iter().map(line).collect::<String>());
    let (second, first) =
        (write(story.dir.path(), "2", &halves[0]), write(story.dir.path(), "1", &halves[1]));
    let ran = run_on(&story.data(), &["replay", "--journal", &first, &first]);
    ran.ended(
        1,
        &format!(
            "nats-userman: {first}, line 1: id: expected a number above that of the record before\n"
        ),
    );
    assert!(is_empty(&story.data()));
    assert_eq!(
        run_on(&story.data(), &["replay", "--journal", &first, &second]).printed(),
        "12 OK, 0 NOTOK, 2 ERROR\n"
    );
}

/// For a body that is not a form, the journal has a text that is not urlencoded. Such a record was
/// not edited.
#[test]
fn a_record_of_a_body_that_is_no_form_is_taken() {
    let app = App::start();
    for (query, kind) in [
        ("", "application/json"),
        ("?siteid=1&x=1", "text/x+y; charset=utf-8"),
        ("", "multipart/form-data"),
    ] {
        let request = Request::post(&format!("/postback/{TOKEN}{query}"))
            .header("Content-Type", kind)
            .body("{\"a\":1}");
        let response = app.send(request);
        assert!(response.body.starts_with("ERROR|body: expected "), "{response:?}");
    }
    let (from, dir) = (app.stop(), temp_dir());
    let file = export(&from.path().join("data"), dir.path());
    let ran = run_on(&dir.path().join("data"), &["replay", "--journal", &file]);
    assert_eq!(ran.printed(), "0 OK, 0 NOTOK, 3 ERROR\n");
    assert_eq!(state(&dir.path().join("data")), state(&from.path().join("data")));
}
