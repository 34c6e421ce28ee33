//! The relay answers in time, and with a likely cause, whatever NATS does.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nats_userman::authstring::{Lookup, Plus, Session};
use nats_userman::identity::{MemberId, SiteId, Sites, Username};
use nats_userman::nats_client::{Access, Client};

use super::nats::{Day, Nats};
use super::{KEY, SESSION, STRING, USERNAME, add_testakovsky, api_key, get, said};
use crate::support::{App, PATIENCE, Program, Request, eventually, read_response, temp_dir};

const BY_NAME: &str = "/api/member/authstring?type=upsell&username=testakovsky2&siteid=1";
const NATS_KEY: &str = "the-key-of-nats-0123456789abcdef";

fn app(nats: &Nats) -> App {
    let app = App::start_with(&[
        &api_key(""),
        "--nats-url",
        &nats.url(),
        "--nats-api-username",
        "natsuser",
        "--nats-api-key",
        NATS_KEY,
        "--nats-seconds",
        "1",
    ]);
    add_testakovsky(&app);
    app
}

fn good() -> Day {
    Day::Answer(200, "text/html; charset=UTF-8", format!("{{\"result\":\"{STRING}\"}}"))
}

#[test]
fn a_question_is_asked_of_nats_with_its_own_key_and_the_string_comes_back() {
    let nats = Nats::with(vec![good()]);
    let app = app(&nats);
    for (query, asked) in [
        ("username=testakovsky2&siteid=1", "username=testakovsky2&siteid=1"),
        // The site that was found in the database, so that both sides mean the same member.
        ("username=testakovsky2&siteids=7,1", "username=testakovsky2&siteid=1"),
        (&format!("memberid=342&session={SESSION}"), &format!("memberid=342&session={SESSION}")),
    ] {
        let response = get(app.address, &format!("/api/member/authstring?type=upsell&{query}"));
        assert_eq!(said(&response), (200, &*format!("{{\"result\":\"{STRING}\"}}")), "{query}");
        assert_eq!(response.header("x-stand-in"), None);
        let request = nats.asked().pop().unwrap();
        assert!(
            request.starts_with(&format!(
                "GET /api/member/authstring?type=upsell&{asked} HTTP/1.1\r\n"
            )),
            "{request}"
        );
        let lower = request.to_lowercase();
        assert!(
            lower.contains(&format!("\r\napi-key: {NATS_KEY}\r\n"))
                && lower.contains("\r\napi-username: natsuser\r\n"),
            "{request}"
        );
        assert!(!request.contains(KEY), "{request}");
    }
    assert_eq!(nats.connections(), 1, "it is kept");
}

#[test]
fn a_name_reaches_nats_as_it_was_meant() {
    let nats = Nats::with(vec![good()]);
    let app = app(&nats);
    app.post("action=ADD&siteid=1&memberid=5&username=a%20b%2Bc%26d%23%C3%A9&password=p");
    let response = get(
        app.address,
        "/api/member/authstring?type=cancel&username=a+b%2Bc%26d%23%C3%A9&siteid=1",
    );
    assert_eq!(response.status, 200, "{}", response.body);
    let line = "GET /api/member/authstring?type=cancel&username=a%20b%2Bc%26d%23%C3%A9&siteid=1 \
        HTTP/1.1\r\n";
    assert!(nats.asked()[0].starts_with(line), "{:?}", nats.asked());
}

#[test]
fn the_older_resource_is_asked_of_the_older_resource() {
    let nats = Nats::answering(&format!("{{\"token_rebuy_string\":\"{STRING}\"}}"));
    let app = app(&nats);
    let response = get(app.address, "/api/member/tokenrebuystring?username=testakovsky2&siteid=1");
    assert_eq!(said(&response), (200, &*format!("{{\"token_rebuy_string\":\"{STRING}\"}}")));
    assert!(
        nats.asked()[0].starts_with(
            "GET /api/member/tokenrebuystring?username=testakovsky2&siteid=1 HTTP/1.1"
        )
    );
}

