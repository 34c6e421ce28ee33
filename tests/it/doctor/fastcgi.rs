//! The FastCGI authorizer: whether it answers at its address, and whom.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use nats_userman::doctor::Level;

use super::Patient;
use crate::support::{Program, eventually, temp_dir};

/// A running service with an authorizer, and its address.
fn served() -> (Patient, Program, String) {
    let dir = temp_dir();
    let service = Program::serve(&dir.path().join("data"), &["--fastcgi-listen", "127.0.0.1:0"]);
    let mut found = None;
    eventually("the authorizer listens", || {
        let said = service.stderr();
        let address = said.split_once("FastCGI authorizer listening on ");
        found = address.and_then(|(_, rest)| Some(rest.split_once('\n')?.0.to_owned()));
        found.is_some()
    });
    (Patient::in_dir(dir), service, found.unwrap())
}

#[test]
fn the_authorizer_is_asked_as_a_web_server_asks_it() {
    let (patient, mut service, address) = served();
    patient.expect_ok("fastcgi", "off");
    assert!(patient.findings("fastcgi_peers").is_empty());
    let patient = patient.with(&["--fastcgi-listen", &address]);
    patient.expect_ok("fastcgi", &format!("{address}: ok"));
    patient.expect_ok("fastcgi_peers", &format!("{address} answers this machine alone"));
    let said = service.stderr();
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
    assert!(service.terminate().success());
    assert!(patient.findings("fastcgi").is_empty(), "nobody is asked who is not there");
}

#[test]
fn a_wildcard_is_asked_at_the_loopback_address() {
    let (patient, _service, address) = served();
    let port = address.parse::<SocketAddr>().unwrap().port();
    let patient = patient.with(&["--fastcgi-listen", &format!("0.0.0.0:{port}")]);
    patient.expect_ok("fastcgi", &format!("{address}: ok"));
    patient.expect(
        "fastcgi_peers",
        Level::Warning,
        &format!(
            "0.0.0.0:{port} can be reached from other machines and answers none of them, because \
             no --trusted-proxy is set"
        ),
        "list the addresses of your web servers with --trusted-proxy, or set --fastcgi-listen to \
         127.0.0.1 and the port",
    );
    let patient = patient.with(&["--trusted-proxy", "192.0.2.7"]);
    let answers = format!("0.0.0.0:{port} answers --trusted-proxy");
    patient.expect_ok("fastcgi_peers", &answers);
}

#[test]
fn an_address_without_the_authorizer_is_found() {
    let (patient, _service, _) = served();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut patient = patient.with(&["--fastcgi-listen", &address.to_string()]);
    let other = std::thread::spawn(move || {
        // An HTTP server, which is sent a question in another protocol.
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = [0; 78];
        stream.read_exact(&mut question).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").unwrap();
        question
    });
    patient.expect(
        "fastcgi",
        Level::Serious,
        &format!("{address}: expected the answer of nats-userman, found another one or none"),
        "check that no other program has the address of --fastcgi-listen, and restart the service",
    );
    assert!(other.join().unwrap().starts_with(&[1, 1]));

    // A port that is in use, so that nobody else listens there, at the end of a connection.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let address = stream.local_addr().unwrap();
    patient.flags = vec!["--fastcgi-listen".to_owned(), address.to_string()];
    patient.expect(
        "fastcgi",
        Level::Serious,
        &format!("{address}: Connection refused (os error 111)"),
        "restart the service: a change of --fastcgi-listen needs that",
    );
}

#[test]
fn an_address_that_answers_other_machines_alone_is_not_asked() {
    let (patient, _service, _) = served();
    let flags = ["--fastcgi-listen", "192.0.2.1:9001", "--trusted-proxy", "192.0.2.7"];
    let patient = patient.with(&flags);
    patient.expect_ok("fastcgi", "not checked: 192.0.2.1:9001 answers --trusted-proxy alone");
    patient.expect_ok("fastcgi_peers", "192.0.2.1:9001 answers --trusted-proxy");
}
