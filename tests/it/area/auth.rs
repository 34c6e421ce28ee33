//! `/auth`: who is let in, and the headers of the answer.

use super::{BOB, Visit, admitted, app, auth, raw, told};
use crate::support::{NOON, eventually};

const BOB_IS_IN: (u16, &str) = (200, "1 71 bob 0");
const LOGIN: (u16, &str) = (401, "login");

fn is(found: (u16, String), expected: (u16, &str), what: &str) {
    assert_eq!((found.0, found.1.as_str()), expected, "{what}");
}

#[test]
fn a_member_is_in_from_the_postback_that_adds_him_to_the_one_that_removes_him() {
    let app = app(&[]);
    let secret = Visit::with("bob", "secret");
    is(admitted(&app, secret), LOGIN, "nobody yet");
    for (postback, visit, expected) in [
        (BOB, secret, BOB_IS_IN),
        ("action=CHANGE&siteid=1&memberid=71&new_password=better", secret, LOGIN),
        ("action=CHECK&siteid=1&username=bob", Visit::with("BOB", "better"), BOB_IS_IN),
        (
            "action=CHANGE&siteid=1&memberid=71&new_username=rob",
            Visit::with("bob", "better"),
            LOGIN,
        ),
        ("action=CHECK&siteid=1&username=rob", Visit::with("rob", "better"), (200, "1 71 rob 0")),
        (
            "action=EXPIRE&siteid=1&memberid=71&expire=2026-06-15",
            Visit::with("rob", "better"),
            LOGIN,
        ),
        (
            "action=ACTIVATE&siteid=1&memberid=71&username=bob&trial=1",
            Visit::with("bob", "better"),
            (200, "1 71 bob 1"),
        ),
        ("action=DELETE&siteid=1&memberid=71", Visit::with("bob", "better"), LOGIN),
    ] {
        app.post(postback);
        is(admitted(&app, visit), expected, postback);
        // The answer does not depend on whether the password is cached, or still sealed.
        is(admitted(&app, visit), expected, postback);
        app.harden();
        is(admitted(&app, visit), expected, postback);
    }
}

#[test]
fn an_expiry_counts_from_its_second_on_moved_or_not() {
    let app = app(&[]);
    app.post(BOB);
    app.post("action=EXPIRE&siteid=1&memberid=71&expire=2026-06-16");
    app.set_unix_unnoticed(NOON + 43_199);
    is(admitted(&app, Visit::with("bob", "secret")), BOB_IS_IN, "the last second");
    app.set_unix_unnoticed(NOON + 43_200);
    is(admitted(&app, Visit::with("bob", "secret")), LOGIN, "the first one after it");
}

#[test]
fn of_several_sites_the_first_whose_password_opens_counts() {
    let app = app(&[]);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=one");
    app.post("action=ADD&siteid=5&memberid=71&username=Bob&password=five&trial=1");
    app.post("action=ADD&siteid=64&memberid=9&username=bob&password=five");
    for (query, password, expected) in [
        ("site=1,5", "one", "1 71 bob 0"),
        ("site=1,5", "five", "5 71 Bob 1"),
        ("site=64,5", "five", "64 9 bob 0"),
        ("site=5,64&trial=yes", "five", "5 71 Bob 1"),
        ("site=5,64&trial=no", "five", "64 9 bob 0"),
    ] {
        is(told(&auth(&app, query, Visit::with("bob", password))), (200, expected), query);
    }
    is(told(&auth(&app, "site=1,5", Visit::with("bob", "six"))), LOGIN, "a password of none");
    is(told(&auth(&app, "site=64", Visit::with("bob", "one"))), LOGIN, "another site's");
    is(
        told(&auth(&app, "site=5&trial=no", Visit::with("bob", "five"))),
        (403, "trial"),
        "a trial member alone",
    );
    is(
        told(&auth(&app, "site=5&trial=no", Visit::with("bob", "six"))),
        LOGIN,
        "a wrong password tells nothing of it",
    );
}

#[test]
fn the_answer_has_the_headers_that_a_proxy_needs() {
    let app = app(&[]);
    app.post("action=ADD&siteid=1&memberid=71&username=b%C3%B6b+%22x%22&password=secret");
    let response = auth(&app, "site=1", Visit::with("böb \"x\"", "secret"));
    is(told(&response), (200, "1 71 b%C3%B6b%20%22x%22 0"), "percent-encoded");
    assert_eq!((response.header("cache-control"), response.body.as_str()), (Some("no-store"), ""));
    for (query, challenge) in
        [("site=1", Some("Basic realm=\"members\", charset=\"UTF-8\"")), ("site=1&ask=page", None)]
    {
        let response = auth(&app, query, Visit::default());
        is(told(&response), LOGIN, query);
        assert_eq!(
            (response.header("www-authenticate"), response.header("cache-control")),
            (challenge, Some("no-store"))
        );
        assert_eq!(response.body.contains("<form "), query.contains("page"), "{query}");
    }
}

