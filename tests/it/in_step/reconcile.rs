//! `reconcile FILE`: what differs from NATS's list, and what `--apply` mends.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Scene;
use crate::commands::Ran;
use crate::engines::in_step::reconcile::{ALL_DIFFER, members, operators, reconcile, scene};
use crate::support::{EngineKind, eventually};

fn sqlite() -> Scene {
    scene(EngineKind::Sqlite).unwrap()
}

/// As an import reads its files.
#[test]
fn a_list_in_gzip_or_utf_16_or_with_other_separators_is_read_and_a_zip_archive_is_named() {
    let scene = sqlite();
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let marked = format!("\u{feff}{ALL_DIFFER}");
    let utf_16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let plain = reconcile(&scene, ALL_DIFFER, &[]);
    assert!(plain.out.ends_with("1 not active in the list\n"), "{plain:?}");
    let others = [";", "\t", "|"].map(|separator| ALL_DIFFER.replace(',', separator).into_bytes());
    let packed = [gzip(ALL_DIFFER.as_bytes()), gzip(&utf_16), utf_16, marked.into_bytes()];
    for bytes in packed.into_iter().chain(others) {
        let ran = reconcile(&scene, bytes, &[]);
        assert_eq!((ran.code, ran.out), (plain.code, plain.out.clone()));
    }
    let place = scene.file("list").display().to_string();
    let cut = gzip(ALL_DIFFER.repeat(99).as_bytes());
    for (bytes, said) in [
        (
            &cut[..cut.len() / 2],
            format!(
                "cannot read {place}: the gzip file is cut off or damaged: copy it again, from its \
                 beginning to its end"
            ),
        ),
        (
            b"PK\x03\x04\x14\0",
            format!(
                "{place}: looks like a ZIP archive: pipe it, unzip -p FILE | nats-userman \
                 reconcile -"
            ),
        ),
        (
            b"SQLite format 3\0",
            format!(
                "{place}: looks like an SQLite database: export its table of members as CSV, \
                 sqlite3 -header -csv FILE 'SELECT * FROM TABLE' | nats-userman reconcile -"
            ),
        ),
    ] {
        reconcile(&scene, bytes, &["--apply"]).ended(1, &format!("nats-userman: {said}\n"));
    }
}

#[test]
fn a_list_that_agrees_is_exit_code_0_whatever_its_form() {
    let scene = sqlite();
    let counts = "3 members compared with 3 active members of the list: 0 active at NATS and not \
                  here (0 of them former members), 0 here and not active at NATS, 0 with another \
                  name, 0 with another trial flag, 0 with another expiry\n";
    let rows = [(1, "bob", 0), (2, "ann", 1), (4, "dora", 0)];
    let object = |(member, name, trial): &(i64, &str, i64)| {
        format!(
            "{{\"memberid\":\"{member}\",\"username\":\"{name}\",\"siteid\":1,\"trial\":{trial},\
             \"password\":\"clear\",\"custom\":{{\"memberid\":\"99\"}},\"tags\":[1,[2]]}}"
        )
    };
    let objects: Vec<String> = rows.iter().map(object).collect();
    let by_id: Vec<String> = rows
        .iter()
        .map(|(member, name, _)| format!("\"{member}\":{{\"username\":\"{name}\",\"siteid\":1}}"))
        .collect();
    let by_id = by_id.join(",");
    for list in [
        "memberid,username,siteid\n1,bob,1\n2,ann,1\n4,dora,1\n".into(),
        "\u{feff}\"memberid\",\"username\",\"siteid\"\r\n\"1\",\"bob\",\"1\"\r\n2,ann,1\r\n4,dora,1"
            .into(),
        // The same member twice.
        "memberid,username,siteid\n1,bob,1\n2,ann,1\n4,dora,1\n1,bob,1\n".into(),
        format!("[{}]", objects.join(",")),
        // Regression: such a row was passed over.
        format!("[{}]", objects.join(",").replace("{\"memberid\":\"", "{\"x\":[],\"memberid\":\"")),
        format!(" \n[\n{}\n]\n", objects.join(",\n")),
        objects.join("\n"),
        format!("{{\"result\":[{}]}}", objects.join(",")),
        format!("{{\"total\":3,\"data\":{{\"members\":[{}]}}}}", objects.join(",")),
        format!("{{{by_id}}}"),
        format!("{{\"result\":{{{by_id}}},\"error\":\"\"}}"),
    ] {
        let ran = reconcile(&scene, &list, &[]);
        assert_eq!(ran.printed(), counts, "{list}");
    }
}

