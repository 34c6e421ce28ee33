//! Several cookies of the service in one request: which login counts, which cookies hide no login,
//! and what is logged.

use super::cookies::{add, is, log_in, log_in_at};
use super::{Visit, app, auth, cookie, form, told};
use crate::support::{App, NOON, Program, Request, send_raw, temp_dir};

const BOB_IS_IN: (u16, &str) = (200, "1 71 bob 0");
const EVE_IS_IN: (u16, &str) = (200, "1 66 eve 0");
const LOGIN: (u16, &str) = (401, "login");
const SHARED: [&str; 2] = ["--cookie-domain", "example.com"];

/// Bob is the member to be logged in. Eve has a membership of her own, and controls a host of the
/// domain.
fn bob_and_eve(flags: &[&str]) -> App {
    let app = app(flags);
    add(&app, 1, 71, "bob");
    add(&app, 1, 66, "eve");
    app
}

/// A cookie for the shared domain, and one for this host alone.
fn shared_and_own(app: &App, name: &str) -> [String; 2] {
    let at = |host: &str| cookie(&log_in_at(app, host, "1", name, ""));
    [at("www.example.com"), at("www.example.org")]
}

fn admitted(app: &App, cookies: &str) -> (u16, String) {
    told(&auth(app, "site=1", Visit::holding(cookies)))
}

fn log_out(app: &App, cookies: &str) {
    assert_eq!(app.send(form("www.example.com", "/logout", cookies, "")).status, 303);
}

/// Regression: only the newest 32 logins of a request were checked, also if they had ended.
#[test]
fn a_header_full_of_logins_that_have_ended_hides_no_good_one() {
    let app = bob_and_eve(&SHARED);
    let [good, _] = shared_and_own(&app, "bob");
    let mut ended = Vec::new();
    for number in 1..=60 {
        app.set_unix_unnoticed(NOON + number);
        ended.push(cookie(&log_in_at(&app, "www.example.com", "1", "bob", "")));
    }
    log_out(&app, &ended.join("; "));
    let (before, behind) =
        (format!("{good}; {}", ended.join("; ")), format!("{}; {good}", ended.join("; ")));
    assert!(before.len() < 8_192, "{}: as much as nginx and Apache take", before.len());
    for cookies in [before, behind] {
        is(admitted(&app, &cookies), BOB_IS_IN, "sixty that have ended");
    }
}

/// Regression: of two cookies, the one with the newer login counted. A neighbouring host could log
/// a browser in as another member by a cookie for the shared domain.
#[test]
fn a_login_that_no_other_host_can_have_set_counts_before_all_others() {
    let app = bob_and_eve(&SHARED);
    let [_, bob] = shared_and_own(&app, "bob");
    app.set_unix_unnoticed(NOON + 60);
    let [eve, _] = shared_and_own(&app, "eve");
    for cookies in
        [format!("{bob}; {eve}"), format!("{eve}; {bob}"), format!("{eve}; {bob}; {eve}")]
    {
        is(admitted(&app, &cookies), BOB_IS_IN, &cookies);
    }
    log_out(&app, &bob);
    is(admitted(&app, &format!("{bob}; {eve}")), EVE_IS_IN, "one that has ended hides none");
}

#[test]
fn of_cookies_of_one_name_the_newest_login_counts_in_whatever_order_they_come() {
    let app = bob_and_eve(&SHARED);
    let [bob, _] = shared_and_own(&app, "bob");
    app.set_unix_unnoticed(NOON + 60);
    let [eve, _] = shared_and_own(&app, "eve");
    app.set_unix_unnoticed(NOON + 120);
    let [newest, _] = shared_and_own(&app, "bob");
    is(admitted(&app, &format!("{bob}; {eve}")), EVE_IS_IN, "the newer");
    is(admitted(&app, &format!("{eve}; {bob}")), EVE_IS_IN, "the other order");
    is(admitted(&app, &format!("{eve}; {newest}; {bob}")), BOB_IS_IN, "between others");
}

#[test]
fn values_that_are_no_logins_hide_none() {
    let app = bob_and_eve(&SHARED);
    let [_, own] = shared_and_own(&app, "bob");
    let (name, value) = own.split_once('=').unwrap();
    for other in [
        format!("{name}=\"{value}\""),
        format!("{name}={}", value.to_lowercase()),
        format!("{name}={value}{value}"),
        format!("{name}= {value}x"),
        format!("={name}={value}"),
        format!("__host-userman={value}"),
        name.to_owned(),
        format!("{name}={}", "A".repeat(4_000)),
        format!("x=\"; {name}=\"; y={value}"),
    ] {
        is(admitted(&app, &format!("{other}; {own}")), BOB_IS_IN, &other);
        is(admitted(&app, &format!("{own}; {other}")), BOB_IS_IN, &other);
        is(admitted(&app, &other), LOGIN, &other);
    }
}

