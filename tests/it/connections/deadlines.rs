//! Every state of a connection has a deadline.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nats_userman::connection_limits::ConnectionLimits;

use super::{
    CHECK, FREE, SHORT, begun, connect, is_closed, none, postback, sent, to_the_end,
    without_its_body,
};
use crate::support::{App, TOKEN, eventually, read_response};

#[test]
fn an_idle_connection_is_closed_before_and_after_a_request() {
    let app = App::start_with_limits(ConnectionLimits { idle: SHORT, ..none() });
    assert_eq!(to_the_end(&mut connect(&app)), "", "nothing was sent");
    let mut used = sent(&app, postback(CHECK));
    assert_eq!(read_response(&mut used).unwrap().body, FREE);
    assert_eq!(to_the_end(&mut used), "");
}

/// Regression: after one request, a single byte of the next head kept the connection open
/// permanently.
#[test]
fn a_later_head_that_does_not_come_whole_closes_the_connection() {
    let app = App::start_with_limits(ConnectionLimits { head: SHORT, ..none() });
    let mut stream = sent(&app, postback(CHECK));
    assert_eq!(read_response(&mut stream).unwrap().body, FREE);
    stream.write_all(b"P").unwrap();
    assert_eq!(to_the_end(&mut stream), "");
}

#[test]
fn a_first_head_that_does_not_come_whole_is_told_so() {
    let app = App::start_with_limits(ConnectionLimits { head: SHORT, ..none() });
    assert!(to_the_end(&mut sent(&app, "P")).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
}

/// Sends bytes one by one until the service closes the connection. Waits a moment for an answer
/// after each byte.
fn drip(stream: &mut TcpStream, bytes: impl Iterator<Item = u8>) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    for byte in bytes {
        if let Err(error) = stream.write_all(&[byte]) {
            assert!(is_closed(&error), "{error}");
            return String::new();
        }
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return String::new(),
            Ok(_) => {}
            Err(error) if is_closed(&error) => return String::new(),
            Err(_) => {}
        }
    }
    panic!("the connection was held to the end of the drip");
}

#[test]
fn a_head_that_drips_has_no_longer_time() {
    let app = App::start_with_limits(ConnectionLimits { head: SHORT, ..none() });
    let mut stream = sent(&app, postback(CHECK));
    assert_eq!(read_response(&mut stream).unwrap().body, FREE);
    drip(
        &mut stream,
        b"GET /health HTTP/1.1\r\nX: ".iter().copied().chain(std::iter::repeat_n(b'x', 20_000)),
    );
}

/// Regression: a client that sent requests and never read an answer kept its connection and its
/// memory permanently.
#[test]
fn a_client_that_does_not_read_its_answers_is_cut_off() {
    for (limits, why) in [
        (ConnectionLimits { stalled: SHORT, ..none() }, "nothing was taken for a while"),
        (ConnectionLimits { answer: SHORT, ..none() }, "not all was taken in time"),
    ] {
        let app = App::start_with_limits(limits);
        let mut stream = connect(&app);
        let pages = "GET /login?site=1 HTTP/1.1\r\nHost: test\r\n\r\n".repeat(64);
        let error = loop {
            if let Err(error) = stream.write_all(pages.as_bytes()) {
                break error;
            }
        };
        assert!(is_closed(&error), "{why}: {error}");
    }
}

/// It reads a little from time to time, so there is progress, and it never reads everything.
#[test]
fn a_client_that_reads_its_answers_a_little_at_a_time_is_cut_off() {
    let app =
        App::start_with_limits(ConnectionLimits { answer: Duration::from_millis(500), ..none() });
    let mut stream = connect(&app);
    stream.set_nonblocking(true).unwrap();
    let pages = "GET /login?site=1 HTTP/1.1\r\nHost: test\r\n\r\n".repeat(64);
    // It reads more slowly than any service answers. A client without these pauses may read as fast
    // as the answers are made, and is then served for as long as it wants.
    eventually("it is cut off", || {
        match (stream.write(pages.as_bytes()), stream.read(&mut [0; 16])) {
            (Err(error), _) | (_, Err(error)) => is_closed(&error),
            (_, Ok(read)) => read == 0,
        }
    });
}

/// Requests that are answered before their body has arrived, and the header of the answer that they
/// must have.
const EARLY: [(&str, &str); 8] = [
    ("POST /postback/wrong", "403"),
    ("PUT /postback/TOKEN", "405"),
    ("GET /postback/TOKEN?action=CHECK&siteid=1&username=bob", "200"),
    ("POST /nowhere", "404"),
    ("POST /auth?site=1", "401"),
    ("GET /health", "200"),
    ("POST /login", "400"),
    ("PUT /login?site=1", "405"),
];

