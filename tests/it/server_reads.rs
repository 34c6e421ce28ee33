//! What is told where members cannot be read, or a host has no address.

use crate::support::{App, program, temp_dir};

/// What a command prints, with its exit code.
fn said(args: &[&str]) -> (Option<i32>, String) {
    let done = program().args(args).output().unwrap();
    (done.status.code(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

#[test]
fn a_service_that_can_commit_and_cannot_read_members_is_unavailable_and_says_so() {
    let app = App::start();
    let beside = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    beside.execute("ALTER TABLE login_epoch RENAME TO gone", []).unwrap();
    let health = app.send("GET /health HTTP/1.0\r\n\r\n");
    assert_eq!((health.status, &*health.body), (503, "unavailable: members cannot be read"));
    let (code, said) = said(&["health", "--listen", &app.address.to_string()]);
    let expected = format!(
        "nats-userman: {}: unavailable: the service can commit a postback and cannot read members; \
         its log says why\n",
        app.address
    );
    assert_eq!((code, said), (Some(1), expected));
}

#[test]
fn a_host_whose_name_has_no_address_is_told_with_what_to_check() {
    let dir = temp_dir();
    let data = dir.path().display().to_string();
    // A label of a name of DNS has at most 63 characters, so that no server is asked for it.
    let host = format!("{}.invalid", "x".repeat(64));
    let setting = format!("mysql://u@{host}:3306,127.0.0.1:1/nats");
    let at = ["check-config", "--data-dir", &data, "--database", &setting];
    let (code, report) = said(&[&at[..], &["--database-tls", "off"]].concat());
    assert_eq!(code, Some(1), "{report}");
    let no_address = "no address is known for this name: check how it is written, DNS and \
        /etc/hosts";
    let no_server = "no server listens at 127.0.0.1:1: start it, and check its port and \
        bind_address";
    for problem in [format!("{host}:3306: {no_address}"), format!("127.0.0.1:1: {no_server}")] {
        assert!(report.contains(&problem), "{report}");
    }
}
