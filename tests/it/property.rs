//! Random stories on SQLite, and the way of a journal with the real program; see
//! [`crate::engines::property`].

use std::path::Path;

use nats_userman::password::Vault;
use nats_userman::store::Location;

pub use crate::engines::property::replays;
pub use crate::engines::property::{
    Place, STORIES, cases, check, dump, in_transaction, postbacks, replay, run_inside, shown,
    stories,
};
use crate::support::{App, EngineKind, NOON, Program, program, temp_dir};

#[test]
fn every_story_goes_as_the_model_says_and_its_journal_replays_to_the_same_rows() {
    check(&stories(), cases(STORIES), |story| run_inside(EngineKind::Sqlite, story));
}

#[test]
fn the_real_program_exports_its_journal_and_replays_it_to_the_same_rows() {
    let dir = temp_dir();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let mut service = Program::serve(&first, &["--keep-cryptpass"]);
    for (body, word) in [
        (
            "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=a@example.com&\
             session=0123",
            "OK",
        ),
        ("action=ADD&siteid=1&memberid=72&username=BOB&password=secret", "ERROR"),
        ("action=ADD&siteid=1&memberid=72&username=ann&cryptpass=41R19prsa7NLQ&trial=1", "OK"),
        (
            "action=CHANGE&siteid=1&memberid=71&username=bob&new_username=rob&new_password=other",
            "OK",
        ),
        (
            "action=MANUALADD&siteid=1&memberid=73&username=bob&password=third&\
             cryptpass=a4sLkn7C9GP12",
            "OK",
        ),
        ("action=EXPIRE&siteid=1&memberid=72&expire=9999-12-31", "OK"),
        ("action=EXPIRE&siteid=1&memberid=73&expire=2020-01-01", "OK"),
        ("action=DELETE&siteid=1&memberid=71", "OK"),
        ("action=ACTIVATE&siteid=1&memberid=71&username=rob", "OK"),
        ("action=UPGRADE&siteid=1", "ERROR"),
    ] {
        let reply = service.post(body).unwrap().body;
        assert_eq!(reply.split('|').next().unwrap(), word, "{body}: {reply}");
    }
    assert!(service.terminate().success());
    // The journal also has the operator's commands, and the postbacks of a capture.
    let capture = dir.path().join("capture");
    std::fs::write(
        &capture,
        "action=CHANGE&siteid=1&memberid=72&new_password=fourth\n\
        action=DELETE&siteid=1&memberid=72\n",
    )
    .unwrap();
    for command in [
        vec!["member", "remove", "1", "71"],
        vec!["member", "restore", "1", "71", "--username", "robert"],
        vec!["replay", capture.to_str().unwrap()],
    ] {
        let done = program().args(&command).arg("--data-dir").arg(&first).output().unwrap();
        assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    let exported =
        program().args(["journal", "--json", "--data-dir"]).arg(&first).output().unwrap();
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    assert_eq!(exported.stdout.iter().filter(|&&byte| byte == b'\n').count(), 14);
    let file = dir.path().join("journal.jsonl");
    std::fs::write(&file, exported.stdout).unwrap();
    std::fs::create_dir(&second).unwrap();
    std::fs::copy(first.join("seal.key"), second.join("seal.key")).unwrap();
    let replayed = program()
        .args(["replay", "--journal"])
        .arg(&file)
        .arg("--data-dir")
        .arg(&second)
        .output()
        .unwrap();
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), "12 OK, 0 NOTOK, 2 ERROR\n");

    let database = |data: &Path| Location::sqlite(data.join("userman.db"));
    assert_eq!(dump(&database(&first)), dump(&database(&second)));
}

#[test]
fn a_journal_of_strange_bodies_replays_to_the_same_rows() {
    let app = App::start_in(temp_dir(), &["--keep-cryptpass"]);
    for body in [
        // Windows-1252; a repeated key whose last value is empty or not; names as PHP writes them;
        // arrays; an empty body.
        "action=ADD&siteid=1&memberid=71&username=zo%E9&password=p%E9&email=z%40example.com&\
         biller=a%26b%3Dc%25",
        "action=ADD&siteid=1&memberid=72&username=bob&password=one&password=&\
         cryptpass=41R19prsa7NLQ&session=a&session=",
        "action=ADD&siteid=1&memberid=73&username=ghost&username=ann&password=&password=***&\
         session=***&memberidx=***",
        "action=DELETE&action=CHANGE&site.id=9&siteid=1&memberid=73&new_username[a]=x&\
         new_password=a+b&new email=n%40example.com",
        "action=CHANGE&siteid=1&memberid=72&new_email=&email=%C3%A9%40example.com&new_cryptpass=&\
         new_password=",
        // Refused, and no part of it is done.
        "action=CHANGE&siteid=1&memberid=72&new_username=eve&new_email=x&new_cryptpass=nonsense&\
         new_password=",
        "action=ACTIVATE&siteid=1&memberid=72&username=BOB&trial=yes&joined=soon&expires=0&\
         secret+with+no+name&&=x&%",
        "action=EXPIRE&siteid=1&memberid=71&expire=&expires=1900000000",
        "action=EXPIRE&siteid=1&memberid=72&expire=2026-06-15&expires=1900000000",
        "{\"action\":\"ADD\",\"password\":\"x\"}",
        "",
        "action=ADD&siteid=1&memberid=74&username=x%00y&password=x",
        "action=TRIALTOFULL&siteid=1&memberid=0072&username=b+ob",
    ] {
        let _ = app.post(body);
    }
    let copies = temp_dir();
    let vault = Vault::load(&app.dir.path().join("data/seal.key")).unwrap();
    let rows_now = dump(&app.config.location);
    let members =
        app.rows("SELECT memberid, username, email, expire_at FROM member_auth ORDER BY memberid");
    assert_eq!(
        members,
        ["71|zoé|z@example.com|1900000000", "72|b ob|é@example.com|", "73|ann|n@example.com|"]
    );
    assert!(app.opens(1, 71, "pé") && app.opens(1, 72, "testtest") && app.opens(1, 73, "a b"));
    let sealed =
        replay(copies.path(), "sealed.db", &app.config.location, &vault, true, NOON).unwrap();
    assert_eq!(dump(&sealed.location), rows_now);
    app.harden();
    let hashed =
        replay(copies.path(), "hashed.db", &app.config.location, &vault, true, NOON).unwrap();
    assert_eq!(dump(&hashed.location), dump(&app.config.location));
}
