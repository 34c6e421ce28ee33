//! The inactivity timeout of logins, `--login-idle-minutes`.

use super::cookies::{is, log_in};
use super::{BOB, Visit, app, auth, told};
use crate::support::{App, NOON, Request};

const BOB_IS_IN: (u16, &str) = (200, "1 71 bob 0");
const LOGIN: (u16, &str) = (401, "login");
const MINUTE: i64 = 60;
const FLAGS: [&str; 2] = ["--login-idle-minutes", "30"];
const SAID: &str =
    "You were logged out, because the page was not used for a while. Please log in again.";

fn admitted_at(app: &App, minute: i64, cookie: &str) -> (u16, String) {
    app.set_unix_unnoticed(NOON + minute * MINUTE);
    told(&auth(app, "site=1", Visit::holding(cookie)))
}

/// The stored times of the last uses of logins, in minutes after noon.
fn seen(app: &App) -> Vec<String> {
    app.rows(&format!("SELECT memberid, (at - {NOON}) / 60 FROM login_seen ORDER BY 1, 2"))
}

/// Stops the app, which writes all notes, and starts it again at this minute.
fn again(app: App, minute: i64, flags: &[&str]) -> App {
    let app = App::start_at(
        app.stop(),
        &[&["--trusted-proxy", "127.0.0.1"], flags].concat(),
        NOON + minute * MINUTE,
    );
    // The first deletion of expired rows.
    app.tick();
    app
}

#[test]
fn a_login_that_is_used_goes_on_and_one_that_is_not_ends_and_the_page_says_so() {
    let app = app(&FLAGS);
    app.post(BOB);
    let (used, unused) = (log_in(&app, "1", "bob", ""), log_in(&app, "1", "bob", ""));
    for minute in [29, 58, 87, 116] {
        is(admitted_at(&app, minute, &used), BOB_IS_IN, "within half an hour of the last");
    }
    is(admitted_at(&app, 116, &unused), LOGIN, "the other browser was away");
    let page = auth(&app, "site=1&ask=page", Visit::holding(&unused));
    assert!(
        page.status == 401
            && page.header("x-auth-reason") == Some("login")
            && page.body.contains(SAID),
        "{}",
        page.body
    );
    let page = app.send(Request::get("/login?site=1").cookie(&unused));
    assert!(page.status == 200 && page.body.contains(SAID), "{}", page.body);
    let prompt = auth(&app, "site=1", Visit::holding(&unused));
    assert!(prompt.header("www-authenticate").is_some());
    is(admitted_at(&app, 145, &used), BOB_IS_IN, "a minute before its end");
    is(admitted_at(&app, 175, &used), LOGIN, "half an hour later");
    is(admitted_at(&app, 175, &unused), LOGIN, "nothing brings it back");
    is(
        told(&auth(&app, "site=1", Visit::with("bob", "secret"))),
        BOB_IS_IN,
        "a password is no session",
    );
}

#[test]
fn a_restart_ends_no_login_that_is_used_and_revives_none_that_is_over() {
    let app = app(&FLAGS);
    app.post(BOB);
    let (used, unused) = (log_in(&app, "1", "bob", ""), log_in(&app, "1", "bob", ""));
    is(admitted_at(&app, 25, &used), BOB_IS_IN, "used");
    let app = again(app, 40, &FLAGS);
    assert_eq!(seen(&app), ["71|25"]);
    is(admitted_at(&app, 40, &unused), LOGIN, "over before the restart");
    is(admitted_at(&app, 54, &used), BOB_IS_IN, "29 minutes after its last use");
    let app = again(app, 83, &FLAGS);
    is(admitted_at(&app, 83, &used), BOB_IS_IN, "once more");
    let app = again(app, 113, &FLAGS);
    is(admitted_at(&app, 113, &used), LOGIN, "not used for half an hour");
    assert_eq!(seen(&app), [""; 0], "and nothing is kept of it");
}

#[test]
fn uses_are_written_down_at_a_coarse_step_and_for_a_bounded_number_of_logins() {
    let app = app(&FLAGS);
    app.post(BOB);
    let first = log_in(&app, "1", "bob", "");
    for (minute, written) in
        [(1, vec![]), (2, vec![]), (3, vec!["71|3"]), (4, vec!["71|3"]), (6, vec!["71|6"])]
    {
        is(admitted_at(&app, minute, &first), BOB_IS_IN, "used");
        crate::support::eventually("the note is written", || seen(&app) == written);
    }
    let logins: Vec<_> = (0..70).map(|_| log_in(&app, "1", "bob", "")).collect();
    for cookie in &logins {
        is(admitted_at(&app, 9, cookie), BOB_IS_IN, "used");
    }
    let app = again(app, 9, &FLAGS);
    assert_eq!(seen(&app), vec!["71|9"; 64], "the last used ones");
    for cookie in &logins {
        is(admitted_at(&app, 10, cookie), BOB_IS_IN, "of the others, the time of the login counts");
    }
}

#[test]
fn without_the_setting_nothing_ends_and_nothing_is_written() {
    let app = app(&[]);
    app.post(BOB);
    let held = log_in(&app, "1", "bob", "");
    is(admitted_at(&app, 167 * 60, &held), BOB_IS_IN, "in its last hour");
    assert_eq!(seen(&app), [""; 0]);
    let app = again(app, 167 * 60, &FLAGS);
    is(
        admitted_at(&app, 167 * 60, &held),
        LOGIN,
        "turned on, the login was the last use that is known",
    );
    let new = log_in(&app, "1", "bob", "");
    is(admitted_at(&app, 167 * 60 + 5, &new), BOB_IS_IN, "used");
    let app = again(app, 167 * 60 + 5, &[]);
    assert_eq!(seen(&app), [""; 0], "turned off, nothing is kept");
    is(admitted_at(&app, 168 * 60 + 5, &new), BOB_IS_IN, "and nothing ends");
}
