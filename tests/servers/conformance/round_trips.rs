//! What a visitor's check and a batch cost on a server: how often it is asked.

use mysql::Conn;
use mysql::prelude::Queryable as _;
use nats_userman::action::{Change, Rules};
use nats_userman::apply::{Postback, transact};
use nats_userman::clock::{ExpiryRule, Zone};
use nats_userman::fields::Fields;
use nats_userman::journal::Origin;
use nats_userman::password::Vault;
use nats_userman::store::{CookieLogin, View, Wanted};

use crate::engines::conformance::{Database, key, member, name};
use crate::support::{MariaDatabase, MariaDb, NOON, TestDatabase};

/// A database on a server that logs its statements, a connection of its administrator, and the name
/// of the user.
fn logged() -> Option<(Database, Conn, String)> {
    let server = MariaDb::start(&["--general-log", "--log-output=TABLE"])?;
    let tables = MariaDatabase::on(server);
    let (admin, schema) = (tables.admin(), tables.name().to_owned());
    Some((Database::new(TestDatabase::MariaDb(tables)), admin, schema))
}

/// The number of the only session of this user.
fn session_of(admin: &mut Conn, user: &str) -> u64 {
    let sessions = format!("SELECT id FROM information_schema.processlist WHERE user = '{user}'");
    admin.query_first(sessions).unwrap().unwrap()
}

#[test]
fn a_batch_that_adds_members_asks_once_and_writes_twice() {
    let Some((database, mut admin, schema)) = logged() else { return };
    let rules = Rules {
        vault: Vault::from_key([7; 32]),
        keep_cryptpass: false,
        expiry: ExpiryRule { zone: Zone::UTC, grace_hours: 48 },
        stale_guard: false,
    };
    let added = |id: i64| {
        let body = format!("action=ADD&siteid=1&memberid={id}&username=name{id}&password=secret");
        Postback::read(&Fields::from_urlencoded(body.as_bytes()), &rules, Origin::Nats, None).0
    };
    database.with(|engine| {
        let session = session_of(&mut admin, &schema);
        let mut add = |ids: [i64; 4]| {
            let postbacks = ids.map(added);
            let replies = transact(engine, &rules.vault, &postbacks.each_ref(), || NOON).unwrap();
            assert!(replies.iter().all(|it| it.as_ref().unwrap().as_str().starts_with("OK|")));
        };
        let mut said = || -> Vec<(String, String)> {
            let said = format!(
                "SELECT CONVERT(command_type USING utf8mb4), CONVERT(argument USING utf8mb4)
                 FROM mysql.general_log WHERE thread_id = {session}"
            );
            admin.query(said).unwrap()
        };
        add([71, 72, 73, 74]);
        let before = said().len();
        add([75, 76, 77, 78]);
        let words = |(kind, text): &(String, String)| {
            let words: Vec<&str> = text.split_whitespace().take(3).collect();
            format!("{kind} {}", words.join(" "))
        };
        let all: Vec<String> = said()[before..].iter().map(words).collect();
        assert_eq!(
            all,
            [
                "Execute WITH added (siteid,",
                "Execute INSERT INTO member_auth",
                "Execute INSERT INTO journal",
                "Query COMMIT"
            ]
        );
    });
}

/// Regression: it was one row for each record.
#[test]
fn what_is_known_of_an_added_member_is_one_row_however_many_records_they_have() {
    let Some((database, mut admin, _)) = logged() else { return };
    for _ in 0..4 {
        database.save(vec![Change::None; 250]);
    }
    database.with(|engine| {
        let bob = name("bob");
        let mut wanted = Wanted::default();
        wanted.keys.insert(key(1, 71));
        wanted.added.insert((key(1, 71), &bob));
        let mut sent = || -> u64 {
            let status = "SHOW GLOBAL STATUS LIKE 'Rows_sent'";
            admin.query_first::<(String, u64), _>(status).unwrap().unwrap().1
        };
        let before = sent();
        engine.begin().unwrap();
        engine.load(&wanted, &mut View::default(), NOON.into()).unwrap();
        engine.rollback();
        let rows = sent() - before;
        assert!(rows < 10, "{rows} rows");
    });
}

#[test]
fn a_visitor_s_check_is_one_statement_also_after_the_server_has_ended_the_connection() {
    let Some((database, mut admin, schema)) = logged() else { return };
    database.save(vec![Change::Insert(member(1, 71, "bob"))]);

    let reader = database.read();
    let session = session_of(&mut admin, &schema);
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
