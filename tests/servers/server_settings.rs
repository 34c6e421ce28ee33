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
fn a_table_of_another_engine_or_without_a_unique_key_is_refused() {
    for (change, says) in [
        (
            "ALTER TABLE logout ENGINE = MyISAM",
            "the table logout is not of InnoDB, so a crash or a cluster would lose its rows: run \
             ALTER TABLE logout ENGINE = InnoDB there",
        ),
        (
            "ALTER TABLE health DROP PRIMARY KEY",
            "the table health has no key PRIMARY, without which two receivers decide against each \
             other and a cluster loses rows: run ALTER TABLE health ADD PRIMARY KEY (slot) there",
        ),
        (
            "ALTER TABLE journal DROP KEY journal_member, ADD KEY journal_member (siteid)",
            "the table journal has no key journal_member, without which two receivers decide \
             against each other and a cluster loses rows: run ALTER TABLE journal ADD UNIQUE KEY \
             journal_member (siteid, memberid, seq) there",
        ),
    ] {
        let Some(database) = MariaDatabase::new() else { return };
        nats_userman::store::with_engine(&database.location(), true, |_| ()).unwrap();
        database.connect().query_drop(change).unwrap();
        for said in refusals(&database) {
            assert!(said.contains(says), "{said}");
        }
    }
}

/// Regression: the remedy was a restore, which a database on a server refuses.
#[test]
fn a_key_that_is_missing_and_decides_nothing_is_to_be_made_again() {
    let Some(database) = MariaDatabase::new() else { return };
    nats_userman::store::with_engine(&database.location(), true, |_| ()).unwrap();
    database.connect().query_drop("ALTER TABLE journal DROP KEY journal_waiting").unwrap();
    let (dir, setting) = (temp_dir(), database.setting_with_password());
    let mut doctor = program();
    doctor.args(["doctor", "--database", &setting, "--data-dir"]).arg(dir.path());
    let said = String::from_utf8(doctor.output().unwrap().stdout).unwrap();
    let remedy = "stop the receivers and make it again as schema.mysql.sql has it";
    assert!(
        said.contains("key journal.journal_waiting is missing") && said.contains(remedy),
        "{said}"
    );
}

/// Regression: `check-config` and `doctor` called such a user good, and `serve` answered 503 to
/// each postback.
#[test]
fn a_user_who_may_not_write_what_a_postback_writes_is_refused() {
    let Some(server) = MariaDb::start(&[]) else { return };
    for (granted, denied) in [
        ("SELECT", "INSERT command denied to user"),
        ("SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX", "DELETE command denied to user"),
    ] {
        let database = MariaDatabase::on(Arc::clone(&server));
        nats_userman::store::with_engine(&database.location(), true, |_| ()).unwrap();
        let (mut admin, name) = (server.admin(), database.name());
        let user = format!("{name}@'127.0.0.1'");
        admin.query_drop(format!("REVOKE ALL ON {name}.* FROM {user}")).unwrap();
        admin.query_drop(format!("GRANT {granted} ON {name}.* TO {user}")).unwrap();
        for said in refusals(&database) {
            let remedy = ": grant the user what docs/cluster.md shows";
            assert!(said.contains(denied) && said.contains(remedy), "{said}");
        }
    }
}

/// Regression: names were stored otherwise than they were sent, or refused for ever; and a member
/// who was stored before could not be read.
#[test]
fn a_character_set_of_the_server_does_not_matter() {
    let latin1: &[&str] =
        &["--skip-character-set-client-handshake", "--character-set-server=latin1"];
    for (flags, init) in [(latin1, ""), (&[][..], "SET NAMES latin1"), (&[][..], "SET NAMES utf8")]
    {
        let Some(server) = MariaDb::start(flags) else { return };
        let mut admin = server.admin();
        admin.query_drop(format!("SET GLOBAL init_connect = '{init}'")).unwrap();
        let database = MariaDatabase::on(Arc::clone(&server));
        let dir = temp_dir();
        let setting = database.setting_with_password();
        let program = Program::serve(dir.path(), &["--database", &setting]);
        let name = "zoe\u{308}-\u{1f600}";
        let body = |action: &str| {
            let fields =
                [("siteid", "1"), ("memberid", "71"), ("username", name), ("password", "secret")];
            format!("action={action}&{}", serde_urlencoded::to_string(fields).unwrap())
        };
        let reply = program.post(&body("ADD")).unwrap();
        assert!(reply.body.starts_with("OK|member 71 "), "{flags:?} {init}: {reply:?}");
        let asked = || {
            let request = Request::get("/auth?site=1").basic(name, "secret");
            send_raw(program.address, request).unwrap().status
        };
        assert_eq!(asked(), 200, "{flags:?} {init}");
        admin.query_drop("SET NAMES utf8mb4").unwrap();
        let stored = format!(
            "SELECT CONCAT_WS('|', (SELECT username_sent FROM {of}.member_auth), \
             (SELECT username FROM {of}.journal))",
            of = database.name()
        );
        let stored: Option<String> = admin.query_first(stored).unwrap();
        assert_eq!(stored.unwrap(), format!("{name}|{name}"), "{flags:?} {init}");
        assert!(program.post(&body("DELETE")).unwrap().body.starts_with("OK|member 71"), "{init}");
        assert_eq!(asked(), 401, "{flags:?} {init}");
    }
}

