//! What waits while a jump of the clock is being confirmed, and what does not.

use super::{FORMER, MARCH, MEMBERS, YEAR, bob_and_ann, bob_is_in};
use crate::area::{Visit, admitted, cookie, log_in, raw};
use crate::support::{App, NOON};

/// Regression: a clock that was a year ahead for some seconds ended a membership permanently.
#[test]
fn a_clock_that_is_a_year_ahead_for_some_seconds_moves_and_deletes_nothing() {
    let app = bob_and_ann(&["--journal-days", "30"]);
    assert!(bob_is_in(&app));
    let given_back = cookie(&log_in(&app, "ann", "other"));
    let logout = format!("Cookie: {given_back}\r\nSec-Fetch-Site: same-origin\r\n");
    assert_eq!(raw(&app, "POST /logout", &logout, "").status, 303);
    app.jump_to(NOON + YEAR);
    assert!(!bob_is_in(&app), "a login compares at once");
    // A note of a visitor, which makes the writer look for expired notes.
    let other = cookie(&log_in(&app, "ann", "other"));
    raw(&app, "POST /logout", &format!("Cookie: {other}\r\nSec-Fetch-Site: same-origin\r\n"), "");
    app.set_unix(NOON + YEAR + 9 * 60);
    assert_eq!(app.rows(MEMBERS), [&format!("71|{MARCH}"), "72|"]);
    assert_eq!(app.rows("SELECT count(*) FROM logout"), ["2"]);
    app.jump_to(NOON + 9 * 60);
    assert!(bob_is_in(&app), "as if nothing had been");
    assert_eq!(app.rows(MEMBERS), [&format!("71|{MARCH}"), "72|"]);
    assert_eq!(app.rows(FORMER), [""; 0]);
    assert_eq!(app.rows("SELECT count(*) FROM journal"), ["3"], "nothing was pruned");
    assert_eq!(admitted(&app, Visit::holding(&given_back)).0, 401, "and no login came back");
}

#[test]
fn a_jump_that_stays_moves_whose_time_is_over_after_ten_minutes_at_the_instant_of_their_expiry() {
    let app = bob_and_ann(&["--journal-days", "30"]);
    app.jump_to(NOON + YEAR);
    app.set_unix(NOON + YEAR + 599);
    assert_eq!(app.rows(FORMER), [""; 0]);
    app.set_unix(NOON + YEAR + 600);
    assert_eq!(app.rows(MEMBERS), ["72|"]);
    assert_eq!(app.rows(FORMER), [format!("71|expired|{MARCH}")]);
    assert_eq!(app.rows("SELECT count(*) FROM journal"), ["1"], "pruned, but for the newest");
}

#[test]
fn the_time_that_a_jump_waits_is_a_setting() {
    let app = bob_and_ann(&["--clock-jump-minutes", "2"]);
    app.jump_to(NOON + YEAR);
    app.set_unix(NOON + YEAR + 119);
    assert_eq!(app.rows(FORMER), [""; 0]);
    app.set_unix(NOON + YEAR + 120);
    assert_eq!(app.rows(FORMER), [format!("71|expired|{MARCH}")]);
    let app = bob_and_ann(&["--clock-jump-minutes", "0"]);
    app.jump_to(NOON + YEAR);
    assert_eq!(app.rows(FORMER), [format!("71|expired|{MARCH}")], "at once");
}

/// A member whose membership ends by the time before the jump is moved meanwhile.
#[test]
fn who_lapses_by_the_time_of_before_the_jump_moves_within_the_second() {
    let app = bob_and_ann(&[]);
    app.post("action=EXPIRE&siteid=1&memberid=72&expire=2026-06-15+12:05:00");
    app.jump_to(NOON + YEAR);
    app.set_unix(NOON + YEAR + 299);
    assert_eq!(app.rows(FORMER), [""; 0]);
    app.set_unix(NOON + YEAR + 300);
    assert_eq!(app.rows(FORMER), [format!("72|expired|{}", NOON + 300)]);
}

#[test]
fn small_steps_and_a_suspend_move_at_once() {
    let app = bob_and_ann(&[]);
    app.post("action=EXPIRE&siteid=1&memberid=72&expire=2026-06-15+12:04:00");
    app.jump_to(NOON + 300);
    assert_eq!(app.rows(FORMER), [format!("72|expired|{}", NOON + 240)], "a step of five minutes");
    // Both clocks went on while the machine was suspended.
    app.set_unix(NOON + YEAR);
    assert_eq!(app.rows(MEMBERS), [""; 0]);
}

#[test]
fn a_clock_that_is_set_back_lets_in_by_what_it_shows_and_moves_nobody_too_early() {
    let app = bob_and_ann(&[]);
    app.post("action=EXPIRE&siteid=1&memberid=72&expire=2026-06-15+12:01:00");
    app.jump_to(NOON - YEAR);
    app.set_unix(NOON - YEAR + 120);
    assert!(bob_is_in(&app));
    assert_eq!(app.rows(FORMER), [""; 0], "it is not yet time by this clock");
    app.jump_to(NOON + 130);
    assert_eq!(app.rows(FORMER), [format!("72|expired|{}", NOON + 60)]);
    assert!(bob_is_in(&app));
}

/// A block is an interval: the jump does not change when it ends.
#[test]
fn a_block_from_while_the_clock_was_a_year_ahead_ends_after_its_quarter_of_an_hour() {
    let app = bob_and_ann(&[]);
    let guess = |number: usize| {
        admitted(&app, Visit::with("bob", &format!("guess {number}")).from("198.51.100.1"))
    };
    let right = |app: &App| admitted(app, Visit::with("bob", "secret").from("198.51.100.1"));
    app.post("action=ACTIVATE&siteid=1&memberid=71&username=bob");
    app.jump_to(NOON + YEAR);
    (0..10).for_each(|number| drop(guess(number)));
    assert_eq!(right(&app), (403, "blocked".into()));
    app.jump_to(NOON);
    assert_eq!(right(&app), (403, "blocked".into()), "it goes on");
    app.set_unix(NOON + 899);
    assert_eq!(right(&app), (403, "blocked".into()));
    app.set_unix(NOON + 900);
    assert_eq!(right(&app), (200, "1 71 bob 0".into()));
}
