//! `import --from`: a table on a running MariaDB, which is only read.

use std::io::Write as _;
use std::net::TcpListener;

use mysql::prelude::Queryable as _;
use nats_userman::store::Location;
use nats_userman::store::mysql::OtherTable;

use crate::support::ran::{Ran, open, run_on, write};
use crate::support::{App, MariaDatabase, rows, temp_dir};

/// As NATS makes it, with more columns than an import reads.
const NATS_TABLE: &str = "CREATE TABLE member_auth (siteid INT NOT NULL, memberid INT NOT NULL, \
    username VARCHAR(50) NOT NULL, cryptpass VARCHAR(50), next_rebill INT, PRIMARY KEY (siteid, \
    memberid)) ENGINE=InnoDB DEFAULT CHARSET=latin1";

/// Every password is `testtest`.
const NATS_ROWS: &str = "INSERT INTO member_auth VALUES (1, 71, 'bob', '41R19prsa7NLQ', 1), \
    (1, 72, 'j\u{fc}rgen', '7dTx9F2gGoM5w', 1), (2, 71, 'ann', NULL, 1)";

/// A database of another program, of which a user may only read one table, and a data directory.
struct Scene {
    source: MariaDatabase,
    dir: tempfile::TempDir,
}

impl Scene {
    /// `None`, with a loud line, where no server is installed.
    fn new(statements: &[&str]) -> Option<Self> {
        let scene = Self { source: MariaDatabase::new()?, dir: temp_dir() };
        scene.change(statements);
        let mut admin = scene.source.admin();
        let (reader, password) = (scene.source.reader(), scene.source.password());
        admin
            .query_drop(format!("CREATE USER {reader}@'127.0.0.1' IDENTIFIED BY '{password}'"))
            .unwrap();
        let grant = format!("GRANT SELECT ON {}.* TO {reader}@'127.0.0.1'", scene.source.name());
        admin.query_drop(grant).unwrap();
        Some(scene)
    }

    fn change(&self, statements: &[&str]) {
        let mut connection = self.source.connect();
        statements.iter().for_each(|statement| connection.query_drop(*statement).unwrap());
    }

