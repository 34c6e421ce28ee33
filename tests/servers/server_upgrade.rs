//! The tables of an earlier release on a server.

use mysql::prelude::Queryable as _;
use nats_userman::store::diagnose;

use crate::support::{MariaDatabase, Program, program, temp_dir};

const ADD: &str = "action=ADD&siteid=1&memberid=72&username=ann&password=secret";

/// The statements of a schema. No comment ends with a semicolon.
fn version_1(database: &MariaDatabase) {
    let mut connection = database.connect();
    for statement in include_str!("../schemas/mysql_version_1.sql").split(";\n") {
        if statement.lines().any(|line| !line.is_empty() && !line.starts_with("--")) {
            connection.query_drop(statement).unwrap();
        }
    }
    connection
        .query_drop(
            "INSERT INTO member_auth (siteid, memberid, username, username_sent, username_key,
                 password, email, trial) VALUES (1, 71, 'bob', 'bob', 'bob', 'x', 'Bob@x.org', 0)",
        )
        .unwrap();
    connection
        .query_drop(format!(
            "INSERT INTO folding VALUES (1, {})",
            nats_userman::unicode::FOLDING_VERSION
        ))
        .unwrap();
    connection.query_drop("INSERT INTO schema_version VALUES (1, 1)").unwrap();
}

fn run(database: &MariaDatabase, arguments: &[&str]) -> (Option<i32>, String) {
    let (dir, setting) = (temp_dir(), database.setting_with_password());
    let mut command = program();
    command.args(arguments).args(["--database", &setting, "--data-dir"]).arg(dir.path());
    let done = command.output().unwrap();
    (done.status.code(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

#[test]
fn tables_of_version_1_are_upgraded_by_the_next_start_and_by_nothing_else() {
    let Some(database) = MariaDatabase::new() else { return };
    version_1(&database);
    let (code, said) = run(&database, &["member", "list"]);
    let older = "it has version 1, older than this release's 4; `nats-userman serve` upgrades it";
    assert!(code == Some(1) && said.contains(older), "{said}");
    let (_, said) = run(&database, &["check-config"]);
    let plan = "the next start upgrades the database from version 1 to 4, without a copy";
    assert!(said.contains(plan), "{said}");

    let (dir, setting) = (temp_dir(), database.setting_with_password());
    let service = Program::serve(dir.path(), &["--database", &setting]);
    assert_eq!(service.post(ADD).unwrap().body, "OK|member 72 \"ann\" added to site 1");
    let differences = diagnose(&database.location(), 0).unwrap().schema;
    assert!(differences.is_empty(), "{differences:?}");
    let bob: Option<String> = database
        .connect()
        .query_first("SELECT username FROM member_auth WHERE email = 'bob@X.org'")
        .unwrap();
    assert_eq!(bob.as_deref(), Some("bob"));
}

#[test]
fn tables_of_a_later_release_are_refused() {
    let Some(database) = MariaDatabase::new() else { return };
    nats_userman::store::with_engine(&database.location(), true, |_| ()).unwrap();
    database.connect().query_drop("UPDATE schema_version SET version = 5").unwrap();
    let (code, said) = run(&database, &["member", "list"]);
    let newer = "have version 5, and this release has version 4: install the release that they are";
    assert!(code == Some(1) && said.contains(newer), "{said}");
}

/// Regression: the tables were upgraded, and the receiver of the earlier release went on writing.
#[test]
fn tables_that_a_receiver_of_an_earlier_release_uses_are_not_upgraded() {
    let Some(database) = MariaDatabase::new() else { return };
    version_1(&database);
    let holder = "REPLACE INTO lease (name, holder, renewals, until)
        VALUES ('background', REPEAT(X'07', 16), 1, UNIX_TIMESTAMP() + ";
    let leads_for = |seconds: u32| {
        database.connect().query_drop(format!("{holder} {seconds})")).unwrap();
    };
    leads_for(60);
    let (dir, setting) = (temp_dir(), database.setting_with_password());
    let refused = Program::run(program(), dir.path(), &["--database", &setting]);
    let said = "a receiver of that release uses them: stop all receivers, then start this one";
    assert!(refused.is_err_and(|stderr| stderr.contains(said)));
    let version: Option<i64> =
        database.connect().query_first("SELECT version FROM schema_version").unwrap();
    assert_eq!(version, Some(1));
    // One that was killed has a lease for some seconds.
    leads_for(2);
    let service = Program::serve(dir.path(), &["--database", &setting]);
    assert_eq!(service.post(ADD).unwrap().body, "OK|member 72 \"ann\" added to site 1");
}