fn early(number: usize, headers: &str) -> (String, &'static str) {
    let (request, status) = EARLY[number];
    (format!("{} HTTP/1.1\r\nHost: test\r\n{headers}\r\n", request.replace("TOKEN", TOKEN)), status)
}

/// Regression: a chunked body could continue without an end after its request had been refused.
#[test]
fn a_body_that_nobody_reads_is_answered_and_its_connection_closed() {
    let app = App::start_with_limits(ConnectionLimits { rest: SHORT, ..none() });
    for headers in ["Transfer-Encoding: chunked\r\n", "Content-Length: 9999999\r\n"] {
        for number in 0..EARLY.len() {
            let (request, status) = early(number, headers);
            let answer = to_the_end(&mut sent(&app, &request));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
            assert!(
                answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"),
                "{request}: {answer}"
            );
        }
    }
    let too_long =
        to_the_end(&mut sent(&app, without_its_body(&format!("/postback/{TOKEN}"), 70_000)));
    assert!(too_long.starts_with("HTTP/1.1 413 "), "{too_long}");
}

#[test]
fn a_body_that_nobody_reads_is_closed_after_some_bytes_too() {
    let app = App::start_with_limits(ConnectionLimits { rest_bytes: 100_000, ..none() });
    for number in 0..EARLY.len() {
        let mut stream = sent(&app, early(number, "Transfer-Encoding: chunked\r\n").0);
        let error = loop {
            if let Err(error) = stream.write_all(b"1\r\nx\r\n") {
                break error;
            }
        };
        assert!(is_closed(&error), "{number}: {error}");
    }
}

#[test]
fn a_body_that_nobody_reads_has_no_longer_time_where_it_drips() {
    let app = App::start_with_limits(ConnectionLimits { rest: SHORT, ..none() });
    let mut stream = sent(&app, early(0, "Transfer-Encoding: chunked\r\n").0);
    assert_eq!(read_response(&mut stream).unwrap().status, 403);
    drip(&mut stream, b"1\r\nx\r\n".iter().copied().cycle().take(30_000));
}

/// If the body came with the head, the connection is not closed before the client has the answer.
#[test]
fn the_answer_to_a_body_that_nobody_reads_arrives() {
    let app = App::start_with_limits(ConnectionLimits { rest: Duration::from_secs(5), ..none() });
    for bytes in [1, 1000, 100_000] {
        let (request, _) = early(0, &format!("Content-Length: {bytes}\r\n"));
        let answer = to_the_end(&mut sent(&app, request + &"x".repeat(bytes)));
        assert!(answer.ends_with("ERROR|not authorised"), "{bytes}: {answer}");
    }
}

/// While a handler works on the request, the client need not send anything. All other limits are
/// exceeded here.
#[test]
fn a_request_under_way_has_the_time_that_its_handler_gives() {
    let app = App::start_with_limits(ConnectionLimits {
        idle: SHORT,
        rest: SHORT,
        stalled: SHORT,
        answer: SHORT,
        ..none()
    });
    let mut stream = begun(&app, &without_its_body(&format!("/postback/{TOKEN}"), CHECK.len()));
    for _ in 0..3 {
        assert_eq!(to_the_end(&mut connect(&app)), "", "an idle one, meanwhile");
    }
    stream.write_all(CHECK.as_bytes()).unwrap();
    assert_eq!(read_response(&mut stream).unwrap().body, FREE);
    // The database is locked for longer than all limits.
    let other = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(app.send(postback("action=DELETE&siteid=1&memberid=71")).status, 503);
}

#[test]
fn a_connection_that_is_used_again_and_again_stays() {
    let app = App::start_with_limits(ConnectionLimits {
        idle: Duration::from_secs(2),
        head: SHORT,
        rest: SHORT,
        ..none()
    });
    let mut stream = connect(&app);
    stream.set_nodelay(true).unwrap();
    for _ in 0..200 {
        stream.write_all(postback(CHECK).as_bytes()).unwrap();
        assert_eq!(read_response(&mut stream).unwrap().body, FREE);
    }
}

/// Regression: a client that sent a form byte by byte delayed the stop of the service by ten
/// seconds, and postbacks were refused during that time.
#[test]
fn a_form_that_does_not_come_whole_does_not_keep_the_service_from_ending() {
    let app = App::start_with_limits(none());
    let _login = begun(&app, &without_its_body("/login?site=1", 10));
    let _logout = begun(&app, &without_its_body("/logout", 10));
    let began = Instant::now();
    drop(app.stop());
    // The limit for it is one second. For a postback, a stop waits twelve seconds.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
