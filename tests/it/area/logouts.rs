//! The stored logouts: each one stays effective, and the number of rows of a member is limited.

use super::cookies::{add, is, log_in, log_in_at};
use super::{BOB, Visit, app, auth, cookie, form, told};
use crate::support::{App, NOON, Program, Request, send_raw, temp_dir};

const BOB_IS_IN: (u16, &str) = (200, "1 71 bob 0");
const LOGIN: (u16, &str) = (401, "login");
const HOUR: i64 = 3_600;
/// The default of --login-hours.
const LIFETIME: i64 = 168 * HOUR;
/// The maximum of that setting.
const LONGEST: i64 = 8_784 * HOUR;

fn admitted(app: &App, cookies: &str) -> (u16, String) {
    told(&auth(app, "site=1", Visit::holding(cookies)))
}

fn log_out(app: &App, cookies: &str) -> u16 {
    app.send(form("members.example.com", "/logout", cookies, "")).status
}

/// Logs out with each of these cookies, some at once: the writer takes all that wait every tenth of
/// a second.
fn log_out_all(app: &App, cookies: &[String]) {
    std::thread::scope(|scope| {
        for some in cookies.chunks(cookies.len().div_ceil(8)) {
            scope.spawn(|| some.iter().for_each(|cookie| assert_eq!(log_out(app, cookie), 303)));
        }
    });
}

/// The number of rows of single logouts, and the rows that replace several: member and time, in
/// seconds after noon.
fn rows(app: &App) -> (usize, Vec<String>) {
    let before = format!("SELECT memberid, issued - {NOON} FROM logout_before ORDER BY memberid");
    (app.rows("SELECT 1 FROM logout").len(), app.rows(&before))
}

fn again(app: App, flags: &[&str], now: i64) -> App {
    // With this setting, a start accepts a clock that is days later than the last record.
    let flags = [&["--trusted-proxy", "127.0.0.1", "--clock-jump-minutes", "0"], flags].concat();
    let app = App::start_at(app.stop(), &flags, now);
    // The first deletion of expired rows.
    app.tick();
    app
}

/// Regression: 252,512 logouts of one member were stored as that many rows, for a year.
#[test]
fn of_many_logouts_of_a_member_the_older_half_becomes_one_row_and_all_hold() {
    let app = app(&[]);
    add(&app, 1, 71, "bob");
    add(&app, 1, 72, "ann");
    let (older, ann) = (log_in(&app, "1", "bob", ""), log_in(&app, "1", "ann", ""));
    let mut ended = Vec::new();
    for number in 1..=64 {
        app.set_unix_unnoticed(NOON + 10 * number);
        ended.push(log_in(&app, "1", "bob", ""));
    }
    // In two minutes, because more than 60 in one minute would end all logins.
    log_out_all(&app, &ended[..32]);
    app.set_unix_unnoticed(NOON + 720);
    log_out_all(&app, &ended[32..]);
    assert_eq!(rows(&app), (64, vec![]));
    is(admitted(&app, &older), BOB_IS_IN, "up to here each logout ended one login");
    app.set_unix_unnoticed(NOON + 800);
    let newer = log_in(&app, "1", "bob", "");
    ended.push(log_in(&app, "1", "bob", ""));
    assert_eq!(log_out(&app, ended.last().unwrap()), 303);
    assert_eq!(rows(&app), (33, vec!["71|320".to_owned()]), "the 32 oldest are one row");
    for cookie in &ended {
        is(admitted(&app, cookie), LOGIN, "logged out");
    }
    is(admitted(&app, &newer), BOB_IS_IN, "the member's newer login");
    is(admitted(&app, &older), LOGIN, "the price, which this member alone pays");
    is(admitted(&app, &ann), (200, "1 72 ann 0"), "somebody else");
    assert_eq!(log_out(&app, &ended.join("; ")), 303);
    assert_eq!(rows(&app).0, 33, "logins that are over already cost nothing");
}

