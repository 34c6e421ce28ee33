//! What is in the file of an export.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::Scene;
use crate::support::{ENGINES, real_program};

const HEAD: &str = "siteid,memberid,username,password,cryptpass,cryptpass_wrapped,sealed,seal_key,\
                    email,trial,biller,joined,expires,expire_at";

const MEMBERS: [&str; 5] = [
    "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=bob@example.com&\
     joined=1496792016&expires=1499470416",
    "action=ADD&siteid=1&memberid=72&username=ann&password=secret&trial=1&biller=CCBILL:1,2",
    "action=ADD&siteid=1&memberid=73&username=cleo&cryptpass=41R19prsa7NLQ",
    "action=ADD&siteid=2&memberid=71&username=%3Ddora&password=secret",
    "action=DELETE&siteid=1&memberid=72",
];

#[test]
fn csv_and_json_lines_have_each_member_with_the_stored_form_of_the_password_on_every_engine() {
    for engine in ENGINES {
        let Some(scene) = Scene::on(engine, &[]) else { continue };
        scene.post(&MEMBERS);
        scene.app.harden();
        let column = |name: &str, site: i64, member: i64| {
            scene.app.rows(&format!(
                "SELECT {name} FROM member_auth WHERE siteid = {site} AND memberid = {member}"
            ))[0]
                .clone()
        };
        let (bob, dora) = (column("password", 1, 71), column("password", 2, 71));
        let cleo = column("cryptpass_wrapped", 1, 73);
        assert!(bob.starts_with("$argon2id$") && cleo.starts_with("41 $argon2id$"), "{engine:?}");

        let file = scene.file("members.csv");
        let said = format!(
            "1 value with =, +, - or @ as the first character, which a spreadsheet may run as a \
             formula: import all columns as text there\n3 members in {}\n",
            file.display()
        );
        assert_eq!(scene.export("csv", &file, &[]).printed(), said, "{engine:?}");
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            format!(
                "{HEAD}\n1,71,bob,\"{bob}\",,,,,bob@example.com,0,,1496792016,1499470416,\n\
                 1,73,cleo,,,\"{cleo}\",,,,0,,,,\n2,71,=dora,\"{dora}\",,,,,,0,,,,\n"
            ),
            "{engine:?}"
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);

        let file = scene.file("members.jsonl");
        let json = scene.export("jsonl", &file, &["--site", "1", "--json"]).printed();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["members"], &json["written"]), (&2.into(), &true.into()));
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            format!(
                "{{\"siteid\":1,\"memberid\":71,\"username\":\"bob\",\"password\":\"{bob}\",\
                 \"email\":\"bob@example.com\",\"trial\":0,\"joined\":1496792016,\
                 \"expires\":1499470416}}\n{{\"siteid\":1,\"memberid\":73,\"username\":\"cleo\",\
                 \"cryptpass_wrapped\":\"{cleo}\",\"trial\":0}}\n"
            ),
            "{engine:?}"
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    }
}

#[test]
fn former_members_have_a_reason_and_a_time_also_those_who_expired_and_are_not_moved_yet() {
    let scene = Scene::new();
    scene.post(&MEMBERS);
    scene.post(&["action=EXPIRE&siteid=1&memberid=73&expire=2020-09-14"]);
    scene.app.harden();
    let file = scene.file("members.csv");
    // The clock of the service stands still in 2020, and the command's does not.
    assert_eq!(
        scene.export("csv", &file, &["--former", "--site", "1"]).printed(),
        format!("1 member and 2 former members in {}\n", file.display())
    );
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("{HEAD},reason,ended_at"));
    assert!(lines[1].starts_with("1,71,bob,") && lines[1].ends_with(",,,"), "{}", lines[1]);
    assert!(lines[2].starts_with("1,73,cleo,") && lines[2].ends_with(",,expired,1600041600"));
    assert!(lines[3].starts_with("1,72,ann,") && lines[3].ends_with(",deleted,1600000000"));
    assert!(lines[3].contains(",1,\"CCBILL:1,2\","), "{}", lines[3]);
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_password_that_is_not_hashed_yet_is_a_seal_with_the_id_of_its_key() {
    let scene = Scene::new();
    scene.post(&MEMBERS[..1]);
    let file = scene.file("members.jsonl");
    assert_eq!(
        scene.export("jsonl", &file, &[]).printed(),
        format!("1 member, 1 not hashed yet in {}\n", file.display())
    );
    let row: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let sealed = scene.app.rows("SELECT hex(sealed) FROM member_auth")[0].to_lowercase();
    let key = scene.app.rows("SELECT hex(id) FROM seal_key")[0].to_lowercase();
    assert_eq!((&row["sealed"], &row["seal_key"]), (&sealed.into(), &key[..8].into()));
    assert_eq!(row["password"], serde_json::Value::Null);

    // Another key, or none: the seal stays what it is.
    for content in [Some("0".repeat(64) + "\n"), None] {
        let key = scene.data().join("seal.key");
        let kept = fs::read(&key).unwrap();
        match &content {
            Some(text) => fs::write(&key, text).unwrap(),
            None => fs::remove_file(&key).unwrap(),
        }
        let ran = scene.export("jsonl", &file, &[]);
        fs::write(&key, kept).unwrap();
        let said = format!(
            "1 member, 1 not hashed yet (1 under a key that is not here) in {}\n",
            file.display()
        );
        assert_eq!(ran.printed(), said, "{content:?}");
        let row: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(row["seal_key"], serde_json::Value::Null, "{content:?}");
    }
}

