//! `replay`: captures in both layouts, `--dry-run`, `--to` with a URL, and the journal of another
//! database.

use std::fs;
use std::path::{Path, PathBuf};

use super::run_on;
pub use crate::support::ran::{open, write};
use crate::support::{App, Program, TOKEN, rows, temp_dir};

const BODIES: &str = "action=ADD&siteid=1&memberid=71&username=b%20ob&\
    password=p%2B%26%3D%25+%C3%A9\n\
    action=CHECK&siteid=1&username=B+OB\n\
    \n\
    action=CHECK&siteid=1&username=ann\n\
    action=ADD&siteid=1&memberid=72&username=b%20ob&password=secret\n\
    action=DELETE&siteid=1&memberid=71";

/// The postbacks of [`BODIES`] in TMM's layout, which does not encode values.
const LINES: &str = "action=ADD\r\nsiteid=1\r\nmemberid=71\r\nusername=b ob\r\npassword=p+&=% \
    é\r\n\r\n\
    action=CHECK\nsiteid=1\nusername=B OB\n\n\n\
    siteid=1\nusername=ann\naction=CHECK\n\n\
    action=ADD\nsiteid=1\nmemberid=72\nusername=b ob\npassword=secret\n\n\
    action=DELETE\nsiteid=1\nmemberid=71";

/// The first line of the refused ADD in each capture.
const BODIES_HELD: u32 = 5;
const LINES_HELD: u32 = 16;

const HELD: &str =
    "ERROR|username \"b ob\" is held by member 71 of site 1, nothing was changed for member 72\n";

#[test]
fn a_capture_of_either_layout_goes_into_the_database_and_ends_with_counts() {
    for (name, capture, line) in [("bodies", BODIES, BODIES_HELD), ("lines", LINES, LINES_HELD)] {
        let dir = temp_dir();
        let data = dir.path().join("data");
        let file = write(dir.path(), name, capture);
        assert_eq!(
            run_on(&data, &["replay", &file]).printed_with_errors(1, 5),
            format!("{file}:{line}: {HELD}3 OK, 1 NOTOK, 1 ERROR\n"),
            "{name}"
        );
        let conn = open(&data);
        assert_eq!(
            rows(&conn, "SELECT memberid, username, reason FROM former_member"),
            ["71|b ob|deleted"],
            "{name}"
        );
        assert_eq!(
            rows(&conn, "SELECT source, address, action FROM journal"),
            ["replay||ADD", "replay||ADD", "replay||DELETE"]
        );
        // The service that starts on this database verifies the passwords of the capture.
        drop(conn);
        let app = App::start_in(dir, &[]);
        assert_eq!(
            app.post("action=ACTIVATE&siteid=1&memberid=71&username=bob"),
            "OK|member 71 \"bob\" activated on site 1"
        );
        assert!(app.opens(1, 71, "p+&=% é"), "{name}");
    }
}

#[test]
fn several_captures_are_one_story_in_their_order() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let many: String = (1..=600)
        .map(|id| format!("action=ADD&siteid=1&memberid={id}&username=m{id}&password=secret\n"))
        .collect();
    let (first, second) = (
        write(dir.path(), "many", many),
        write(dir.path(), "one", "action=DELETE\nsiteid=1\nmemberid=600\n"),
    );
    assert_eq!(run_on(&data, &["replay", &first, &second]).printed(), "601 OK, 0 NOTOK, 0 ERROR\n");
    assert_eq!(rows(&open(&data), "SELECT count(*) FROM member_auth"), ["599"]);
}

#[test]
fn the_capture_that_tmm_published_is_replayed() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    // Some fields of TMM's sample. The others are bookkeeping.
    let capture = "memberid=71\nstatus=1\ntrial=0\njoined=1496792016\nsiteid=1\nusername=test564a\n\
        password=testtest\n\
                   cryptpass=41R19prsa7NLQ\nemail=test@test1.com\n\
                   session=4b23bba59cc003441ec36e48afda0fad\n\
                   memberidx=NETBILLING:113349189748\nexpires=1499470416\naddress1=22 test \
                   st\naction=ADD\n";
    let file = write(dir.path(), "captured", capture);
    assert_eq!(run_on(&data, &["replay", &file]).printed(), "1 OK, 0 NOTOK, 0 ERROR\n");
    let row = "SELECT siteid, memberid, username, email, trial, biller, joined, expires, \
        expire_at FROM member_auth";
    assert_eq!(
        rows(&open(&data), row),
        ["1|71|test564a|test@test1.com|0|NETBILLING:113349189748|1496792016|1499470416|"]
    );
}

