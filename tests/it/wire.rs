//! The table of the contract about HTTP, row by row: statuses, headers and bodies, and how long a
//! sender may hold a connection.

mod callers;
mod forms;
mod log_lines;
mod reading;
mod response_headers;
mod smuggling;
mod tokens;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use nats_userman::connection_limits::ConnectionLimits;

use crate::support::{App, PATIENCE, Request, Response, TOKEN, post_to, read_response, send_raw};

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// The whole response, without the date and with sorted headers, because their order varies.
fn shape(response: Response) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> =
        response.headers.into_iter().filter(|(name, _)| name != "date").collect();
    headers.sort_unstable();
    (response.status, headers, response.body)
}

/// A request without a body on its own connection.
fn bare(app: &App, method: &str, path: &str) -> Response {
    app.send(Request::new(method, path))
}

/// A connection that stays open.
fn connect(app: &App) -> TcpStream {
    let stream = TcpStream::connect(app.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A urlencoded POST with further header lines, each with its line end.
fn request(version: &str, headers: &str, body: &str) -> String {
    format!(
        "POST /postback/{TOKEN} HTTP/{version}\r\nHost: test\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\
         {headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const CHECK: &str = "action=CHECK&siteid=1&username=bob";
const FREE: &str = "NOTOK|username \"bob\" is free on site 1";

#[test]
fn every_reply_of_the_rules_is_status_200_and_plain_text() {
    let app = App::start();
    for (body, reply) in [
        (CHECK, FREE),
        (
            "action=ADD&siteid=1&memberid=71&username=bob&password=secret",
            "OK|member 71 \"bob\" added to site 1",
        ),
        (
            "action=ADD&siteid=1&memberid=72&username=bob&password=secret",
            "ERROR|username \"bob\" is held by member 71 of site 1, nothing was changed for member \
             72",
        ),
        (
            "",
            "ERROR|action: expected ADD, MANUALADD, TRIALTOFULL, CHANGE, DELETE, EXPIRE, CHECK or \
             ACTIVATE, not given",
        ),
    ] {
        let response = post_to(app.address, TOKEN, body.as_bytes()).unwrap();
        assert_eq!(
            (response.status, response.header("content-type")),
            (200, Some(PLAIN_TEXT)),
            "{body}"
        );
        assert_eq!(response.body, reply);
    }
}

#[test]
fn whoever_may_not_call_gets_the_same_403_whatever_is_wrong() {
    let (app, guarded) = (
        App::start(),
        App::start_with(&["--allow-ip", "192.0.2.0/24", "--allow-ip", "2001:db8::/32"]),
    );
    let expected =
        post_to(app.address, "wrong-token-0123456789abcdef-0123456789", CHECK.as_bytes()).unwrap();
    assert_eq!((expected.status, expected.body.as_str()), (403, "ERROR|not authorised"));
    assert_eq!(expected.header("content-type"), Some(PLAIN_TEXT));
    let expected = shape(expected);
    for (token, why) in [
        (&TOKEN[1..], "too short by one"),
        (&format!("{TOKEN}x"), "too long by one"),
        (&TOKEN.to_uppercase(), "another case"),
        ("", "an empty one"),
        ("%00", "no token at all"),
        (&format!("{TOKEN}/"), "more behind it"),
        (&format!("{TOKEN}/x"), "still more"),
        (&"x".repeat(10_000), "very long"),
        (&format!("x?token={TOKEN}"), "in the query it is nothing"),
    ] {
        assert_eq!(
            shape(post_to(app.address, token, CHECK.as_bytes()).unwrap()),
            expected,
            "{why}"
        );
        assert_eq!(
            shape(post_to(guarded.address, token, CHECK.as_bytes()).unwrap()),
            expected,
            "{why}, and no right address"
        );
    }
    assert_eq!(
        shape(post_to(guarded.address, TOKEN, CHECK.as_bytes()).unwrap()),
        expected,
        "the right token, a wrong address"
    );
    assert_eq!(
        shape(post_to(guarded.address, TOKEN, &[b'x'; 70_000]).unwrap()),
        expected,
        "before the body is looked at"
    );
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
        for path in ["/postback", "/postback/", "/postback/x", "/postback/x/y?action=CHECK"] {
            assert_eq!(shape(bare(&app, method, path)), expected, "{method} {path}");
        }
        assert_eq!(
            shape(bare(&guarded, method, &format!("/postback/{TOKEN}"))),
            expected,
            "{method} from a wrong address"
        );
    }
    assert_eq!(app.rows("SELECT * FROM journal"), [""; 0], "a refused call is not journalled");
}

#[test]
fn a_method_other_than_post_and_get_is_405_and_changes_nothing() {
    let app = App::start();
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
        let response =
            bare(&app, method, &format!("/postback/{TOKEN}?action=DELETE&siteid=1&memberid=71"));
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("POST, GET")),
            "{method}"
        );
        assert_eq!(response.header("content-type"), Some(PLAIN_TEXT));
        assert_eq!(response.body, "ERROR|expected the method POST or GET");
    }
    let head = bare(&app, "HEAD", &format!("/postback/{TOKEN}?action=DELETE&siteid=1&memberid=71"));
    assert_eq!((head.status, head.body.as_str()), (405, ""));
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=bob"),
        "OK|username \"bob\" is taken on site 1"
    );
}