#[test]
fn a_list_that_is_none_is_one_line_and_changes_nothing() {
    let scene = sqlite();
    let before = members(&scene);
    let again = "; get a whole list and try again";
    let empty = "the list has no active member, which is more likely a mistake than the truth: get \
                 the list again";
    let table = [
        ("", empty.to_owned()),
        ("[]", empty.into()),
        ("{}", empty.into()),
        ("null", empty.into()),
        ("{\"result\":[]}", empty.into()),
        ("memberid,username,siteid\n", empty.into()),
        ("memberid,username,siteid,status\n1,bob,1,2\n", empty.into()),
        (
            "{\"error\":\"Invalid key 44b5498d\"}",
            "NATS answered with an error instead of a list: the account may not use this resource, \
             or this address is not in NATS's Admin API Allowed IPs"
                .into(),
        ),
        (
            "<!DOCTYPE html><p>No",
            "expected CSV with a header line or JSON, found HTML or XML".into(),
        ),
        (
            "name,id\nbob,1\n",
            "the list has no column `memberid`: name it so in the header line".into(),
        ),
        (
            "memberid,siteid\n1,1\n",
            "the list has no column `username`: name it so in the header line".into(),
        ),
        (
            "memberid,username,Member_ID\n1,bob,1\n",
            "the list has two columns `Member_ID`: remove one".into(),
        ),
        (
            "memberid,username\n1,bob\n",
            "the list does not say the site of its members: give one with --site".into(),
        ),
        (
            "memberid,username,siteid\n1,bob,1\n2,an",
            format!("the list cannot be read at line 3: expected 3 values, found 2{again}"),
        ),
        (
            "[{\"memberid\":1,\"username\":\"bob\",\"siteid\":1},{\"memberid\":2,\"usern",
            format!("the list cannot be read at line 1, column 64: it ends in the middle{again}"),
        ),
        (
            "[{\"memberid\":1,\"username\":\"bob\",\"siteid\":1},5]",
            format!(
                "the list cannot be read at line 1, column 46: expected an object with memberid \
                 and username{again}"
            ),
        ),
        (
            "{\"a\":tru}",
            format!("the list cannot be read at line 1, column 9: expected JSON{again}"),
        ),
    ];
    // A quotation mark that is missing hides the rows up to the next one, or up to the end.
    let quoted = [
        ("\"b@x", "a@x", "d@x", 2),
        ("\"b@x", "a@x\"", "d@x", 2),
        ("b@x", "a@x", "\"d@x", 4),
    ]
    .map(|(bob, ann, dora, line)| {
        let list = format!(
            "memberid,username,siteid,email\n1,bob,1,{bob}\n2,ann,1,{ann}\n4,dora,1,{dora}\n"
        );
        let said = format!(
            "the list cannot be read at line {line}: a value has a line break, as where a \
             quotation mark is missing{again}"
        );
        (list, said)
    });
    let table = table.map(|(list, said)| (list.to_owned(), said));
    for (list, said) in table.into_iter().chain(quoted) {
        let list = list.as_str();
        for more in [&[][..], &["--apply", "--allow-many"]] {
            let ran = reconcile(&scene, list, more);
            let place = scene.file("list");
            ran.ended(1, &format!("nats-userman: {}: {said}\n", place.display()));
            assert_eq!(ran.out, "", "{list}");
        }
    }
    let endless = format!("memberid,username,siteid\n1,{},1\n", "x".repeat(2 << 20));
    reconcile(&scene, &endless, &[]).ended(
        1,
        &format!(
            "nats-userman: {}: cannot read the list: a row has more than 1048576 bytes\n",
            scene.file("list").display()
        ),
    );
    assert_eq!(members(&scene), before);
}

