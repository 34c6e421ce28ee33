//! Bad input: a line for each refused row, and nothing of a file that is unusable as a whole.

use super::super::replay::{open, write};
use super::super::run_on;
use super::MEMBERS;
use crate::support::{rows, temp_dir};

#[test]
fn a_refused_row_is_a_line_with_cause_and_remedy_and_the_others_are_imported() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let again = "correct the row and import again";
    let file = write(
        dir.path(),
        "members.csv",
        "siteid,memberid,username,password,expire\n\
         1,71,bob,secret,\n\
         1,x,ann,secret,\n\
         1,,ann,secret,soon\n\
         1,72,,secret,\n\
         1,73,sue,,\n\
         1,74,BOB,secret,\n\
         1,71,robert,other,\n\
         1,75,eve,secret\n\
         1,76,joe,secret,soon\n\
         1,77,old,secret,2017-01-01\n\
         1,78,\"two\nlines\",secret,\n\
         5,79,max,$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7,\n\
         1,80,kim,secret,2099-01-01\n",
    );
    let ran = run_on(&data, &["import", "--site", "1", &file]);
    ran.ended(1, "nats-userman: 10 of 13 rows were refused and changed nothing: see above\n");
    let id = "expected a number from 1 to 9223372036854775807";
    let name = "expected 1 to 255 bytes without control characters";
    let soon = "expire: expected YYYY-MM-DD, YYYY-MM-DD hh:mm:ss or unix seconds of 9 to 11 \
                digits, found \"soon\"";
    let lines = [
        format!("line 3: memberid: {id}, found \"x\"; {again}"),
        format!("line 4: {soon}; {again}"),
        format!("line 5: username: {name}, not given; {again}"),
        format!("line 6: password: expected a password or a cryptpass, not given; {again}"),
        "line 7: username: that of line 2 again; \
         remove the wrong one of the two rows and import again"
            .into(),
        "line 8: memberid: that of line 2 again; \
         remove the wrong one of the two rows and import again"
            .into(),
        format!("line 9: expected 5 columns, found 4; {again}"),
        format!("line 10: {soon}; {again}"),
        format!("lines 12 to 13: {STRAY}"),
        "line 14: siteid: expected 1, which --site gives, found 5; \
         leave --site out to import all sites"
            .into(),
        "2 added, 0 changed, 0 were so already, 1 left out because they have expired, 10 refused\n"
            .into(),
    ];
    assert_eq!(ran.out, lines.join("\n"));
    assert_eq!(
        rows(&open(&data), "SELECT memberid, username, expire_at FROM member_auth"),
        ["71|bob|", "80|kim|4070908800"]
    );
}

/// Regression: the rows between two stray marks were a part of a value, and the exit code was 0.
#[test]
fn rows_between_two_stray_quotation_marks_are_refused_with_their_lines() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let file = write(
        dir.path(),
        "members.csv",
        "siteid,memberid,username,password,email,address\n\
         1,71,bob,secret,\"e2@x,\n\
         1,72,ann,secret,e3@x,\n\
         1,73,sue,secret,e4@x\",\n\
         1,74,eve,\"two\nlines\",e5@x,\"1 Road\nTown\"\n",
    );
    let ran = run_on(&data, &["import", &file]);
    ran.ended(1, "nats-userman: 1 of 2 rows were refused and changed nothing: see above\n");
    let said = format!(
        "{file}: columns that are not imported: \"address\"\nlines 2 to 4: {STRAY}\nlines 5 to 7: \
         password: taken as clear text with a line break in it: is a quotation mark not closed?\n1 \
         added, 0 changed, 0 were so already, 1 refused\n"
    );
    assert_eq!(ran.out, said);
    assert_eq!(rows(&open(&data), "SELECT username, email FROM member_auth"), ["eve|e5@x"]);
}

const STRAY: &str = "a value has a line break: is a quotation mark not closed?; correct these \
                     lines and import again; a mark within a value is written twice";

#[test]
fn a_name_that_another_member_holds_is_refused_with_the_words_of_the_reply() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let first = write(dir.path(), "first.csv", MEMBERS);
    run_on(&data, &["import", &first]).printed();
    let second = write(dir.path(), "second.csv", "siteid,memberid,username,password\n1,90,BOB,x\n");
    for args in [&["import", "--dry-run", &second][..], &["import", &second]] {
        let ran = run_on(&data, args);
        ran.ended(1, "nats-userman: 1 of 1 rows were refused and changed nothing: see above\n");
        assert!(
            ran.out.starts_with(
                "line 2: username \"BOB\" is held by member 71 of site 1, nothing was changed for \
                 member 90; correct one of the two and import again\n0 added, "
            ),
            "{}",
            ran.out
        );
    }
    assert_eq!(rows(&open(&data), "SELECT count(*) FROM member_auth"), ["5"]);
}

#[test]
fn a_line_of_htpasswd_that_cannot_be_used_is_refused_with_its_cause() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let file = write(dir.path(), "htpasswd", "bob:41R19prsa7NLQ\n\n# note\nann\nBOB:x\n");
    let ran = run_on(&data, &["import", "--site", "1", &file]);
    ran.ended(1, "nats-userman: 2 of 3 rows were refused and changed nothing: see above\n");
    assert_eq!(
        ran.out,
        "line 4: expected NAME:HASH, found no colon; correct the row and import again\n\
         line 5: username: that of line 1 again; \
         remove the wrong one of the two rows and import again\n\
         1 added, 0 changed, 0 were so already, 2 refused\n"
    );
}

