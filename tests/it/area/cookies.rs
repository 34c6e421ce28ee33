//! One cookie holds all logins of a browser: of several members, on several hosts, and from the
//! release before.

use std::fs;

use super::{BOB, Visit, app, auth, cookie, form, told};
use crate::support::{App, NOON, Program, Response, send_raw, temp_dir};

const LOGIN: (u16, &str) = (401, "login");
/// A cookie of the release before: member 71 of site 5, who logged in at noon when the
/// `login_version` of the row was 3. The key is 32 bytes of 7. A unit test of the parser has the
/// same bytes.
const FORMER: &str = "AQAAAAAAAAAFAAAAAAAAAEcAAQIDBAUGBwgJCgsMDQ4PAAAAAGov6UAAAAAAAAAAA5YmHkc42dtXP\
    YNHMbYGc4O2-P8qbrd7ih8la_VItPPU";

pub(super) fn is(found: (u16, String), expected: (u16, &str), what: &str) {
    assert_eq!((found.0, found.1.as_str()), expected, "{what}");
}

/// Logs in at a host, for some sites, with the cookies that the browser has.
pub(super) fn log_in_at(app: &App, host: &str, sites: &str, name: &str, cookies: &str) -> Response {
    let body = format!("username={name}&password=secret");
    let response = app.send(form(host, &format!("/login?site={sites}"), cookies, &body));
    assert_eq!(response.status, 303, "{name}: {}", response.body);
    response
}

/// Logs in at the host that most tests use. Returns the only cookie that the browser has
/// afterwards.
pub(super) fn log_in(app: &App, sites: &str, name: &str, cookies: &str) -> String {
    cookie(&log_in_at(app, "members.example.com", sites, name, cookies))
}

pub(super) fn add(app: &App, site: u32, member: u32, name: &str) {
    let added = app.post(&format!(
        "action=ADD&siteid={site}&memberid={member}&username={name}&password=secret"
    ));
    assert!(added.starts_with("OK|"), "{added}");
}

fn set_cookies(response: &Response) -> Vec<&str> {
    response
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| value.as_str())
        .collect()
}

/// Name and domain of each cookie that a response sets, and of each cookie that it clears.
fn named(response: &Response) -> (Vec<String>, Vec<String>) {
    let named = |set: &&str| {
        let domain = set.split("; ").find_map(|part| part.strip_prefix("Domain=")).unwrap_or("-");
        format!("{} {domain}", set.split('=').next().unwrap())
    };
    let (cleared, set): (Vec<&str>, Vec<&str>) =
        set_cookies(response).into_iter().partition(|set| set.contains("=; Max-Age=0;"));
    (set.iter().map(named).collect(), cleared.iter().map(named).collect())
}

/// Regression: a login on one site replaced the login on the other one, each time.
#[test]
fn a_member_of_two_sites_on_one_host_is_logged_in_to_both() {
    let app = app(&[]);
    add(&app, 1, 71, "bob");
    add(&app, 5, 72, "bobby");
    let first = log_in(&app, "1", "bob", "");
    is(told(&auth(&app, "site=5", Visit::holding(&first))), LOGIN, "not yet");
    let both = log_in(&app, "5", "bobby", &first);
    is(told(&auth(&app, "site=1", Visit::holding(&both))), (200, "1 71 bob 0"), "the first");
    is(told(&auth(&app, "site=5", Visit::holding(&both))), (200, "5 72 bobby 0"), "the second");
    is(
        told(&auth(&app, "site=1,5", Visit::holding(&both))),
        (200, "1 71 bob 0"),
        "an area of both: in the order asked for",
    );
    is(
        told(&auth(&app, "site=5,1", Visit::holding(&both))),
        (200, "5 72 bobby 0"),
        "the other order",
    );
    app.post("action=DELETE&siteid=1&memberid=71");
    is(told(&auth(&app, "site=1", Visit::holding(&both))), LOGIN, "one has left");
    is(
        told(&auth(&app, "site=1,5", Visit::holding(&both))),
        (200, "5 72 bobby 0"),
        "the other goes on",
    );
}