#[test]
fn whoever_logs_out_in_a_loop_ends_all_logins_of_the_member_and_writes_no_more() {
    let app = app(&[]);
    app.post(BOB);
    let ended: Vec<_> = (0..70).map(|_| log_in(&app, "1", "bob", "")).collect();
    log_out_all(&app, &ended[..60]);
    assert_eq!(log_out(&app, &ended[60]), 303);
    assert_eq!(rows(&app), (0, vec!["71|0".to_owned()]), "the 61st of a minute");
    for cookie in &ended {
        is(admitted(&app, cookie), LOGIN, "all of them");
    }
    app.set_unix_unnoticed(NOON + 1);
    let next = log_in(&app, "1", "bob", "");
    is(admitted(&app, &next), BOB_IS_IN, "a login after that");
    app.set_unix_unnoticed(NOON + 61);
    assert_eq!(log_out(&app, &next), 303);
    assert_eq!(
        rows(&app),
        (1, vec!["71|0".to_owned()]),
        "in another minute a logout is one of one login"
    );
}

#[test]
fn a_logout_is_one_row_less_when_its_login_is_over_and_holds_where_logins_are_made_to_last_longer()
{
    let app = app(&[]);
    app.post(BOB);
    let (ended, goes_on) = (log_in(&app, "1", "bob", ""), log_in(&app, "1", "bob", ""));
    app.set_unix_unnoticed(NOON + 60);
    let later = log_in(&app, "1", "bob", "");
    assert_eq!((log_out(&app, &ended), log_out(&app, &later)), (303, 303));
    let app = again(app, &[], NOON + LIFETIME - 1);
    assert_eq!(rows(&app), (2, vec![]), "its last second");
    let app = again(app, &[], NOON + LIFETIME);
    assert_eq!(rows(&app), (1, vec!["71|0".to_owned()]), "no login of that second counts any more");
    let app = again(app, &["--login-hours", "8784"], NOON + LIFETIME);
    is(admitted(&app, &ended), LOGIN, "the other one is logged out");
    is(admitted(&app, &goes_on), LOGIN, "it was over before");
    let app = again(app, &[], NOON + LONGEST - 1);
    assert_eq!(
        rows(&app),
        (0, vec!["71|60".to_owned()]),
        "for as long as any setting could take the login"
    );
    let app = again(app, &[], NOON + LONGEST + 60);
    assert_eq!(rows(&app), (0, vec![]), "and not longer");
}

/// Rows as earlier releases wrote them: they do not name the member.
#[test]
fn a_row_of_a_release_before_counts_until_its_time_is_over() {
    let app = app(&[]);
    app.post(BOB);
    let ended = log_in(&app, "1", "bob", "");
    assert_eq!(log_out(&app, &ended), 303);
    let forget = "UPDATE logout SET siteid = NULL, memberid = NULL, issued = NULL";
    rusqlite::Connection::open(app.config.location.file().unwrap())
        .unwrap()
        .execute_batch(forget)
        .unwrap();
    is(admitted(&app, &ended), LOGIN, "it counts");
    let app = again(app, &[], NOON + LONGEST - 1);
    assert_eq!(rows(&app).0, 1);
    let app = again(app, &[], NOON + LONGEST);
    assert_eq!(rows(&app).0, 0);
}

#[test]
fn a_login_that_a_new_password_has_ended_needs_no_row_to_stay_so() {
    let app = app(&[]);
    app.post(BOB);
    let ended = log_in(&app, "1", "bob", "");
    app.post("action=CHANGE&siteid=1&memberid=71&new_password=better");
    assert_eq!(log_out(&app, &ended), 303);
    assert_eq!(rows(&app), (0, vec![]));
}

#[test]
fn a_logout_that_was_answered_holds_after_a_kill() {
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &[]);
    assert!(program.post(BOB).unwrap().body.starts_with("OK|"));
    let send = |program: &Program, path: &str, cookies: &str, body: &str| {
        send_raw(program.address, form("test", path, cookies, body)).unwrap()
    };
    let held = cookie(&send(&program, "/login?site=1", "", "username=bob&password=secret"));
    assert_eq!(send(&program, "/logout", &held, "").status, 303);
    program.kill();
    let program = Program::serve(dir.path(), &[]);
    let ask = Request::get("/auth?site=1").cookie(&held);
    assert_eq!(send_raw(program.address, ask).unwrap().status, 401);
}