#[test]
fn who_is_no_member_here_is_not_asked_for_there() {
    let nats = Nats::with(vec![good()]);
    let app = app(&nats);
    for who in [
        "username=nobody&siteid=1",
        "memberid=342&session=other",
        "username=testakovsky2&siteid=1&status=2",
    ] {
        let response = get(app.address, &format!("/api/member/authstring?type=upsell&{who}"));
        assert_eq!(said(&response), (200, "{\"result\":\"\"}"));
    }
    assert_eq!(nats.connections(), 0);
}

#[test]
fn a_blank_of_nats_is_a_blank_here_in_all_its_forms() {
    for body in [
        "",
        "null",
        "\"\"",
        "[]",
        "{}",
        "{\"result\":\"\"}",
        "{\"result\":null}",
        "{\"result\":[]}",
        "{\"other\":1}",
    ] {
        let nats = Nats::answering(body);
        assert_eq!(said(&get(app(&nats).address, BY_NAME)), (200, "{\"result\":\"\"}"), "{body}");
    }
}

#[test]
fn a_bad_answer_is_502_with_its_likely_cause() {
    let html =
        |status| Day::Answer(status, "text/html", "<html><body>Not allowed</body></html>".into());
    let elsewhere = Nats::with(vec![good()]);
    let causes = "api-key or api-username is wrong, the account may not use the REST API, or this \
        address is not in NATS's Admin API Allowed IPs";
    for (day, error) in [
        (
            html(200),
            "NATS answered with HTML instead of JSON: the REST API is switched off, this address \
             is not in NATS's Admin API Allowed IPs, or the URL is not NATS's"
                .to_owned(),
        ),
        (html(401), format!("NATS answered with status 401: {causes}")),
        (html(403), format!("NATS answered with status 403: {causes}")),
        (
            html(404),
            "NATS answered with status 404: the URL is not NATS's, the REST API is switched off \
             there, or this NATS is older than this resource"
                .into(),
        ),
        (html(500), "NATS answered with status 500: it has failed, see its own error log".into()),
        (
            Day::Redirect(elsewhere.url()),
            "NATS answered with status 302, a redirect: set the URL that it leads to, mostly \
             https:// instead of http://"
                .into(),
        ),
        (
            Day::Answer(
                200,
                "application/json",
                format!("{{\"error\":\"Invalid key {NATS_KEY}\"}}"),
            ),
            format!("NATS answered with an error instead of an authstring: {causes}"),
        ),
        (
            Day::Answer(200, "application/json", "{\"result\":\"short\"}".into()),
            "NATS answered with JSON in which \\\"result\\\" is not 32 hexadecimal digits: it may \
             be of a version that this program does not support"
                .into(),
        ),
        (Day::Endless, "NATS answered with more than 65536 bytes: the URL is not NATS's".into()),
        (
            Day::Nonsense,
            "NATS answered with something other than HTTP: the URL is not NATS's, or \
            its port needs TLS"
                .into(),
        ),
    ] {
        let nats = Nats::with(vec![day]);
        let response = get(app(&nats).address, BY_NAME);
        assert_eq!(said(&response), (502, &*format!("{{\"error\":\"{error}\"}}")));
    }
    assert_eq!(elsewhere.connections(), 0, "the key did not follow the redirect");
}

#[test]
fn a_nats_that_is_not_there_is_502() {
    let nats = Nats {
        address: "127.0.0.1:1".parse().unwrap(),
        asked: Default::default(),
        connections: Default::default(),
    };
    let error = "{\"error\":\"NATS cannot be reached: Connection refused \
        (os error 111); is its URL right, and is it up?\"}";
    assert_eq!(said(&get(app(&nats).address, BY_NAME)), (502, error));
}

#[test]
fn a_nats_that_does_not_answer_in_time_is_504() {
    for day in [Day::Silence, Day::Trickle] {
        let nats = Nats::with(vec![day]);
        let app = app(&nats);
        let began = Instant::now();
        assert_eq!(
            said(&get(app.address, BY_NAME)),
            (504, "{\"error\":\"NATS did not answer in time (--nats-seconds)\"}")
        );
        assert!(began.elapsed() < PATIENCE / 2, "it waited {:?} for a second", began.elapsed());
        assert_eq!(nats.asked().len(), 1, "a slow answer is not asked for again");
    }
}

