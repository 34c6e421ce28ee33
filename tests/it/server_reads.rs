//! What is told where members cannot be read, or not from the host that was named for it.

use crate::support::{App, MariaDatabase, Program, Request, program, send_raw, temp_dir};
use crate::web::free_port;

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
fn where_no_host_for_reading_answers_another_one_is_read_and_health_and_doctor_say_so() {
    let Some(database) = MariaDatabase::new() else { return };
    let (setting, dir) = (database.setting_with_password(), temp_dir());
    let nobody = format!("127.0.0.1:{}", free_port());
    let flags = ["--database", &setting, "--database-read", &nobody];
    let service = Program::serve(dir.path(), &flags);
    let add = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
    assert_eq!(service.post(add).unwrap().status, 200);
    let health = send_raw(service.address, Request::get("/health")).unwrap();
    assert_eq!((health.status, &*health.body), (200, "ok"));
    assert_eq!(health.header("x-reads"), Some("database"));
    let listen = service.address.to_string();
    let (code, line) = said(&["health", "--listen", &listen]);
    let expected =
        format!("{listen}: ok, no host of --database-read answers, those of --database do\n");
    assert_eq!((code, line), (Some(0), expected));
    let data = dir.path().display().to_string();
    let (_, report) =
        said(&[&["doctor", "--listen", &listen, "--data-dir", &data], &flags[..]].concat());
    let finding = format!("database_read: expected hosts that can be read, found {nobody}: ");
    assert!(report.contains(&finding), "{report}");
    let log = service.stderr();
    let warning = format!(
        "no host of --database-read can be used, so members are read from 127.0.0.1:{}: \
         `nats-userman doctor` says why",
        database.port()
    );
    assert!(log.contains(&warning), "{log}");
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
