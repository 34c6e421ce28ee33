//! The journal in the console.

use nats_userman::operator::Role;

use super::{between, page, says};
use crate::engines::console::postbacks::{add, link};
use crate::support::{App, OPS, Request};

#[test]
fn a_filter_that_cannot_be_used_is_named_and_nothing_is_searched() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    for (query, says_so) in [
        ("site=one", "Site: expected a number from 1 to 9223372036854775807, found \"one\""),
        ("memberid=0", "Memberid: expected a number from 1 to 9223372036854775807, found \"0\""),
        (
            "action=JOIN",
            "Action: expected ADD, MANUALADD, TRIALTOFULL, CHANGE, DELETE, EXPIRE, CHECK or \
             ACTIVATE, found \"JOIN\"",
        ),
        ("reply=YES", "Reply: expected OK, NOTOK or ERROR, found \"YES\""),
        ("source=me", "Source: expected nats, operator or replay, found \"me\""),
        (
            "from=today",
            "From: expected YYYY-MM-DD, YYYY-MM-DD hh:mm, with :ss or not, or unix seconds of 9 to \
             11 digits, found \"today\"",
        ),
        (
            "before=-5",
            "Number of the record before which the page begins: expected the number of a record, \
             found \"-5\"",
        ),
        (
            "site=%3Cb%3E%E2%80%AE",
            "Site: expected a number from 1 to 9223372036854775807, found \"&lt;b&gt;\\u{202e}\"",
        ),
    ] {
        let response = anna.get(&format!("/postbacks?{query}"));
        assert_eq!(response.status, 400, "{query}");
        says(&response.body, says_so);
        assert!(!response.body.contains("<tbody"), "{query}: nothing is listed");
        assert_eq!(anna.get(&format!("/postbacks/tail?{query}")).status, 400, "{query}");
    }
}

/// Without an index a request reads a bounded part of the journal, and says so.
#[test]
fn a_search_looks_at_20000_records_and_goes_on_when_it_is_told_to() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    app.post("action=DELETE&siteid=1&memberid=7");
    rusqlite::Connection::open(app.config.location.file().unwrap())
        .unwrap()
        .execute_batch(
            "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number
                 WHERE n < 20000)
             INSERT INTO journal (at, source, siteid, memberid, fields, reply)
             SELECT 1781524800 + n, 'nats', 2, 9, '', 'OK|was so already' FROM number",
        )
        .unwrap();
    let first = page(anna.get("/postbacks?site=1"));
    says(&first, "Nothing found yet.");
    says(&first, "Looked at 20000 records, and 0 of them match.");
    let second = page(anna.get(&link(&first, "Look further").unwrap()));
    assert_eq!(between(&second, "<tr><td><a href=", "</tr>").len(), 1, "{second}");
    assert_eq!(link(&second, "Look further"), None);
    // An index has the records of a member.
    let of_member = page(anna.get("/postbacks?memberid=7"));
    assert_eq!(between(&of_member, "<tr><td><a href=", "</tr>").len(), 1);
    says(&page(anna.get("/postbacks?from=2026-06-16")), "No postback matches.");
}

#[test]
fn a_record_of_a_command_has_no_button_for_a_dry_run() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Admin);
    add(&app, 71, "bob");
    anna.post("/members/1/71/lift", "");
    let ids = app.rows("SELECT id FROM journal ORDER BY id");
    let shown = |id: &str| page(anna.get(&format!("/postbacks/{id}")));
    assert!(shown(&ids[0]).contains("dry-run") && !shown(&ids[1]).contains("dry-run"));
    let tried = page(anna.get(&format!("/postbacks/{}?dry-run=1", ids[1])));
    says(&tried, "It records a command of an operator, and no postback.");
}

#[test]
fn a_record_that_cannot_be_read_hides_no_other() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Admin);
    add(&app, 71, "bob");
    add(&app, 72, "eve");
    rusqlite::Connection::open(app.config.location.file().unwrap())
        .unwrap()
        .execute_batch("UPDATE journal SET fields = '~99&1', sealed = x'00' WHERE id = 1")
        .unwrap();
    let list = page(anna.get("/postbacks"));
    says(&list, "unreadable journal record 1 cannot be read");
    says(&list, "eve");
    let one = page(anna.get("/postbacks/1?dry-run=1"));
    says(&one, "journal record 1 cannot be read");
}

#[test]
fn no_other_method_than_get_is_answered() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Admin);
    for path in ["/postbacks", "/postbacks/1", "/postbacks/tail", "/blocks", "/settings", "/health"]
    {
        for method in ["POST", "PUT", "DELETE"] {
            let response = anna.send(Request::new(method, path).same_origin());
            assert!(matches!(response.status, 404 | 405), "{method} {path}: {}", response.status);
        }
        assert_eq!(app.send_ops(Request::get(path)).status, 303, "{path}: without a login");
    }
}
