//! `replay` of files that are no captures: they are named before anything is written, from a file
//! and from a pipe.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::captures::run_with_input;
use super::replay::write;
use super::run_on;
use crate::support::{Program, TOKEN, real_program, temp_dir};

const MOVING_IN: &str = "nats-userman import reads tables of members (docs/moving-in.md)";
const LAYOUTS: &str = "expected urlencoded bodies, one a line, or name=value lines with a blank \
    line between postbacks";
const CAPTURE: &str = "action=ADD\nsiteid=1\nmemberid=71\nusername=bob\npassword=secret\n";

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2], mark: &[u8]) -> Vec<u8> {
    mark.iter().copied().chain(text.encode_utf16().flat_map(to_bytes)).collect()
}

fn tar() -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..7].copy_from_slice(b"members");
    block[257..262].copy_from_slice(b"ustar");
    [block, CAPTURE.into()].concat()
}

/// For each file: its kind, its bytes, and the message about it.
fn foreign() -> Vec<(&'static str, Vec<u8>, String)> {
    let packed = |kind: &str, unpack: &str| {
        format!("looks like {kind}: pipe it, {unpack} FILE | nats-userman replay -")
    };
    let utf = |name: &str| {
        format!(
            "looks like UTF-16: convert it, iconv -f {name} -t UTF-8 FILE | nats-userman replay -"
        )
    };
    let journal = "replay --journal takes what journal --json prints";
    vec![
        ("UTF-16 of Windows", utf_16(CAPTURE, u16::to_le_bytes, b"\xff\xfe"), utf("UTF-16")),
        ("UTF-16 of a Mac", utf_16(CAPTURE, u16::to_be_bytes, b"\xfe\xff"), utf("UTF-16")),
        ("UTF-16 without a mark", utf_16(CAPTURE, u16::to_le_bytes, b""), utf("UTF-16LE")),
        ("the other without one", utf_16(CAPTURE, u16::to_be_bytes, b""), utf("UTF-16BE")),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03KL".to_vec(), packed("gzip", "gunzip -c")),
        ("zip", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), packed("a ZIP archive", "unzip -p")),
        ("bzip2", b"BZh91AY&SY\x01\x02".to_vec(), packed("bzip2", "bunzip2 -c")),
        ("xz", b"\xfd7zXZ\0\0\x04".to_vec(), packed("xz", "xz -dc")),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\0".to_vec(), packed("zstd", "zstd -dc")),
        ("tar, with a capture in it", tar(), packed("a tar archive", "tar -xOf")),
        (
            "SQLite",
            b"SQLite format 3\0\x10\0".to_vec(),
            format!("looks like an SQLite database: if it is another nats-userman's, {journal}"),
        ),
        ("a program", b"\x7fELF\x02\x01\x01\0\0\
            \0".to_vec(), "looks like a binary file, and no capture".into()),
        (
            "lines of an old Mac",
            CAPTURE.replace('\n', "\r").into(),
            "looks like lines that end in a carriage return: convert it, tr '\\r' '\\n\
             ' < FILE | nats-userman replay -".into(),
        ),
        ("CSV", b"memberid,siteid,username,password\r\n71,1,bob,\
            a=b\r\n".into(), format!("looks like CSV: {MOVING_IN}")),
        (
            "CSV of a journal, with a body in a cell",
            b"id;memberid;username;fields\n1;71;bob;\"siteid=1&action=ADD\"\n".into(),
            format!("looks like CSV: {MOVING_IN}"),
        ),
        (
            "CSV of bodies in quotes",
            b"1,\"pid=1&action=ADD&siteid=1&memberid=71&username=bob&password=secret\"\n".into(),
            format!("looks like CSV: {MOVING_IN}"),
        ),
        ("CSV without a header", b"71,1,bob,secret\n72,1,ann,\
            secret\n".into(), format!("looks like CSV: {MOVING_IN}")),
        ("TSV", b"siteid\tmemberid\tusername\n\
            1\t71\tbob\n".into(), format!("looks like TSV: {MOVING_IN}")),
        (
            "a table of mysql",
            b"+--------+----------+\n| siteid | username |\n+--------+----------+\n".into(),
            format!("looks like a table: {MOVING_IN}"),
        ),
        (
            "mysqldump",
            b"-- MySQL dump 10.13\nINSERT INTO `member_auth` VALUES (71,'&action=ADD');\n".into(),
            format!("looks like an SQL dump: {MOVING_IN}"),
        ),
        (
            "a journal",
            b"{\"id\":1,\"at\":1781524800,\"source\":\"nats\",\"action\":\"ADD\",\
              \"fields\":\"siteid=1&action=ADD\",\"reply\":\"OK|\"}\n"
                .into(),
            "looks like a journal: replay it with --journal, into an empty database".into(),
        ),
        (
            "a journal for people",
            b"2026-06-15T12:00:00Z  ADD          1  OK|member 71 \"bob\" added to site 1\n    from \
                ::1: memberid=71&siteid=1&username=bob&password=***&action=ADD\n".into(),
            format!("looks like what journal prints, which hides secrets: {journal}"),
        ),
        ("JSON", b"[{\"action\":\"ADD\",\"memberid\":71}]\
            \n".into(), format!("looks like JSON: {LAYOUTS}")),
        (
            "JSON in one long line",
            format!("[{}]", "{\"action\":\"ADD\"},".repeat(10_000)).into(),
            format!("looks like JSON: {LAYOUTS}"),
        ),
        (
            "a page",
            b"<!DOCTYPE html>\n<html><a href=\"?a=1&action=login\">log in</a></html>\n".into(),
            "looks like HTML, as a page of an error that was saved: is it the right file?".into(),
        ),
        (
            "an access log",
            b"192.0.2.1 - - [15/Jun/2026:12:00:00 +0000] \"GET /postback/x?siteid=1&action=ADD \
                HTTP/1.1\" 200 5 \"-\" \"curl\"\n"
                .repeat(3),
            "looks like the access log of a web server, which has no bodies: is there a capture of \
             them?".into(),
        ),
        (
            "requests",
            b"POST /postback/x HTTP/1.1\r\nHost: a\r\n\r\nsiteid=1&action=ADD\r\n".into(),
            "looks like requests with their headers: expected their bodies alone, one a \
             line".into(),
        ),
        (
            "URLs",
            b"https://members.example.com/postback/x?siteid=1&action=ADD\n".into(),
            "looks like URLs: expected the text after the ? of each, one a line".into(),
        ),
        (
            "a multipart body",
            b"--boundary\r\nContent-Disposition: form-data; name=\"action\"\r\n\r\nADD\r\n".into(),
            format!("no line has action=WORD, so it is no capture: {LAYOUTS}"),
        ),
        (
            "fields with commas between them",
            b"action=ADD, siteid=1, memberid=71, username=bob\n".into(),
            format!("no line has action=WORD, so it is no capture: {LAYOUTS}"),
        ),
        (
            "fields with tabs between them",
            b"action=ADD\tsiteid=1\tmemberid=71\tusername=bob\n".into(),
            format!("no line has action=WORD, so it is no capture: {LAYOUTS}"),
        ),
        ("a letter", b"Hello,\nhere they \
            are.\n".into(), format!("no line has action=WORD, so it is no capture: {LAYOUTS}")),
        (
            "bodies without an action",
            b"siteid=1&memberid=71&username=bob\nsiteid=1&memberid=72\n".into(),
            format!("no line has action=WORD, so it is no capture: {LAYOUTS}"),
        ),
        (
            "lines without an action",
            b"siteid=1\nmemberid=71\nusername=bob\n".into(),
            format!("no line has action=WORD, so it is no capture: {LAYOUTS}"),
        ),
    ]
}

