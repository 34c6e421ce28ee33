//! The examples do what they say: the reply to each script is one that its header lists, and the
//! captures can be replayed.

use rusqlite::{Connection, OpenFlags};

use crate::support::pages::{example, postback_url, printed};
use crate::support::{App, check_invariants, program, rows, temp_dir};

#[test]
fn the_captures_replay_into_a_database() {
    let dir = temp_dir();
    let replay = |more: &[&str]| {
        let mut command = program();
        command.args(["replay", "--data-dir"]).arg(dir.path().join("data")).args(more);
        let captures =
            ["nats3.txt", "nats4.txt", "bodies.txt"].map(|name| example("captures").join(name));
        let output = command.args(captures).output().unwrap();
        let said = "nats-userman: 1 of 20 postbacks got ERROR and changed nothing: see above\n";
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(1), said)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let held = "ERROR|username \"Carol\" is held by member 701 of site 7, nothing was changed for \
        member 702";
    let dry = replay(&["--dry-run"]);
    let outcomes = "\
-       NOTOK|username \"judy\" is free on site 5
insert  OK|member 501 \"judy\" added to site 5
insert  OK|member 502 \"judy smith\" added to site 5
update  OK|member 501 \"judy\" became a full member of site 5
update  OK|member 501 \"judith\" changed on site 5
leave   OK|member 502 \"judy smith\" of site 5 expired at 2017-06-06T00:00:00Z
leave   OK|member 501 \"judith\" removed from site 5
restore OK|member 501 \"judith\" activated on site 5
insert  OK|member 601 \"mallory7\" added to site 6
update  OK|member 601 \"mallory7\" became a full member of site 6
update  OK|member 601 \"mallory8\" changed on site 6
leave   OK|member 601 \"mallory8\" of site 6 expired at 2026-02-01T00:00:00Z
restore OK|member 601 \"mallory8\" activated on site 6
-       NOTOK|username \"carol\" is free on site 7
insert  OK|member 701 \"carol\" added to site 7
-       ERROR|username \"Carol\" is held by member 701 of site 7, nothing was changed for member 702
insert  OK|member 703 \"dave jones\" added to site 7
update  OK|member 703 \"dave jones\" of site 7 will expire at 2099-12-31T18:30:00Z
leave   OK|member 701 \"carol\" removed from site 7
-       NOTOK|username \"carol\" is free on site 7
";
    assert_eq!(dry, format!("{outcomes}16 OK, 3 NOTOK, 1 ERROR; nothing was changed\n"));
    let database = dir.path().join("data/userman.db");
    assert!(!database.exists());

    let file = format!("{}/examples/captures/bodies.txt", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(replay(&[]), format!("{file}:3: {held}\n16 OK, 3 NOTOK, 1 ERROR\n"));
    check_invariants(&database);
    let conn = Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let here = rows(&conn, "SELECT siteid, memberid, username, trial, expire_at FROM member_auth");
    assert_eq!(here, ["5|501|judith|0|", "6|601|mallory8|0|", "7|703|dave jones|0|4102425000"]);
    let gone = rows(&conn, "SELECT siteid, memberid, username, reason FROM former_member");
    assert_eq!(gone, ["5|502|judy smith|expired", "7|701|carol|deleted"]);
}

#[test]
fn the_captures_replay_into_a_running_service_and_passwords_open_the_door() {
    let app = App::start();
    for (capture, counts) in
        [("nats3.txt", "7 OK, 1 NOTOK, 0 ERROR"), ("nats4.txt", "5 OK, 0 NOTOK, 0 ERROR")]
    {
        let mut command = program();
        command
            .args(["replay", "--to", &postback_url(&app)])
            .arg(example("captures").join(capture));
        assert_eq!(printed(&command.output().unwrap()), format!("{counts}\n"), "{capture}");
    }
    assert!(app.opens(5, 501, "another one") && app.opens(6, 601, "p+&=% é"));
    app.harden();
    assert!(app.opens(5, 501, "another one") && app.opens(6, 601, "p+&=% é"));
}