#[test]
fn each_login_of_a_cookie_ends_by_itself() {
    let app = app(&["--login-hours", "2"]);
    add(&app, 1, 71, "bob");
    add(&app, 5, 72, "bobby");
    let first = log_in(&app, "1", "bob", "");
    app.set_unix(NOON + 3_600);
    let response = log_in_at(&app, "members.example.com", "5", "bobby", &first);
    assert!(
        set_cookies(&response)[0].contains("; Max-Age=7200;"),
        "as long as the newest login lasts"
    );
    let both = cookie(&response);
    app.set_unix(NOON + 7_199);
    is(told(&auth(&app, "site=1", Visit::holding(&both))), (200, "1 71 bob 0"), "its last second");
    app.set_unix(NOON + 7_200);
    is(told(&auth(&app, "site=1", Visit::holding(&both))), LOGIN, "over");
    is(
        told(&auth(&app, "site=5", Visit::holding(&both))),
        (200, "5 72 bobby 0"),
        "an hour younger",
    );
}

#[test]
fn a_cookie_holds_the_eight_newest_logins_one_to_a_member_and_none_that_has_ended() {
    let app = app(&[]);
    let mut held = String::new();
    let mut full = String::new();
    for number in 1..=9 {
        full.clone_from(&held);
        add(&app, number, 71, &format!("bob{number}"));
        app.set_unix(NOON + i64::from(number));
        held = log_in(&app, &number.to_string(), &format!("bob{number}"), &held);
    }
    let admitted = |held: &str| -> Vec<u32> {
        (1..=9)
            .filter(|number| {
                auth(&app, &format!("site={number}"), Visit::holding(held)).status == 200
            })
            .collect()
    };
    assert_eq!(admitted(&held), [2, 3, 4, 5, 6, 7, 8, 9], "the ninth pushed the oldest out");
    assert_eq!(
        admitted(&full),
        [2, 3, 4, 5, 6, 7, 8],
        "and ended it for a copy of the cookie of before"
    );
    held = log_in(&app, "2", "bob2", &held);
    assert_eq!(
        admitted(&held),
        [2, 3, 4, 5, 6, 7, 8, 9],
        "the same member again takes the place of the older login"
    );
    for ended in [3, 4] {
        app.post(&format!("action=DELETE&siteid={ended}&memberid=71"));
    }
    held = log_in(&app, "1", "bob1", &held);
    assert_eq!(admitted(&held), [1, 2, 5, 6, 7, 8, 9]);
    app.post("action=ACTIVATE&siteid=3&memberid=71&username=bob3");
    assert_eq!(admitted(&held), [1, 2, 5, 6, 7, 8, 9], "it was left out, and is over anyway");
}

#[test]
fn a_logout_ends_all_logins_of_the_browser() {
    let app = app(&["--cookie-domain", "example.com"]);
    add(&app, 1, 71, "bob");
    add(&app, 5, 72, "bobby");
    let both = log_in(&app, "5", "bobby", &log_in(&app, "1", "bob", ""));
    let out = app.send(form("www.example.com", "/logout", &both, ""));
    let cleared = ["__Host-userman -", "__Secure-userman example.com", "userman example.com"]
        .map(str::to_owned);
    assert_eq!(
        (out.status, named(&out)),
        (303, (vec![], cleared.to_vec())),
        "under every name that we ever used"
    );
    for site in ["site=1", "site=5"] {
        is(told(&auth(&app, site, Visit::holding(&both))), LOGIN, site);
    }
    assert_eq!(app.rows("SELECT count(*) FROM logout"), ["2"]);
    let again = log_in(&app, "1", "bob", &both);
    is(
        told(&auth(&app, "site=5", Visit::holding(&again))),
        LOGIN,
        "a copy of the cookie brings nothing back",
    );
}

