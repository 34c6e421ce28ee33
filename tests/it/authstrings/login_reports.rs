//! Logins of members are reported to NATS.

use std::net::SocketAddr;
use std::time::Duration;

use nats_userman::identity::{SiteId, Username};
use nats_userman::nats_client::report::{LoginReport, ReportPath};
use nats_userman::nats_client::{Access, Client, ReportError};
use rustix::net::{AddressFamily, SocketType};

use super::nats::{Day, Nats};
use super::{add_testakovsky, said};
use crate::support::{App, Request, Response, eventually};

const NATS_KEY: &str = "the-key-of-nats-0123456789abcdef";

fn app(nats: &Nats, flags: &[&str]) -> App {
    let url = nats.url();
    let access =
        ["--nats-url", &url, "--nats-api-username", "natsuser", "--nats-api-key", NATS_KEY];
    let proxy = ["--trusted-proxy", "127.0.0.1"];
    let app = App::start_with(&[&access[..], &proxy, flags].concat());
    add_testakovsky(&app);
    app
}

fn done() -> Day {
    Day::Answer(200, "application/json", "{\"result\":\"done\"}".into())
}

fn check(app: &App, password: &str) -> Response {
    let request = Request::get("/auth?site=1").basic("testakovsky2", password);
    app.send(request.from("203.0.113.9"))
}

fn log_in_by_the_page(app: &App) {
    log_in_from(app, "2001:db8::1");
}

fn log_in_from(app: &App, address: &str) {
    let form = "username=testakovsky2&password=secret";
    let request = Request::post("/login?site=1").same_origin().from(address).form(form);
    assert_eq!(app.send(request).status, 303);
}

fn reports(nats: &Nats, count: usize) -> Vec<String> {
    eventually("a report", || nats.asked().len() >= count);
    nats.asked()
}

/// Regression: with 0, a browser that sends the password with each picture made as many reports.
#[test]
fn each_login_is_reported_where_that_is_set_and_not_each_request() {
    let nats = Nats::with(vec![done()]);
    let flags = ["--nats-report-logins", "recordlogin", "--nats-report-hours", "0"];
    let app = app(&nats, &flags);
    for _ in 0..10 {
        assert_eq!(check(&app, "secret").status, 200);
    }
    log_in_by_the_page(&app);
    log_in_by_the_page(&app);
    let asked = reports(&nats, 3);
    let of = |address: &str| asked.iter().filter(|report| report.contains(address)).count();
    assert_eq!((of("203.0.113.9"), of("2001"), asked.len()), (1, 2, 3));
}

#[test]
fn a_login_is_reported_once_a_day_with_the_key_and_the_address_of_the_member() {
    let nats = Nats::with(vec![done()]);
    let app = app(&nats, &["--nats-report-logins", "recordlogin"]);
    assert_eq!(check(&app, "wrong").status, 401);
    for _ in 0..3 {
        assert_eq!(check(&app, "secret").status, 200);
    }
    log_in_by_the_page(&app);
    let asked = reports(&nats, 1);
    let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /api/member/recordlogin HTTP/1.1\r\n"), "{head}");
    let lower = head.to_lowercase();
    assert!(
        lower.contains(&format!("\r\napi-key: {NATS_KEY}\r\n"))
            && lower.contains("\r\napi-username: natsuser\r\n")
            && lower.contains("\r\ncontent-type: application/x-www-form-urlencoded"),
        "{head}"
    );
    assert_eq!(body, "siteid=1&username=testakovsky2&ip=203.0.113.9");

    app.set_unix(app.now() + 86_400);
    log_in_by_the_page(&app);
    let asked = reports(&nats, 2);
    assert!(asked[1].ends_with("\r\n\r\nsiteid=1&username=testakovsky2&ip=2001%3Adb8%3A%3A1"));
    assert_eq!(asked.len(), 2, "one for each day");
}

#[test]
fn each_login_is_reported_with_0_hours_and_to_the_resource_of_the_setting() {
    for (place, line) in [
        ("login", "POST /api/member/login HTTP/1.1\r\n"),
        (
            "loginlog",
            "GET /member_loginlog.php?siteid=1&username=testakovsky2&ip=203%2E0%2E113%2E9 \
             HTTP/1.1\r\n",
        ),
    ] {
        let nats = Nats::with(vec![done()]);
        let app = app(&nats, &["--nats-report-logins", place, "--nats-report-hours", "0"]);
        for count in 1..4 {
            log_in_from(&app, "203.0.113.9");
            let asked = reports(&nats, count);
            assert!(asked[count - 1].starts_with(line), "{asked:?}");
            assert_eq!(asked[count - 1].contains(NATS_KEY), place == "login", "{asked:?}");
        }
    }
}

