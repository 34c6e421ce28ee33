//! The command: what it prints, and how it ends.

use crate::commands::run;
use crate::engines::migration::{sqlite_in, used};
use crate::support::{program, temp_dir};

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
