//! The settings of `import --from`.

use std::path::Path;

use crate::support::ran::{run_on, write};
use crate::support::temp_dir;

/// The lines of all wrong uses.
#[test]
fn wrong_settings_of_a_source_end_with_code_2() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let file = write(dir.path(), "password", "secret\n");
    let from = "mysql://nats@127.0.0.1/nats";
    let both = ["--from-password-file", &file];
    for (args, said) in [
        (
            &["--from", "members.db"][..],
            "--from: expected mysql://USER@HOST[:PORT][,HOST[:PORT]...]/DATABASE, found another \
             beginning",
        ),
        (
            &["--from", "mysql://nats:a@127.0.0.1/nats", both[0], both[1]],
            "--from-password: expected one password, found one in the URL of --from beside it",
        ),
        (
            &["--from", from, "--from-tls", "on"],
            "--from-tls: expected required or off, found \"on\"",
        ),
        (
            &["--from", from, "--from-password-file", "/nowhere"],
            "--from-password-file: expected a file, found /nowhere: No such file or directory (os \
             error 2)",
        ),
        (
            &["members.csv", "--from-tls", "off"],
            "--from-tls: expected it with --from, found a file to import",
        ),
        (
            &["--from", from, "--from-tls-ca", &file],
            "--from-tls-ca: expected certificates in PEM form, found none in",
        ),
    ] {
        let ran = run_on(&data, &[&["import"], args].concat());
        let said = format!("nats-userman: {said}");
        assert!(ran.code == Some(2) && ran.err.starts_with(&said), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    }
    for args in [&["--from", from, "members.csv"][..], &["--from", from, "--format", "csv"], &[]] {
        assert_eq!(run_on(&data, &[&["import"], args].concat()).code, Some(2), "{args:?}");
    }
    assert!(!Path::new(&data).exists());
}
