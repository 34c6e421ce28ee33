//! The record of logins: who logged in, who did not and why, and what is never recorded.

use super::cookies::form;
use super::{BOB, Visit, admitted, app, auth, cookie, log_in};
use crate::support::{App, ENGINES, NOON, eventually, temp_dir};

const HOME: &str = "203.0.113.9";

/// The record, the oldest row first. A pseudonym is shown as `?`.
fn record(app: &App) -> Vec<String> {
    let columns = "event, way, siteid, coalesce(memberid, '-'), coalesce(name, '-'), network";
    let rows = app.rows(&format!("SELECT {columns} FROM login ORDER BY id"));
    let pseudonym = |field: &str| {
        let is_word = field.len() == 11 && field.starts_with('?');
        (if is_word { "?" } else { field }).to_owned()
    };
    rows.iter().map(|row| row.split('|').map(pseudonym).collect::<Vec<_>>().join(" ")).collect()
}

/// With bob (71), tim on trial (72), and rob, who has left (73).
fn site(flags: &[&str]) -> App {
    filled(app(flags))
}

fn filled(app: App) -> App {
    for body in [
        BOB,
        "action=ADD&siteid=1&memberid=72&username=tim&password=secret&trial=1",
        "action=ADD&siteid=1&memberid=73&username=rob&password=secret",
        "action=DELETE&siteid=1&memberid=73",
    ] {
        assert!(app.post(body).starts_with("OK|"));
    }
    app.harden();
    app
}

#[test]
fn each_login_is_recorded_with_its_cause_on_every_engine() {
    for engine in ENGINES {
        let flags = ["--trusted-proxy", "127.0.0.1", "--login-limit-pair", "2"];
        let Some(app) = App::start_in_on_engine(engine, temp_dir(), &flags) else { continue };
        let app = filled(app);
        let cookie = cookie(&log_in(&app, "Bob", "secret"));
        assert_eq!(log_in(&app, "bob", "wrong").status, 401);
        admitted(&app, Visit::with("Bob", "wrong again").from("2001:db8::7"));
        admitted(&app, Visit::with("rob", "secret").from("198.51.100.1"));
        admitted(&app, Visit::with("Correct Horse", "Battery").from("198.51.100.2"));
        assert_eq!(auth(&app, "site=1&trial=no", Visit::with("tim", "secret")).status, 403);
        let (status, _) = admitted(&app, Visit::with("tim", "secret").from("198.51.100.3"));
        assert_eq!(status, 200);
        admitted(&app, Visit::with("bob", "third").from("2001:db8::7"));
        admitted(&app, Visit::with("bob", "fourth").from("2001:db8::7"));
        log_out(&app, &cookie);
        assert_eq!(
            record(&app),
            [
                "login page 1 71 bob 127.0.0.1",
                "wrong page 1 71 bob 127.0.0.1",
                "wrong basic 1 71 bob 2001:db8::/64",
                "unknown basic 1 73 rob 198.51.100.1",
                "unknown basic 1 - ? 198.51.100.2",
                "trial basic 1 72 tim 203.0.113.9",
                "login basic 1 72 tim 198.51.100.3",
                "wrong basic 1 71 bob 2001:db8::/64",
                "blocked basic 1 71 bob 2001:db8::/64",
                "logout page 1 71 - 203.0.113.9",
            ],
            "{engine:?}"
        );
    }
}

#[test]
fn a_check_without_a_new_login_writes_nothing() {
    let app = site(&[]);
    let [one, other] = [(); 2].map(|()| cookie(&log_in(&app, "bob", "secret")));
    assert_eq!(admitted(&app, Visit::with("tim", "secret")).0, 200);
    assert_eq!(admitted(&app, Visit::holding(&other)).0, 200);
    log_out(&app, &one);
    eventually("the networks are counted", || {
        app.rows("SELECT count(*) FROM sharing_network") == ["3"]
    });
    let before = (record(&app), counts(&app));
    assert_eq!(before.0.len(), 4);
    for _ in 0..50 {
        assert_eq!(admitted(&app, Visit::holding(&other)).0, 200);
        assert_eq!(admitted(&app, Visit::with("tim", "secret")).0, 200);
        assert_eq!(admitted(&app, Visit::default()).0, 401);
    }
    log_out(&app, &other);
    assert_eq!(record(&app)[4..], ["logout page 1 71 - 203.0.113.9"], "and nothing else");
    assert_eq!(counts(&app), before.1);

    app.set_unix(NOON + 86_400);
    assert_eq!(admitted(&app, Visit::with("tim", "secret")).0, 200);
    eventually("the next day is recorded", || {
        record(&app).last().unwrap() == "login basic 1 72 tim 203.0.113.9"
    });
}

/// The rows of the other tables that a visitor can change without logging out.
fn counts(app: &App) -> Vec<String> {
    app.rows(
        "SELECT (SELECT count(*) FROM known_network), (SELECT count(*) FROM login_seen),
             (SELECT count(*) FROM sharing_network), (SELECT count(*) FROM sharing_block)",
    )
}

/// The answer comes when all earlier notes are written.
fn log_out(app: &App, cookie: &str) {
    assert_eq!(app.send(form("members.example.com", "/logout", cookie, "")).status, 303);
}

#[test]
fn a_wrong_password_that_a_browser_repeats_is_recorded_once() {
    let app = site(&[]);
    let cookie = cookie(&log_in(&app, "bob", "secret"));
    for _ in 0..20 {
        assert_eq!(admitted(&app, Visit::with("bob", "old")).0, 401);
    }
    log_out(&app, &cookie);
    assert_eq!(record(&app)[1..2], ["wrong basic 1 71 bob 203.0.113.9"]);
    assert_eq!(record(&app).len(), 3);
}

#[test]
fn guessers_fill_only_so_many_rows_a_minute() {
    let app = site(&["--login-limit-pair", "0", "--login-limit-name", "0"]);
    let cookie = cookie(&log_in(&app, "bob", "secret"));
    for guess in 0..30 {
        admitted(&app, Visit::with("bob", &format!("guess {guess}")).from(HOME));
    }
    log_out(&app, &cookie);
    assert_eq!(record(&app).len(), 12);
}

#[test]
fn the_record_is_pruned_and_can_be_turned_off() {
    let app = site(&["--login-days", "2"]);
    admitted(&app, Visit::with("bob", "secret"));
    eventually("bob is recorded", || record(&app).len() == 1);
    app.set_unix(NOON + 86_400);
    admitted(&app, Visit::with("tim", "secret"));
    eventually("tim is recorded", || record(&app).len() == 2);
    app.set_unix(NOON + 2 * 86_400 + 60);
    app.tick();
    assert_eq!(record(&app), ["login basic 1 72 tim 203.0.113.9"]);

    let app = site(&["--login-days", "0"]);
    let cookie = cookie(&log_in(&app, "bob", "secret"));
    admitted(&app, Visit::with("bob", "wrong"));
    log_out(&app, &cookie);
    assert_eq!(record(&app), [""; 0]);
}