#[test]
fn a_dry_run_shows_replies_and_changes_and_changes_nothing() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let file = write(dir.path(), "bodies", BODIES);
    let shown = format!(
        "insert  OK|member 71 \"b ob\" added to site 1\n\
         -       OK|username \"B OB\" is taken on site 1\n\
         -       NOTOK|username \"ann\" is free on site 1\n\
         -       {HELD}\
         leave   OK|member 71 \"b ob\" removed from site 1\n\
         3 OK, 1 NOTOK, 1 ERROR; nothing was changed\n"
    );
    assert_eq!(run_on(&data, &["replay", "--dry-run", &file]).printed_with_errors(1, 5), shown);
    assert!(!data.exists(), "not even the directory was made");

    // Beside a running service, `--dry-run` reads the database.
    let program = Program::serve(&data, &[]);
    program.post("action=ADD&siteid=1&memberid=72&username=ann&password=secret").unwrap();
    program.post("action=DELETE&siteid=1&memberid=72").unwrap();
    let before = rows(&open(&data), "SELECT (SELECT count(*) FROM journal), * FROM former_member");
    let file = write(
        dir.path(),
        "more",
        "action=ACTIVATE&siteid=1&memberid=72&username=ann&trial=1\n\
         action=TRIALTOFULL&siteid=1&memberid=72\n",
    );
    assert_eq!(
        run_on(&data, &["replay", "--dry-run", &file]).printed(),
        "restore OK|member 72 \"ann\" activated on site 1\n\
         update  OK|member 72 \"ann\" became a full member of site 1\n\
         2 OK, 0 NOTOK, 0 ERROR; nothing was changed\n"
    );
    let after = rows(
        &open(&data),
        "SELECT (SELECT count(*) FROM journal), memberid, reason FROM former_member",
    );
    assert_eq!((before.len(), after), (1, vec!["2|72|deleted".to_owned()]));
}

#[test]
fn a_served_database_is_refused_with_what_to_do() {
    for (name, capture, line) in [("bodies", BODIES, BODIES_HELD), ("lines", LINES, LINES_HELD)] {
        let dir = temp_dir();
        let data = dir.path().join("data");
        let program = Program::serve(&data, &[]);
        let file = write(dir.path(), name, capture);
        for (args, remedy) in [
            (&["replay", &file][..], "send the postbacks to it with --to URL"),
            (&["replay", "--journal", &file], "stop it, or replay into a new data directory"),
        ] {
            run_on(&data, args).ended(
                1,
                &format!(
                    "nats-userman: the data directory {} is in use by a running nats-userman: \
                     {remedy}\n",
                    data.display()
                ),
            );
        }
        assert_eq!(rows(&open(&data), "SELECT * FROM journal"), [""; 0]);
        let url = format!("http://{}/postback/{TOKEN}", program.address);
        assert_eq!(
            run_on(&data, &["replay", "--to", &url, &file]).printed_with_errors(1, 5),
            format!("{file}:{line}: {HELD}3 OK, 1 NOTOK, 1 ERROR\n"),
            "{name}"
        );
        assert_eq!(rows(&open(&data), "SELECT memberid, username FROM former_member"), ["71|b ob"]);
        assert_eq!(
            rows(&open(&data), "SELECT source, address FROM journal LIMIT 1"),
            ["nats|127.0.0.1"]
        );

        let wrong = run_on(&data, &["replay", "--to", &url.replace("test-", "best-"), &file]);
        wrong.ended(
            1,
            "nats-userman: --to: not authorised; check the token in the URL, and that \
            this address is allowed\n",
        );
    }
}