    /// The database as the user names it who only reads.
    fn url(&self) -> String {
        let (reader, name, port) = (self.source.reader(), self.source.name(), self.source.port());
        format!("mysql://{reader}@127.0.0.1:{port}/{name}")
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    fn import_from(&self, url: &str, args: &[&str]) -> Ran {
        let file = write(self.dir.path(), "password", format!("{}\n", self.source.password()));
        let own = ["import", "--from", url, "--from-password-file", &file];
        run_on(&self.data(), &[&own, args].concat())
    }

    fn import(&self, args: &[&str]) -> Ran {
        self.import_from(&self.url(), args)
    }

    fn members(&self) -> Vec<String> {
        let all = "SELECT siteid, memberid, username FROM member_auth ORDER BY siteid, memberid";
        rows(&open(&self.data()), all)
    }
}

#[test]
fn the_table_of_nats_is_imported_from_a_running_server_which_is_only_read() {
    let Some(scene) = Scene::new(&[NATS_TABLE, NATS_ROWS]) else { return };
    let name = format!("the table \"member_auth\" of {}", scene.url());
    let unused = format!("{name}: columns that are not imported: \"next_rebill\"\n");
    let refused = "row 3: password: expected a password or a cryptpass, not given; correct the row \
                   and import again\n";
    let end = "nats-userman: 1 of 3 rows were refused and changed nothing: see above\n";
    let ran = scene.import(&["--dry-run"]);
    ran.ended(1, end);
    let counts = "2 added, 0 changed, 0 were so already, 1 refused";
    assert_eq!(ran.out, format!("{unused}{refused}{counts}; nothing was changed\n"));
    assert!(!scene.data().exists(), "not even the directory was made");

    let ran = scene.import(&["--expect-count", "4"]);
    ran.ended(
        1,
        &format!(
            "nats-userman: {name}: --expect-count: expected 4 rows, found 3; nothing was imported: \
             check the source, or correct the number\n"
        ),
    );
    assert!(ran.out.is_empty() && !scene.data().exists());

    let ran = scene.import(&["--expect-count", "3"]);
    ran.ended(1, end);
    assert_eq!(ran.out, format!("{unused}{refused}{counts}\n"));
    let ran = scene.import(&["--json"]);
    ran.ended(1, end);
    assert_eq!(
        ran.out.lines().skip(1).collect::<Vec<_>>(),
        [
            "{\"problem\":\"password: expected a password or a cryptpass, not given\",\"refused\":\
             \"row 3\",\"remedy\":\"correct the row and import again\"}",
            "{\"added\":0,\"changed\":0,\"dry_run\":false,\"expired\":0,\"former\":0,\
             \"inactive\":0,\"named\":0,\"refused\":1,\"same\":2}",
        ]
    );
    assert_eq!(scene.members(), ["1|71|bob", "1|72|j\u{fc}rgen"]);

    let ran = scene.import(&["--site", "1"]);
    let other = "row 3: siteid: expected 1, which --site gives, found 2; leave --site out to \
                 import all sites\n";
    assert!(ran.code == Some(1) && ran.out.contains(other), "{ran:?}");
    let Scene { dir, .. } = scene;
    let app = App::start_in(dir, &[]);
    assert!(app.opens(1, 71, "testtest") && app.opens(1, 72, "testtest"));
    assert!(!app.opens(1, 71, "other"));
}

#[test]
fn another_table_is_named_and_its_columns_are_mapped_whatever_their_types_and_names() {
    let Some(scene) = Scene::new(&[
        "CREATE TABLE `o``ther \"x\"` (`Log in` VARBINARY(60), pass LONGTEXT, `id``` BIGINT, trial \
         BIT(1), joined TIMESTAMP NULL, until DATETIME, kind ENUM('a', 'b')) ENGINE=InnoDB",
        "SET time_zone = '+05:00'",
    ]) else {
        return;
    };
    let mut connection = scene.source.connect();
    connection.query_drop("SET time_zone = '+05:00'").unwrap();
    connection
        .query_drop(
            "INSERT INTO `o``ther \"x\"` VALUES \
             ('bob', '$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm', 71, b'1', \
             '2024-01-01 05:00:00', '2099-01-01 00:00:00', 'a'), \
             ('ann', 'testtest', 72, NULL, NULL, NULL, NULL), \
             (0x6afc7267, 'testtest', 73, b'0', NULL, NULL, NULL), \
             (0x610062, 'testtest', 74, b'0', NULL, NULL, NULL), \
             ('eve', REPEAT('x', 70000), 75, b'0', NULL, NULL, NULL), \
             ('ANN', 'testtest', 76, b'0', NULL, NULL, NULL), \
             ('kim', 'testtest', 71, b'0', NULL, NULL, NULL), \
             ('', 'testtest', 77, b'0', NULL, NULL, NULL), \
             ('max', 'testtest', 78, b'0', NULL, '2020-01-01 00:00:00', NULL)",
        )
        .unwrap();
    let args = ["--table", "o`ther \"x\"", "--map", "username=log in", "--map", "password=pass"];
    let more = ["--map", "memberid=id`", "--map", "expire=until", "--site", "1"];
    let ran = scene.import(&[args, more].concat());
    ran.ended(1, "nats-userman: 6 of 9 rows were refused and changed nothing: see above\n");
    let again = "correct the row and import again";
    let two = "remove the wrong one of the two rows and import again";
    let name = "username: expected 1 to 255 bytes without control characters";
    assert_eq!(
        ran.out.lines().skip(1).collect::<Vec<_>>(),
        [
            format!("row 3: column \"Log in\": expected UTF-8, found other bytes; {again}"),
            format!("row 4: expected text, found a NUL byte; {again}"),
            format!("row 5: expected at most 65536 bytes, found more; {again}"),
            format!("row 6: username: that of row 2 again; {two}"),
            format!("row 7: memberid: that of row 1 again; {two}"),
            format!("row 8: {name}, not given; {again}"),
            "2 added, 0 changed, 0 were so already, 1 left out because they have expired, 6 refused"
                .into(),
        ]
    );
    let all = "SELECT memberid, username, trial, joined, expire_at FROM member_auth";
    assert_eq!(
        rows(&open(&scene.data()), all),
        ["71|bob|1|1704067200|4070908800", "72|ann|0||"],
        "a TIMESTAMP is an instant, whatever the time zone of its server"
    );
}

#[test]
fn what_cannot_be_read_is_one_line_and_nothing_is_imported() {
    let Some(scene) = Scene::new(&[
        NATS_TABLE,
        "CREATE TABLE nothing_of_members (id INT, text TEXT) ENGINE=InnoDB",
        "CREATE TABLE without_names (memberid INT, pass VARCHAR(50)) ENGINE=InnoDB",
    ]) else {
        return;
    };
    let url = scene.url();
    let names = "\"member_auth\", \"nothing_of_members\", \"without_names\"";
    for (args, said) in [
        (
            &["--table", "members"][..],
            format!(
                "cannot read {url}: there is no table \"members\" that its user may read: name one \
                 with --table, or grant the user SELECT on it; the user may read {names}"
            ),
        ),
        (
            &["--table", "member_auth; DROP TABLE member_auth"],
            format!(
                "cannot read {url}: there is no table \"member_auth; DROP TABLE member_auth\" that \
                 its user may read: name one with --table, or grant the user SELECT on it; the \
                 user may read {names}"
            ),
        ),
        (
            &["--table", "nothing_of_members"],
            format!(
                "the table \"nothing_of_members\" of {url}: no column has a name that is known, \
                 such as siteid, memberid, username and password or cryptpass: say which is which \
                 with --map username=NAME; the columns are \"id\", \"text\""
            ),
        ),
        (
            &["--table", "without_names"],
            format!(
                "the table \"without_names\" of {url}: no column is named username: name it with \
                 --map username=NAME; the columns are \"memberid\", \"pass\""
            ),
        ),
        (
            &["--map", "password=pass"],
            format!(
                "the table \"member_auth\" of {url}: --map: no column is named \"pass\"; the \
                 columns are \"siteid\", \"memberid\", \"username\", \"cryptpass\", \
                 \"next_rebill\""
            ),
        ),
    ] {
        let ran = scene.import(args);
        ran.ended(1, &format!("nats-userman: {said}\n"));
        assert!(ran.out.is_empty() && !scene.data().exists(), "{args:?}");
    }
    let check = "check the user and the password of --from, and that the user may SELECT there \
                 from this machine's address";
    let (reader, name) = (scene.source.reader(), scene.source.name().to_owned());
    let stranger = url.replace(&reader, "stranger");
    let in_database = |url: &str, other: &str| {
        let (server, _) = url.rsplit_once('/').unwrap();
        format!("{server}/{other}")
    };
    let elsewhere = in_database(&url, "elsewhere");
    let nowhere = url.replace(&format!(":{}/", scene.source.port()), ":1/");
    for (from, said) in [
        (
            &stranger,
            format!(
                "cannot read {stranger}: Access denied for user 'stranger'@'127.0.0.1' (using \
                 password: YES): {check}"
            ),
        ),
        (
            &elsewhere,
            format!(
                "cannot read {elsewhere}: Access denied for user '{reader}'@'127.0.0.1' to \
                 database 'elsewhere': {check}"
            ),
        ),
    ] {
        scene.import_from(from, &[]).ended(1, &format!("nats-userman: {said}\n"));
    }
    let ran = scene.import_from(&nowhere, &[]);
    let begin = format!("nats-userman: cannot read {nowhere}: ");
    assert!(ran.code == Some(1) && ran.err.starts_with(&begin), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    assert!(
        ran.err.ends_with(
            ": check the host and the port of --from, and that the server is running there\n"
        ),
        "{ran:?}"
    );
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let of_web = url.replace(
        &format!(":{}/", scene.source.port()),
        &format!(":{}/", web.local_addr().unwrap().port()),
    );
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = web.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").unwrap();
    });
    let ran = scene.import_from(&of_web, &[]);
    answers.join().unwrap();
    assert!(
        ran.code == Some(1)
            && ran.err.ends_with(
                ": no MySQL server answers there: check the host and the port of --from\n"
            ),
        "{ran:?}"
    );
    let owner = in_database(&scene.source.setting(), "missing_one");
    scene
        .source
        .admin()
        .query_drop(format!("GRANT ALL ON missing_one.* TO {name}@'127.0.0.1'"))
        .unwrap();
    let ran = scene.import_from(&owner, &[]);
    ran.ended(
        1,
        &format!(
            "nats-userman: cannot read {owner}: Unknown database 'missing_one': check the name of \
             the database in --from\n"
        ),
    );
    assert!(!scene.data().exists());
}