/// A login from a cookie that another host has set must not be copied into the cookie that the
/// service sets.
#[test]
fn a_new_login_carries_no_other_members_of_a_site_over_from_a_second_cookie() {
    let app = bob_and_eve(&SHARED);
    add(&app, 5, 72, "bobby");
    let [_, bob] = shared_and_own(&app, "bob");
    app.set_unix_unnoticed(NOON + 60);
    let [eve, _] = shared_and_own(&app, "eve");
    let both = cookie(&log_in_at(&app, "www.example.com", "5", "bobby", &format!("{eve}; {bob}")));
    is(told(&auth(&app, "site=5", Visit::holding(&both))), (200, "5 72 bobby 0"), "the new login");
    is(admitted(&app, &both), BOB_IS_IN, "carried over");
    app.post("action=DELETE&siteid=1&memberid=71");
    is(admitted(&app, &both), LOGIN, "nobody else is in it");
    // Regression: the login that was left out stayed valid, and no logout could end it.
    is(admitted(&app, &eve), LOGIN, "a copy of the one that was left out");
}

/// Releases before made one cookie with two members of a site. Such logins do not compete with each
/// other.
#[test]
fn logins_of_two_members_from_two_cookies_leave_a_line_and_a_count() {
    let dir = temp_dir();
    let flags = ["--trusted-proxy", "127.0.0.1", "--cookie-domain", "example.com"];
    let mut program = Program::serve(&dir.path().join("data"), &flags);
    let mut cookies = Vec::new();
    for (member, name, host) in [(71, "bob", "www.example.org"), (66, "eve", "www.example.com")] {
        let added = program.post(&format!(
            "action=ADD&siteid=1&memberid={member}&username={name}&password=secret"
        ));
        assert!(added.unwrap().body.starts_with("OK|"));
        let request = form(host, "/login?site=1", "", &format!("username={name}&password=secret"));
        cookies.push(cookie(&send_raw(program.address, request).unwrap()));
    }
    let ask = |cookies: &str| {
        let request = Request::get("/auth?site=1").from("203.0.113.9").cookie(cookies);
        let response = send_raw(program.address, request).unwrap();
        response.header("x-member-name").unwrap().to_owned()
    };
    assert_eq!(ask(&cookies[0]), "bob");
    assert_eq!(ask(&format!("{}; {}", cookies[0], cookies[0])), "bob", "the same cookie twice");
    for _ in 0..3 {
        assert_eq!(ask(&cookies.join("; ")), "bob");
    }
    program.terminate();
    let log = program.stderr();
    let lines = log.lines().filter_map(|line| line.split_once("WARN  ").map(|(_, line)| line));
    let lines: Vec<&str> = lines.filter(|line| line.contains("two members")).collect();
    assert_eq!(
        lines,
        ["a browser has logins of two members of one site in different cookies, and the first \
             counts: a host that shares the \
          cookie may have set the other one site=1 member=71 other=66 address=203.0.113.9 count=1"],
        "once a minute"
    );
}

#[test]
fn a_new_login_ends_the_one_before_it_in_this_browser_and_no_other() {
    let app = bob_and_eve(&[]);
    add(&app, 5, 72, "bobby");
    let elsewhere = log_in(&app, "1", "bob", "");
    let old = log_in(&app, "1", "bob", &log_in(&app, "5", "bobby", ""));
    is(admitted(&app, &old), BOB_IS_IN, "the first");
    let new = log_in(&app, "1", "bob", &old);
    is(admitted(&app, &old), LOGIN, "a copy of the old cookie");
    is(admitted(&app, &new), BOB_IS_IN, "the new one");
    for (cookies, what) in
        [(&new, "carried over"), (&old, "it was not logged out, and neither is a copy of it")]
    {
        is(told(&auth(&app, "site=5", Visit::holding(cookies))), (200, "5 72 bobby 0"), what);
    }
    is(admitted(&app, &elsewhere), BOB_IS_IN, "another browser");
    let eve = log_in(&app, "1", "eve", &new);
    is(admitted(&app, &new), LOGIN, "another member of the site takes the place of the one before");
    is(admitted(&app, &eve), EVE_IS_IN, "and is logged in");
    is(
        told(&auth(&app, "site=5", Visit::holding(&eve))),
        (200, "5 72 bobby 0"),
        "beside the other site",
    );
}

#[test]
fn two_forms_sent_with_one_old_cookie_both_log_in_and_end_it_once() {
    let app = bob_and_eve(&[]);
    let old = log_in(&app, "1", "bob", "");
    let both = std::thread::scope(|scope| {
        let send = || scope.spawn(|| log_in(&app, "1", "bob", &old));
        [send(), send()].map(|sent| sent.join().unwrap())
    });
    for new in &both {
        is(admitted(&app, new), BOB_IS_IN, "whichever the browser keeps");
    }
    is(admitted(&app, &old), LOGIN, "the old one");
    assert_eq!(app.rows("SELECT count(*) FROM logout"), ["1"]);
}

/// A new login is accepted, even if the earlier login cannot be ended because nothing can be
/// written.
#[test]
fn a_login_goes_on_where_the_one_before_it_cannot_be_ended() {
    let app = bob_and_eve(&[]);
    let old = log_in(&app, "1", "bob", "");
    let lock = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let new = log_in(&app, "1", "bob", &old);
    lock.execute_batch("ROLLBACK").unwrap();
    is(admitted(&app, &new), BOB_IS_IN, "the new one");
    is(admitted(&app, &old), BOB_IS_IN, "the old one, which the log says");
}
