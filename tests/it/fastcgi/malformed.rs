//! Bytes that are no question: the connection is closed with one line, and nothing else happens.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use super::client::{
    ABORT, AUTHORIZER, PARAMS, RESPONDER, STDIN, ask, begin, connect, record, request,
};
use crate::support::{Program, eventually, temp_dir};

/// Starts the program. Returns it with the address of its authorizer.
fn start() -> (Program, SocketAddr, tempfile::TempDir) {
    let dir = temp_dir();
    let program = Program::serve(
        &dir.path().join("data"),
        &["--fastcgi-listen", "127.0.0.1:0", "--log", "trace"],
    );
    let address = || {
        let said = program.stderr();
        let (_, rest) = said.split_once("FastCGI authorizer listening on ")?;
        rest.lines().next()?.parse().ok()
    };
    eventually("the authorizer listens", || address().is_some());
    let address = address().unwrap();
    (program, address, dir)
}

/// Sends bytes, and reads to the end of the connection.
fn answer(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // The service may close it before all is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn lines(program: &Program) -> Vec<String> {
    let said = program.stderr();
    let lines = said.lines().filter_map(|line| {
        Some(line.split_once("closed a FastCGI connection from 127.0.0.1: ")?.1.to_owned())
    });
    lines.collect()
}

const QUESTION: [(&str, &str); 3] = [
    ("USERMAN_QUESTION", "site=1"),
    ("REMOTE_ADDR", "203.0.113.9"),
    ("HTTP_COOKIE", "__Host-userman=hidden"),
];

#[test]
fn what_is_no_question_is_closed_with_a_line_that_says_why() {
    let (program, address, _dir) = start();
    let begun = |more: &[u8]| [&begin(AUTHORIZER, 0), more].concat();
    let long = record(PARAMS, &[b'x'; 60_000]);
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"GET /auth?site=1 HTTP/1.1\r\n\r\n".to_vec(), "expected FastCGI version 1, found 71"),
        (
            request(RESPONDER, 0, &QUESTION),
            "expected the role AUTHORIZER, found RESPONDER without the parameter \
             FCGI_ROLE=AUTHORIZER",
        ),
        (request(3, 0, &QUESTION), "expected the role AUTHORIZER, found FILTER"),
        (record(PARAMS, b""), "expected BEGIN_REQUEST, found a record of type 4"),
        (begun(&record(STDIN, b"")), "expected PARAMS, found a record of type 5"),
        (begun(&long.repeat(2)), "expected at most 65536 bytes of PARAMS, found more"),
        (
            begun(&record(PARAMS, &[0]).repeat(300)),
            "expected at most 256 records for a request, found more",
        ),
        (
            begun(&[record(PARAMS, &[200]), record(PARAMS, b"")].concat()),
            "expected names and values in PARAMS, found a length that leads beyond their end",
        ),
    ];
    for (bytes, why) in &table {
        assert_eq!(answer(address, bytes), b"", "{why}");
        eventually("there is a line", || lines(&program).last().is_some_and(|line| line == why));
        assert_eq!(ask(address, &QUESTION).status, 401, "after {why}");
    }
    assert_eq!(lines(&program).len(), table.len(), "{}", program.stderr());
    // Neither a web server that goes away nor one that gives up is worth a line.
    assert_eq!(answer(address, &begun(&record(ABORT, b""))), b"");
    drop(connect(address));
    let said = program.stderr();
    assert!(!said.contains("hidden") && !said.contains("ERROR"), "{said}");
}

#[test]
fn endless_records_are_logged_at_a_bounded_rate_and_disturb_nobody() {
    let (mut program, address, _dir) = start();
    let endless = [begin(AUTHORIZER, 0), record(PARAMS, &[1]).repeat(20_000)].concat();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10).for_each(|_| assert_eq!(answer(address, &endless), b"")));
        }
        for number in 0..20 {
            assert_eq!(ask(address, &QUESTION).status, 401);
            let add =
                format!("action=ADD&siteid=1&memberid={number}1&username=u{number}&password=p");
            assert!(program.post(&add).unwrap().body.starts_with("OK|"));
        }
    });
    program.terminate();
    let said = program.stderr();
    let logged = lines(&program).len();
    // The limit is ten in ten seconds. On a slow machine this may take longer.
    assert!((10..40).contains(&logged), "{logged}:\n{said}");
    let more = said.lines().filter_map(|line| {
        line.strip_suffix(" more FastCGI connections closed")?
            .rsplit(' ')
            .next()?
            .parse::<usize>()
            .ok()
    });
    assert_eq!(logged + more.sum::<usize>(), 40, "{said}");
}