#[test]
fn any_method_is_answered_and_what_a_visitor_says_of_himself_is_not_repeated() {
    let app = app(&[]);
    app.post(BOB);
    let headers =
        Visit::with("bob", "secret").headers() + "X-Member-Id: 1\r\nX-Member-Name: admin\r\n";
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        is(told(&raw(&app, &format!("{method} /auth?site=1"), &headers, "")), BOB_IS_IN, method);
    }
}

#[test]
fn a_password_is_tried_in_the_encoding_that_it_was_typed_in_and_as_windows_1252() {
    let app = app(&[]);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=p%C3%A9%3Ax");
    is(admitted(&app, Visit::with("bob", "pé:x")), BOB_IS_IN, "UTF-8, with a colon");
    // `bob:p\xe9:x`, in the encoding of an old browser.
    let western = "Authorization: Basic Ym9iOnDpOng=\r\nX-Forwarded-For: 203.0.113.9\r\n";
    is(told(&raw(&app, "GET /auth?site=1", western, "")), BOB_IS_IN, "Windows-1252");
    // The DES crypt(3) hash of `testtest`.
    app.post("action=ADD&siteid=1&memberid=72&username=ann&cryptpass=41R19prsa7NLQ");
    is(admitted(&app, Visit::with("ann", "testtest")), (200, "1 72 ann 0"), "DES, sealed");
    app.harden();
    is(
        admitted(&app, Visit::with("ann", "testtest and more")),
        (200, "1 72 ann 0"),
        "wrapped: 8 bytes count",
    );
    is(admitted(&app, Visit::with("ann", "testtes")), LOGIN, "and no fewer");
}

#[test]
fn what_cannot_be_read_is_asked_for_again_and_a_wrong_question_is_the_operators() {
    let app = app(&[]);
    app.post(BOB);
    for value in [
        "Basic",
        "Basic ",
        "Basic ????",
        "Basic Ym9i",
        "Basic OnNlY3JldA==",
        "Bearer x",
        "Basic Ym8AYjpzZWNyZXQ=",
        "Digest username=\"bob\"",
    ] {
        let headers = format!("Authorization: {value}\r\n");
        is(told(&raw(&app, "GET /auth?site=1", &headers, "")), LOGIN, value);
    }
    let long = format!("Authorization: Basic {}\r\n", "QUFB".repeat(5_000));
    is(told(&raw(&app, "GET /auth?site=1", &long, "")), LOGIN, "20 KB");
    for query in [
        "",
        "site=",
        "site=0",
        "site=1,",
        "site=1&site=2",
        "site=1,1",
        "site=x",
        "site=1&trial=maybe",
        "site=1&ask=x",
        "site=1&tiral=no",
    ] {
        let response = auth(&app, query, Visit::with("bob", "secret"));
        assert_eq!(
            (response.status, response.header("cache-control")),
            (400, Some("no-store")),
            "{query}: {}",
            response.body
        );
        assert!(response.body.contains("expected"), "{query}: {}", response.body);
    }
}

#[test]
fn a_database_that_cannot_be_read_is_503_and_not_a_wrong_password() {
    let app = app(&[]);
    app.post(BOB);
    let sabotage = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    sabotage.execute_batch("ALTER TABLE member_auth RENAME COLUMN login_version TO gone").unwrap();
    let response = auth(&app, "site=1", Visit::with("bob", "secret"));
    assert_eq!(
        (response.status, response.header("retry-after"), response.body.as_str()),
        (503, Some("5"), "It cannot be decided now. Please try again in a moment.")
    );
    sabotage.execute_batch("ALTER TABLE member_auth RENAME COLUMN gone TO login_version").unwrap();
    is(admitted(&app, Visit::with("bob", "secret")), BOB_IS_IN, "once the cause is gone");
}

/// Regression: a row that cannot be read made another login of the visitor invalid.
#[test]
fn a_row_that_cannot_be_read_is_no_row_and_disturbs_no_other() {
    let app = app(&[]);
    app.post(BOB);
    app.post("action=ADD&siteid=1&memberid=72&username=ann&password=secret");
    let cookie = super::cookie(&super::log_in(&app, "ann", "secret"));
    let sabotage = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    sabotage
        .execute_batch("UPDATE member_auth SET username = 'a' || char(7) WHERE memberid = 72")
        .unwrap();
    // A thread sees the change of another process from its next read transaction on.
    eventually("ann's row is none", || {
        admitted(&app, Visit::holding(&cookie)) == (LOGIN.0, LOGIN.1.to_owned())
    });
    is(
        admitted(&app, Visit { cookie: Some(&cookie), ..Visit::with("bob", "secret") }),
        BOB_IS_IN,
        "bob's password beside it",
    );
}

#[test]
fn who_is_logged_in_on_trial_is_told_so_whatever_password_comes_beside_it() {
    let app = app(&["--login-limit-pair", "1"]);
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret&trial=1");
    let cookie = super::cookie(&super::log_in(&app, "bob", "secret"));
    for (what, reason) in [("wrong", "trial"), ("now it is blocked", "trial")] {
        let visit = Visit { cookie: Some(&cookie), ..Visit::with("bob", what) };
        is(told(&auth(&app, "site=1&trial=no", visit)), (403, reason), what);
    }
}
