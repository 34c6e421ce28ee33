//! The record of logins: who logged in, who did not and why, and what is never recorded.

use super::{BOB, Visit, admitted, app, auth, cookie, log_in};
use crate::engines::area::history::{log_out, record, site};
use crate::support::{App, NOON, eventually};

const HOME: &str = "203.0.113.9";

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

/// Regression: the first check of the day, which was denied, counted as the login.
#[test]
fn a_login_by_the_prompt_is_recorded_also_behind_a_page_that_denied_it() {
    let app = app(&[]);
    app.post(&format!("{BOB}&trial=1"));
    assert_eq!(auth(&app, "site=1&trial=no", Visit::with("bob", "secret")).status, 403);
    assert_eq!(auth(&app, "site=1", Visit::with("bob", "secret")).status, 200);
    eventually("both are recorded", || {
        app.rows("SELECT event FROM login ORDER BY id") == ["trial", "login"]
    });
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