#[test]
fn a_url_or_a_file_that_cannot_be_used_is_one_line_without_the_url() {
    let dir = temp_dir();
    let file = write(dir.path(), "bodies", BODIES);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dead = run_on(
        dir.path(),
        &["replay", "--to", &format!("http://127.0.0.1:{port}/postback/{TOKEN}"), &file],
    );
    assert!(
        dead.code == Some(1)
            && dead.err.starts_with("nats-userman: --to: ")
            && dead.err.lines().count() == 1,
        "{dead:?}"
    );
    assert!(!dead.err.contains(TOKEN));
    run_on(dir.path(), &["replay", "--to", "members.example.com", &file])
        .ended(2, "nats-userman: --to: expected http:// or https:// and the URL that NATS calls\n");
    let missing = dir.path().join("missing");
    run_on(&dir.path().join("data"), &["replay", missing.to_str().unwrap()]).ended(
        1,
        &format!(
            "nats-userman: cannot read {}: No such file or directory (os error 2)\n",
            missing.display()
        ),
    );
    let long = write(dir.path(), "long", [b'x'; 70_000]);
    run_on(&dir.path().join("data"), &["replay", &long]).ended(
        1,
        &format!(
            "nats-userman: {long}:1: a postback of more than 65536 bytes; is this a capture?\n"
        ),
    );
}

/// A data directory with every form that a journal can hold: hashed, wrapped and sealed passwords,
/// members who left or expired, a noted expiry, a refused postback, and a change by the operator.
pub fn told() -> tempfile::TempDir {
    let app = App::start_with(&[
        "--keep-cryptpass",
        "--time-zone",
        "Europe/Berlin",
        "--expire-grace-hours",
        "3",
    ]);
    for body in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret&session=4b23&\
         email=b@example.com&trial=1",
        "action=ADD&siteid=1&memberid=72&username=ann&cryptpass=41R19prsa7NLQ&joined=1496792016",
        "action=ADD&siteid=1&memberid=73&username=ANN&password=secret",
        "action=MANUALADD&siteid=2&memberid=71&username=%C3%A9mile|&password=secret&\
         cryptpass=a4sLkn7C9GP12",
        "action=EXPIRE&siteid=1&memberid=71&expire=2026-06-16",
        "action=FROBNICATE",
    ] {
        app.post(body);
    }
    app.harden();
    app.set_time("2026-06-16 12:00:00");
    for body in [
        "action=ACTIVATE&siteid=1&memberid=71&username=bob&password=secret",
        "action=CHANGE&siteid=1&memberid=72&new_username=anna&new_password=second&\
         new_email=a@example.com",
        "action=CHANGE&siteid=1&memberid=72&new_password=third",
        "action=DELETE&siteid=2&memberid=71",
        "action=TRIALTOFULL&siteid=1&memberid=71&password=other",
        "action=EXPIRE&siteid=1&memberid=72&expire=2099-01-01",
        "action=ADD&siteid=3&memberid=1&username=eve&password=secret",
        "action=EXPIRE&siteid=3&memberid=1&expire=2017-01-01",
    ] {
        app.post(body);
    }
    app.stop()
}

/// The content of all tables that a replay restores.
pub fn state(data: &Path) -> Vec<String> {
    let conn = open(data);
    let tables = ["member_auth", "former_member", "journal"]
        .map(|table| rows(&conn, &format!("SELECT * FROM {table}")));
    tables.concat()
}

pub fn export(data: &Path, dir: &Path) -> String {
    write(dir, "journal.json", run_on(data, &["journal", "--json"]).printed())
}

#[test]
fn a_journal_replayed_into_an_empty_database_gives_the_same_rows_column_for_column() {
    let from = told();
    let (from, dir) = (from.path().join("data"), temp_dir());
    super::run_on(&from, &["member", "remove", "1", "71"]).printed();
    let file = export(&from, dir.path());
    let data: PathBuf = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(from.join("seal.key"), data.join("seal.key")).unwrap();
    // Current settings do not matter: the record has the values that were computed when it was
    // written.
    let ran = run_on(&data, &["replay", "--journal", "--time-zone", "Asia/Tokyo", &file]);
    assert_eq!(ran.printed(), "13 OK, 0 NOTOK, 2 ERROR\n");
    assert_eq!(state(&data), state(&from));
    let forms = "SELECT (password IS NOT NULL), (sealed IS NOT NULL), (cryptpass_wrapped IS NOT \
        NULL) FROM journal";
    let forms = rows(&open(&data), forms);
    for form in ["1|0|0", "0|1|0", "0|0|1"] {
        assert!(forms.iter().any(|found| found == form), "the story has no {form}: {forms:?}");
    }
    run_on(&data, &["replay", "--journal", &file]).ended(
        1,
        "nats-userman: replay --journal: the database is not empty; use a new --data-dir\n",
    );
    assert_eq!(state(&data), state(&from));
}