#[test]
fn an_htpasswd_has_the_members_with_bcrypt_whom_it_can_hold_and_the_others_are_counted() {
    let scene = Scene::on(crate::support::EngineKind::Sqlite, &["--password-hash", "bcrypt"]);
    let scene = scene.unwrap();
    let long = "x".repeat(73);
    let argon2id = format!("action=ADD&siteid=1&memberid=5&username=long&password={long}");
    scene.post(&[
        "action=ADD&siteid=1&memberid=1&username=bob&password=secret",
        "action=ADD&siteid=1&memberid=2&username=b%3Ab&password=secret",
        "action=ADD&siteid=1&memberid=3&username=%23ann&password=secret",
        "action=ADD&siteid=1&memberid=4&username=cleo&cryptpass=41R19prsa7NLQ",
        &argon2id,
        "action=ADD&siteid=1&memberid=6&username=eve+smith&password=secret&trial=1",
    ]);
    scene.app.harden();
    scene.post(&["action=ADD&siteid=1&memberid=7&username=new&password=secret"]);
    let file = scene.file("htpasswd");
    assert_eq!(
        scene.export("htpasswd", &file, &[]).printed(),
        format!(
            "2 members, 5 left out (1 not hashed yet, 1 with argon2id, 1 with a cryptpass only, 2 \
             with a name that the file cannot hold) in {}\n",
            file.display()
        )
    );
    let hash = |member: i64| {
        let sql = format!("SELECT password FROM member_auth WHERE memberid = {member}");
        scene.app.rows(&sql)[0].clone()
    };
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text, format!("bob:{}\neve smith:{}\n", hash(1), hash(6)));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);

    // As Apache reads it.
    let Some(htpasswd) = real_program("htpasswd") else { return };
    for (name, password, is_right) in
        [("bob", "secret", true), ("eve smith", "secret", true), ("bob", "Secret", false)]
    {
        let checked =
            Command::new(&htpasswd).arg("-vb").arg(&file).args([name, password]).output().unwrap();
        assert_eq!(checked.status.success(), is_right, "{name} {password}");
    }
}

#[test]
fn a_row_that_another_program_has_edited_puts_no_line_into_an_htpasswd() {
    let scene = Scene::on(crate::support::EngineKind::Sqlite, &["--password-hash", "bcrypt"]);
    let scene = scene.unwrap();
    scene.post(&["action=ADD&siteid=1&memberid=1&username=bob&password=secret"]);
    scene.app.harden();
    let conn = rusqlite::Connection::open(scene.data().join("userman.db")).unwrap();
    conn.execute("UPDATE member_auth SET password = password || char(10) || 'root:x'", []).unwrap();
    let file = scene.file("htpasswd");
    assert_eq!(
        scene.export("htpasswd", &file, &[]).printed(),
        format!("0 members, 1 left out (1 with argon2id) in {}\n", file.display())
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
}

#[test]
fn an_htpasswd_is_of_one_site_and_of_members_alone() {
    let scene = Scene::new();
    scene.post(&MEMBERS);
    scene.app.harden();
    let file = scene.file("htpasswd");
    scene.export("htpasswd", &file, &[]).ended(
        1,
        "nats-userman: the database has members of the sites 1 and 2, which an .htpasswd cannot \
         tell apart: give --site, and export one file for each site\n",
    );
    assert!(!file.exists() && !scene.file("htpasswd.new").exists());
    scene.export("htpasswd", &file, &["--former"]).ended(
        2,
        "nats-userman: --former: expected csv or jsonl, found htpasswd, whose members may log \
         in\n",
    );
    scene.export("htpasswd", &file, &["--watch"]).ended(
        2,
        "nats-userman: --watch: expected --site beside htpasswd, which cannot tell the members of \
         two sites apart\n",
    );
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let scene = Scene::new();
    scene.post(&MEMBERS);
    scene.app.harden();
    let file = scene.file("members.csv");
    fs::write(&file, "kept").unwrap();
    let said = scene.export("csv", &file, &["--dry-run", "--site", "1"]).printed();
    assert_eq!(said, format!("2 members; nothing was written to {}\n", file.display()));
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn what_was_exported_is_imported_into_an_equal_table() {
    let scene = Scene::on(crate::support::EngineKind::Sqlite, &["--keep-cryptpass"]).unwrap();
    scene.post(&MEMBERS);
    scene.post(&["action=EXPIRE&siteid=1&memberid=71&expire=2999-01-01"]);
    scene.app.harden();
    scene.post(&["action=ADD&siteid=1&memberid=75&username=new&password=secret"]);
    for format in ["csv", "jsonl"] {
        let (file, again) = (scene.file("members"), scene.file("again"));
        scene.export(format, &file, &[]).printed();
        let exported = fs::read_to_string(&file).unwrap();
        assert!(exported.contains("41R19prsa7NLQ"), "{exported}");
        let new = scene.file(&format!("new-{format}"));
        fs::create_dir(&new).unwrap();
        fs::copy(scene.data().join("seal.key"), new.join("seal.key")).unwrap();
        let imported =
            crate::commands::run_on(&new, &["import", file.to_str().unwrap(), "--keep-cryptpass"]);
        assert_eq!(imported.code, Some(0), "{imported:?}");
        let ran = crate::commands::run_on(
            &new,
            &["export", "--format", format, "--output", again.to_str().unwrap()],
        );
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(fs::read_to_string(&again).unwrap(), exported, "{format}");
    }
}
