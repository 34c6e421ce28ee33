//! Postbacks that arrive while a jump of the clock is being confirmed. A member who has expired by
//! the jumped clock counts as not there, and nothing is lost that is needed after the clock is
//! corrected.

use super::restarts::PROXY;
use super::{ANN, FORMER, MARCH, MEMBERS, UNTIL_MARCH, YEAR, answers, bob_and_ann, bob_is_in};
use crate::area::{cookie, log_in, raw};
use crate::property::replays::{dump, replay};
use crate::support::{App, NOON, temp_dir};

const ACTIVATE: &str = "action=ACTIVATE&siteid=1&memberid=71&username=bob";

/// A replay of the journal gives equal rows in every column. At its end it moves expired members,
/// here at a time one minute later.
#[track_caller]
fn replays(app: &App) {
    let dir = temp_dir();
    let vault = nats_userman::password::Vault::load(&app.dir.path().join("data/seal.key")).unwrap();
    let again =
        replay(dir.path(), "again.db", &app.config.location, &vault, false, NOON + 60).unwrap();
    let live: Vec<_> = dump(&app.config.location);
    assert_eq!(dump(&again.location), live);
}

fn ahead() -> App {
    let app = bob_and_ann(&[]);
    app.jump_to(NOON + YEAR);
    app
}

/// Sets the clock right, a minute later.
fn corrected(app: &App) {
    app.jump_to(NOON + 60);
    assert_eq!(app.rows("SELECT count(*) FROM former_member WHERE ended_at > 1781524860"), ["0"]);
}

#[test]
fn a_name_of_somebody_who_has_lapsed_by_the_jump_is_free_and_goes_to_who_has_paid_now() {
    let app = ahead();
    answers(&app, "action=CHECK&siteid=1&username=bob", "NOTOK|username \"bob\" is free on site 1");
    assert_eq!(app.rows(MEMBERS), [&format!("71|{MARCH}"), "72|"]);
    answers(
        &app,
        "action=ADD&siteid=1&memberid=73&username=Bob&password=third",
        "OK|member 73 \"Bob\" added to site 1",
    );
    assert_eq!(app.rows(MEMBERS), ["72|", "73|"]);
    assert_eq!(app.rows(FORMER), [format!("71|expired|{MARCH}")], "two cannot have one name");
    app.jump_to(NOON + 60);
    assert_eq!(
        app.post(ACTIVATE),
        "ERROR|username \"bob\" is held by member 73 of site 1, nothing was changed for member 71"
    );
    replays(&app);
}

#[test]
fn a_rename_to_such_a_name_is_the_same() {
    let app = ahead();
    answers(
        &app,
        "action=CHANGE&siteid=1&memberid=72&new_username=BOB",
        "OK|member 72 \"BOB\" changed on site 1",
    );
    assert_eq!(app.rows(FORMER), [format!("71|expired|{MARCH}")]);
    replays(&app);
}

#[test]
fn who_comes_back_meanwhile_is_a_member_without_an_expiry() {
    for body in [
        ACTIVATE,
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret",
        "action=TRIALTOFULL&siteid=1&memberid=71&username=bob",
    ] {
        let app = ahead();
        assert!(app.post(body).starts_with("OK|"), "{body}");
        assert!(bob_is_in(&app), "who has paid gets in at once");
        assert_eq!(app.rows(MEMBERS), ["71|", "72|"], "{body}");
        corrected(&app);
        assert!(bob_is_in(&app));
        replays(&app);
    }
}

/// A DELETE that was answered OK must stay effective after the clock is corrected.
#[test]
fn a_delete_of_somebody_who_has_lapsed_by_the_jump_holds_when_the_clock_is_right_again() {
    let app = ahead();
    answers(&app, "action=DELETE&siteid=1&memberid=71", "OK|member 71 \"bob\" removed from site 1");
    answers(
        &app,
        "action=DELETE&siteid=1&memberid=71",
        "OK|member 71 is not a member of site 1 now, nothing to remove",
    );
    app.jump_to(NOON + 60);
    assert!(!bob_is_in(&app));
    assert_eq!(app.rows(FORMER), [format!("71|deleted|{}", NOON + YEAR)]);
    replays(&app);
}

#[test]
fn an_expiry_that_is_reached_by_the_jump_alone_is_noted_and_moves_nobody() {
    let app = ahead();
    let january = "action=EXPIRE&siteid=1&memberid=72&expire=2027-01-01";
    for _ in 0..2 {
        answers(&app, january, "OK|member 72 \"ann\" of site 1 expired at 2027-01-01T00:00:00Z");
    }
    answers(&app, "action=CHECK&siteid=1&username=ann", "NOTOK|username \"ann\" is free on site 1");
    answers(
        &app,
        "action=EXPIRE&siteid=1&memberid=71&expire=2027-04-01",
        "OK|member 71 \"bob\" of site 1 expired at 2027-04-01T00:00:00Z",
    );
    answers(
        &app,
        "action=EXPIRE&siteid=1&memberid=71&expire=2027-12-01",
        "ERROR|member 71 is not a member of site 1 now, an expiry at 2027-12-01T00:00:00Z cannot \
         be noted",
    );
    assert_eq!(app.rows(MEMBERS), ["71|1806537600", "72|1798761600"]);
    replays(&app);
    corrected(&app);
    assert!(bob_is_in(&app));
    answers(&app, "action=CHECK&siteid=1&username=ann", "OK|username \"ann\" is taken on site 1");
    replays(&app);
}

