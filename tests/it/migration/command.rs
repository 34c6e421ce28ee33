//! The command: what it prints, and how it ends.

use std::fs;

use super::{sqlite_in, used};
use crate::commands::run;
use crate::support::{MariaDatabase, program, temp_dir};

#[test]
fn the_command_prints_what_both_have_and_what_to_do_next() {
    let Some(maria) = MariaDatabase::new() else { return };
    let (source, dir) = (used(), temp_dir());
    let (from, password) = (source.location.setting(), dir.path().join("password"));
    fs::write(&password, format!("{}\n", maria.password())).unwrap();
    let to = maria.setting();
    let data = dir.path().join("data");
    let flags = ["--data-dir", data.to_str().unwrap(), "--database-password-file"];
    let args = [&flags[..], &[password.to_str().unwrap()]].concat();
    let there = [&["migrate-store", "--from", &from, "--to", &to], &args[..]].concat();
    let printed = run(&there).printed();
    let lines: Vec<&str> = printed.lines().collect();
    let first = lines[0].split(" in ").next().unwrap();
    assert_eq!(first, format!("copied {from} to {to}"));
    let tables: Vec<&str> =
        lines[1..13].iter().map(|line| line.split(", SHA-256 ").next().unwrap()).collect();
    assert_eq!(
        tables,
        [
            "  member_auth            6 rows",
            "  former_member          1 rows",
            "  journal               14 rows",
            "  logout                 2 rows",
            "  logout_before          1 rows",
            "  login_seen             1 rows",
            "  known_network          1 rows",
            "  block                  1 rows",
            "  login                  1 rows",
            "  sharing_network        1 rows",
            "  sharing_block          1 rows",
            "  operator               1 rows",
        ]
    );
    assert_eq!(
        lines[13..],
        [
            format!("now set `database = \"{to}\"` in the configuration, and start the service"),
            format!(
                "seal.key and cookie.key stay in the data directory (here {}): each receiver of \
                 the new database needs the same two files, and the same tokens",
                data.display()
            ),
        ]
    );
    // And back, with the password in the URL.
    let back = sqlite_in(&dir, "back").setting();
    let url = maria.setting_with_password();
    let ran = run(&["migrate-store", "--from", &url, "--to", &back]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("--from has a password, which is visible"), "{}", ran.err);
    let hashes = |text: &str| -> Vec<String> {
        let hash = |line: &str| line.split(", SHA-256 ").nth(1).map(str::to_owned);
        text.lines().filter_map(hash).collect()
    };
    assert_eq!(hashes(&ran.out), hashes(&printed));
    assert_eq!(hashes(&ran.out).len(), 12);
    assert!(!format!("{ran:?}{printed}").contains(maria.password()));
}

#[test]
fn a_copy_that_cannot_be_made_ends_with_one_line() {
    let (source, dir) = (used(), temp_dir());
    let (from, to) = (source.location.setting(), sqlite_in(&dir, "copy").setting());
    let missing = dir.path().join("nothing/userman.db").display().to_string();
    let said = |code, from: &str, to: &str, line: &str| {
        run(&["migrate-store", "--from", from, "--to", to])
            .ended(code, &format!("nats-userman: {line}\n"));
    };
    let no_source = format!("there is no database at {missing}: check --from");
    said(1, &format!("sqlite:{missing}"), &to, &no_source);
    said(2, &from, &from, "--from and --to are the same database");
    said(
        2,
        &from,
        "postgres://u:secret@h/d",
        "--to: expected sqlite:PATH or mysql://USER@HOST/DATABASE, found \"postgres\"",
    );
    said(
        2,
        "mysql://db1/userman",
        &to,
        "--from: expected mysql://USER@HOST[:PORT][,HOST[:PORT]...]/DATABASE, found no USER@",
    );
    // Nothing listens there.
    let nowhere = "mysql://userman@127.0.0.1:1/userman";
    let ran = run(&["migrate-store", "--from", &from, "--to", nowhere]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with("nats-userman: cannot open the target (--to): "), "{}", ran.err);
    assert!(ran.err.contains("refused") && ran.err.lines().count() == 1, "{}", ran.err);
    assert!(!dir.path().join("copy/userman.db").exists());
}

#[test]
fn both_locations_must_be_named() {
    let output = program().args(["migrate-store", "--to", "sqlite:a.db"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--from <LOCATION>"));
}
