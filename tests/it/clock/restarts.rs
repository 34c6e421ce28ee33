//! A start under a clock that may be wrong.

use super::{DAY, FORMER, MARCH, MEMBERS, YEAR, bob_and_ann, bob_is_in};
use crate::support::{App, NOON, Request};

pub const PROXY: &[&str] = &["--trusted-proxy", "127.0.0.1"];

/// Regression: a start while the clock was ahead moved members at once.
#[test]
fn a_start_a_year_after_the_newest_record_moves_nobody_before_the_clock_has_stayed() {
    let app = App::start_at(bob_and_ann(&[]).stop(), PROXY, NOON + YEAR);
    app.set_unix(NOON + YEAR + 599);
    assert_eq!(app.rows(MEMBERS), [&format!("71|{MARCH}"), "72|"]);
    assert!(!bob_is_in(&app));
    app.jump_to(NOON + 700);
    assert!(bob_is_in(&app));
    app.set_unix(NOON + 5_000);
    assert_eq!(app.rows(FORMER), [""; 0]);
}

/// On a site without a postback for weeks, members are moved later, and nothing else changes.
#[test]
fn a_start_after_quiet_weeks_moves_whose_time_is_over_ten_minutes_later() {
    let dir = bob_and_ann(&[]).stop();
    let app = App::start_at(dir, PROXY, NOON + YEAR);
    assert!(!bob_is_in(&app), "nobody gets in whose time is over");
    let reply = "OK|member 73 \"cleo\" added to site 1";
    assert_eq!(app.post("action=ADD&siteid=1&memberid=73&username=cleo&password=third"), reply);
    let at = "SELECT at - 1781524800 FROM journal WHERE memberid = 73";
    assert_eq!(app.rows(at), [YEAR.to_string()], "the journal has the time that it is");
    app.set_unix(NOON + YEAR + 600);
    assert_eq!(app.rows(FORMER), [format!("71|expired|{MARCH}")]);
    // From here on the clock is accepted, also by the next start.
    let app = App::start_at(app.stop(), PROXY, NOON + YEAR + 700);
    app.post("action=EXPIRE&siteid=1&memberid=73&expire=2026-01-01");
    assert_eq!(app.rows(MEMBERS), ["72|"]);
}

#[test]
fn a_start_after_a_quiet_day_waits_for_nothing() {
    let app = bob_and_ann(&[]);
    app.post("action=EXPIRE&siteid=1&memberid=72&expire=2026-06-16");
    let app = App::start_at(app.stop(), PROXY, NOON + DAY);
    app.tick();
    assert_eq!(app.rows(FORMER), [format!("72|expired|{}", NOON + DAY / 2)]);
}

/// The service is restarted while a jump is being confirmed, after a probe and a postback.
#[test]
fn a_restart_does_not_confirm_a_jump() {
    let app = bob_and_ann(&[]);
    app.jump_to(NOON + YEAR);
    assert_eq!(app.send(Request::get("/health")).status, 200);
    app.post("action=CHANGE&siteid=1&memberid=72&email=ann@example.com");
    let app = App::start_at(app.stop(), PROXY, NOON + YEAR + 5);
    app.tick();
    assert_eq!(app.rows(FORMER), [""; 0]);
    app.jump_to(NOON + 10);
    assert!(bob_is_in(&app));
}
