//! What a visitor's check costs on a server: how often it is asked.

use mysql::prelude::Queryable as _;
use nats_userman::action::Change;
use nats_userman::store::{CookieLogin, with_engine};

use crate::engines::conformance::{Database, key, member, name};
use crate::support::{MariaDatabase, MariaDb, NOON, TestDatabase};

#[test]
fn a_visitor_s_check_is_one_statement_also_after_the_server_has_ended_the_connection() {
    let Some(server) = MariaDb::start(&["--general-log", "--log-output=TABLE"]) else { return };
    let tables = MariaDatabase::on(server);
    let (location, mut admin, schema) =
        (tables.location(), tables.admin(), tables.name().to_owned());
    let database = Database { location, _removed_in_the_end: TestDatabase::MariaDb(tables) };
    with_engine(&database.location, true, |_| ()).unwrap();
    database.save(vec![Change::Insert(member(1, 71, "bob"))]);

    let reader = database.read();
    let user = format!("user = '{schema}'");
    let sessions = format!("SELECT id FROM information_schema.processlist WHERE {user}");
    let session: u64 = admin.query_first(sessions).unwrap().unwrap();
    let said = format!(
        "SELECT CONVERT(command_type USING utf8mb4) FROM mysql.general_log
         WHERE thread_id = {session}"
    );
    let login = |id| CookieLogin {
        key: key(1, 71),
        id,
        issued: NOON,
        login_version: 1,
        wants_last_use: true,
    };
    let cookie =
        |id| reader.cookie_logins(&[login(id)], NOON).unwrap().remove(0).row.unwrap().is_some();
    let named =
        || reader.logins_by_name(&[key(1, 71).site], &name("bob"), NOON).unwrap().rows.len();
    let cookies = || {
        let logins = [[1; 16], [2; 16], [3; 16]].map(login);
        reader.cookie_logins(&logins, NOON).unwrap().len()
    };
    assert_eq!(
        (cookie([1; 16]), named(), cookies()),
        (true, 1, 3),
        "which prepares the statements"
    );
    let before = admin.query::<String, _>(&said).unwrap().len();
    assert_eq!((cookie([2; 16]), named(), cookies()), (true, 1, 3));
    let all: Vec<String> = admin.query(&said).unwrap();
    assert_eq!(all[before..], ["Execute", "Execute", "Execute"]);

    admin.query_drop(format!("KILL {session}")).unwrap();
    assert_eq!((cookie([1; 16]), named()), (true, 1), "on a new connection");
}