#[test]
fn a_row_that_cannot_be_read_is_named_without_its_values_and_then_nothing_is_applied() {
    let scene = sqlite();
    let before = members(&scene);
    let list = "memberid,username,siteid,trial\nhunter2,bob,1,0\n2,ann,1,1\n4,dora,x,0\n\
                5,\u{200b},1,0\n,bob,1,0\n2,anna,1,1\n";
    let refused = "line 2: memberid: expected a number from 1 to 9223372036854775807, found 7 \
                   other bytes; correct it and run reconcile again\n\
                   line 4: siteid: expected a number from 1 to 9223372036854775807, found 1 other \
                   bytes; correct it and run reconcile again\n\
                   line 5: username: expected 1 to 255 bytes without control characters, found 3 \
                   other bytes; correct it and run reconcile again\n\
                   line 6: memberid: expected a number from 1 to 9223372036854775807, found \
                   nothing; correct it and run reconcile again\n\
                   line 7: member 2 of site 1: expected one row, found another one with other \
                   values (3); correct it and run reconcile again\n";
    let ran = reconcile(&scene, list, &[]);
    ran.ended(
        1,
        "nats-userman: 5 rows of the list cannot be read: see above; correct the list and run \
         reconcile again\n",
    );
    assert!(ran.out.starts_with(refused), "{}", ran.out);
    let ran = reconcile(&scene, list, &["--apply", "--allow-many"]);
    ran.ended(
        1,
        "nats-userman: 5 rows of the list cannot be read, so it may lack members: nothing was \
         changed; correct the list first\n",
    );
    assert!(!ran.out.contains("hunter2"), "{}", ran.out);
    assert_eq!(members(&scene), before);
}

/// Regression: these rows were passed over, and their members removed.
#[test]
fn an_object_that_is_no_row_in_the_place_of_one_is_a_row_that_cannot_be_read() {
    let scene = sqlite();
    let before = members(&scene);
    let (bob, ann) = (
        "{\"memberid\":1,\"siteid\":1,\"username\":\"bob\"}",
        "{\"memberid\":2,\"siteid\":1,\"username\":\"ann\"}",
    );
    let by_id = |dora: &str| format!("{{\"1\":{bob},\"2\":{ann},\"4\":{dora}}}");
    let lines = |dora: &str| format!("{bob}\n{ann}\n{dora}\n");
    for list in [
        lines("{\"siteid\":1,\"memberid\":null,\"username\":\"dora\"}"),
        lines("{}"),
        lines("[]"),
        lines("null"),
        lines("\"dora\""),
        lines("4"),
        format!("{{\"siteid\":1,\"memberid\":null,\"username\":\"dora\"}}\n{bob}\n{ann}\n"),
        format!("[{bob},{ann},[]]"),
        format!("[{bob},{ann},{{}}]"),
        by_id("{\"siteid\":1,\"username\":null}"),
        by_id("{\"siteid\":1,\"user\":\"dora\"}"),
        by_id("{}"),
        by_id("[]"),
        by_id("null"),
        format!("{{\"bob\":{bob},\"ann\":{ann},\"dora\":{{\"siteid\":1}}}}"),
    ] {
        reconcile(&scene, &list, &["--apply", "--allow-many"]).ended(
            1,
            "nats-userman: 1 row of the list cannot be read, so it may lack members: nothing was \
             changed; correct the list first\n",
        );
        assert_eq!(members(&scene), before, "{list}");
    }
}

#[test]
fn half_a_list_removes_nobody_without_a_second_flag() {
    let scene = sqlite();
    let half = "memberid,username,siteid\n1,bob,1\n";
    let refused = |ran: &Ran, limit: &str, most: &str| {
        ran.ended(
            1,
            &format!(
                "nats-userman: 2 members would be changed, and --max-changes {limit} allows \
                 {most}: nothing was changed; check the list, then add --allow-many\n"
            ),
        );
    };
    refused(&reconcile(&scene, half, &["--apply"]), "2%", "1");
    refused(&reconcile(&scene, half, &["--apply", "--max-changes", "1"]), "1", "1");
    refused(&reconcile(&scene, half, &["--apply", "--max-changes", "40%"]), "40%", "1");
    let dry = reconcile(&scene, half, &["--apply", "--max-changes", "2", "--dry-run"]);
    assert!(dry.out.contains("2 members would be changed; nothing was changed\n"), "{}", dry.out);
    dry.ended(0, "");
    // The last line may be cut off, too.
    let cut = "memberid,username,siteid\n1,bob,1\n2,ann,1";
    reconcile(&scene, cut, &["--apply", "--allow-many"]).ended(
        1,
        "nats-userman: the list does not end with a line break, so it may be cut off: nothing was \
         changed; get a whole list\n",
    );
    assert_eq!(members(&scene), ["bob 0", "ann 1", "dora 0"]);
    assert_eq!(operators(&scene), [""; 0]);
    let mended = reconcile(&scene, half, &["--apply", "--max-changes", "2"]);
    mended.ended(0, "");
    assert_eq!(members(&scene), ["bob 0"]);
}