#[test]
fn nothing_is_made_of_a_file_that_is_unusable_as_a_whole() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let ends = "and the file ends there without a line break: it is cut off, make it again, or \
                correct its last row; nothing was imported";
    let twice = "FILE, line 9: the dump has the table \"member_auth\" twice: dump one database; \
                 nothing was imported";
    let cut = "the file is cut off, or a mark within a value is not doubled; nothing was imported";
    for (name, bytes, args, said) in [
        (
            "quote",
            [MEMBERS, "1,75,kim,\"secret\n1,76,joe,secret\n"].concat().into_bytes(),
            &[][..],
            format!(
                "FILE, line 7: a quotation mark is not closed before the end of the file: {cut}"
            ),
        ),
        (
            "windows",
            b"siteid,memberid,username,password\n1,71,bob,x\n1,72,j\xfcrgen,x\n".to_vec(),
            &[],
            "FILE, line 3: expected UTF-8, found other bytes, as in Windows-1252: convert the \
             file, iconv -f WINDOWS-1252 -t UTF-8 FILE | nats-userman import -"
                .into(),
        ),
        (
            "zip",
            b"PK\x03\x04\x14\0".to_vec(),
            &[],
            "FILE: looks like a ZIP archive: pipe it, unzip -p FILE | nats-userman import -".into(),
        ),
        (
            "count",
            MEMBERS.into(),
            &["--expect-count", "6"],
            "FILE: --expect-count: expected 6 rows, found 5; \
             nothing was imported: check the source, or correct the number"
                .into(),
        ),
        (
            "twice",
            "username,password,USERNAME\n".into(),
            &[],
            "FILE: the column username is there twice: remove one, or name the right one with \
             --map username=NAME"
                .into(),
        ),
        ("empty", Vec::new(), &[], "FILE: has no rows".into()),
        (
            "csv cut off",
            [MEMBERS, "1,75,ki"].concat().into_bytes(),
            &[],
            format!("FILE, line 7: expected 8 columns, found 3, {ends}"),
        ),
        (
            "json lines cut off",
            format!("{JSON}{}", &JSON[..40]).into_bytes(),
            &[],
            format!("FILE, line 2: expected a JSON object, found a mistake in column 40, {ends}"),
        ),
        (
            "htpasswd cut off",
            b"bob:41R19prsa7NLQ\nan".to_vec(),
            &["--site", "1"],
            format!("FILE, line 2: expected NAME:HASH, found no colon, {ends}"),
        ),
        ("two databases", dump_of_two("password"), &[], twice.into()),
        ("two with other columns", dump_of_two("biller"), &[], twice.into()),
        ("two and --table", dump_of_two("biller"), &["--table", "member_auth"], twice.into()),
    ] {
        let file = write(dir.path(), name, bytes);
        let ran = run_on(&data, &[&["import", &file], args].concat());
        let said = said.replacen("FILE", &file, 1);
        ran.ended(1, &format!("nats-userman: {said}\n"));
        assert_eq!(ran.out, "", "{name}");
    }
    run_on(&data, &["import", dir.path().to_str().unwrap()]).ended(
        1,
        &format!(
            "nats-userman: cannot read {}: it is a directory; name a file\n",
            dir.path().display()
        ),
    );
    let missing = dir.path().join("missing");
    run_on(&data, &["import", missing.to_str().unwrap()]).ended(
        1,
        &format!(
            "nats-userman: cannot read {}: No such file or directory (os error 2)\n",
            missing.display()
        ),
    );
    assert!(!data.exists());
}

const JSON: &str = "{\"siteid\":1,\"memberid\":71,\"username\":\"bob\",\"password\":\"secret\"}\n";

/// By hand, people write such files.
#[test]
fn a_last_row_that_is_complete_needs_no_line_break() {
    for text in [MEMBERS.lines().take(2).collect::<Vec<_>>().join("\n").as_str(), JSON.trim_end()] {
        let dir = temp_dir();
        let file = write(dir.path(), "members", text);
        let added = "1 added, 0 changed, 0 were so already, 0 refused\n";
        assert_eq!(run_on(&dir.path().join("data"), &["import", &file]).printed(), added);
    }
}

/// As `mysqldump --databases live staging` writes it. The third column of the second table has this
/// name, and the fourth that of the third.
fn dump_of_two(third: &str) -> Vec<u8> {
    let fourth = if third == "password" { "biller" } else { "password" };
    let table = |database: &str, third: &str, fourth: &str| {
        format!(
            "USE `{database}`;\nCREATE TABLE `member_auth` (`memberid` int, `username` text,\n\
             `{third}` text, `{fourth}` text);\n\
             INSERT INTO `member_auth` VALUES (71,'bob','secret','CCBILL');\n"
        )
    };
    let live = table("live", "password", "biller");
    let staging = table("staging", third, fourth);
    format!("-- MySQL dump 10.13\n{live}{staging}-- Dump completed\n").into_bytes()
}

#[test]
fn wrong_usage_of_import_ends_with_code_2() {
    let dir = temp_dir();
    let file = write(dir.path(), "members.csv", MEMBERS);
    let data = dir.path().join("data");
    run_on(&data, &["import", &file, "--map", "pass"]).ended(
        2,
        "nats-userman: --map: expected COLUMN=NAME, as in cryptpass=pass, found \"pass\"\n",
    );
    for (args, said) in [
        (&["--format", "xml"][..], "expected csv, tsv, jsonl, htpasswd, mysql-dump or mysql-batch"),
        (&["--site", "0"], "expected a number from 1 to 9223372036854775807"),
        (&["--expect-count", "many"], "invalid digit found in string"),
    ] {
        let ran = run_on(&data, &[&["import", &file], args].concat());
        assert!(ran.code == Some(2) && ran.err.contains(said), "{ran:?}");
    }
    assert_eq!(run_on(&data, &["import"]).code, Some(2));
    assert!(!data.exists());
}