/// Every file of a directory with its bytes.
pub fn files(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort_unstable();
    files
}

/// Regression: each of them became ERROR records in the journal, and the exit code was 0.
#[test]
fn what_is_no_capture_is_named_and_nothing_is_written() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let good = write(dir.path(), "good", CAPTURE);
    run_on(&data, &["replay", &good]).printed();
    let before = files(&data);
    for (what, bytes, said) in foreign() {
        let file = write(dir.path(), "file", &bytes);
        let line = format!("nats-userman: {file}: {said}\n");
        let none = dir.path().join("none");
        // Also if a capture comes before it, because all files are checked first.
        for (place, args) in [(&none, &["replay", &file][..]), (&data, &["replay", &good, &file])] {
            let ran = run_on(place, args);
            assert_eq!((ran.code, ran.out.as_str(), &ran.err), (Some(1), "", &line), "{what}");
        }
        assert!(!none.exists(), "{what}: something was made");
        if bytes.len() < 64 * 1024 {
            let ran = run_with_input(&data, &["replay", "-"], &bytes);
            assert_eq!(
                (ran.code, ran.out.as_str(), ran.err),
                (Some(1), "", format!("nats-userman: -: {said}\n")),
                "{what}"
            );
        }
        assert!(files(&data) == before, "{what}: a file was changed");
    }
    let bad = write(dir.path(), "file", "71,1,bob\n");
    run_on(&data, &["replay", "--dry-run", &good, &bad])
        .ended(1, &format!("nats-userman: {bad}: looks like CSV: {MOVING_IN}\n"));
    assert!(files(&data) == before, "a file was changed");
}

