//! Clients that hold connections open. Each connection is closed in every state, and none of them
//! delays a postback. The limits are short, except those that a test is not about.

mod deadlines;
mod open_files;
mod shares;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use nats_userman::connection_limits::ConnectionLimits;

use crate::support::{App, PATIENCE, TOKEN};

/// Short enough for a test to wait for it.
const SHORT: Duration = Duration::from_millis(60);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);

/// Limits that no test reaches.
fn none() -> ConnectionLimits {
    ConnectionLimits {
        connections: 1024,
        idle: LONG,
        head: LONG,
        body: LONG,
        stalled: LONG,
        answer: LONG,
        rest: LONG,
        rest_bytes: usize::MAX,
        check_every: Duration::from_millis(10),
    }
}

fn connect(app: &App) -> TcpStream {
    let stream = TcpStream::connect(app.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Opens a connection and sends these bytes.
fn sent(app: &App, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = connect(app);
    stream.write_all(bytes.as_ref()).unwrap();
    stream
}

/// Reads until the service closes the connection. The service resets it if it has not read
/// everything.
fn to_the_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(bytes) => all.extend_from_slice(&piece[..bytes]),
            Err(error) => {
                assert!(is_closed(&error), "{error}");
                break;
            }
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn is_closed(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionReset | BrokenPipe | ConnectionAborted)
}

/// A connection with a request under way: the service has asked for its body.
fn begun(app: &App, request: &str) -> TcpStream {
    let mut stream = sent(app, request.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// A POST of a form whose body is announced and is not sent.
fn without_its_body(path: &str, bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nSec-Fetch-Site: same-origin\r\n\
         Content-Length: {bytes}\r\n\r\n"
    )
}

fn postback(body: &str) -> String {
    without_its_body(&format!("/postback/{TOKEN}"), body.len()) + body
}

const CHECK: &str = "action=CHECK&siteid=1&username=bob";
const FREE: &str = "NOTOK|username \"bob\" is free on site 1";
