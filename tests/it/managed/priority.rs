//! Under systemd, log lines carry their priority. `journalctl -p err` then shows errors alone.

use std::fs::File;
use std::io::{Read as _, Write as _, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use rustix::fs::fstat;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{TOKEN, post_to, program, temp_dir};

/// What the variable says about this stream.
fn stream(stderr: impl AsFd) -> String {
    let stat = fstat(stderr).unwrap();
    format!("{}:{}", stat.st_dev, stat.st_ino)
}

/// What a service logs from its start to its end, with this stderr and this variable.
fn logged(stderr: OwnedFd, mut reader: impl std::io::Read, named: &str, flags: &[&str]) -> String {
    let dir = temp_dir();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
    command.args(flags).env("USERMAN_POSTBACK_TOKEN", TOKEN).env("JOURNAL_STREAM", named);
    let mut child = command.stderr(stderr).stdout(Stdio::null()).spawn().unwrap();
    // The other end would keep the stream open.
    drop(command);
    let (mut said, mut byte) = (Vec::new(), [0]);
    let text = |said: &[u8]| String::from_utf8_lossy(said).into_owned();
    let address = loop {
        assert_eq!(reader.read(&mut byte).unwrap(), 1, "{}", text(&said));
        said.push(byte[0]);
        let so_far = text(&said);
        if byte[0] == b'\n'
            && let Some((_, rest)) = so_far.split_once("listening on ")
        {
            let address = rest.trim_end().trim_end_matches(|c: char| !c.is_ascii_digit());
            break address.split('"').next().unwrap().parse().unwrap();
        }
    };
    let add = "action=ADD&siteid=1&memberid=71&username=Zo%C3%AB%0A%3C0%3Ex&password=secret";
    post_to(address, TOKEN, add.as_bytes()).unwrap();
    post_to(
        address,
        TOKEN,
        "action=ADD&siteid=1&memberid=72&username=Zo%C3%AB&password=x".as_bytes(),
    )
    .unwrap();
    post_to(address, &TOKEN.replace("test", "wrong"), b"action=CHECK").unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    reader.read_to_end(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    text(&said)
}

/// Each line begins with the priority of its level.
fn check(said: &str) {
    assert!(said.contains("<6>") && said.contains("Zo\u{eb}"), "{said}");
    for line in said.lines() {
        let (priority, rest) = line.split_at(3);
        let level = match rest.strip_prefix('{') {
            Some(_) => {
                let object: serde_json::Value = serde_json::from_str(rest).unwrap();
                object["level"].as_str().unwrap().to_uppercase()
            }
            None => rest.split_whitespace().nth(1).unwrap().to_owned(),
        };
        let expected = match level.as_str() {
            "ERROR" => "<3>",
            "WARN" => "<4>",
            "INFO" => "<6>",
            other => panic!("{other}: {line}"),
        };
        assert_eq!(priority, expected, "{line}");
    }
    let refused = said.lines().find(|line| line.contains("refused a call")).expect("a warning");
    assert!(refused.starts_with("<4>"), "{refused}");
}

#[test]
fn lines_to_the_journal_have_their_priority_as_text_and_as_json() {
    for format in ["text", "json"] {
        let (reader, writer) = UnixStream::pair().unwrap();
        let named = stream(&writer);
        check(&logged(writer.into(), reader, &named, &["--log-format", format]));
        let (reader, writer) = pipe().unwrap();
        let named = stream(&writer);
        check(&logged(writer.into(), reader, &named, &["--log-format", format]));
    }
}

#[test]
fn lines_to_anything_else_have_none() {
    let (_, another) = UnixStream::pair().unwrap();
    for named in [stream(&another), "nonsense".into(), String::new(), ":".into()] {
        let (reader, writer) = pipe().unwrap();
        let said = logged(writer.into(), reader, &named, &[]);
        assert!(said.contains("INFO  listening on"), "{said}");
        assert!(!said.lines().any(|line| line.starts_with('<')), "{said}");
    }
}

/// What the journal gets of a start with these wrong flags.
fn refused(flags: &[&str]) -> String {
    let (mut reader, writer) = pipe().unwrap();
    let mut command = program();
    command.arg("serve").args(flags);
    command.env("JOURNAL_STREAM", stream(&writer)).stderr(writer).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    said
}

#[test]
fn a_start_that_fails_is_an_error_in_the_journal() {
    assert_eq!(
        refused(&["--listen", "nonsense", "--time-zone", "Mars"]),
        "<3>nats-userman: --listen: expected ADDRESS:PORT, as in 127.0.0.1:8080, found \
         \"nonsense\"\n\
         <3>nats-userman: --time-zone: expected a name as in Europe/Berlin or UTC, found \"Mars\"\n"
    );
    let said = refused(&["--lissten", "127.0.0.1:8080"]);
    assert!(said.starts_with("<3>error: unexpected argument '--lissten' found\n"), "{said}");
    assert!(said.lines().all(|line| line.starts_with("<3>")), "{said}");
}

#[test]
fn a_file_that_is_no_journal_gets_lines_as_they_are() {
    let dir = temp_dir();
    let path = dir.path().join("log");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"").unwrap();
    let mut command = program();
    command.args(["serve", "--listen", "nonsense"]).env("JOURNAL_STREAM", "1:1");
    assert_eq!(command.stderr(file).status().unwrap().code(), Some(2));
    let said = std::fs::read_to_string(path).unwrap();
    assert!(said.starts_with("nats-userman: --listen: expected"), "{said}");
}
