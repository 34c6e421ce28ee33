//! The authorizer starts and stops with the service.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::client::{AUTHORIZER, connect, read_answer, request};
use crate::support::{Program, eventually, program, temp_dir};

fn authorizer(program: &Program) -> SocketAddr {
    let find = || {
        let said = program.stderr();
        let (_, rest) = said.split_once("FastCGI authorizer listening on ")?;
        rest.lines().next()?.parse().ok()
    };
    eventually("the authorizer listens", || find().is_some());
    find().unwrap()
}

#[test]
fn it_is_off_unless_it_is_set() {
    let dir = temp_dir();
    let program = Program::serve(&dir.path().join("data"), &[]);
    assert!(!program.stderr().contains("FastCGI"), "{}", program.stderr());
    let shown = |flags: &[&str]| {
        let mut command = crate::support::program();
        command.arg("check-config").arg("--data-dir").arg(dir.path().join("other")).args(flags);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        said.lines().find(|line| line.starts_with("FastCGI")).unwrap().to_owned()
    };
    assert_eq!(shown(&[]), "FastCGI           off");
    assert_eq!(shown(&["--fastcgi-listen", "[::1]:9001"]), "FastCGI           [::1]:9001");
}

#[test]
fn questions_that_wait_are_answered_before_the_end() {
    const QUESTIONS: usize = 30;
    let dir = temp_dir();
    let flags = ["--fastcgi-listen", "127.0.0.1:0"];
    let mut program = Program::serve(&dir.path().join("data"), &flags);
    let address = authorizer(&program);
    let mut streams: Vec<TcpStream> = (0..QUESTIONS).map(|_| connect(address)).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        let name = format!("name {number}");
        let params = [
            ("USERMAN_QUESTION", "site=1"),
            ("REMOTE_ADDR", "203.0.113.9"),
            ("REMOTE_USER", name.as_str()),
            ("REMOTE_PASSWD", "x"),
        ];
        stream.write_all(&request(AUTHORIZER, 1, &params)).unwrap();
    }
    // One has its answer, so the others are queued or about to be.
    assert!(matches!(read_answer(&mut streams[0]).unwrap().status, 401 | 503));
    assert!(program.terminate().success());
    let answers: Vec<_> = streams[1..]
        .iter_mut()
        .map(|stream| read_answer(stream).map(|answer| answer.status))
        .collect();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(401 | 503))), "{answers:?}");
}

#[test]
fn an_address_that_is_taken_ends_the_start_with_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = temp_dir();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--fastcgi-listen", &address, "--data-dir"]);
    let output = command.arg(dir.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains(&format!("cannot listen on {address}")) && said.contains("another program"),
        "{said}"
    );
}
