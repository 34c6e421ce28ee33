//! Rows of members whose instant has come.

use crate::support::{App, eventually};

#[test]
fn a_member_whose_row_has_not_moved_yet_is_not_there_from_the_instant_on() {
    let app = App::start();
    app.post("action=ADD&memberid=71&siteid=1&username=bob&password=secret");
    app.post("action=EXPIRE&memberid=71&siteid=1&expire=2026-06-20");
    // While another process holds the write lock, no row can be moved.
    let other = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    app.set_unix_unnoticed(1_781_913_599);
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=bob"),
        "OK|username \"bob\" is taken on site 1"
    );
    assert!(app.opens(1, 71, "secret"));
    app.set_unix_unnoticed(1_781_913_600);
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=bob"),
        "NOTOK|username \"bob\" is free on site 1"
    );
    assert!(!app.opens(1, 71, "secret"));
    assert_eq!(app.rows("SELECT memberid, expire_at FROM member_auth"), ["71|1781913600"]);
    drop(other);
    app.tick();
    assert_eq!(
        app.rows("SELECT memberid, reason, ended_at FROM former_member"),
        ["71|expired|1781913600"]
    );
}

#[test]
fn a_row_that_is_due_moves_without_anybody_asking() {
    let app = App::start();
    app.post("action=ADD&memberid=71&siteid=1&username=bob&password=secret");
    app.post("action=EXPIRE&memberid=71&siteid=1&expire=2026-06-20");
    app.set_unix_unnoticed(1_781_913_605);
    eventually("the row has moved", || app.rows("SELECT * FROM member_auth").is_empty());
    assert_eq!(
        app.rows("SELECT memberid, reason, ended_at FROM former_member"),
        ["71|expired|1781913600"]
    );
}