#[test]
fn a_host_has_the_cookie_of_the_longest_domain_that_it_is_under() {
    let app =
        app(&["--cookie-domain", "example.com,example.net", "--cookie-domain", "eu.example.com"]);
    app.post(BOB);
    for (host, set) in [
        ("www.example.com", "__Secure-userman example.com"),
        ("EXAMPLE.com:8443", "__Secure-userman example.com"),
        ("www.eu.example.com", "__Secure-userman eu.example.com"),
        ("films.example.net", "__Secure-userman example.net"),
        ("www.example.org", "__Host-userman -"),
        ("notexample.com", "__Host-userman -"),
        ("192.0.2.1:8080", "__Host-userman -"),
        ("[2001:db8::1]:8080", "__Host-userman -"),
        ("www.example.com.", "__Host-userman -"),
    ] {
        let response = log_in_at(&app, host, "1", "bob", "");
        assert_eq!(named(&response), (vec![set.to_owned()], vec![]), "{host}");
        is(
            told(&auth(&app, "site=1", Visit::holding(&cookie(&response)))),
            (200, "1 71 bob 0"),
            host,
        );
    }
}

/// A proxy may replace the visitor's `Host`. The origin of the form then names the host.
#[test]
fn the_host_is_the_one_that_the_browser_names() {
    let app = app(&["--cookie-domain", "example.com"]);
    app.post(BOB);
    let body = "username=bob&password=secret";
    let at = |origin: &str| {
        let request = form("127.0.0.1:8080", "/login?site=1", "", body);
        named(&app.send(request.header("Origin", origin))).0
    };
    assert_eq!(at("https://www.example.com"), ["__Secure-userman example.com"]);
    assert_eq!(at("https://www.example.com:8443"), ["__Secure-userman example.com"]);
    assert_eq!(at("https://www.example.org"), ["__Host-userman -"]);
    assert_eq!(at("null"), ["__Host-userman -"], "it says nothing, and the proxy's host is left");
}

#[test]
fn a_host_under_no_domain_is_told_once() {
    let dir = temp_dir();
    let mut program = Program::serve(
        &dir.path().join("data"),
        &["--trusted-proxy", "127.0.0.1", "--cookie-domain", "example.com"],
    );
    assert!(program.post(BOB).unwrap().body.starts_with("OK|"));
    for host in ["www.example.org", "www.example.com", "www.example.org:8443", "films.example.org"]
    {
        let body = "username=bob&password=secret";
        assert_eq!(
            send_raw(program.address, form(host, "/login?site=1", "", body)).unwrap().status,
            303,
            "{host}"
        );
    }
    program.terminate();
    let log = program.stderr();
    let lines: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("WARN  ").map(|(_, line)| line)).collect();
    let line = |host: &str| {
        format!(
            "logins at this host are not shared: it is under no --cookie-domain; \
             add its domain, or let the proxy pass on the visitor's Host header host={host}"
        )
    };
    assert_eq!(lines, [line("www.example.org"), line("films.example.org")]);
}

/// An app after an upgrade: the key and the members are those of the release before.
fn upgraded(flags: &[&str]) -> App {
    let dir = temp_dir();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("cookie.key"), format!("{}\n", "07".repeat(32))).unwrap();
    let app = App::start_in(dir, &[&["--trusted-proxy", "127.0.0.1"], flags].concat());
    add(&app, 5, 71, "bob");
    app.post("action=CHANGE&siteid=5&memberid=71&new_password=better");
    app.post("action=CHANGE&siteid=5&memberid=71&new_password=secret");
    assert_eq!(app.rows("SELECT login_version FROM member_auth"), ["3"]);
    add(&app, 1, 9, "bobby");
    app
}

