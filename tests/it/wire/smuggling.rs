//! Bytes that a proxy reads as one request and that a service could read as two. A postback that is
//! hidden in them is refused, or is read as part of the body. (The hidden request has a valid
//! token, so that only its place keeps it from being executed.)

use std::io::{Read as _, Write as _};

use super::{TOKEN, connect};
use crate::support::{App, Request};

const BOB: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
const TAKEN: &str = "OK|username \"bob\" is taken on site 1";

/// The status of each response to these bytes, until the connection is closed.
fn statuses(app: &App, bytes: &str) -> Vec<u16> {
    let mut stream = connect(app);
    stream.write_all(bytes.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut all = Vec::new();
    // A connection that is reset with unread bytes counts as closed.
    let _ = stream.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all);
    let heads = text.split("HTTP/1.1 ").skip(1);
    heads.map(|head| head.get(..3).and_then(|code| code.parse().ok()).unwrap()).collect()
}

/// A postback that removes bob.
fn hidden() -> String {
    let body = "action=DELETE&siteid=1&memberid=71";
    let request = Request::post(&format!("/postback/{TOKEN}")).body(body).kept_open();
    String::from_utf8(request.into()).unwrap()
}

/// A login form with these lines in its head, and this body.
fn login(lines: &str, body: &str) -> String {
    format!("POST /login?site=1 HTTP/1.1\r\nHost: test\r\n{lines}\r\n{body}")
}

/// A login form in chunks.
fn chunked(body: &str) -> String {
    login("Transfer-Encoding: chunked\r\n", body)
}

/// Checks that exactly these statuses are returned, and that bob is still a member.
fn get(app: &App, requests: &[(&str, String)], expected: &[u16]) {
    for (what, bytes) in requests {
        assert_eq!(statuses(app, bytes), expected, "{what}");
        assert_eq!(app.post("action=CHECK&siteid=1&username=bob"), TAKEN, "{what}");
    }
}

