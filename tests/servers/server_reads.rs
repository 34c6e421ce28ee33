//! What is told where members cannot be read, or not from the host that was named for it.

use crate::support::free_port;
use crate::support::ran::run;
use crate::support::{MariaDatabase, Program, Request, send_raw, temp_dir};

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
    let ran = run(&["health", "--listen", &listen]);
    let expected =
        format!("{listen}: ok, no host of --database-read answers, those of --database do\n");
    assert_eq!((ran.code, ran.out), (Some(0), expected));
    let data = dir.path().display().to_string();
    let report =
        run(&[&["doctor", "--listen", &listen, "--data-dir", &data], &flags[..]].concat()).out;
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
