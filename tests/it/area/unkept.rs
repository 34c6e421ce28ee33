//! If a browser does not keep the login cookie, the login page says so instead of showing the empty
//! form, and the log tells the operator.

use super::{BOB, app};
use crate::support::{App, NOON, Program, Request, Response, send_raw, temp_dir};

const UNKNOWN: &str =
    "This browser did not keep the login. Open the site with https, and allow cookies for it.";
const BY_HTTP: &str =
    "This page was opened with http, and browsers keep no login there. Open the site with https.";

/// A browser behind a proxy.
#[derive(Clone, Copy)]
struct Browser<'a> {
    address: &'a str,
    agent: &'a str,
    /// The headers that name the origin of the form.
    sent_from: &'a str,
}

const FIREFOX: Browser<'_> = Browser {
    address: "203.0.113.9",
    agent: "Firefox",
    sent_from: "Sec-Fetch-Site: same-origin\r\n",
};

impl Browser<'_> {
    fn request(&self, line: &str, headers: &str, body: &str) -> Request {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::new(method, path).host("members.example.com");
        request.header("User-Agent", self.agent).from(self.address).lines(headers).body(body)
    }

    /// The request of a login with the right password; `back` is the page to which it leads.
    fn logging_in(&self, back: &str) -> Request {
        let headers =
            format!("Content-Type: application/x-www-form-urlencoded\r\n{}", self.sent_from);
        self.request(
            "POST /login?site=1",
            &headers,
            &format!("username=bob&password=secret&back={back}"),
        )
    }

    /// The request in which the proxy asks about a page of the area.
    fn asking(&self, page: &str, cookies: &str) -> Request {
        self.request(
            "GET /auth?site=1&ask=page",
            &format!("X-Original-URI: {page}\r\n{cookies}"),
            "",
        )
    }
}

fn log_in(app: &App, browser: &Browser<'_>, back: &str) -> Response {
    let response = app.send(browser.logging_in(back));
    assert_eq!((response.status, response.header("location")), (303, Some(back)));
    response
}

/// The message above the form of a page.
fn said(response: &Response) -> &str {
    assert!(response.body.contains("<form "), "{}", response.body);
    let message = response
        .body
        .split_once("id=\"userman-message\">")
        .and_then(|(_, rest)| rest.split_once("</p>"));
    message.map_or("", |(message, _)| message)
}

#[test]
fn the_right_password_without_a_cookie_leads_to_a_page_that_says_what_to_do() {
    let app = app(&[]);
    app.post(BOB);
    assert_eq!(said(&app.send(FIREFOX.asking("/films?id=1", ""))), "", "the first visit");
    log_in(&app, &FIREFOX, "/films?id=1");
    let page = app.send(FIREFOX.asking("/films?id=1", ""));
    assert_eq!((page.status, said(&page)), (401, UNKNOWN));
    assert_eq!(
        said(&app.send(FIREFOX.asking("/films?id=1", ""))),
        UNKNOWN,
        "nginx asks twice, and shows the second answer"
    );
    let page = app.send(FIREFOX.request("GET /login?site=1&back=/films?id=1", "", ""));
    assert_eq!(
        (page.status, said(&page)),
        (200, UNKNOWN),
        "a site that leads to the page by a redirect"
    );
    let page = app.send(FIREFOX.asking("/films?id=1", "Cookie: __Host-userman=nonsense\r\n"));
    assert_eq!(said(&page), UNKNOWN, "a cookie that is none of ours");
    for other in
        [Browser { address: "203.0.113.8", ..FIREFOX }, Browser { agent: "Chromium", ..FIREFOX }]
    {
        assert_eq!(said(&app.send(other.asking("/films?id=1", ""))), "", "somebody else");
    }
    assert_eq!(said(&app.send(FIREFOX.asking("/films?id=2", ""))), "", "another page");
    app.set_unix(NOON + 61);
    assert_eq!(said(&app.send(FIREFOX.asking("/films?id=1", ""))), "", "later");
}

#[test]
fn a_login_that_led_to_the_front_page_is_missed_on_the_first_page_of_the_area() {
    let app = app(&[]);
    app.post(BOB);
    log_in(&app, &FIREFOX, "/");
    assert_eq!(said(&app.send(FIREFOX.asking("/films", ""))), UNKNOWN);
}

#[test]
fn a_browser_that_showed_its_cookie_once_is_told_nothing_after_its_login_has_ended() {
    let app = app(&[]);
    app.post(BOB);
    for ended_by_logout in [false, true] {
        let cookie = format!("Cookie: {}\r\n", super::cookie(&log_in(&app, &FIREFOX, "/films")));
        if ended_by_logout {
            assert_eq!(
                app.send(FIREFOX.request(
                    "POST /logout",
                    &format!("{}{cookie}", FIREFOX.sent_from),
                    ""
                ))
                .status,
                303
            );
        } else {
            assert_eq!(app.send(FIREFOX.asking("/films", &cookie)).status, 200);
        }
        assert_eq!(said(&app.send(FIREFOX.asking("/films", ""))), "", "logout: {ended_by_logout}");
    }
    // A further login of the same browser, with a cookie that the area does not accept any more.
    let cookie = format!("Cookie: {}\r\n", super::cookie(&log_in(&app, &FIREFOX, "/films")));
    app.post("action=DELETE&siteid=1&memberid=71");
    assert_eq!(
        said(&app.send(FIREFOX.asking("/films", &cookie))),
        "",
        "the cookie came; the membership has ended"
    );
}

