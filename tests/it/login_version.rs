//! `login_version`: which changes end the logins of a member, and which do not.

use crate::support::{App, temp_dir};

fn app() -> App {
    App::start_in(temp_dir(), &[])
}

/// Sends an action about member 71, hashes sealed passwords if `harden` is set, and returns the
/// login_version of the member.
fn version_after(app: &App, postback: &str, harden: bool) -> String {
    let reply = app.post(&format!("{postback}&siteid=1&memberid=71"));
    assert!(reply.starts_with("OK|"), "{postback}: {reply}");
    if harden {
        app.harden();
    }
    let both = "SELECT login_version FROM member_auth WHERE memberid = 71
         UNION ALL SELECT 'former ' || login_version FROM former_member WHERE memberid = 71";
    app.rows(both).remove(0)
}

#[test]
fn a_new_name_or_credential_ends_the_logins_and_a_rebill_does_not() {
    let crypt = "cryptpass=41R19prsa7NLQ";
    let app = app();
    for (postback, version, why) in [
        ("action=ADD&username=bob&password=secret", "1", "the first"),
        ("action=ADD&username=bob&password=secret", "1", "a rebill"),
        (
            "action=ACTIVATE&username=bob&password=secret&email=b@example.com",
            "1",
            "a rebill, as NATS4 says it",
        ),
        (
            "action=TRIALTOFULL&username=bob&password=other",
            "1",
            "takes over no credential of one who is there",
        ),
        ("action=CHANGE&new_email=bob@example.com", "1", "nothing that logins depend on"),
        ("action=CHANGE&new_username=bob", "1", "the name that he has"),
        ("action=CHANGE&new_username=Bob", "2", "a new name"),
        ("action=CHANGE&new_password=better", "3", "a new password"),
        ("action=ADD&username=Bob&password=better", "3", "a rebill"),
        ("action=ADD&username=Bob&password=third", "4", "an ADD with another password"),
        ("action=ACTIVATE&username=Bob&password=fourth", "5", "an ACTIVATE with another one"),
        (&format!("action=CHANGE&new_{crypt}"), "6", "a cryptpass"),
        (&format!("action=ADD&username=Bob&{crypt}"), "6", "a rebill with it"),
        (
            "action=ADD&username=Bob&password=testtest",
            "6",
            "the password that the cryptpass was made of",
        ),
        ("action=DELETE", "former 7", "the member has left"),
        ("action=ACTIVATE&username=Bob", "7", "and is back: his logins are not"),
        ("action=EXPIRE&expire=2026-06-15", "former 8", "left again"),
        ("action=ADD&username=Bob&password=testtest", "8", "a row made anew goes on from there"),
        ("action=DELETE", "former 9", "left again"),
        (
            "action=ACTIVATE&username=Bob&password=new",
            "9",
            "back with another password: a login by it stays",
        ),
        ("action=EXPIRE&expire=2026-06-15", "former 10", "left again"),
        ("action=TRIALTOFULL&username=Bob&password=newer", "10", "back as a full member"),
        ("action=ADD&username=Rob&password=newer", "11", "an ADD with another name"),
        ("action=ACTIVATE&username=rob&password=newer", "12", "with another spelling of it"),
        ("action=ACTIVATE&username=Rab&password=newest", "13", "both end them once"),
    ] {
        assert_eq!(version_after(&app, postback, true), version, "{postback}: {why}");
    }
}

#[test]
fn a_change_ends_the_logins_before_its_password_is_hashed_and_only_once() {
    let app = app();
    for (postback, version) in [
        ("action=ADD&username=bob&password=secret", "1"),
        ("action=CHANGE&new_password=better", "2"),
        ("action=CHANGE&new_password=better", "2"),
        ("action=CHANGE&new_password=best", "3"),
        ("action=ADD&username=bob&password=best", "3"),
    ] {
        assert_eq!(version_after(&app, postback, false), version, "{postback}");
    }
    app.harden();
    assert_eq!(app.rows("SELECT login_version FROM member_auth"), ["3"]);
    let ended = "SELECT action, logins_ended FROM journal ORDER BY id";
    assert_eq!(app.rows(ended), ["ADD|", "CHANGE|1", "CHANGE|", "CHANGE|1", "ADD|"]);
}

#[test]
fn an_expiry_that_happens_by_itself_ends_the_logins() {
    let app = app();
    assert_eq!(version_after(&app, "action=ADD&username=bob&password=secret", true), "1");
    assert_eq!(version_after(&app, "action=EXPIRE&expire=2026-06-16", true), "1");
    app.set_time("2026-06-16 00:00:00");
    assert_eq!(app.rows("SELECT login_version FROM former_member"), ["2"]);
}
