//! What is told where members cannot be read, or not from the host that was named for it.

use mysql::prelude::Queryable as _;

use crate::support::ran::run;
use crate::support::{
    MariaDatabase, MariaDb, Program, Request, free_port, program, send_raw, temp_dir,
};

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

#[test]
fn a_host_for_reading_without_the_tables_is_named_as_such() {
    let Some(database) = MariaDatabase::new() else { return };
    let Some(other) = MariaDb::start(&[]) else { return };
    let mut admin = other.admin();
    let (name, password) = (database.name(), database.password());
    for statement in [
        format!("CREATE DATABASE {name}"),
        format!("CREATE USER {name}@'127.0.0.1' IDENTIFIED BY '{password}'"),
        format!("GRANT ALL ON {name}.* TO {name}@'127.0.0.1'"),
    ] {
        admin.query_drop(statement).unwrap();
    }
    let (setting, dir) = (database.setting_with_password(), temp_dir());
    let port: Option<u16> = admin.query_first("SELECT @@port").unwrap();
    let host = format!("127.0.0.1:{}", port.unwrap());
    let flags = ["--database", &setting, "--database-read", &host];
    let said = match Program::run(program(), dir.path(), &flags) {
        Ok(program) => panic!("it serves: {}", program.stderr()),
        Err(stderr) => stderr,
    };
    let expected = format!(
        "{host}, which --database-read names, has no tables of the database \
         mysql://{name}@127.0.0.1:{}/{name}: name a server that replicates it, or leave \
         --database-read out",
        database.port()
    );
    assert!(said.contains(&expected), "{said}");
}