#[test]
fn a_body_may_have_64_kib_and_not_a_byte_more() {
    let app = App::start();
    let body = |bytes: usize| format!("{CHECK}&x={}", "x".repeat(bytes - CHECK.len() - 3));
    let chunked = |bytes: usize| {
        let chunks: String = body(bytes).as_bytes().chunks(1000).map(chunk).collect();
        let head = format!(
            "POST /postback/{TOKEN} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        head + &chunks + "0\r\n\r\n"
    };
    let too_long = |response: Response, why: &str| {
        assert_eq!(
            (response.status, response.header("content-type")),
            (413, Some(PLAIN_TEXT)),
            "{why}"
        );
        assert_eq!(response.body, "ERROR|body: expected at most 65536 bytes, found more", "{why}");
    };
    assert_eq!(post_to(app.address, TOKEN, body(65_536).as_bytes()).unwrap().body, FREE);
    assert_eq!(app.send(chunked(65_536)).body, FREE);
    assert_eq!(bare(&app, "GET", &format!("/postback/{TOKEN}?{}", body(65_000))).body, FREE);

    too_long(post_to(app.address, TOKEN, body(65_537).as_bytes()).unwrap(), "announced");
    too_long(app.send(chunked(65_537)), "in chunks");
    let announced = Request::post(&format!("/postback/{TOKEN}")).announcing(9_999_999_999);
    too_long(app.send(announced), "not a byte of it need come");
    // A URL has at most 65,534 bytes. A longer one is not valid HTTP, and is refused before its
    // token is checked.
    assert_eq!(bare(&app, "GET", &format!("/postback/{TOKEN}?{}", body(65_537))).status, 400);
    assert_eq!(app.rows("SELECT * FROM journal"), [""; 0]);
}

fn chunk(bytes: &[u8]) -> String {
    format!("{:x}\r\n{}\r\n", bytes.len(), str::from_utf8(bytes).unwrap())
}

/// Tests both places at the same time. The test shortens the limit.
#[test]
fn what_is_not_there_within_ten_seconds_is_408() {
    let limits = ConnectionLimits::default();
    assert_eq!((limits.head, limits.body), (Duration::from_secs(10), Duration::from_secs(10)));
    let short = Duration::from_millis(500);
    let app = App::start_with_limits(ConnectionLimits { head: short, body: short, ..limits });
    let (mut body, mut head) = (connect(&app), connect(&app));
    body.write_all(request("1.1", "", CHECK).strip_suffix("bob").unwrap().as_bytes()).unwrap();
    head.write_all(format!("POST /postback/{TOKEN} HTTP/1.1\r\nHost: te").as_bytes()).unwrap();
    let response = read_response(&mut body).unwrap();
    assert_eq!((response.status, response.header("content-type")), (408, Some(PLAIN_TEXT)));
    assert_eq!(response.body, "ERROR|body: expected whole within 10 seconds, found it incomplete");
    assert_eq!(body.read(&mut [0]).unwrap(), 0, "the connection is closed");
    assert_eq!(read_response(&mut head).unwrap().status, 408);
    assert_eq!(app.rows("SELECT * FROM journal"), [""; 0]);
}

#[test]
fn a_database_that_cannot_be_written_is_503_with_retry_after_until_it_can() {
    let app = App::start();
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    let other = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let response = post_to(app.address, TOKEN, b"action=DELETE&siteid=1&memberid=71").unwrap();
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")));
    assert_eq!(response.header("content-type"), Some(PLAIN_TEXT));
    assert_eq!(response.body, "ERROR|temporarily unavailable, nothing was changed");
    let health = bare(&app, "GET", "/health");
    assert_eq!((health.status, health.body.as_str()), (503, "unavailable"));
    // A CHECK reads, and a read does not wait for the writer.
    assert_eq!(
        app.post("action=CHECK&siteid=1&username=bob"),
        "OK|username \"bob\" is taken on site 1"
    );
    drop(other);
    assert_eq!(
        app.post("action=DELETE&siteid=1&memberid=71"),
        "OK|member 71 \"bob\" removed from site 1"
    );
}

#[test]
fn health_is_ok_for_everybody_while_the_writer_can_commit() {
    let app = App::start_with(&["--allow-ip", "192.0.2.1"]);
    let health = bare(&app, "GET", "/health");
    assert_eq!((health.status, health.body.as_str()), (200, "ok"));
    assert_eq!(
        (health.header("content-type"), health.header("cache-control")),
        (Some(PLAIN_TEXT), Some("no-store"))
    );
    let nothing = bare(&app, "GET", "/");
    assert_eq!((nothing.status, nothing.body.as_str()), (404, "not found"));
    assert_eq!(bare(&app, "GET", "/postbacks").status, 404);
}

#[test]
fn a_connection_is_kept_or_closed_as_the_sender_wants_it() {
    let app = App::start();
    let mut kept = connect(&app);
    for _ in 0..3 {
        kept.write_all(request("1.1", "", CHECK).as_bytes()).unwrap();
        assert_eq!(read_response(&mut kept).unwrap().body, FREE);
    }
    let mut kept = connect(&app);
    for _ in 0..2 {
        kept.write_all(request("1.0", "Connection: keep-alive\r\n", CHECK).as_bytes()).unwrap();
        let response = read_response(&mut kept).unwrap();
        assert_eq!(
            (response.header("connection"), response.body.as_str()),
            (Some("keep-alive"), FREE)
        );
    }
    for (version, headers) in
        [("1.1", "Connection: close\r\n"), ("1.0", ""), ("1.0", "Connection: close\r\n")]
    {
        let mut closed = connect(&app);
        closed.write_all(request(version, headers, CHECK).as_bytes()).unwrap();
        assert_eq!(read_response(&mut closed).unwrap().body, FREE, "HTTP/{version} {headers}");
        assert_eq!(closed.read(&mut [0]).unwrap(), 0, "HTTP/{version} {headers}");
    }
}

#[test]
fn http_1_0_needs_no_host() {
    let app = App::start();
    let request = format!(
        "POST /postback/{TOKEN} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{CHECK}",
        CHECK.len()
    );
    assert_eq!(app.send(request).body, FREE);
    assert_eq!(app.send(format!("GET /postback/{TOKEN}?{CHECK} HTTP/1.0\r\n\r\n")).body, FREE);
}

#[test]
fn who_expects_a_100_is_told_to_go_on() {
    let app = App::start();
    let whole = request("1.1", "Expect: 100-continue\r\n", CHECK);
    let (head, body) = whole.split_at(whole.len() - CHECK.len());
    let mut stream = connect(&app);
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(read_response(&mut stream).unwrap().body, FREE);
    // A sender that does not wait for "100 Continue" is answered too.
    assert_eq!(app.send(request("1.1", "Expect: 100-continue\r\n", CHECK)).body, FREE);
}

#[test]
fn pipelined_postbacks_are_answered_in_their_order() {
    let app = App::start();
    let bodies = [
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret",
        CHECK,
        "action=DELETE&siteid=1&memberid=71",
        CHECK,
    ];
    let requests: String = bodies.iter().map(|body| request("1.1", "", body)).collect();
    let mut stream = connect(&app);
    stream.write_all(requests.as_bytes()).unwrap();
    stream
        .write_all(
            request("1.1", "Connection: close\r\n", "action=DELETE&siteid=1&memberid=71")
                .as_bytes(),
        )
        .unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    let replies: Vec<&str> = all
        .split("\r\n\r\n")
        .skip(1)
        .map(|reply| reply.split("HTTP/1.1").next().unwrap())
        .collect();
    assert_eq!(
        replies,
        [
            "OK|member 71 \"bob\" added to site 1",
            "OK|username \"bob\" is taken on site 1",
            "OK|member 71 \"bob\" removed from site 1",
            FREE,
            "OK|member 71 is not a member of site 1 now, nothing to remove",
        ]
    );
}

#[test]
fn a_body_that_breaks_off_changes_nothing() {
    let app = App::start();
    let body = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
    let mut stream = connect(&app);
    stream.write_all(request("1.1", "", body).strip_suffix("ret").unwrap().as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = String::new();
    let _ = stream.read_to_string(&mut rest);
    assert!(!rest.contains("OK|"), "{rest}");
    let mut chunks = format!(
        "POST /postback/{TOKEN} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    chunks += &chunk(body.as_bytes());
    let response = send_raw(app.address, (chunks + "nonsense\r\n\r\n").as_bytes());
    assert!(response.is_err() || response.unwrap().status == 400);
    assert_eq!(app.rows("SELECT * FROM journal"), [""; 0]);
    assert_eq!(app.post(CHECK), FREE);
}