/// A column whose rows a user may not read is told where it is read.
#[test]
fn a_user_who_may_read_only_some_columns_is_told_so() {
    let Some(scene) = Scene::new(&[NATS_TABLE, NATS_ROWS]) else { return };
    let (reader, name) = (scene.source.reader(), scene.source.name());
    let mut admin = scene.source.admin();
    for statement in [
        format!("REVOKE SELECT ON {name}.* FROM {reader}@'127.0.0.1'"),
        format!(
            "GRANT SELECT (siteid, memberid, username) ON {name}.member_auth \
             TO {reader}@'127.0.0.1'"
        ),
    ] {
        admin.query_drop(statement).unwrap();
    }
    let ran = scene.import(&[]);
    ran.ended(
        1,
        &format!(
            "nats-userman: the table \"member_auth\" of {}: no column has a password: name it with \
             --map password=NAME for clear text, or --map cryptpass=NAME for hashes; the columns \
             are \"siteid\", \"memberid\", \"username\"\n",
            scene.url()
        ),
    );
}

#[test]
fn a_database_of_this_program_is_no_source() {
    let Some(scene) = Scene::new(&[NATS_TABLE, NATS_ROWS]) else { return };
    let from = scene.url();
    let file = write(scene.dir.path(), "password", scene.source.password());
    let own = scene.source.setting().replace("127.0.0.1", "localhost");
    let args = ["--database", &own, "--database-password-file", &file];
    scene.import(&args).ended(
        1,
        &format!(
            "nats-userman: --from: {from} is the database of --database itself: import reads \
             tables of other programs\n"
        ),
    );
    let Some(other) = Scene::new(&[]) else { return };
    let data = other.data();
    let members = write(other.dir.path(), "members.csv", crate::engines::import::MEMBERS);
    let database = other.source.setting_with_password();
    assert_eq!(run_on(&data, &["import", &members, "--database", &database]).code, Some(0));
    other.change(&["CREATE TABLE visitors AS SELECT 1 AS username, 2 AS password"]);
    for table in ["member_auth", "visitors"] {
        scene.import_from(&other.url(), &["--table", table]).code.unwrap();
        let file = write(scene.dir.path(), "password", other.source.password());
        let from = other.url();
        let args = ["import", "--from", &from, "--from-password-file", &file, "--table", table];
        run_on(&scene.data(), &args).ended(
            1,
            &format!(
                "nats-userman: {from} is a database of nats-userman, and import reads tables of \
                 other programs: copy it with `nats-userman migrate-store`, or write its members \
                 into a file with `nats-userman export`\n"
            ),
        );
    }
    assert!(!scene.data().exists());
}

