//! `member logout` ends the logins of one member or of all, beside a running service.

use std::path::Path;

use rusqlite::Connection;

use super::{run_on, without_times};
use crate::support::{Program, Request, eventually, rows, send_raw, temp_dir};

/// A service with bob (71), ann (72) and the former member cleo (73) on site 1.
fn service(data: &Path) -> Program {
    let program = Program::serve(data, &[]);
    for body in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret",
        "action=ADD&siteid=1&memberid=72&username=ann&password=secret",
        "action=ADD&siteid=1&memberid=73&username=cleo&password=secret",
        "action=DELETE&siteid=1&memberid=73",
    ] {
        assert!(program.post(body).unwrap().body.starts_with("OK|"), "{body}");
    }
    program
}

/// Logs in at the login page. Returns the cookie as a browser sends it.
fn log_in(program: &Program, name: &str) -> String {
    let body = format!("username={name}&password=secret");
    let request = Request::post("/login?site=1").same_origin().form(&body);
    let response = send_raw(program.address, request).unwrap();
    format!("Cookie: {}\r\n", response.header("set-cookie").unwrap().split(';').next().unwrap())
}

/// The status of `/auth` with this header line.
fn auth(program: &Program, header: &str) -> u16 {
    send_raw(program.address, Request::get("/auth?site=1").lines(header)).unwrap().status
}

/// bob:secret.
const BASIC: &str = "Authorization: Basic Ym9iOnNlY3JldA==\r\n";

const PASSWORDS_STAY: &str =
    "passwords stay valid, also where browsers send them by themselves (HTTP Basic)";

#[test]
fn one_member_s_logins_end_at_once_and_nobody_else_s() {
    let dir = temp_dir();
    let program = service(dir.path());
    let logout = |member: &str| run_on(dir.path(), &["member", "logout", "1", member]);
    let (phone, desktop, ann) =
        (log_in(&program, "bob"), log_in(&program, "bob"), log_in(&program, "ann"));
    assert_eq!([&phone, &desktop, &ann].map(|cookie| auth(&program, cookie)), [200; 3]);
    assert_eq!(
        logout("71").printed(),
        format!(
            "OK|member 71 \"bob\" logged out of site 1\nall browsers that were logged in as this \
             member must log in again; {PASSWORDS_STAY}\n"
        )
    );
    assert_eq!([&phone, &desktop, &ann].map(|cookie| auth(&program, cookie)), [401, 401, 200]);
    assert_eq!(auth(&program, BASIC), 200, "as was said");
    assert_eq!(auth(&program, &log_in(&program, "bob")), 200, "a new login");
    let former = "member 73 of site 1 is not a member now and has no logins to end\n";
    assert_eq!(logout("73").printed(), former);
    logout("99").ended(1, "nats-userman: member 99 of site 1 was never a member\n");
    let journal = without_times(&run_on(dir.path(), &["journal", "--action", "CHANGE"]).printed());
    assert_eq!(
        journal,
        "TIME  CHANGE      5  OK|member 71 \"bob\" logged out of site 1\n    from operator: \
         action=CHANGE&siteid=1&memberid=71\n"
    );
}

#[test]
fn everybody_s_logins_end_within_a_second_and_stay_ended() {
    let dir = temp_dir();
    let mut program = service(dir.path());
    let (bob, ann) = (log_in(&program, "bob"), log_in(&program, "ann"));
    assert_eq!(
        run_on(dir.path(), &["member", "logout", "--all"]).printed(),
        format!(
            "OK|all logins were ended\nwithin a second all browsers must log in again; \
             {PASSWORDS_STAY}\n"
        )
    );
    eventually("the service takes it up", || auth(&program, &bob) == 401);
    assert_eq!((auth(&program, &ann), auth(&program, BASIC)), (401, 200));
    let new = log_in(&program, "bob");
    assert_eq!(auth(&program, &new), 200);
    program.terminate();
    assert_eq!(program.stderr().matches("a command ended all cookie logins").count(), 1);
    let mut program = Program::serve(dir.path(), &[]);
    assert_eq!(
        [&bob, &ann, &new].map(|cookie| auth(&program, cookie)),
        [401, 401, 200],
        "after a restart"
    );
    program.terminate();
    run_on(dir.path(), &["member", "logout", "--all"]).printed();
    let program = Program::serve(dir.path(), &[]);
    assert_eq!(auth(&program, &new), 401, "while no service ran, and a second time");
}

