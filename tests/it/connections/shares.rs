//! Each kind of request has its own share of the connections.

use std::io::Write as _;
use std::net::TcpStream;

use nats_userman::connection_limits::ConnectionLimits;

use super::{CHECK, FREE, begun, connect, none, sent, to_the_end, without_its_body};
use crate::support::{App, Caller, Request, TOKEN, eventually, read_response};

const FORM: &str = "username=bob&password=wrong";

/// A login whose body is not sent.
fn slow_login(app: &App) -> TcpStream {
    begun(app, &without_its_body("/login?site=1", FORM.len()))
}

/// The shares of 32 connections: 12 for logins, 8 for visitors, 4 for `/api`.
fn small() -> ConnectionLimits {
    ConnectionLimits { connections: 32, ..none() }
}

/// Sends a login beyond the share. Returns whether it is refused.
fn is_refused(app: &App) -> bool {
    let login = without_its_body("/login?site=1", FORM.len()) + FORM;
    let answer =
        to_the_end(&mut sent(app, login.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")));
    let refused = answer.starts_with("HTTP/1.1 503 ");
    assert!(refused || answer.starts_with("HTTP/1.1 401 "), "{answer}");
    refused
}

#[test]
fn logins_beyond_their_share_get_503_while_everything_else_goes_on() {
    let app = App::start_with_limits(small());
    let mut slow: Vec<TcpStream> = (0..12).map(|_| slow_login(&app)).collect();
    let answer =
        read_response(&mut sent(&app, without_its_body("/login?site=1", FORM.len()))).unwrap();
    assert_eq!(
        (answer.status, answer.header("retry-after"), answer.header("connection")),
        (503, Some("5"), Some("close"))
    );
    assert_eq!(
        (answer.header("cache-control"), answer.header("content-type")),
        (Some("no-store"), Some("text/plain; charset=utf-8"))
    );
    assert_eq!(answer.body, "Too many requests are under way. Please try again in a moment.");

    let get = |path: &str| app.send(Request::get(path)).status;
    assert_eq!(app.post(CHECK), FREE);
    assert_eq!(
        [get("/health"), get("/auth?site=1"), get("/api/member/authstring"), get("/")],
        [200, 401, 401, 404]
    );

    // The next login takes a free slot: a login was answered, or its client has closed the
    // connection.
    slow[0].write_all(FORM.as_bytes()).unwrap();
    assert_eq!(read_response(&mut slow[0]).unwrap().status, 401);
    assert!(!is_refused(&app));
    let _held = slow_login(&app);
    assert!(is_refused(&app));
    drop(slow);
    eventually("the clients are gone", || !is_refused(&app));
}

#[test]
fn callers_of_the_api_beyond_their_share_get_a_503_that_programs_read() {
    let flags = ["--stand-in", "--api-key", "site:0123456789abcdef0123456789abcdef0123"];
    let app = App::start_with_limits_and(small(), &flags);
    let redeem = without_its_body("/api/authstring/redeem", 9).replace(
        "Host: test\r\n",
        "Host: test\r\napi-username: site\r\napi-key: 0123456789abcdef0123456789abcdef0123\r\n",
    );
    let _slow: Vec<TcpStream> = (0..4).map(|_| begun(&app, &redeem)).collect();
    let last = app.send(Request::get("/api/member/authstring"));
    assert_eq!((last.status, last.header("retry-after")), (503, Some("5")));
    assert_eq!(last.header("content-type"), Some("application/json"));
    assert_eq!(last.body, "{\"error\":\"too many requests are under way, try again in a moment\"}");
    assert_eq!(app.post(CHECK), FREE);
}

/// Incomplete heads, idle connections and bodies that are not read: each of them may be closed.
#[test]
fn a_new_caller_takes_the_place_of_who_has_waited_longest() {
    let app = App::start_with_limits(small());
    let waiting = [
        "",
        "P",
        "POST /postback/wrong HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..200 {
        held.push(sent(&app, waiting[number % waiting.len()]));
        if number % 20 == 0 {
            assert_eq!(app.post(CHECK), FREE, "{number}");
        }
    }
    assert_eq!(app.post(CHECK), FREE);
    // The first ones are closed, the last ones are not. (Each thread has a part of them.)
    for stream in &mut held[..100] {
        to_the_end(stream);
    }
    for stream in &mut held[190..] {
        stream.set_nonblocking(true).unwrap();
        let mut answer = [0; 1];
        let read = stream.peek(&mut answer);
        assert!(!matches!(read, Ok(0)), "{read:?}");
    }
}

/// A connection with a request under way is not closed for another one.
#[test]
fn a_full_table_does_not_end_what_is_under_way() {
    let app = App::start_with_limits(small());
    let mut slow = slow_login(&app);
    let mut postback = begun(&app, &without_its_body(&format!("/postback/{TOKEN}"), CHECK.len()));
    let flood: Vec<TcpStream> = (0..300).map(|_| sent(&app, "P")).collect();
    postback.write_all(CHECK.as_bytes()).unwrap();
    assert_eq!(read_response(&mut postback).unwrap().body, FREE);
    slow.write_all(FORM.as_bytes()).unwrap();
    assert_eq!(read_response(&mut slow).unwrap().status, 401);
    drop(flood);
}

/// Many times more slow logins than there are connections, each sending a byte from time to time,
/// with postbacks on new and old connections beside them.
#[test]
fn slow_logins_by_the_thousand_hold_up_no_postback() {
    const LOGINS: usize = 640;
    let app = App::start_with_limits(ConnectionLimits { connections: 64, ..none() });
    let mut kept = Caller::connect(app.address).unwrap();
    let mut slow: Vec<TcpStream> = Vec::new();
    for number in 0..LOGINS {
        let mut stream = connect(&app);
        // The service may have refused the login and closed the connection.
        let _ = stream.write_all(without_its_body("/login?site=1", 1000).as_bytes());
        slow.push(stream);
        if number % 10 == 0 {
            let began = std::time::Instant::now();
            assert_eq!(kept.post(CHECK).unwrap().body, FREE, "{number}");
            assert_eq!(app.post(CHECK), FREE, "{number}");
            for stream in slow.iter_mut().rev().step_by(7) {
                let _ = stream.write_all(b"x");
            }
            assert!(began.elapsed().as_secs() < 1, "{number}: {:?}", began.elapsed());
        }
    }
    assert_eq!(
        kept.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap().status,
        200
    );
}
