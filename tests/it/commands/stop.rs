//! The stop of the service: accepted requests are answered, new connections are refused, and
//! readers still find the database.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    PATIENCE, Program, Request, TOKEN, eventually, read_response, rows, temp_dir,
};

fn signal(program: &Program, signal: Signal) {
    kill_process(Pid::from_child(&program.child), signal).unwrap();
}

#[test]
fn sigterm_sigint_and_sigquit_end_the_service_with_code_0() {
    for end in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let dir = temp_dir();
        let mut program = Program::serve(dir.path(), &[]);
        program.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap();
        signal(&program, end);
        assert_eq!(program.child.wait().unwrap().code(), Some(0), "{}", program.stderr());
        assert!(TcpStream::connect(program.address).is_err(), "nobody listens");
    }
}

/// Sends a POST without its body, and returns when the service waits for the body.
fn begin(program: &Program, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(program.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let path = format!("/postback/{TOKEN}");
    let request = Request::post(&path).header("Expect", "100-continue").kept_open();
    stream.write_all(&request.announcing(body.len())).unwrap();
    read_continue(&mut stream);
    stream
}

/// Reads what the service says to a request with `Expect` when it has read its head.
fn read_continue(stream: &mut TcpStream) {
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
}

#[test]
fn a_postback_that_was_begun_is_answered_and_an_open_connection_closed_with_its_answer() {
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &[]);
    let add = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
    let check = "action=CHECK&siteid=1&username=bob";
    let mut begun = begin(&program, add);
    let mut idle = begin(&program, check);
    idle.write_all(check.as_bytes()).unwrap();
    assert_eq!(read_response(&mut idle).unwrap().body, "NOTOK|username \"bob\" is free on site 1");

    signal(&program, Signal::TERM);
    eventually("the program has heard", || program.stderr().contains("SIGTERM: stopping"));
    // Repeated and other signals change nothing.
    for again in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP, Signal::USR1] {
        signal(&program, again);
    }
    // On an open connection, one more postback is answered. Then the connection is closed.
    let mut last = None;
    eventually("the answer says that it is the last", || {
        let request = Request::post(&format!("/postback/{TOKEN}")).body(check).kept_open();
        idle.write_all(&Vec::from(request)).unwrap();
        let response = read_response(&mut idle).unwrap();
        let is_last = response.header("connection") == Some("close");
        last = Some((response.status, response.body));
        is_last
    });
    let free = "NOTOK|username \"bob\" is free on site 1".to_owned();
    assert_eq!(last, Some((200, free)));
    assert_eq!(idle.read(&mut [0]).unwrap(), 0, "it is closed");

    begun.write_all(add.as_bytes()).unwrap();
    let response = read_response(&mut begun).unwrap();
    assert_eq!(
        (response.status, response.body.as_str()),
        (200, "OK|member 71 \"bob\" added to site 1")
    );
    assert_eq!(program.child.wait().unwrap().code(), Some(0), "{}", program.stderr());
    let conn = Connection::open_with_flags(
        dir.path().join("userman.db"),
        OpenFlags::SQLITE_OPEN_READ_ONLY,
    )
    .unwrap();
    assert_eq!(rows(&conn, "SELECT memberid, username FROM member_auth"), ["71|bob"]);
}

#[test]
fn a_read_only_reader_keeps_working_while_the_service_is_down() {
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &[]);
    program.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap();
    assert!(program.terminate().success());
    let look = || {
        for file in ["userman.db-wal", "userman.db-shm"] {
            assert!(dir.path().join(file).exists(), "{file}");
        }
        let conn = Connection::open_with_flags(
            dir.path().join("userman.db"),
            OpenFlags::SQLITE_OPEN_READ_ONLY,
        )
        .unwrap();
        assert_eq!(
            rows(&conn, "SELECT username FROM member_auth WHERE username = 'BOB' AND siteid = 1"),
            ["bob"]
        );
    };
    look();
    // Commands too leave the files in their places.
    super::run_on(dir.path(), &["member", "list"]).printed();
    look();
    super::run_on(dir.path(), &["member", "remove", "1", "72"]).printed();
    look();
}

/// Regression: the stop closed the connections of logins that waited for a hash.
#[test]
fn logins_that_wait_are_answered_before_the_end() {
    const LOGINS: usize = 30;
    let dir = temp_dir();
    let mut program = Program::serve(&dir.path().join("data"), &[]);
    let mut streams: Vec<TcpStream> =
        (0..LOGINS).map(|_| TcpStream::connect(program.address).unwrap()).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        let request = Request::get("/auth?site=1").basic(&format!("name {number}"), "x");
        let request = request.header("Expect", "100-continue").kept_open();
        stream.write_all(&Vec::from(request)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    // A connection whose request the service has not read yet may be closed.
    streams.iter_mut().for_each(read_continue);
    assert!(program.terminate().success());
    let answers: Vec<_> = streams
        .iter_mut()
        .map(|stream| read_response(stream).map(|answer| answer.status))
        .collect();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(401 | 503))), "{answers:?}");
}