#[test]
fn a_report_that_nats_cannot_take_is_tried_again_and_one_that_it_refuses_is_not() {
    let failed = |status| Day::Answer(status, "text/html", String::new());
    let nats = Nats::with(vec![failed(503), failed(500), done(), failed(403), done()]);
    let app = app(&nats, &["--nats-report-logins", "recordlogin", "--nats-report-hours", "0"]);
    assert_eq!(check(&app, "secret").status, 200);
    // The program waits by the clock, which is fixed here.
    eventually("a third try", || {
        app.set_unix(app.now() + 1);
        nats.asked().len() >= 3
    });
    log_in_from(&app, "203.0.113.9");
    reports(&nats, 4);
    log_in_by_the_page(&app);
    let asked = reports(&nats, 5);
    assert_eq!(asked.len(), 5);
    assert!(asked[..4].iter().all(|it| it.ends_with("ip=203.0.113.9")), "{asked:?}");
    assert!(
        asked[4].ends_with("ip=2001%3Adb8%3A%3A1"),
        "the refused one is not repeated: {asked:?}"
    );
}

/// Regression: a report that NATS did not answer in time was sent again, so that NATS counted one
/// login twice or more often.
#[test]
fn a_report_without_an_answer_is_not_sent_again_because_nats_may_have_counted_it() {
    let failed = |status| Day::Answer(status, "text/html", String::new());
    let days = [Day::Silence, Day::Close, Day::Nonsense, failed(502), failed(504)];
    let story = |day: Day| {
        let nats = Nats::with(vec![day, done()]);
        let flags = ["--nats-report-logins", "recordlogin", "--nats-report-hours", "0"];
        let app = app(&nats, &[&flags[..], &["--nats-seconds", "1"]].concat());
        assert_eq!(check(&app, "secret").status, 200);
        reports(&nats, 1);
        log_in_by_the_page(&app);
        eventually("the next report", || {
            app.set_unix(app.now() + 1);
            nats.asked().len() >= 2
        });
        assert!(nats.asked()[1].ends_with("ip=2001%3Adb8%3A%3A1"), "{:?}", nats.asked());
    };
    // Side by side, because each waits.
    std::thread::scope(|scope| {
        for day in days {
            scope.spawn(|| story(day));
        }
    });
}

#[test]
fn a_report_is_sent_again_where_nothing_of_it_can_have_arrived() {
    let report = LoginReport {
        site: SiteId::parse("1").unwrap(),
        username: Username::parse("bob").unwrap(),
        address: [203, 0, 113, 9].into(),
    };
    let sent = |url: &str| {
        let access = Access::new(url, "natsuser", NATS_KEY).unwrap();
        let client = Client::new(access, Duration::from_secs(1));
        client.report_login(ReportPath::Login, &report).unwrap_err()
    };
    let closed = Nats::with(vec![Day::Close]);
    // Bound, and not listening.
    let refusing = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&refusing, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address: SocketAddr = rustix::net::getsockname(&refusing).unwrap().try_into().unwrap();
    for url in [
        format!("http://{address}"),
        format!("https://{}", closed.address),
        "http://nats.invalid".to_owned(),
    ] {
        let error = sent(&url);
        assert!(matches!(error, ReportError::NotTaken(_)), "{url}: {error:?}");
        assert!(error.to_string().ends_with("; it is tried again"), "{error}");
    }
    let error = sent(&closed.url());
    assert!(matches!(error, ReportError::Unknown(_)), "{error:?}");
    let next = "; NATS may have counted it, so it is dropped";
    assert!(error.to_string().ends_with(next), "{error}");
}

#[test]
fn no_visitor_waits_for_a_nats_that_is_silent_and_a_stop_does_for_no_longer_than_its_timeout() {
    let nats = Nats::with(vec![Day::Silence]);
    let flags =
        ["--nats-report-logins", "recordlogin", "--nats-report-hours", "0", "--nats-seconds", "1"];
    let app = app(&nats, &flags);
    for _ in 0..20 {
        assert_eq!(check(&app, "secret").status, 200);
    }
    reports(&nats, 1);
    assert_eq!(said(&app.send(Request::get("/health"))), (200, "ok"));
    drop(app.stop());
}

#[test]
fn without_the_setting_nats_hears_of_no_login() {
    let nats = Nats::with(vec![done()]);
    let app = app(&nats, &[]);
    assert_eq!(check(&app, "secret").status, 200);
    log_in_by_the_page(&app);
    drop(app.stop());
    assert_eq!(nats.connections(), 0);
}
