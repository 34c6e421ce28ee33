//! A MariaDB that would lose acknowledged postbacks is refused, at the start and while the receiver
//! is connected.

use std::sync::Arc;

use mysql::prelude::Queryable as _;

use crate::support::{
    MariaDatabase, MariaDb, Program, Request, eventually, program, send_raw, temp_dir,
};

const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
const NOT_SYNCED: &str = "innodb_flush_log_at_trx_commit is 0, so a power failure loses \
                          acknowledged postbacks: set it to 1";

/// What `serve`, `check-config` and `doctor` say where they have to refuse.
fn refusals(database: &MariaDatabase) -> [String; 3] {
    let setting = database.setting_with_password();
    let (one, dir) = (temp_dir(), temp_dir());
    let stderr = match Program::run(program(), one.path(), &["--database", &setting]) {
        Ok(program) => panic!("it serves: {}", program.stderr()),
        Err(stderr) => stderr,
    };
    let said = |command: &str| {
        let mut check = program();
        check.args([command, "--database", &setting, "--data-dir"]).arg(dir.path());
        let done = check.output().unwrap();
        assert_eq!(done.status.code(), Some(1), "{command}");
        let text = [done.stdout, done.stderr].concat();
        String::from_utf8(text).unwrap()
    };
    [stderr, said("check-config"), said("doctor")]
}

#[test]
fn a_server_that_does_not_sync_its_log_is_refused_at_the_start_and_when_it_is_changed() {
    let Some(server) = MariaDb::start(&[]) else { return };
    let database = MariaDatabase::on(Arc::clone(&server));
    let set = |value: u8| {
        let set = format!("SET GLOBAL innodb_flush_log_at_trx_commit = {value}");
        server.admin().query_drop(set).unwrap();
    };
    set(0);
    for said in refusals(&database) {
        assert!(said.contains(NOT_SYNCED), "{said}");
    }
    set(1);
    let dir = temp_dir();
    let program = Program::serve(dir.path(), &["--database", &database.setting_with_password()]);
    let health = || send_raw(program.address, Request::get("/health")).unwrap().status;
    assert_eq!(program.post(ADD).unwrap().status, 200);
    set(0);
    eventually("postbacks are refused", || program.post(ADD).unwrap().status == 503);
    assert_eq!(health(), 503);
    assert!(program.stderr().contains(NOT_SYNCED), "{}", program.stderr());
    set(1);
    eventually("postbacks are taken again", || program.post(ADD).unwrap().status == 200);
    eventually("the service is healthy", || health() == 200);
}

#[test]
fn a_table_of_another_engine_or_without_a_primary_key_is_refused() {
    let odd = |table: &str| {
        format!(
            "the table {table} has no primary key or is not of InnoDB, so a crash or a cluster \
             would lose its rows: make it again as schema.mysql.sql has it"
        )
    };
    for (table, change) in [
        ("logout", "ALTER TABLE logout ENGINE = MyISAM"),
        ("health", "ALTER TABLE health DROP PRIMARY KEY"),
    ] {
        let Some(database) = MariaDatabase::new() else { return };
        nats_userman::store::with_engine(&database.location(), true, |_| ()).unwrap();
        database.connect().query_drop(change).unwrap();
        for said in refusals(&database) {
            assert!(said.contains(&odd(table)), "{said}");
        }
    }
}

#[test]
fn a_replica_is_passed_over_for_the_host_that_writes() {
    let Some(replica) = MariaDb::start(&["--read-only"]) else { return };
    let Some(database) = MariaDatabase::new() else { return };
    let (name, password) = (database.name(), database.password());
    let mut admin = replica.admin();
    for statement in [
        format!("CREATE DATABASE {name}"),
        format!("CREATE USER {name}@'127.0.0.1' IDENTIFIED BY '{password}'"),
        format!("GRANT ALL ON {name}.* TO {name}@'127.0.0.1'"),
    ] {
        admin.query_drop(statement).unwrap();
    }
    let port: Option<u16> = admin.query_first("SELECT @@port").unwrap();
    let port = port.unwrap();
    let setting = database
        .setting_with_password()
        .replace("@127.0.0.1:", &format!("@127.0.0.1:{port},127.0.0.1:"));
    let dir = temp_dir();
    let program = Program::serve(dir.path(), &["--database", &setting]);
    assert_eq!(program.post(ADD).unwrap().status, 200);
}