/// Eight logins of one browser are eight notes, which one transaction writes.
#[test]
fn a_logout_of_eight_logins_takes_one_transaction() {
    let app = app(&[]);
    let mut held = String::new();
    for site in 1..=8 {
        add(&app, site, 71, "bob");
        held = cookie(&log_in_at(&app, "members.example.com", &site.to_string(), "bob", &held));
    }
    assert_eq!(log_out(&app, &held), 303);
    assert_eq!(rows(&app), (8, vec![]));
}

/// While the clock is ahead, a member logs out often. The second that is stored for these logouts
/// is in the future, and would block the member until then.
#[test]
fn a_second_that_a_wrong_clock_has_left_is_lifted_by_ending_the_member_s_logins() {
    let app = app(&[]);
    app.post(BOB);
    app.set_unix_unnoticed(NOON + LONGEST);
    let ended: Vec<_> = (0..61).map(|_| log_in(&app, "1", "bob", "")).collect();
    log_out_all(&app, &ended[..60]);
    let ended = &ended[60];
    assert_eq!(log_out(&app, ended), 303);
    assert_eq!(rows(&app), (0, vec![format!("71|{LONGEST}")]));
    is(admitted(&app, ended), LOGIN, "logged out");
    app.set_unix_unnoticed(NOON + 1);
    let new = log_in(&app, "1", "bob", "");
    is(admitted(&app, &new), LOGIN, "as if it were of before");
    crate::commands::run_on(app.config.data_dir.path(), &["member", "logout", "1", "71"]).printed();
    let new = log_in(&app, "1", "bob", "");
    is(admitted(&app, &new), BOB_IS_IN, "of a newer version");
    is(admitted(&app, ended), LOGIN, "and what was ended stays so");
}

/// The answer is correct: either the login has ended permanently, or the page says that it has not.
#[test]
fn logouts_in_a_loop_from_many_connections_hold_or_are_refused_while_postbacks_go_on() {
    let app = app(&[]);
    app.post(BOB);
    let in_and_out = |_| {
        let held = log_in(&app, "1", "bob", "");
        (log_out(&app, &held), held)
    };
    let answers = std::thread::scope(|scope| {
        let looping = || (0..20).map(in_and_out).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(looping)).collect();
        for number in 100..140 {
            add(&app, 1, number, &format!("new{number}"));
        }
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(answers.iter().filter(|(status, _)| *status == 303).count() >= 60, "{answers:?}");
    for (status, held) in &answers {
        assert!(matches!(status, 303 | 503), "{status}");
        if *status == 303 {
            is(admitted(&app, held), LOGIN, "logged out");
        }
    }
    let (single, before) = rows(&app);
    assert!(single <= 64 && before.len() <= 1, "{single} {before:?}");
}

/// Regression: each logout deleted logouts of other members that had expired by the clock, although
/// the clock may have been wrong.
#[test]
fn a_clock_that_is_a_year_ahead_for_some_minutes_forgets_no_logout_and_keeps_nobody_out() {
    let app = app(&[]);
    app.post(BOB);
    let (older, out) = (log_in(&app, "1", "bob", ""), log_in(&app, "1", "bob", ""));
    assert_eq!(log_out(&app, &out), 303);
    app.jump_to(NOON + LONGEST);
    let ahead: Vec<_> = (0..61).map(|_| log_in(&app, "1", "bob", "")).collect();
    // With the logout at noon these are 60 of one minute, and then come two more.
    log_out_all(&app, &ahead[..59]);
    ahead[59..].iter().for_each(|cookie| assert_eq!(log_out(&app, cookie), 303));
    app.set_unix(NOON + LONGEST + 300);
    for cookie in &ahead {
        is(admitted(&app, cookie), LOGIN, "each logout holds");
    }
    assert_eq!(rows(&app), (61, vec!["71|0".to_owned()]), "those of the wrong time one by one");
    app.jump_to(NOON + 300);
    is(admitted(&app, &out), LOGIN, "no logout was forgotten");
    is(admitted(&app, &older), LOGIN, "the price of logging out in a loop");
    is(admitted(&app, &log_in(&app, "1", "bob", "")), BOB_IS_IN, "a new login");
}