#[test]
fn what_is_no_capture_is_not_sent_and_neither_is_what_stands_before_it() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let program = Program::serve(&data, &[]);
    let url = format!("http://{}/postback/{TOKEN}", program.address);
    let (good, bad) = (write(dir.path(), "good", CAPTURE), write(dir.path(), "bad", "71,1,bob\n"));
    run_on(&data, &["replay", "--to", &url, &good, &bad])
        .ended(1, &format!("nats-userman: {bad}: looks like CSV: {MOVING_IN}\n"));
    assert_eq!(run_on(&data, &["journal"]).printed(), "");
}

#[test]
fn a_journal_that_is_packed_is_told_how_to_unpack_it() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let file = write(dir.path(), "journal.jsonl.gz", b"\x1f\x8b\x08\0\0\0\0\0");
    run_on(&data, &["replay", "--journal", &file]).ended(
        1,
        &format!(
            "nats-userman: {file}: looks like gzip: pipe it, gunzip -c FILE | \
            nats-userman replay --journal -\n"
        ),
    );
    assert!(!data.exists());
}

#[test]
fn a_replay_without_a_postback_fails_and_a_blank_file_among_others_does_not() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let (empty, blank) =
        (write(dir.path(), "empty", ""), write(dir.path(), "blank", "\u{feff}\r\n\n\n"));
    run_on(&data, &["replay", &empty]).ended(1, &format!("nats-userman: no postback in {empty}\n"));
    run_on(&data, &["replay", "--dry-run", &empty, &blank])
        .ended(1, &format!("nats-userman: no postback in {empty}, {blank}\n"));
    let ran = run_with_input(&data, &["replay", "-"], b"");
    ran.ended(1, "nats-userman: no postback in -\n");
    assert!(!data.exists());
    let good = write(dir.path(), "good", CAPTURE);
    assert_eq!(
        run_on(&data, &["replay", &empty, &good, &blank]).printed(),
        "1 OK, 0 NOTOK, 0 ERROR\n"
    );
    let missing = dir.path().join("missing");
    run_on(&data, &["replay", &good, missing.to_str().unwrap()]).ended(
        1,
        &format!(
            "nats-userman: cannot read {}: No such file or directory (os error 2)\n",
            missing.display()
        ),
    );
}

/// Unusual values and unknown names do not keep a file from being a capture.
#[test]
fn a_strange_capture_is_a_capture() {
    let dir = temp_dir();
    for (capture, counts, errors) in [
        (
            "username,memberid=71\n\naction=CHECK\nsiteid=1\nusername=a\n",
            "0 OK, 1 NOTOK, 1 ERROR\n",
            (1, 2),
        ),
        ("action=CHECK&siteid=1&username=a%2Cb%09c\n", "0 OK, 0 NOTOK, 1 ERROR\n", (1, 1)),
        ("nonsense\naction=CHECK&siteid=1&username=a\n", "0 OK, 1 NOTOK, 1 ERROR\n", (1, 2)),
        ("siteid=1&username=a%00&action=CHECK\n", "0 OK, 0 NOTOK, 1 ERROR\n", (1, 1)),
        ("siteid=1&username={a}&action=CHECK\n", "0 OK, 1 NOTOK, 0 ERROR\n", (0, 1)),
        (
            "CONCAT('action=ADD\\nsiteid=', siteid)\naction=CHECK\nsiteid=1\nusername=-- x\n",
            "0 OK, 1 NOTOK, 0 ERROR\n",
            (0, 1),
        ),
    ] {
        let file = write(dir.path(), "capture", capture);
        let ran = run_on(&dir.path().join("data"), &["replay", &file]);
        assert!(ran.out.ends_with(counts), "{capture}: {ran:?}");
        let (found, all) = errors;
        match found {
            0 => assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{capture}"),
            _ => drop(ran.printed_with_errors(found, all)),
        }
    }
}

/// The advice in the message works: the real program packs a capture, and the command in the
/// message unpacks it.
#[test]
fn a_packed_capture_is_replayed_as_the_advice_says() {
    if real_program("gzip").is_none() || real_program("gunzip").is_none() {
        return;
    }
    let dir = temp_dir();
    let data = dir.path().join("data");
    let file = write(dir.path(), "capture", CAPTURE);
    let packed = format!("{file}.gz");
    assert!(Command::new("gzip").arg(&file).status().unwrap().success());
    run_on(&data, &["replay", &packed]).ended(
        1,
        &format!(
            "nats-userman: {packed}: looks like gzip: pipe it, gunzip -c FILE | \
            nats-userman replay -\n"
        ),
    );
    let unpacked = Command::new("gunzip").args(["-c", &packed]).output().unwrap().stdout;
    assert_eq!(
        run_with_input(&data, &["replay", "-"], &unpacked).printed(),
        "1 OK, 0 NOTOK, 0 ERROR\n"
    );
}