#[test]
fn a_restored_backup_brings_no_login_back_once_all_were_ended() {
    let dir = temp_dir();
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup.db"));
    let mut program = service(&data);
    let stolen = log_in(&program, "bob");
    program.terminate();
    std::fs::copy(data.join("userman.db"), &backup).unwrap();
    run_on(&data, &["member", "logout", "1", "71"]).printed();
    run_on(&data, &["member", "logout", "--all"]).printed();
    for file in ["userman.db", "userman.db-wal", "userman.db-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
    std::fs::copy(&backup, data.join("userman.db")).unwrap();
    let mut program = Program::serve(&data, &[]);
    assert_eq!(auth(&program, &stolen), 200, "the backup knows nothing of it");
    program.terminate();
    run_on(&data, &["member", "logout", "--all"]).printed();
    assert_eq!(auth(&Program::serve(&data, &[]), &stolen), 401);
}

#[test]
fn a_replay_of_the_journal_gives_the_same_rows() {
    let dir = temp_dir();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let mut program = service(&data);
    run_on(&data, &["member", "logout", "1", "71"]).printed();
    run_on(&data, &["member", "logout", "--all"]).printed();
    run_on(&data, &["member", "logout", "1", "71"]).printed();
    assert!(program.post("action=DELETE&siteid=1&memberid=72").unwrap().body.starts_with("OK|"));
    let backlog = || run_on(&data, &["journal", "--json"]).printed().contains("\"sealed\"");
    eventually("all passwords are hashed", || !backlog());
    program.terminate();
    let journal = dir.path().join("journal.jsonl");
    std::fs::write(&journal, run_on(&data, &["journal", "--json"]).printed()).unwrap();
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(data.join("seal.key"), copy.join("seal.key")).unwrap();
    let replayed = run_on(&copy, &["replay", "--journal", journal.to_str().unwrap()]).printed();
    assert_eq!(replayed, "8 OK, 0 NOTOK, 0 ERROR\n");
    let of =
        |data: &Path, sql: &str| rows(&Connection::open(data.join("userman.db")).unwrap(), sql);
    for table in ["member_auth", "former_member", "journal"] {
        let all = format!("SELECT * FROM {table} ORDER BY 1, 2");
        assert_eq!(of(&copy, &all), of(&data, &all), "{table}");
    }
    assert_eq!(of(&copy, "SELECT login_version FROM member_auth"), ["3"]);
    assert_eq!(
        of(&copy, "SELECT count(*) FROM login_epoch"),
        ["0"],
        "logins are no rows of members"
    );
    let last = "SELECT action, source, fields, reply FROM journal_text WHERE action IS NULL";
    assert_eq!(of(&copy, last), ["|operator|action=LOGOUT|OK|all logins were ended"]);
}

/// Otherwise a stranger could post an action that a replay ignores.
#[test]
fn the_word_of_the_command_is_none_for_nats() {
    let dir = temp_dir();
    let program = service(dir.path());
    let bob = log_in(&program, "bob");
    assert!(program.post("action=LOGOUT").unwrap().body.starts_with("ERROR|action: expected ADD"));
    assert_eq!(auth(&program, &bob), 200);
}

#[test]
fn it_is_said_whose_logins_are_meant() {
    let dir = temp_dir();
    for (args, said) in [
        (&["member", "logout"][..], "<SITE>"),
        (&["member", "logout", "1"], "<MEMBERID>"),
        (&["member", "logout", "1", "71", "--all"], "cannot be used with"),
        (
            &["member", "logout", "x", "71"],
            "SITE: expected a number from 1 to 9223372036854775807, found \"x\"",
        ),
    ] {
        let ran = run_on(dir.path(), args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
    }
    let ran = run_on(dir.path(), &["member", "logout", "--all"]);
    assert!(ran.code == Some(1) && ran.err.contains("there is no database"), "{}", ran.err);
}
