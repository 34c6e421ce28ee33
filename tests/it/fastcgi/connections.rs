//! Slow and idle web servers: each connection has a deadline, and they take nothing from others.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use nats_userman::connection_limits::ConnectionLimits;

use super::client::{AUTHORIZER, ask, begin, connect, request};
use crate::support::App;

const FLAGS: [&str; 2] = ["--fastcgi-listen", "127.0.0.1:0"];
const QUESTION: [(&str, &str); 2] =
    [("USERMAN_QUESTION", "site=1"), ("REMOTE_ADDR", "203.0.113.9")];
/// Short enough for a test to wait for it.
const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(3_600);

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        idle: LONG,
        head: LONG,
        stalled: LONG,
        answer: LONG,
        check_every: Duration::from_millis(10),
        ..ConnectionLimits::default()
    }
}

#[test]
fn a_question_that_does_not_come_whole_in_time_is_closed() {
    let app = App::start_with_limits_and(ConnectionLimits { head: SHORT, ..limits() }, &FLAGS);
    let kept = request(AUTHORIZER, 1, &QUESTION);
    let beginnings: [(&str, Vec<u8>); 4] = [
        ("nothing", Vec::new()),
        ("a byte", vec![1]),
        ("its beginning", begin(AUTHORIZER, 0)),
        ("all but a byte", kept[..kept.len() - 1].to_vec()),
    ];
    for (what, bytes) in beginnings {
        let mut stream = connect(app.fastcgi.unwrap());
        stream.write_all(&bytes).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"", "{what}");
    }
    // After an answer, too.
    let mut stream = connect(app.fastcgi.unwrap());
    stream.write_all(&kept).unwrap();
    assert_eq!(super::client::read_answer(&mut stream).unwrap().status, 401);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "nothing follows");
}

#[test]
fn idle_connections_make_room_and_a_postback_and_a_question_get_through() {
    let limits = ConnectionLimits { connections: 32, ..limits() };
    let app = App::start_with_limits_and(limits, &FLAGS);
    let mut idle = Vec::new();
    for number in 0..160 {
        let mut stream = connect(app.fastcgi.unwrap());
        if number % 2 == 0 {
            stream.write_all(&begin(AUTHORIZER, 0)).unwrap();
        }
        idle.push(stream);
        if number % 8 == 7 {
            let reply = app.post("action=CHECK&siteid=1&username=bob");
            assert_eq!(reply, "NOTOK|username \"bob\" is free on site 1");
            assert_eq!(ask(app.fastcgi.unwrap(), &QUESTION).status, 401);
        }
    }
    // The oldest one was closed for the others.
    let mut rest = Vec::new();
    let _ = idle[0].read_to_end(&mut rest);
    assert_eq!(rest, b"");
}
