//! The operations listener: whether it answers, and whether there is an operator.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use nats_userman::doctor::Level;

use super::Patient;
use crate::support::{Program, temp_dir};

#[test]
fn the_listener_is_asked_and_a_missing_operator_is_told() {
    let dir = temp_dir();
    let mut service = Program::serve(&dir.path().join("data"), &["--ops-listen", "127.0.0.1:0"]);
    let address = service.operations().to_string();
    let patient = Patient::in_dir(dir);
    patient.expect_ok("operations", "off");
    assert!(patient.findings("operators").is_empty());
    let patient = patient.with(&["--ops-listen", &address]);
    patient.expect_ok("operations", &format!("{address}: ok"));
    patient.expect(
        "operators",
        Level::Note,
        "there is no operator: nobody can log in to the console",
        "make the first one: `nats-userman operator add NAME --role admin`",
    );
    assert!(service.terminate().success());
    let found = format!("not checked: no service runs that listens on {address}");
    patient.expect_ok("operations", &found);
}

#[test]
fn another_program_at_the_address_is_found() {
    let dir = temp_dir();
    let service = Program::serve(&dir.path().join("data"), &[]);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let there = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let patient = Patient::in_dir(dir).with(&["--ops-listen", &address]);
    patient.expect(
        "operations",
        Level::Warning,
        &format!("{address}: expected the answer of nats-userman, found another one"),
        "set another address with --ops-listen, or free this one, and restart the service",
    );
    there.join().unwrap();
    patient.expect(
        "operations",
        Level::Warning,
        &format!("{address}: Connection refused (os error 111)"),
        "read what the log says about the operations listener (`journalctl -u nats-userman`), and \
         restart the service",
    );
    drop(service);
}