/// Regression: `/health` stayed ok while each postback got 503, so that a load balancer went on
/// sending them.
#[test]
fn health_fails_where_a_table_of_a_postback_is_locked_or_gone_or_must_not_be_written() {
    let Some(server) = MariaDb::start(&[]) else { return };
    let database = MariaDatabase::on(Arc::clone(&server));
    let dir = temp_dir();
    let program = Program::serve(dir.path(), &["--database", &database.setting_with_password()]);
    let health = || send_raw(program.address, Request::get("/health")).unwrap().status;
    let mut admin = server.admin();
    let mut run = |statement: &str| admin.query_drop(statement).unwrap();
    let name = database.name();
    run(&format!("USE {name}"));
    for table in ["journal", "member_auth", "former_member"] {
        eventually("the service is healthy", || health() == 200);
        run(&format!("LOCK TABLES {table} WRITE"));
        eventually("it is not", || health() == 503);
        run("UNLOCK TABLES");
    }
    eventually("the service is healthy", || health() == 200);
    run("RENAME TABLE journal TO aside");
    eventually("it is not without the journal", || health() == 503);
    run("RENAME TABLE aside TO journal");
    eventually("the service is healthy", || health() == 200);
    let user = format!("{name}@'127.0.0.1'");
    run(&format!("REVOKE ALL ON {name}.* FROM {user}"));
    run(&format!("GRANT SELECT, INSERT, DELETE, CREATE, ALTER, INDEX ON {name}.* TO {user}"));
    // The session that runs keeps its privileges.
    run(&format!("KILL USER {name}"));
    eventually("a row cannot be changed", || health() == 503);
    run(&format!("GRANT UPDATE ON {name}.* TO {user}"));
    run(&format!("KILL USER {name}"));
    eventually("the service is healthy", || health() == 200);
    assert_eq!(program.post(ADD).unwrap().status, 200);
}

#[test]
fn settings_that_a_session_inherits_from_the_server_do_not_matter() {
    let Some(server) = MariaDb::start(&[]) else { return };
    let database = MariaDatabase::on(Arc::clone(&server));
    let mut admin = server.admin();
    for setting in [
        "sql_safe_updates = 1",
        "sql_select_limit = 1",
        "tx_read_only = 1",
        "max_join_size = 1",
        "max_statement_time = 0.01",
    ] {
        admin.query_drop(format!("SET GLOBAL {setting}")).unwrap();
    }
    let (dir, setting) = (temp_dir(), database.setting_with_password());
    let program = Program::serve(dir.path(), &["--database", &setting]);
    let add = "action=ADD&siteid=1&memberid=72&username=ann&password=secret";
    let delete = "action=DELETE&siteid=1&memberid=72&username=ann";
    for body in [ADD, add, delete] {
        let reply = program.post(body).unwrap();
        assert!(reply.status == 200 && reply.body.starts_with("OK|"), "{body}: {reply:?}");
    }
    for name in ["bob", "ann"] {
        let expected = if name == "bob" { 200 } else { 401 };
        let request = Request::get("/auth?site=1").basic(name, "secret");
        assert_eq!(send_raw(program.address, request).unwrap().status, expected, "{name}");
    }
    assert_eq!(send_raw(program.address, Request::get("/health")).unwrap().status, 200);
    let mut journal = crate::support::program();
    journal.args(["journal", "--json", "--database", &setting, "--data-dir"]).arg(dir.path());
    let listed = journal.output().unwrap();
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    // The end of the test removes the database.
    for setting in ["tx_read_only = 0", "max_statement_time = 0", "max_join_size = DEFAULT"] {
        admin.query_drop(format!("SET GLOBAL {setting}")).unwrap();
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
