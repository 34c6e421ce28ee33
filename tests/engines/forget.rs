//! `member forget` and `member export`, with the real program beside a running service.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ENGINES;
use crate::support::ran::{Ran, end};
use crate::support::{
    Beside, EngineKind, Program, Request, TestDatabase, eventually, program, send_raw, temp_dir,
};

/// What identifies the person of these stories: names, addresses, networks.
pub const MARKS: [&str; 6] = [
    "zanzibar-bob",
    "timbuktu-rob",
    "quokka@example.com",
    "wombat@example.com",
    "203.0.113.77",
    "CCBILL:9081726354",
];

/// A data directory with a running service.
pub struct Place {
    pub dir: TempDir,
    pub database: Option<TestDatabase>,
    pub service: Program,
}

impl Place {
    /// `None`, with a loud line, where the engine's server is not installed.
    pub fn on(engine: EngineKind) -> Option<Self> {
        let dir = temp_dir();
        let database = match engine {
            EngineKind::Sqlite => None,
            EngineKind::MariaDb => Some(TestDatabase::new(engine)?),
        };
        let service = Self::serve(dir.path(), database.as_ref());
        Some(Self { dir, database, service })
    }

    pub fn serve(dir: &Path, database: Option<&TestDatabase>) -> Program {
        let own = database.map(TestDatabase::flags);
        let mut flags = vec!["--trusted-proxy", "127.0.0.1", "--login-by-email"];
        flags.extend(own.iter().flatten().map(String::as_str));
        Program::serve(&dir.join("data"), &flags)
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = program();
        command.args(args).arg("--data-dir").arg(self.data());
        command.args(self.database.iter().flat_map(TestDatabase::flags));
        command
    }

    /// Without the warning that the password is in the URL.
    pub fn run(&self, args: &[&str]) -> Ran {
        end(self.command(args)).without_password_warning()
    }

    pub fn forget(&self) -> Ran {
        self.run(&["member", "forget", "1", "71", "--yes"])
    }

    pub fn post(&self, body: &str) -> String {
        self.service.post(body).unwrap().body
    }

    pub fn rows(&self, sql: &str) -> Vec<String> {
        Beside::open(&match &self.database {
            Some(database) => database.location(),
            None => nats_userman::store::Location::sqlite(self.data().join("userman.db")),
        })
        .rows(sql)
    }

    pub fn basic(&self, name: &str, password: &str) -> u16 {
        let request = Request::get("/auth?site=1").basic(name, password).from("203.0.113.77");
        send_raw(self.service.address, request).unwrap().status
    }

    pub fn with_cookie(&self, cookie: &str) -> u16 {
        let request = Request::get("/auth?site=1").cookie(cookie).from("203.0.113.77");
        send_raw(self.service.address, request).unwrap().status
    }

    pub fn log_in(&self, name: &str, password: &str) -> String {
        let form = format!("username={name}&password={password}");
        let request = Request::post("/login?site=1").same_origin().from("203.0.113.77").form(&form);
        let response = send_raw(self.service.address, request).unwrap();
        response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }

    /// Which of these texts a file of the database has, or a row of a table.
    pub fn found(&self, texts: &[String]) -> Vec<String> {
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
    pub fn told(&self) -> (String, Vec<String>) {
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
        for name in ["timbuktu-rob", "wombat@example.com"] {
            for guess in 0..10 {
                assert_eq!(self.basic(name, &format!("guess{guess}")), 401, "{name}");
            }
            assert_eq!(self.basic(name, "secret"), 403, "{name} is blocked");
        }
        eventually("the notes are stored", || {
            self.rows("SELECT count(*) FROM login WHERE memberid = 71 AND event = 'wrong'") != ["0"]
                && self.rows("SELECT count(*) FROM block") == ["2"]
                && self.rows("SELECT count(*) FROM known_network") != ["0"]
        });
        let mut marks: Vec<String> = MARKS.map(str::to_owned).into();
        marks.extend(self.rows("SELECT password FROM member_auth WHERE memberid = 71"));
        assert!(marks.last().unwrap().starts_with("$argon2id$"), "{marks:?}");
        (cookie, marks)
    }

    pub fn tell_bob(&self) -> String {
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
        let blocks = all["blocks"].as_array().unwrap();
        let mut names: Vec<_> = blocks.iter().map(|block| &block["username"]).collect();
        names.sort_by_key(|name| name.to_string());
        assert_eq!(names, ["timbuktu-rob", "wombat@example.com"]);

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