#[test]
fn a_head_whose_length_two_readers_may_take_for_two_is_refused() {
    let app = App::start();
    app.post(BOB);
    let (hidden, length) = (hidden(), hidden().len());
    let after_chunks = format!("0\r\n\r\n{hidden}");
    let to_the_end = after_chunks.len();
    let both = |coding: &str| {
        login(&format!("Content-Length: {to_the_end}\r\n{coding}\r\n"), &after_chunks)
    };
    let coded = |coding: &str| login(&format!("{coding}\r\n"), &after_chunks);
    let long = |line: &str| login(&format!("{line}\r\n"), &hidden);
    let version_1_0 = both("Transfer-Encoding: chunked").replacen("HTTP/1.1", "HTTP/1.0", 1);
    let requests = [
        ("a length and chunks", both("Transfer-Encoding: chunked")),
        (
            "chunks and a length",
            coded(&format!("Transfer-Encoding: chunked\r\nContent-Length: {to_the_end}")),
        ),
        ("chunks in HTTP/1.0", version_1_0),
        ("a coding that nobody knows", both("Transfer-Encoding: xchunked")),
        ("no coding", both("Transfer-Encoding: identity")),
        ("chunks first", both("Transfer-Encoding: chunked, identity")),
        ("chunks behind another coding", coded("Transfer-Encoding: gzip, chunked")),
        ("chunks twice", coded("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
        ("chunks and none", both("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
        ("chunks behind a control character", both("Transfer-Encoding: \x0bchunked")),
        ("a blank before the colon of the coding", both("Transfer-Encoding : chunked")),
        ("a folded coding", both("Transfer-Encoding:\r\n chunked")),
        (
            "two lengths, the first none",
            long(&format!("Content-Length: 0\r\nContent-Length: {length}")),
        ),
        (
            "two lengths, the second none",
            long(&format!("Content-Length: {length}\r\nContent-Length: 0")),
        ),
        ("a length twice", long(&format!("Content-Length: {length}\r\nContent-Length: {length}"))),
        ("a list of lengths", long(&format!("Content-Length: 0, {length}"))),
        ("a length with a blank in it", long(&format!("Content-Length: 0 {length}"))),
        ("a length with a sign", long(&format!("Content-Length: +{length}"))),
        ("a length below none", long("Content-Length: -1")),
        ("a hexadecimal length", long("Content-Length: 0x10")),
        ("an empty length", long("Content-Length: ")),
        ("a length beyond all numbers", long("Content-Length: 18446744073709551616")),
        ("a blank before the colon of the length", long(&format!("Content-Length : {length}"))),
        ("a folded length", long(&format!("Content-Length:\r\n {length}"))),
        ("a length in a folded line", long(&format!("X: y\r\n Content-Length: {length}"))),
        ("a length behind a carriage return", long(&format!("X: y\rContent-Length: {length}"))),
        ("a NUL", long(&format!("X: \0\r\nContent-Length: {length}"))),
        ("two hosts", format!("GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n{hidden}")),
        (
            "a carriage return in the address",
            format!("GET /health\rx HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"),
        ),
    ];
    get(&app, &requests, &[400]);
}

#[test]
fn chunks_of_an_unsure_size_are_refused() {
    let app = App::start();
    app.post(BOB);
    let (hidden, length) = (hidden(), hidden().len());
    let requests = [
        ("a line feed alone behind an extension", chunked(&format!("0;x\n\r\n{hidden}"))),
        ("line feeds alone", chunked(&format!("{length:x}\n{hidden}\n0\n\n"))),
        ("a size with 0x", chunked(&format!("0x{length:x}\r\n{hidden}\r\n0\r\n\r\n"))),
        ("a size with a sign", chunked(&format!("+{length:x}\r\n{hidden}\r\n0\r\n\r\n"))),
        ("a size behind a blank", chunked(&format!(" {length:x}\r\n{hidden}\r\n0\r\n\r\n"))),
        (
            "a size beyond all numbers",
            chunked(&format!("10000000000000000\r\n{hidden}\r\n0\r\n\r\n")),
        ),
        ("more than the size", chunked(&format!("1\r\nx{hidden}\r\n0\r\n\r\n"))),
    ];
    get(&app, &requests, &[400]);
}

/// A body is not read as a request, even if nothing reads it as a body.
#[test]
fn what_stands_in_a_body_is_no_request() {
    let app = App::start();
    app.post(BOB);
    let (hidden, length) = (hidden(), hidden().len());
    let with_body = |line: &str, lines: &str| {
        format!("{line} HTTP/1.1\r\nHost: test\r\n{lines}Content-Length: {length}\r\n\r\n{hidden}")
    };
    let line_feeds =
        format!("POST /login?site=1 HTTP/1.1\nHost: test\nContent-Length: {length}\n\n{hidden}");
    for (status, requests) in [
        (
            403,
            &[
                ("of a form", with_body("POST /login?site=1", "")),
                (
                    "of a chunk with an extension",
                    chunked(&format!("{length:x};a=b\r\n{hidden}\r\n0\r\n\r\n")),
                ),
                ("behind line feeds alone", line_feeds),
                ("behind a line feed alone", with_body("POST /login?site=1", "X: y\n")),
                ("of a postback with a wrong token", with_body("POST /postback/x", "")),
            ][..],
        ),
        (
            401,
            &[
                ("of a question", with_body("GET /auth?site=1", "")),
                (
                    "of a websocket",
                    with_body("GET /auth?site=1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
                ),
                (
                    "of an HTTP/2",
                    with_body("GET /auth?site=1", "Connection: Upgrade\r\nUpgrade: h2c\r\n"),
                ),
            ],
        ),
        (
            404,
            &[
                ("of nothing", with_body("GET /nothing", "")),
                ("of a tunnel", with_body("CONNECT test:80", "")),
            ],
        ),
    ] {
        get(&app, requests, &[status]);
    }
}

/// Checks that the tests above can fail: every HTTP parser reads these bytes as two requests.
#[test]
fn what_stands_behind_a_request_is_one() {
    let app = App::start();
    for (what, first) in [
        ("the last chunk", chunked("0\r\n\r\n")),
        (
            "a trailer, which nobody reads as a length",
            chunked("0\r\nContent-Length: 10000\r\n\r\n"),
        ),
        ("an extension, whose quotes end with the line", chunked("0;x=\"\r\n\r\n")),
        ("the whole length", login("Content-Length: 3\r\n", "a=b")),
    ] {
        app.post(BOB);
        assert_eq!(statuses(&app, &format!("{first}{}", hidden())), [403, 200], "{what}");
        assert_eq!(
            app.post("action=CHECK&siteid=1&username=bob"),
            "NOTOK|username \"bob\" is free on site 1",
            "{what}"
        );
    }
}