#[test]
fn http_is_named_where_it_is_the_cause() {
    let app = app(&[]);
    app.post(BOB);
    let table = [
        ("Origin: http://members.example.com\r\n", BY_HTTP, "the browser's own word"),
        ("Origin: https://members.example.com\r\n", UNKNOWN, "https, so it must be the cookies"),
        (
            "Origin: https://members.example.com\r\nX-Forwarded-Proto: http\r\n",
            UNKNOWN,
            "the browser knows best",
        ),
        (
            "Sec-Fetch-Site: same-origin\r\nX-Forwarded-Proto: http\r\n",
            BY_HTTP,
            "the listed proxy's word",
        ),
        ("Sec-Fetch-Site: same-origin\r\nX-Forwarded-Proto: https\r\n", UNKNOWN, "the same"),
        ("Sec-Fetch-Site: same-origin\r\n", UNKNOWN, "nobody says"),
        (
            "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost:8000\r\n",
            UNKNOWN,
            "browsers trust it like https",
        ),
        ("Sec-Fetch-Site: same-origin\r\nOrigin: http://127.0.0.1\r\n", UNKNOWN, "this, too"),
        ("Sec-Fetch-Site: same-origin\r\nOrigin: http://[::1]:8000\r\n", UNKNOWN, "and this"),
        ("Sec-Fetch-Site: same-origin\r\nOrigin: null\r\n", UNKNOWN, "a page without a referrer"),
    ];
    for (number, (sent_from, text, why)) in table.into_iter().enumerate() {
        let browser = Browser { agent: &number.to_string(), sent_from, ..FIREFOX };
        log_in(&app, &browser, "/films");
        assert_eq!(said(&app.send(browser.asking("/films", ""))), text, "{why}");
    }
}

#[test]
fn a_proxy_that_is_not_listed_does_not_say_how_the_visitor_came() {
    let app = App::start_in(temp_dir(), &["--trusted-proxy", "192.0.2.1"]);
    app.post(BOB);
    let browser = Browser {
        sent_from: "Sec-Fetch-Site: same-origin\r\nX-Forwarded-Proto: http\r\n",
        ..FIREFOX
    };
    log_in(&app, &browser, "/films");
    assert_eq!(said(&app.send(browser.asking("/films", ""))), UNKNOWN);
}

/// The log lines of a program at WARN and above, without their times.
fn warnings(program: &mut Program) -> Vec<String> {
    program.terminate();
    let log = program.stderr();
    log.lines()
        .filter_map(|line| line.split_once("WARN  ").map(|(_, line)| line.to_owned()))
        .collect()
}

fn serve(dir: &tempfile::TempDir) -> Program {
    let program = Program::serve(&dir.path().join("data"), &["--trusted-proxy", "127.0.0.1"]);
    assert!(program.post(BOB).unwrap().body.starts_with("OK|"));
    program
}

#[test]
fn the_log_says_it_once_a_minute_with_the_cause() {
    for (sent_from, cause) in [
        (
            "Origin: http://members.example.com\r\n",
            "it came by http, where browsers keep no such cookie: let the web server redirect http \
             to https",
        ),
        (
            "Origin: https://members.example.com\r\n",
            "it is open by http, or blocks cookies, or the proxy does not pass on Cookie and \
             Set-Cookie",
        ),
    ] {
        let dir = temp_dir();
        let mut program = serve(&dir);
        let browser = Browser { sent_from, ..FIREFOX };
        for _ in 0..3 {
            for request in [
                browser.logging_in("/films"),
                browser.asking("/films", ""),
                browser.asking("/films", ""),
            ] {
                send_raw(program.address, request).unwrap();
            }
        }
        let line = format!(
            "a browser did not keep the login: {cause} host=members.example.com address=203.0.113.9"
        );
        assert_eq!(warnings(&mut program), [line]);
    }
}

/// Regression: only forms that were refused because of `Origin` had a log line, so nobody noticed a
/// proxy that changes the host.
#[test]
fn a_refused_form_has_a_line_that_says_why_and_what_to_do() {
    let dir = temp_dir();
    let mut program = serve(&dir);
    for sent_from in [
        "Sec-Fetch-Site: same-site\r\nOrigin: https://www.example.com\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Origin: https://members.example.com:8443\r\n",
        "Origin: https://evil.example\r\n",
        "",
        "",
    ] {
        let refused =
            send_raw(program.address, Browser { sent_from, ..FIREFOX }.logging_in("/")).unwrap();
        assert_eq!(refused.status, 403, "{sent_from}");
    }
    assert_eq!(
        warnings(&mut program),
        [
            "login form refused: the browser says (Sec-Fetch-Site) that no page of the same \
             scheme, host and port sent it; a page \
             elsewhere can link to /login, and a proxy must pass /login on under the host of the \
             protected pages \
             fetch_site=same-site origin=https://www.example.com host=members.example.com",
            "login form refused: its origin is neither the requested host nor --public-url; the \
             proxy must pass on the \
             visitor's Host with its port (nginx: proxy_set_header Host $http_host) \
             origin=https://members.example.com:8443 host=members.example.com",
            "login form refused: it has neither Sec-Fetch-Site nor Origin; the proxy must pass \
             both on unchanged, or no browser sent it host=members.example.com",
        ]
    );
}

#[test]
fn a_refused_logout_has_a_line_too() {
    let dir = temp_dir();
    let mut program = serve(&dir);
    let out = FIREFOX.request("POST /logout", "Sec-Fetch-Site: cross-site\r\n", "");
    assert_eq!(send_raw(program.address, out).unwrap().status, 403);
    let lines = warnings(&mut program);
    assert!(
        lines.len() == 1 && lines[0].starts_with("logout form refused: the browser says"),
        "{lines:?}"
    );
}