#[test]
fn a_connection_that_breaks_is_tried_once_more_and_no_oftener() {
    for day in [Day::Close, Day::Half] {
        let nats = Nats::with(vec![day.clone(), good()]);
        assert_eq!(
            said(&get(app(&nats).address, BY_NAME)),
            (200, &*format!("{{\"result\":\"{STRING}\"}}"))
        );
        let nats = Nats::with(vec![day]);
        let response = get(app(&nats).address, BY_NAME);
        assert_eq!(response.status, 502, "{}", response.body);
        assert!(
            response.body.starts_with("{\"error\":\"NATS cannot be reached: "),
            "{}",
            response.body
        );
        assert_eq!(nats.asked().len(), 2);
    }
}

#[test]
fn connections_that_nats_has_closed_meanwhile_disturb_nobody() {
    let body = format!("{{\"result\":\"{STRING}\"}}");
    let nats = Nats::with(vec![Day::AnswerAndClose(body.clone())]);
    let app = app(&nats);
    for _ in 0..5 {
        assert_eq!(said(&get(app.address, BY_NAME)), (200, &*body));
    }
    assert!(nats.asked().len() <= 10, "each question is asked twice at most");
}

#[test]
fn more_questions_than_calls_wait_their_turn_and_end_in_503_when_nats_hangs() {
    let nats = Nats::with(vec![Day::Silence]);
    let app = app(&nats);
    let address = app.address;
    let threads: Vec<_> =
        (0..40).map(|_| std::thread::spawn(move || get(address, BY_NAME))).collect();
    eventually("the calls are under way", || nats.asked().len() == 16);
    // A request that needs no NATS does not wait.
    assert_eq!(
        said(&get(address, "/api/member/authstring?type=upsell&username=nobody&siteid=1")),
        (200, "{\"result\":\"\"}")
    );
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=bob"),
        "NOTOK|username \"bob\" is free on site 1"
    );
    let answers: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .map(|r| (r.status, r.body))
        .collect();
    let busy = (
        503,
        "{\"error\":\"too many requests to NATS at once, it may be slow; try again in a moment\"}"
            .to_owned(),
    );
    let late = (504, "{\"error\":\"NATS did not answer in time (--nats-seconds)\"}".to_owned());
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!((count(late), count(busy)), (16, 24), "{answers:?}");
    assert_eq!(nats.asked().len(), 16, "no call was begun that had no time left");
}

#[test]
fn a_service_that_stops_answers_the_call_under_way_and_closes_kept_connections() {
    let nats = Nats::with(vec![Day::Silence]);
    let dir = temp_dir();
    let (url, key) = (nats.url(), api_key(""));
    let flags = [
        &*key,
        "--nats-url",
        &url,
        "--nats-api-username",
        "natsuser",
        "--nats-api-key",
        NATS_KEY,
        "--nats-seconds",
        "3",
    ];
    let mut program = Program::serve(&dir.path().join("data"), &flags);
    program.post("action=ADD&siteid=1&memberid=342&username=testakovsky2&password=p").unwrap();
    let address = program.address;
    let under_way = std::thread::spawn(move || get(address, BY_NAME));
    eventually("the call is under way", || nats.asked().len() == 1);
    // A connection that existed before the stop. New ones are not accepted.
    let mut kept = TcpStream::connect(address).unwrap();
    let mut ask = || {
        let path = "/api/member/authstring?type=upsell&username=nobody&siteid=1";
        let request = Request::get(path).header("api-key", KEY).header("api-username", USERNAME);
        kept.write_all(&Vec::from(request.kept_open())).unwrap();
        read_response(&mut kept).unwrap()
    };
    assert_eq!(said(&ask()), (200, "{\"result\":\"\"}"));
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&program.child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let mut last = ask();
    eventually("the connection is closed with its answer", || {
        if last.header("connection") != Some("close") {
            last = ask();
        }
        last.header("connection") == Some("close")
    });
    assert_eq!(said(&last), (200, "{\"result\":\"\"}"));
    assert_eq!(
        said(&under_way.join().unwrap()),
        (504, "{\"error\":\"NATS did not answer in time (--nats-seconds)\"}")
    );
    assert!(program.child.wait().unwrap().success());
}

