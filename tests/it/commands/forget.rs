//! `member forget` and `member export`, with the real program beside a running service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::replay::{export, open};
use super::terminal::Terminal;
use super::{Ran, end, run_on};
use crate::support::{
    Beside, ENGINES, EngineKind, Program, Request, TestDatabase, eventually, program, rows,
    send_raw, temp_dir,
};

/// What identifies the person of these stories: names, addresses, networks.
const MARKS: [&str; 6] = [
    "zanzibar-bob",
    "timbuktu-rob",
    "quokka@example.com",
    "wombat@example.com",
    "203.0.113.77",
    "CCBILL:9081726354",
];

/// A data directory with a running service.
struct Place {
    dir: TempDir,
    database: Option<TestDatabase>,
    service: Program,
}

impl Place {
    /// `None`, with a loud line, where the engine's server is not installed.
    fn on(engine: EngineKind) -> Option<Self> {
        let dir = temp_dir();
        let database = match engine {
            EngineKind::Sqlite => None,
            EngineKind::MariaDb => Some(TestDatabase::new(engine)?),
        };
        let service = Self::serve(dir.path(), database.as_ref());
        Some(Self { dir, database, service })
    }

    fn serve(dir: &Path, database: Option<&TestDatabase>) -> Program {
        let own = database.map(TestDatabase::flags);
        let mut flags = vec!["--trusted-proxy", "127.0.0.1"];
        flags.extend(own.iter().flatten().map(String::as_str));
        Program::serve(&dir.join("data"), &flags)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = program();
        command.args(args).arg("--data-dir").arg(self.data());
        command.args(self.database.iter().flat_map(TestDatabase::flags));
        command
    }

    /// Without the warning that the password is in the URL.
    fn run(&self, args: &[&str]) -> Ran {
        let mut ran = end(self.command(args));
        let is_warning = |line: &&str| line.contains("the URL of --database has a password");
        ran.err =
            ran.err.lines().filter(|line| !is_warning(line)).map(|it| format!("{it}\n")).collect();
        ran
    }

    fn forget(&self) -> Ran {
        self.run(&["member", "forget", "1", "71", "--yes"])
    }

    fn post(&self, body: &str) -> String {
        self.service.post(body).unwrap().body
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        Beside::open(&match &self.database {
            Some(database) => database.location(),
            None => nats_userman::store::Location::sqlite(self.data().join("userman.db")),
        })
        .rows(sql)
    }

    fn basic(&self, name: &str, password: &str) -> u16 {
        let request = Request::get("/auth?site=1").basic(name, password).from("203.0.113.77");
        send_raw(self.service.address, request).unwrap().status
    }

    fn with_cookie(&self, cookie: &str) -> u16 {
        let request = Request::get("/auth?site=1").cookie(cookie).from("203.0.113.77");
        send_raw(self.service.address, request).unwrap().status
    }

    fn log_in(&self, name: &str, password: &str) -> String {
        let form = format!("username={name}&password={password}");
        let request = Request::post("/login?site=1").same_origin().from("203.0.113.77").form(&form);
        let response = send_raw(self.service.address, request).unwrap();
        response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }

    /// Which of these texts a file of the database has, or a row of a table.
    fn found(&self, texts: &[String]) -> Vec<String> {
        let mut places: Vec<(String, Vec<u8>)> = ["userman.db", "userman.db-wal"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), fs::read(self.data().join(name)).ok()?)))
            .collect();
        if self.database.is_some() {
            for table in self.rows("SHOW TABLES") {
                let rows = self.rows(&format!("SELECT * FROM {table}")).join("\n");
                places.push((table, rows.into_bytes()));
            }
        }
        assert!(!places.is_empty());
        let mut found = Vec::new();
        for (place, bytes) in &places {
            for text in texts {
                if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
                    found.push(format!("{text} in {place}"));
                }
            }
        }
        found
    }

    /// Bob with everything that can be stored of a member, among many others. Returns a cookie of
    /// theirs and what must not be found later.
    fn told(&self) -> (String, Vec<String>) {
        for number in 0..60 {
            let (member, name) = (1_000 + number, format!("other{number}"));
            let more = if number == 40 { self.tell_bob() } else { String::new() };
            assert!(more.is_empty() || more.starts_with("OK|"), "{more}");
            let add = format!(
                "action=ADD&siteid=1&memberid={member}&username={name}&password=p{number}&\
                 email={name}@example.com&memberidx=CCBILL:{member}"
            );
            assert!(self.post(&add).starts_with("OK|"), "{add}");
        }
        let rename = "action=CHANGE&siteid=1&memberid=71&new_username=timbuktu-rob&\
                      new_email=wombat@example.com";
        assert!(self.post(rename).starts_with("OK|"));
        self.post("action=ADD&siteid=1&username=zanzibar-bob&email=quokka@example.com");
        // The newest passwords are hashed first, and the machine may be busy.
        let sealed = || -> u32 {
            let since = "SELECT min(id) FROM journal WHERE memberid = 71";
            let sql = format!(
                "SELECT count(*) FROM journal WHERE sealed IS NOT NULL AND id >= ({since})"
            );
            self.rows(&sql)[0].parse().unwrap()
        };
        let mut left = sealed();
        while left > 0 {
            eventually("another password is hashed", || sealed() < left);
            left = sealed();
        }
        let cookie = self.log_in("timbuktu-rob", "secret");
        assert_eq!(self.with_cookie(&cookie), 200);
        assert_eq!(self.basic("timbuktu-rob", "secret"), 200);
        for guess in 0..10 {
            assert_eq!(self.basic("timbuktu-rob", &format!("guess{guess}")), 401);
        }
        assert_eq!(self.basic("timbuktu-rob", "secret"), 403, "blocked");
        eventually("the notes are stored", || {
            self.rows("SELECT count(*) FROM login WHERE memberid = 71 AND event = 'wrong'") != ["0"]
                && self.rows("SELECT count(*) FROM block") != ["0"]
                && self.rows("SELECT count(*) FROM known_network") != ["0"]
        });
        let mut marks: Vec<String> = MARKS.map(str::to_owned).into();
        marks.extend(self.rows("SELECT password FROM member_auth WHERE memberid = 71"));
        assert!(marks.last().unwrap().starts_with("$argon2id$"), "{marks:?}");
        (cookie, marks)
    }

    fn tell_bob(&self) -> String {
        self.post(
            "action=ADD&siteid=1&memberid=71&username=zanzibar-bob&password=secret&\
             email=quokka@example.com&memberidx=CCBILL:9081726354&session=4b23",
        )
    }
}

fn on_both(story: impl Fn(&mut Place)) {
    for engine in ENGINES {
        eprintln!("engine {engine:?}");
        if let Some(mut place) = Place::on(engine) {
            story(&mut place);
        }
    }
}