#[test]
fn who_has_changed_since_the_list_was_made_is_left_alone() {
    let scene = sqlite();
    let list = "memberid,username,siteid\n1,bob,1\n2,ann,1\n";
    // The records are of 2020-09-13.
    for (time, left_out) in [("2020-09-13 12:26:40", "4"), ("1600000001", "0")] {
        let ran = reconcile(&scene, list, &["--list-time", time]);
        let says = ran.out.contains("changed since and left out");
        assert_eq!(says, left_out != "0", "{time}: {}", ran.out);
        assert_eq!(ran.out.contains("\"dora\""), left_out == "0", "{time}: {}", ran.out);
    }
    reconcile(&scene, list, &["--apply", "--list-time", "1600000001"]).ended(
        1,
        "nats-userman: the list is of 2020-09-13T12:26:41Z: --apply mends by a list of the last \
         day; get a new one\n",
    );
    let future = reconcile(&scene, list, &["--apply", "--list-time", "2999-01-01"]);
    future.ended(
        2,
        "nats-userman: --list-time: expected a time in the past, found 2999-01-01T00:00:00Z\n",
    );
    let pipe = scene.run(&["reconcile", "-", "--apply"]);
    pipe.ended(
        2,
        "nats-userman: --list-time: expected it beside --apply, as the input is no file whose time \
         says when NATS made the list\n",
    );
    assert_eq!(members(&scene), ["bob 0", "ann 1", "dora 0"]);
}

#[test]
fn only_the_sites_of_the_list_or_those_that_are_named_are_compared() {
    let scene = sqlite();
    let both = "memberid,username,siteid\n1,bob,1\n2,ann,1\n4,dora,1\n1,eva,2\n9,x,3\n";
    let ran = reconcile(&scene, both, &["--site", "2"]);
    assert!(ran.out.starts_with("member 1 \"eve\" of site 2: NATS has the name \"eva\"\n"));
    assert!(
        ran.out.ends_with(
            "1 with another name, 0 with another trial flag, 0 with another \
                               expiry; 4 of other sites\n"
        ),
        "{}",
        ran.out
    );
    let without = "memberid,username\n1,eve\n";
    reconcile(&scene, without, &["--site", "2"]).ended(0, "");
    reconcile(&scene, both, &["--site", "2", "--site", "4"]).ended(
        1,
        &format!(
            "nats-userman: {}: the list has no active member of site 4, which is more likely a \
             mistake than the truth: get the list again, or leave the site out\n",
            scene.file("list").display()
        ),
    );
}

#[test]
fn a_name_that_another_member_holds_is_a_refused_change_and_the_others_are_made() {
    let scene = sqlite();
    // bob and ann have changed their names with each other: neither name is free.
    let list = "memberid,username,siteid,trial\n1,ann,1,0\n2,bob,1,1\n4,dora,1,1\n";
    let ran = reconcile(&scene, list, &["--apply", "--allow-many"]);
    ran.ended(1, "nats-userman: 2 differences could not be mended: see above\n");
    for said in [
        "member 1 of site 1 is not mended: ERROR|username \"ann\" is held by member 2 of site 1, \
         nothing was changed for member 1\n",
        "member 2 of site 1 is not mended: ERROR|username \"bob\" is held by member 1 of site 1, \
         nothing was changed for member 2\n",
    ] {
        assert!(ran.out.contains(said), "{}", ran.out);
    }
    assert_eq!(members(&scene), ["bob 0", "ann 1", "dora 1"]);
}