#[test]
fn both_passes_read_one_snapshot_and_a_table_without_snapshots_is_noted() {
    let Some(scene) = Scene::new(&[NATS_TABLE, NATS_ROWS]) else { return };
    let numbers: Vec<String> =
        (1000..4000).map(|id| format!("(1, {id}, 'm{id}', 'x', 1)")).collect();
    scene.change(&[&format!("INSERT INTO member_auth VALUES {}", numbers.join(", "))]);
    let Location::Mysql(server) = scene.source.location() else { panic!("no server") };
    let table = OtherTable::open(&server, "member_auth", 100).unwrap();
    let all = |table: &OtherTable| {
        let (mut rows, mut found) = (table.rows(&[1, 2]), Vec::new());
        while let Some(row) = rows.next().unwrap() {
            found.push(row);
        }
        assert!(rows.next().unwrap().is_none(), "the end stays the end");
        found
    };
    let first = all(&table);
    assert_eq!(first.len(), 3003, "in many pages");
    scene.change(&[
        "DELETE FROM member_auth WHERE memberid < 2000",
        "INSERT INTO member_auth VALUES (3, 99, 'late', 'x', 1)",
        "UPDATE member_auth SET username = CONCAT('x', memberid)",
    ]);
    assert!(all(&table) == first, "what was changed meanwhile is not seen");
    drop(table.rows(&[0]));
    drop(table);
    let table = OtherTable::open(&server, "member_auth", 100).unwrap();
    assert_eq!((all(&table).len(), table.has_snapshot()), (2001, true));
    // Its transaction would keep the next statement waiting.
    drop(table);

    scene.change(&["ALTER TABLE member_auth ENGINE=MyISAM"]);
    let ran = scene.import(&["--dry-run"]);
    let note = format!(
        "the table \"member_auth\" of {}: its storage engine has no snapshots: rows that change \
         during the import may be read in either state\n",
        scene.url()
    );
    assert!(ran.out.starts_with(&note), "{ran:?}");
}