#[test]
fn neither_key_nor_session_nor_string_reaches_the_log() {
    let nats = Nats::with(vec![
        good(),
        Day::Answer(200, "application/json", format!("{{\"error\":\"{NATS_KEY} {SESSION}\"}}")),
        Day::Answer(500, "text/html", format!("{NATS_KEY} {SESSION}")),
        Day::Close,
    ]);
    let dir = temp_dir();
    let (url, key) = (nats.url(), api_key(""));
    let flags = [
        &*key,
        "--nats-url",
        &url,
        "--nats-api-username",
        "natsuser",
        "--nats-api-key",
        NATS_KEY,
        "--log",
        "trace",
    ];
    let mut program = Program::serve(&dir.path().join("data"), &flags);
    program
        .post(&format!(
            "action=ADD&siteid=1&memberid=342&username=bob&password=p&session={SESSION}"
        ))
        .unwrap();
    let path = format!("/api/member/authstring?type=upsell&memberid=342&session={SESSION}");
    let statuses = [(); 4].map(|()| get(program.address, &path).status);
    assert_eq!(statuses, [200, 502, 502, 502]);
    program.terminate();
    let log = program.stderr();
    assert!(log.contains(&format!("INFO  authstrings come from NATS at {url}\n")), "{log}");
    let line = format!(
        "ERROR no authstring from {url}: NATS answered with an error instead of an authstring"
    );
    assert!(log.contains(&line) && log.contains(" plus=upsell site=1 member=342\n"), "{log}");
    assert!(log.contains("INFO  authstring of NATS plus=upsell site=1 member=342\n"), "{log}");
    assert_eq!(log.matches("no authstring from").count(), 2, "each kind once a minute: {log}");
    for secret in [NATS_KEY, SESSION, STRING, KEY] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn the_client_by_itself_asks_in_all_three_combinations() {
    let nats = Nats::with(vec![
        good(),
        good(),
        good(),
        Day::Answer(200, "application/json", "null".into()),
    ]);
    let access = Access::new(&format!("{}/", nats.url()), USERNAME, KEY).unwrap();
    assert_eq!(
        format!("{access:?}"),
        format!("Access {{ url: \"{}\", username: \"{USERNAME}\", .. }}", nats.url())
    );
    let client = Client::new(access, Duration::from_secs(5));
    let username = Username::parse("bob").unwrap();
    let session = Session::parse(SESSION).unwrap();
    for (plus, lookup, asked) in [
        (
            Plus::Upsell,
            Lookup::Site { username: username.clone(), site: SiteId::parse("1").unwrap() },
            "type=upsell&username=bob&siteid=1",
        ),
        (
            Plus::Cancel,
            Lookup::Sites { username, sites: Sites::parse("5,1").unwrap() },
            "type=cancel&username=bob&siteids=5%2C1",
        ),
        (
            Plus::SignupPlus,
            Lookup::Session { member: MemberId::parse("342").unwrap(), session },
            &format!("type=signupplus&memberid=342&session={SESSION}"),
        ),
    ] {
        let string = client.authstring(plus, &lookup).unwrap().unwrap();
        assert_eq!(string.expose(), STRING);
        let request = nats.asked().pop().unwrap();
        assert!(
            request.starts_with(&format!("GET /api/member/authstring?{asked} HTTP/1.1\r\n")),
            "{request}"
        );
        assert!(!format!("{lookup:?}").contains(SESSION));
    }
    let nobody = Lookup::Site {
        username: Username::parse("nobody").unwrap(),
        site: SiteId::parse("1").unwrap(),
    };
    assert!(client.token_rebuy_string(&nobody).unwrap().is_none());
}
