//! The database on MariaDB, and an Apache whose user there reads the columns of the example alone.

use mysql::prelude::Queryable as _;

use super::{TESTTEST, post, whoever_is_a_member_now_gets_in};
use crate::support::{MariaDatabase, Program, eventually};
use crate::web::{Host, Visitor, WebServer};

struct Site {
    service: Program,
    apache: WebServer,
    host: Host,
    // Last, so that it exists until both have ended.
    database: MariaDatabase,
}

impl Site {
    fn new(flags: &[&str]) -> Option<Self> {
        let mut host = Host::new()?;
        let database = MariaDatabase::new()?;
        let setting = database.setting_with_password();
        let flags = [&["--database", &setting], flags].concat();
        let service = Program::serve(host.data(), &flags);
        host.changes = changes(&database);
        let apache = host.apache(&["apache-dbd.conf"])?;
        Some(Self { service, apache, host, database })
    }
}

/// What the head of the example says. Makes Apache's user by the statements in that head.
fn changes(database: &MariaDatabase) -> Vec<(String, String)> {
    let example = include_str!("../../../examples/apache-dbd.conf");
    let (name, user) = (database.name(), database.reader());
    let own = |text: &str| {
        text.replace("PASSWORD", database.password())
            .replace("apache@", &format!("{user}@"))
            .replace("user=apache", &format!("user={user}"))
            .replace("userman.member_auth", &format!("{name}.member_auth"))
            .replace("dbname=userman", &format!("dbname={name}"))
            .replace("port=3306", &format!("port={}", database.port()))
    };
    let (_, statements) = example.split_once("#   CREATE USER").unwrap();
    let (statements, _) = statements.split_once("# The column").unwrap();
    let statements = format!("CREATE USER {}", statements.replace("\n#", " "));
    let mut admin = database.admin();
    for statement in own(&statements).split(';').map(str::trim).filter(|text| !text.is_empty()) {
        admin.query_drop(statement).unwrap();
    }
    let line = |mark: &str| example.lines().find(|line| line.trim().starts_with(mark)).unwrap();
    let mut changes: Vec<(String, String)> = ["DBDriver ", "DBDParams "]
        .map(|word| {
            let comment = line(&format!("#{word}"));
            (line(word).to_owned(), own(&comment.replacen('#', "", 1)))
        })
        .to_vec();
    changes.push(("unixepoch()".into(), "unix_timestamp()".into()));
    changes
}

#[test]
fn tmm_s_query_on_mariadb_lets_in_who_is_a_member_now() {
    let Some(mut site) = Site::new(&["--keep-cryptpass"]) else { return };
    whoever_is_a_member_now_gets_in(&site.host, &site.service, &site.apache);

    let visitor = Visitor::of(&site.host, &site.apache);
    let enters = |name: &str| match visitor.status_as(name, "testtest", "/site5/") {
        200 => true,
        401 => false,
        status => panic!("{name}: {status}, {}", site.apache.errors()),
    };
    for (member, name) in [(511, "ann"), (512, "ann%20b"), (513, "O'Neil"), (514, "zo%C3%A9")] {
        let add = format!("ADD&siteid=5&memberid={member}&username={name}&cryptpass={TESTTEST}");
        assert!(post(&site.service, &format!("action={add}")).starts_with("OK|"), "{name}");
    }
    for (name, may) in [
        ("ann", true),
        ("ANN", true),
        ("ann b", true),
        ("O'Neil", true),
        ("ann ", false),
        (" ann", false),
        ("a%", false),
        ("ann' OR '1'='1", false),
        ("a", false),
        ("", false),
        // A name that is not plain ASCII is in another column.
        ("zoé", false),
        ("zoe", false),
    ] {
        assert_eq!(enters(name), may, "{name:?}");
    }
    let columns: Vec<(i64, Option<String>, String)> = site
        .database
        .admin()
        .query(
            "SELECT memberid, username, username_sent FROM member_auth WHERE siteid = 5 AND \
             memberid > 512 ORDER BY memberid",
        )
        .unwrap();
    let neil = "O'Neil".to_owned();
    let expected = vec![(513, Some(neil.clone()), neil), (514, None, "zoé".to_owned())];
    assert_eq!(columns, expected);

    assert!(site.service.terminate().success());
    assert!(enters("ann") && !enters("zoé"), "while the service is down");
}

#[test]
fn the_column_of_bcrypt_hashes_on_mariadb_lets_in_who_is_a_member_now() {
    let Some(mut site) = Site::new(&["--password-hash", "bcrypt"]) else { return };
    let visitor = Visitor::of(&site.host, &site.apache);
    let status = |name, password, path| visitor.status_as(name, password, path);
    let add = "action=ADD&siteid=1&memberid=71&username=bob&password=p%2B%26%3D%25+1&trial=1";
    post(&site.service, add);
    eventually("bob is let in", || status("bob", "p+&=% 1", "/members/") == 200);
    assert_eq!(status("bob", "wrong", "/members/"), 401);
    assert_eq!(status("bob", "p+&=% 1", "/full/"), 403, "a trial member");
    post(&site.service, "action=TRIALTOFULL&siteid=1&memberid=71&username=bob");
    assert_eq!(status("bob", "p+&=% 1", "/full/"), 200);
    post(&site.service, "action=CHANGE&siteid=1&memberid=71&new_username=rob");
    let both = ["rob", "bob"].map(|name| status(name, "p+&=% 1", "/members/"));
    assert_eq!(both, [200, 401], "{}", site.apache.errors());

    // A membership that ends while the service is down, which would have moved the row.
    assert!(site.service.terminate().success());
    assert_eq!(status("rob", "p+&=% 1", "/members/"), 200);
    site.database.admin().query_drop("UPDATE member_auth SET expire_at = 1").unwrap();
    assert_eq!(status("rob", "p+&=% 1", "/members/"), 401, "{}", site.apache.errors());
}