#[test]
fn json_lines_have_the_differences_and_then_the_counts() {
    let scene = sqlite();
    let ran = reconcile(&scene, ALL_DIFFER, &["--json"]);
    let lines: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["difference"].as_str()).collect();
    assert_eq!(kinds, ["name", "expiry", "trial", "not_there", "not_here", "not_here", "not_here"]);
    assert_eq!(lines[0]["nats"], "rob");
    assert_eq!(lines[4]["former_member"], true);
    let counts = lines.last().unwrap();
    assert_eq!((&counts["not_here"], &counts["members"]), (&3.into(), &3.into()));
    assert_eq!(counts["mended"], serde_json::Value::Null);
}

#[test]
fn what_was_mended_is_the_same_after_a_replay_of_the_journal() {
    let scene = sqlite();
    reconcile(&scene, ALL_DIFFER, &["--apply", "--allow-many"]);
    scene.app.harden();
    let journal = scene.run(&["journal", "--json"]).printed();
    let file = scene.write("journal.jsonl", &journal);
    let new = scene.file("new");
    fs::create_dir(&new).unwrap();
    fs::copy(scene.data().join("seal.key"), new.join("seal.key")).unwrap();
    let replayed = crate::commands::run_on(&new, &["replay", "--journal", &file]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let columns = "siteid, memberid, username, password, trial, cryptpass_wrapped, login_version";
    let rows = |path: &std::path::Path| {
        let conn = rusqlite::Connection::open(path).unwrap();
        crate::support::rows(
            &conn,
            &format!("SELECT {columns} FROM member_auth ORDER BY siteid, memberid"),
        )
    };
    assert_eq!(rows(&new.join("userman.db")), rows(&scene.data().join("userman.db")));
}

/// Regression: they were removed, and those whose new names the list has stayed out.
#[test]
fn a_provisional_member_stays_while_somebody_of_the_list_may_be_they() {
    let scene = sqlite();
    let file = scene.write("htpasswd", "bobo:41R19prsa7NLQ\n");
    scene.run(&["import", "--format", "htpasswd", "--site", "1", &file]).printed();
    let after_import = &scene.app.rows("SELECT max(at) + 1 FROM journal")[0];
    let apply = ["--list-time", after_import, "--apply", "--allow-many"];
    let same = "1,bob,1\n2,ann,1\n4,dora,1\n";
    let with = |more: &str| format!("memberid,username,siteid\n{same}{more}");
    let dry_run = [&apply[..], &["--dry-run"]].concat();
    eventually("that is not in the future", || {
        reconcile(&scene, with(""), &dry_run).code != Some(2)
    });
    let ran = reconcile(&scene, with("50,renamed,1\n"), &apply);
    ran.ended(1, "nats-userman: 2 differences could not be mended: see above\n");
    assert_eq!(members(&scene), ["bob 0", "ann 1", "dora 0", "bobo 0"]);
    // A list that lacks the name is not applied at all.
    let ran = reconcile(&scene, with("50,,1\n"), &apply);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains("1 row of the list cannot be read, so it may lack members"),
        "{ran:?}"
    );
    assert_eq!(members(&scene).len(), 4);
    assert_eq!(reconcile(&scene, with(""), &apply).code, Some(0));
    assert_eq!(members(&scene), ["bob 0", "ann 1", "dora 0"]);
}

/// Regression: nothing was done for a member whose expiry was reached while no service ran, and the
/// exit code was 0.
#[test]
fn a_member_who_is_active_at_nats_and_whose_row_has_just_expired_is_restored() {
    let scene = sqlite();
    scene.post(&["action=EXPIRE&siteid=1&memberid=4&username=dora&expire=2021-01-01"]);
    // The clock of the service stands still in 2020, and the command's does not.
    let list = "memberid,username,siteid\n1,bob,1\n2,ann,1\n4,dora,1\n";
    let ran = reconcile(&scene, list, &["--apply", "--allow-many"]);
    assert!(ran.out.contains("member 4 \"dora\" of site 1: active at NATS, not here"), "{ran:?}");
    assert!(ran.out.ends_with("; 1 mended, 0 could not be mended, 0 had changed meanwhile\n"));
    let kept = scene.app.rows("SELECT expire_at FROM member_auth WHERE memberid = 4");
    assert_eq!(kept, [""]);
}
