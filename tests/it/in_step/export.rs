//! What is in the file of an export.

use std::fs;

use super::Scene;
use crate::engines::in_step::export::{HEAD, MEMBERS};

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

/// Regression: words of databases for "no value" were read as such, so that these members were
/// refused or lost their values.
#[test]
fn members_whose_values_are_words_for_no_value_survive_an_export() {
    let scene = Scene::new();
    for (member, name) in [(71, "NULL"), (72, "%5CN"), (73, "bob")] {
        let values = "password=NULL&email=NULL&biller=%5CN&trial=0";
        let add = format!("action=ADD&siteid=1&memberid={member}&username={name}&{values}");
        scene.post(&[&add]);
    }
    let members = "SELECT memberid, username, email, biller FROM member_auth";
    let stored = scene.app.rows(members);
    assert_eq!(stored, ["71|NULL|NULL|\\N", "72|\\N|NULL|\\N", "73|bob|NULL|\\N"]);
    for format in ["csv", "jsonl"] {
        let file = scene.file("members");
        scene.export(format, &file, &[]).printed();
        let new = scene.file(&format!("new-{format}"));
        fs::create_dir(&new).unwrap();
        fs::copy(scene.data().join("seal.key"), new.join("seal.key")).unwrap();
        let imported = crate::commands::run_on(&new, &["import", file.to_str().unwrap()]);
        let added = "3 added, 0 changed, 0 were so already, 0 refused\n";
        assert_eq!(imported.printed(), added, "{format}");
        let location = nats_userman::store::Location::sqlite(new.join("userman.db"));
        let copy = crate::support::Beside::open(&location);
        assert_eq!(copy.rows(members), stored, "{format}");
    }
}

#[test]
fn a_file_named_like_the_standard_output_is_refused() {
    let scene = Scene::new();
    scene.post(&MEMBERS);
    scene.export("csv", std::path::Path::new("-"), &[]).ended(
        2,
        "nats-userman: --output: expected the path of a file, found \"-\": the file is replaced as \
         a whole, so it cannot be the standard output\n",
    );
}
