//! The live tail of the journal: server-sent events.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use nats_userman::operator::Role;

use crate::engines::console::tail::{Tail, add};
use crate::support::{App, OPS, Request};

#[test]
fn nobody_follows_without_a_login_and_only_so_many_at_once() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let unknown = app.send_ops(Request::get("/postbacks/tail"));
    assert_eq!(
        (unknown.status, unknown.header("location")),
        (303, Some("/login?back=%2Fpostbacks%2Ftail"))
    );
    let tails: Vec<Tail> = (0..8).map(|_| Tail::open(&app, &anna, "", None)).collect();
    let ninth = anna.get("/postbacks/tail");
    assert_eq!((ninth.status, ninth.header("retry-after")), (503, Some("30")));
    drop(tails);
    let mut member = 0;
    crate::support::eventually("a place is free", || {
        // A tail notices that its reader is gone when it sends a record.
        member += 1;
        add(&app, member, &format!("m{member}"));
        let mut stream = TcpStream::connect(app.ops.unwrap()).unwrap();
        let request = Request::get("/postbacks/tail").cookie(&anna.cookie);
        stream.write_all(&Vec::from(request)).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.starts_with("HTTP/1.1 200")
    });
}

/// Regression: a response that comes in pieces looked like an idle connection between them.
#[test]
fn a_tail_does_not_delay_the_stop_of_the_service() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let mut tail = Tail::open(&app, &anna, "", None);
    drop(app);
    let mut rest = String::new();
    while tail.0.read_line(&mut rest).is_ok_and(|bytes| bytes > 0) {}
    assert!(!rest.contains("event: record"), "{rest}");
}