/// The last line of what was printed.
fn last(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

#[test]
fn a_forgotten_member_is_in_no_table_and_no_file_of_the_database_and_does_not_get_in() {
    on_both(|place| {
        let (cookie, marks) = place.told();
        // Without passwords, which are hashed meanwhile.
        let others = "SELECT id, at, memberid, username, fields, reply FROM journal \
                      WHERE memberid <> 71 ORDER BY id";
        let members = "SELECT memberid, username, email, biller FROM member_auth \
                       WHERE memberid <> 71 ORDER BY memberid";
        let before = (place.rows(others), place.rows(members));
        let ran = place.forget();
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        let said = last(&ran.out);
        assert!(
            said.starts_with("OK|member 71 of site 1 is forgotten: 1 row, 3 journal records, ")
                && said.ends_with(" removed"),
            "{}",
            ran.out
        );
        assert!(ran.out.starts_with("not removed, look there too:\n- "), "{}", ran.out);
        assert_eq!(place.found(&marks), [""; 0]);
        assert_eq!((place.rows(others), place.rows(members)), before);

        // The caches of the service have the password and the login.
        assert_eq!(place.with_cookie(&cookie), 401);
        assert_ne!(place.basic("timbuktu-rob", "secret"), 200);
        assert_eq!(place.basic("other7", "p7"), 200);
        let again = place.forget();
        assert_eq!(
            again.printed(),
            "nothing is stored of member 71 of site 1: nothing was removed\n"
        );
        assert_eq!(
            place.rows("SELECT count(*) FROM journal WHERE source = 'operator'"),
            ["1"],
            "an anonymous record"
        );

        // A new postback counts, and the login of before does not.
        let add = "action=ADD&siteid=1&memberid=71&username=bobby&password=secret";
        assert_eq!(place.post(add), "OK|member 71 \"bobby\" added to site 1");
        assert_eq!(place.basic("bobby", "secret"), 200);
        assert_eq!(place.with_cookie(&cookie), 401);
    });
}

#[test]
fn a_replay_of_the_journal_gives_the_table_without_the_forgotten_member() {
    let from = super::replay::told();
    let (from, dir) = (from.path().join("data"), temp_dir());
    for key in [["1", "72"], ["2", "71"], ["3", "1"]] {
        let args = [&["member", "forget"][..], &key, &["--yes"]].concat();
        let ran = run_on(&from, &args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let file = export(&from, dir.path());
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(from.join("seal.key"), data.join("seal.key")).unwrap();
    let ran = run_on(&data, &["replay", "--journal", &file]);
    assert!(ran.code == Some(0) && ran.err.is_empty(), "{ran:?}");
    let tables = |data: &Path| {
        let conn = open(data);
        let tables = ["member_auth", "former_member"];
        tables.map(|table| rows(&conn, &format!("SELECT * FROM {table}"))).concat()
    };
    assert_eq!(tables(&data), tables(&from));
    assert_eq!(tables(&data).len(), 1, "bob");
    let journal = |data: &Path| {
        let lines = run_on(data, &["journal", "--json"]).printed();
        let record = |line: &str| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            // A replay numbers the records anew, without gaps.
            record.as_object_mut().unwrap().remove("id");
            record
        };
        lines.lines().map(record).collect::<Vec<_>>()
    };
    assert_eq!(journal(&data), journal(&from));
}

#[test]
fn without_a_terminal_it_wants_yes_and_on_a_terminal_it_asks() {
    let Some(place) = Place::on(EngineKind::Sqlite) else { return };
    assert!(place.tell_bob().starts_with("OK|"));
    place.run(&["member", "forget", "1", "71"]).ended(
        2,
        "nats-userman: member forget: expected --yes, because there is no terminal to ask on; \
         nothing was changed\n",
    );
    let ask = |answer: &str| {
        let terminal = Terminal::new();
        let mut command = place.command(&["member", "forget", "1", "71"]);
        terminal.take(&mut command);
        command.stderr(terminal.stdio());
        let mut child = command.spawn().unwrap();
        let said = terminal.read_until("Type yes to go on: ");
        assert!(said.contains("This removes 1 row, 1 journal record of member 71"), "{said}");
        terminal.type_line(answer);
        child.wait().unwrap().code()
    };
    assert_eq!(ask("no"), Some(1));
    assert_eq!(place.rows("SELECT count(*) FROM member_auth"), ["1"]);
    assert_eq!(ask("yes"), Some(0));
    assert_eq!(place.rows("SELECT count(*) FROM member_auth"), ["0"]);
}

#[test]
fn a_dry_run_says_what_would_go_and_changes_nothing() {
    on_both(|place| {
        assert!(place.tell_bob().starts_with("OK|"));
        let args = ["member", "forget", "1", "71", "--dry-run"];
        let said = place.run(&args).printed();
        assert_eq!(
            last(&said),
            "dry run: member 71 of site 1 has 1 row, 1 journal record; nothing was changed"
        );
        let said: Value =
            serde_json::from_str(&place.run(&[&args[..], &["--json"]].concat()).printed()).unwrap();
        assert_eq!((&said["dry_run"], &said["removed"]["rows"]), (&json!(true), &json!(1)));
        assert_eq!(place.rows("SELECT count(*) FROM member_auth"), ["1"]);
        let none = place.run(&["member", "forget", "1", "99", "--dry-run"]).printed();
        assert_eq!(none, "nothing is stored of member 99 of site 1: nothing was removed\n");
    });
}

#[test]
fn the_places_that_it_cannot_reach_are_named() {
    let Some(place) = Place::on(EngineKind::Sqlite) else { return };
    assert!(place.tell_bob().starts_with("OK|"));
    let add = "action=ADD&siteid=2&memberid=71&username=bob&password=secret";
    assert!(place.post(add).starts_with("OK|"));
    let backups = place.dir.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let backups = backups.to_str().unwrap();
    place.run(&["backup", backups]).printed();
    let copy = place.data().join("userman.db.v5");
    fs::write(&copy, "a copy of an upgrade").unwrap();
    let said = place
        .run(&["member", "forget", "1", "71", "--yes", "--json", "--backup-dir", backups])
        .printed();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said["not_removed"],
        json!([
            "the rows of memberid 71 of other sites (2): run this command for each of them",
            format!("copies of the database: {}", copy.display()),
            format!("1 backup in {backups}"),
            "the log of the service (with the unit, journalctl -u nats-userman) and the logs of \
             the web server",
            "captures, exports and journals that were written to files",
            "NATS itself, and logins that were reported to it",
        ])
    );
    assert_eq!((&said["removed"]["rows"], &said["wal_is_clear"]), (&json!(1), &json!(true)));
}

#[test]
fn a_reader_that_holds_the_wal_is_named_and_a_second_run_clears_it() {
    let Some(place) = Place::on(EngineKind::Sqlite) else { return };
    assert!(place.tell_bob().starts_with("OK|"));
    let reader = Connection::open(place.data().join("userman.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM member_auth").unwrap();
    let ran = place.forget();
    assert_eq!(ran.code, Some(1));
    let process = std::process::id();
    assert_eq!(
        ran.err,
        format!(
            "nats-userman: the rows are removed, but the WAL still has former pages with them, \
             because process {process} reads the database: end it, and run this command again\n"
        )
    );
    let marks: Vec<String> = MARKS.map(str::to_owned).into();
    assert_ne!(place.found(&marks), [""; 0]);
    drop(reader);
    place.forget().printed();
    assert_eq!(place.found(&marks), [""; 0]);
}

/// Kills the command when a condition is true, at other moments in each round.
#[test]
fn a_kill_at_any_moment_leaves_all_or_nothing_and_a_second_run_completes_it() {
    let Some(place) = Place::on(EngineKind::Sqlite) else { return };
    let marks: Vec<String> = MARKS.map(str::to_owned).into();
    let counts = || {
        place.rows(
            "SELECT (SELECT count(*) FROM member_auth WHERE memberid = 71), \
             (SELECT count(*) FROM journal WHERE memberid = 71)",
        )
    };
    for round in 0..12 {
        assert!(place.tell_bob().starts_with("OK|"), "round {round}");
        let mut command = place.command(&["member", "forget", "1", "71", "--yes"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        match round % 3 {
            // So early or late as this machine happens to be.
            0 => (0..round * 4).for_each(|_| drop(counts())),
            1 => eventually("the row is gone", || {
                counts() == ["0|0"] || child.try_wait().unwrap().is_some()
            }),
            _ => {}
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!([["1|1"], ["0|0"]].contains(&[&counts()[0]]), "round {round}: {:?}", counts());
        let ran = place.forget();
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "round {round}");
        assert_eq!(counts(), ["0|0"], "round {round}");
        assert_eq!(place.found(&marks), [""; 0], "round {round}");
    }
}

#[test]
fn export_prints_all_that_is_stored_and_no_secret() {
    on_both(|place| {
        let (_, marks) = place.told();
        let text = place.run(&["member", "export", "1", "71"]).printed();
        let hash = marks.last().unwrap();
        assert!(!text.contains(hash.as_str()) && !text.contains("$argon2id"), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let all: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&all["siteid"], &all["memberid"]), (&json!(1), &json!(71)));
        assert_eq!(all["standing"], "member");
        let row = &all["row"];
        assert_eq!(
            (&row["username"], &row["email"], &row["biller"], &row["password"]),
            (
                &json!("timbuktu-rob"),
                &json!("wombat@example.com"),
                &json!("CCBILL:9081726354"),
                &json!("hashed with argon2id; not shown")
            )
        );
        assert_eq!(row["session"], "stored as a SHA-256 hash, not shown");
        let records = all["journal"].as_array().unwrap();
        let fields: Vec<_> = records.iter().map(|record| &record["fields"]).collect();
        assert_eq!(
            fields,
            [
                "action=ADD&siteid=1&memberid=71&username=zanzibar-bob&password=***&\
                 email=quokka%40example.com&memberidx=CCBILL%3A9081726354&session=***",
                "action=CHANGE&siteid=1&memberid=71&new_username=timbuktu-rob&\
                 new_email=wombat%40example.com",
                "action=ADD&siteid=1&username=zanzibar-bob&email=quokka%40example.com",
            ]
        );
        assert_eq!(records[0]["address"], "127.0.0.1");
        let logins = all["logins"].as_array().unwrap();
        let events: Vec<_> = logins.iter().map(|login| login["event"].as_str().unwrap()).collect();
        assert!(events.contains(&"login") && events.contains(&"wrong"), "{events:?}");
        assert!(logins.iter().all(|login| login["network"] == "203.0.113.77"), "{logins:?}");
        assert_eq!(all["known_networks"][0]["network"], "stored as a keyed hash");
        assert_eq!(all["blocks"][0]["username"], "timbuktu-rob");

        place.forget();
        let text = place.run(&["member", "export", "1", "71"]).printed();
        let all: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&all["standing"], &all["row"]), (&json!("no member"), &Value::Null));
        for empty in ["journal", "logins", "logouts", "last_uses", "known_networks", "networks"] {
            assert_eq!(all[empty], json!([]), "{empty}");
        }
        // Until no login of before can be valid: see docs/privacy.md.
        assert!(all["logins_ended_up_to"].is_string());
    });
}

#[test]
fn every_receiver_of_a_database_keeps_a_forgotten_member_out() {
    let Some(place) = Place::on(EngineKind::MariaDb) else { return };
    let second = place.dir.path().join("second");
    fs::create_dir_all(second.join("data")).unwrap();
    for name in ["seal.key", "cookie.key"] {
        fs::copy(place.data().join(name), second.join("data").join(name)).unwrap();
    }
    let other = Place::serve(&second, place.database.as_ref());
    assert!(place.tell_bob().starts_with("OK|"));
    let at_the_other = |request: Request| send_raw(other.address, request).unwrap().status;
    let basic = || Request::get("/auth?site=1").basic("zanzibar-bob", "secret");
    assert_eq!(at_the_other(basic()), 200);
    let cookie = place.log_in("zanzibar-bob", "secret");
    assert_eq!(at_the_other(Request::get("/auth?site=1").cookie(&cookie)), 200);
    place.forget();
    assert_eq!(at_the_other(basic()), 401);
    assert_eq!(at_the_other(Request::get("/auth?site=1").cookie(&cookie)), 401);
}