#[test]
fn a_journal_is_taken_wholly_or_not_at_all() {
    let from = told();
    let (from, dir) = (from.path().join("data"), temp_dir());
    let file = export(&from, dir.path());
    let nothing = |data: &Path| assert_eq!(state(data), [""; 0]);

    // Without the key of the sealed passwords.
    let data = dir.path().join("without-key");
    let ran = run_on(&data, &["replay", "--journal", &file]);
    let hint = "copy the seal.key of that database into the data directory first";
    assert!(
        ran.code == Some(1)
            && ran.err.ends_with(&format!(" has a password sealed under another key: {hint}\n")),
        "{ran:?}"
    );
    nothing(&data);

    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(from.join("seal.key"), data.join("seal.key")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let broken = write(dir.path(), "broken.json", format!("{text}nonsense\n"));
    let ran = run_on(&data, &["replay", "--journal", &broken]);
    let line = text.lines().count() + 1;
    ran.ended(
        1,
        &format!(
            "nats-userman: {broken}, line {line}: expected a line of `journal \
        --json` (line 1, column 2)\n"
        ),
    );
    nothing(&data);

    let pruned = write(dir.path(), "pruned.json", text.split_once('\n').unwrap().1);
    let ran = run_on(&data, &["replay", "--journal", &pruned]);
    assert!(
        ran.code == Some(1)
            && ran
                .err
                .ends_with("not the reply that it records; the journal may have been pruned\n"),
        "{ran:?}"
    );
    nothing(&data);
    assert_eq!(
        run_on(&data, &["replay", "--journal", &file]).printed(),
        "12 OK, 0 NOTOK, 2 ERROR\n"
    );
}

/// Regression: the lock was in the data directory alone. A replay with another data directory
/// sealed passwords of the served database under another key.
#[test]
fn a_served_database_is_refused_under_another_data_dir_too() {
    let dir = temp_dir();
    let (data, other) = (dir.path().join("data"), dir.path().join("other"));
    let _program = Program::serve(&data, &[]);
    let file = write(dir.path(), "bodies", BODIES);
    let database = format!("sqlite:{}/userman.db", data.display());
    let ran = run_on(&other, &["replay", "--database", &database, &file]);
    let said = format!(
        "nats-userman: the data directory {} is in use by a running nats-userman: send the \
         postbacks to it with --to URL\n",
        data.canonicalize().unwrap().display()
    );
    ran.ended(1, &said);
    assert!(!other.join("seal.key").exists());
}

/// Two receivers of a cluster number their records before the cluster orders them.
#[test]
fn a_refused_name_stays_refused_where_the_record_that_gives_it_up_has_a_lower_number() {
    let dir = temp_dir();
    let (from, data) = (dir.path().join("from"), dir.path().join("data"));
    let capture = write(dir.path(), "bodies", BODIES);
    run_on(&from, &["replay", &capture]).printed_with_errors(1, 5);
    let text = fs::read_to_string(export(&from, dir.path())).unwrap();
    let [add, refused, delete] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let delete = delete.replace("\"id\":3", "\"id\":2");
    let refused = refused.replace("\"id\":2", "\"id\":3");
    let journal = write(dir.path(), "swapped", format!("{add}\n{delete}\n{refused}\n"));
    fs::create_dir(&data).unwrap();
    fs::copy(from.join("seal.key"), data.join("seal.key")).unwrap();
    run_on(&data, &["replay", "--journal", &journal]).printed();
    let conn = open(&data);
    assert_eq!(rows(&conn, "SELECT memberid FROM member_auth"), [""; 0]);
    assert_eq!(rows(&conn, "SELECT memberid FROM former_member"), ["71"]);
    assert_eq!(
        rows(&conn, "SELECT action, memberid, substr(reply, 1, 5) FROM journal ORDER BY id"),
        ["ADD|71|OK|me", "DELETE|71|OK|me", "ADD|72|ERROR"]
    );
}