#[test]
fn an_expiry_that_was_reached_before_the_jump_moves_at_once() {
    let app = ahead();
    let may = "action=EXPIRE&siteid=1&memberid=71&expire=2026-05-01";
    answers(&app, may, "OK|member 71 \"bob\" of site 1 expired at 2026-05-01T00:00:00Z");
    assert_eq!(app.rows(FORMER), ["71|expired|1777593600"]);
    replays(&app);
}

#[test]
fn a_change_for_somebody_who_has_lapsed_by_the_jump_is_refused_and_nothing_is_lost() {
    let app = ahead();
    answers(
        &app,
        "action=CHANGE&siteid=1&memberid=71&new_password=better",
        "ERROR|member 71 is not a member of site 1 now, nothing was changed",
    );
    corrected(&app);
    assert!(bob_is_in(&app));
    replays(&app);
}

#[test]
fn a_replay_moves_whom_the_service_moved_whatever_the_clock_said_in_between() {
    let app = ahead();
    // In the wrong year, before the jump is confirmed.
    app.post("action=CHANGE&siteid=1&memberid=72&email=ann@example.com");
    app.jump_to(NOON + 60);
    app.post("action=CHANGE&siteid=1&memberid=72&email=ann@example.org");
    assert_eq!(app.rows(MEMBERS), [&format!("71|{MARCH}"), "72|"]);
    replays(&app);
    // The same jump lasts until Bob is moved. No postback arrives meanwhile.
    app.jump_to(NOON + YEAR);
    app.set_unix(NOON + YEAR + 600);
    assert_eq!(app.rows(FORMER), [format!("71|expired|{MARCH}")]);
    app.jump_to(NOON + 700);
    answers(
        &app,
        "action=ADD&siteid=1&memberid=74&username=bob&password=fourth",
        "OK|member 74 \"bob\" added to site 1",
    );
    app.post("action=EXPIRE&siteid=1&memberid=74&expire=2027-01-01");
    assert_eq!(app.rows(MEMBERS), ["72|", "74|1798761600"], "noted behind the move");
    replays(&app);
    for body in [ANN, UNTIL_MARCH, ACTIVATE] {
        app.post(body);
    }
    replays(&app);
}

/// What NATS sends after the clock was set back by some seconds, less than counts as a jump.
const AFTER_A_STEP_BACK: [(&str, &str); 4] = [
    (
        "action=ADD&siteid=1&memberid=71&username=bob&password=again",
        "OK|member 71 \"bob\" added to site 1",
    ),
    (
        "action=DELETE&siteid=1&memberid=71",
        "OK|member 71 is not a member of site 1 now, nothing to remove",
    ),
    (
        "action=ADD&siteid=1&memberid=74&username=bob&password=fourth",
        "OK|member 74 \"bob\" added to site 1",
    ),
    (
        "action=EXPIRE&siteid=1&memberid=71&expire=2030-01-01",
        "ERROR|member 71 is not a member of site 1 now, an expiry at 2030-01-01T00:00:00Z cannot \
         be noted",
    ),
];

const IN_TEN_SECONDS: &str = "action=EXPIRE&siteid=1&memberid=71&expire=2026-06-15+12:00:10";

/// Regression: the postback of another member, between the move and the step back, had the replay
/// forget the move.
#[test]
fn a_replay_moves_whom_the_service_moved_before_the_clock_was_set_back_by_seconds() {
    for (body, reply) in AFTER_A_STEP_BACK {
        let app = bob_and_ann(&[]);
        app.post(IN_TEN_SECONDS);
        app.set_unix(NOON + 10);
        app.set_unix(NOON + 12);
        app.post("action=CHANGE&siteid=1&memberid=72&email=ann@example.com");
        app.jump_to(NOON + 4);
        answers(&app, body, reply);
        // Noted behind the move, so that it does not count.
        app.post("action=EXPIRE&siteid=1&memberid=72&expire=2026-06-15+12:00:07");
        app.post("action=ACTIVATE&siteid=1&memberid=72&username=ann");
        replays(&app);
    }
}

/// Nothing but the move itself shows in the database that it was later.
#[test]
fn a_replay_moves_whom_the_service_moved_before_a_start_with_a_clock_that_was_set_back() {
    for (body, reply) in AFTER_A_STEP_BACK {
        let app = bob_and_ann(&[]);
        app.post(IN_TEN_SECONDS);
        let ann = cookie(&log_in(&app, "ann", "other"));
        app.set_unix_unnoticed(NOON + 10);
        let logout = format!("Cookie: {ann}\r\nSec-Fetch-Site: same-origin\r\n");
        assert_eq!(raw(&app, "POST /logout", &logout, "").status, 303);
        let app = App::start_at(app.stop(), PROXY, NOON + 4);
        assert_eq!(app.rows(FORMER), [format!("71|expired|{}", NOON + 10)]);
        answers(&app, body, reply);
        replays(&app);
    }
}

/// Regression: each start until the next probe told of the move again, behind what had been noted
/// since.
#[test]
fn a_replay_moves_them_once_however_often_the_service_starts_before_that_time() {
    let app = bob_and_ann(&[]);
    app.post(IN_TEN_SECONDS);
    app.set_unix(NOON + 10);
    let app = App::start_at(app.stop(), PROXY, NOON + 4);
    app.post("action=EXPIRE&siteid=1&memberid=72&expire=2026-06-15+12:00:07");
    let app = App::start_at(app.stop(), PROXY, NOON + 5);
    app.post("action=ACTIVATE&siteid=1&memberid=72&username=ann");
    assert_eq!(app.rows("SELECT login_version FROM member_auth WHERE memberid = 72"), ["1"]);
    replays(&app);
}