#[test]
fn a_login_of_the_release_before_goes_on_and_a_new_one_carries_it_over() {
    let app = upgraded(&[]);
    let former = format!("__Host-userman={FORMER}");
    is(
        told(&auth(&app, "site=5", Visit::holding(&former))),
        (200, "5 71 bob 0"),
        "nobody is logged out by an upgrade",
    );
    let response = log_in_at(&app, "members.example.com", "1", "bobby", &former);
    assert_eq!(
        named(&response),
        (vec!["__Host-userman -".to_owned()], vec![]),
        "the name has stayed"
    );
    let both = cookie(&response);
    is(told(&auth(&app, "site=5", Visit::holding(&both))), (200, "5 71 bob 0"), "carried over");
    is(
        told(&auth(&app, "site=1", Visit::holding(&both))),
        (200, "1 9 bobby 0"),
        "beside the new one",
    );
    app.set_unix(NOON + 168 * 3_600 - 1);
    is(told(&auth(&app, "site=5", Visit::holding(&both))), (200, "5 71 bob 0"), "until it ends");
    app.set_unix(NOON + 168 * 3_600);
    is(told(&auth(&app, "site=5", Visit::holding(&both))), LOGIN, "as it would have before");
}

#[test]
fn a_shared_login_of_the_release_before_goes_on_and_leaves_its_old_name() {
    let app = upgraded(&["--cookie-domain", "example.com"]);
    let former = format!("userman={FORMER}");
    is(
        told(&auth(&app, "site=5", Visit::holding(&former))),
        (200, "5 71 bob 0"),
        "under its old name",
    );
    let response = log_in_at(&app, "members.example.com", "1", "bobby", &former);
    let (set, cleared) = named(&response);
    assert_eq!(
        (set, cleared),
        (vec!["__Secure-userman example.com".to_owned()], vec!["userman example.com".to_owned()])
    );
    is(
        told(&auth(&app, "site=5", Visit::holding(&cookie(&response)))),
        (200, "5 71 bob 0"),
        "carried over",
    );
    let out = app.send(form("members.example.com", "/logout", &former, ""));
    assert_eq!(out.status, 303);
    is(
        told(&auth(&app, "site=5", Visit::holding(&cookie(&response)))),
        LOGIN,
        "ended under whichever name",
    );
}

#[test]
fn where_no_domain_is_shared_a_neighbour_s_cookie_is_not_read() {
    let app = upgraded(&[]);
    for name in ["userman", "__Secure-userman"] {
        is(told(&auth(&app, "site=5", Visit::holding(&format!("{name}={FORMER}")))), LOGIN, name);
    }
}

#[test]
fn no_cookie_that_does_not_count_hides_one_that_does() {
    let app = app(&["--cookie-domain", "example.com"]);
    add(&app, 1, 71, "bob");
    let good = log_in(&app, "1", "bob", "");
    let value = good.split_once('=').unwrap().1;
    app.set_unix(NOON + 1);
    // A newer login of the same member, which has ended by a logout.
    let ended = log_in(&app, "1", "bob", "");
    assert_eq!(app.send(form("members.example.com", "/logout", &ended, "")).status, 303);
    for cookies in [
        format!("{ended}; {good}"),
        format!(
            "__Secure-userman=x; __Host-userman=; userman=; {good}; __Secure-userman={}",
            &value[..value.len() - 1]
        ),
        format!("__Secure-userman={value}A; userman={value}"),
    ] {
        is(told(&auth(&app, "site=1", Visit::holding(&cookies))), (200, "1 71 bob 0"), &cookies);
    }
}

/// nginx has a buffer of 4 KiB for all headers of a response.
#[test]
fn the_headers_of_a_login_fit_into_the_buffers_of_proxies() {
    let app = app(&["--cookie-domain", "example.com,eu.example.com"]);
    let mut held = String::from("userman=x; __Host-userman=x");
    for number in 1..=8 {
        add(&app, number, 71, "bob");
        held = format!(
            "userman=x; __Host-userman=x; {}",
            log_in(&app, &number.to_string(), "bob", &held)
        );
    }
    let body = format!("username=bob&password=secret&back=/{}", "a".repeat(2_047));
    let response = app.send(form("www.eu.example.com", "/login?site=1", &held, &body));
    assert_eq!((named(&response).0.len(), named(&response).1.len()), (1, 3));
    let head: usize =
        response.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    assert!(head < 3_600, "{head}");
}
